/* attack/map_attack.h - moves an image until its explanation map is another one, while what the
 * network says of it stays.
 *
 * The loss (M4) is f1 mean (h(x) - wanted)^2 + f2 mean (p(x) - p(clean))^2, lowered by Adam on the
 * prepared image, which is cut to the box of valid pixels after each step. The last image is kept,
 * not the best. On a ReLU network most maps are constant in pieces, so that the loss has no slope:
 * the network is attacked with softplus in place of ReLU, and its beta grows (M5).
 * Source: Dombrowski et al., "Explanations can be manipulated and geometry is to blame", NeurIPS
 * 2019; docs/methods/map-attacks.md. */
#ifndef ATTACK_MAP_ATTACK_H
#define ATTACK_MAP_ATTACK_H

#include "map_slices.h"

/* Of the second term: soft-max probabilities, or logits. */
typedef enum OutputTerm { OUTPUT_PROBABILITIES, OUTPUT_LOGITS } OutputTerm;
#define OUTPUT_TERM_NAMES "probabilities|logits"

/* Noise of an attack on a SmoothGrad map: the same in all steps, or new in each. */
typedef enum NoiseRule { NOISE_FROZEN, NOISE_REDRAWN } NoiseRule;
#define NOISE_RULE_NAMES "frozen|redrawn"

typedef struct MapAttackRule {
    int64_t    steps;
    double     rate; // of Adam, in units of the prepared image
    double     map_factor, output_factor;
    OutputTerm output_term;
    double     beta_first, beta_last; // of softplus; equal: fixed; both 0: the ReLU network
    NoiseRule  noise;
    int64_t    copies;    // of SmoothGrad; 0: none
    double     level;     // deviation of the noise, a share of the box of pixels
    double     epsilon;   // of Adam; 0: 1e-8
    bool       is_signed; // steps of the rate against the sign of the gradient in place of Adam's
    uint64_t   seed;
} MapAttackRule;

/* The row of a published table, or false: no such table, or it has no row for the method. */
#define MAP_TABLE_NAMES "table1|table2|table3|table4|table5"
bool map_attack_preset(const char *table, const char *architecture, const char *method,
                       MapAttackRule *out);

/* beta before step `step` (M5). */
double map_attack_beta(const MapAttackRule *rule, int64_t step);
/* The beta of the network whose maps and outputs the attack compares with: 1000 where beta grows,
 * as published, else that of the attack; 0: ReLU. */
double map_attack_reference_beta(const MapAttackRule *rule);

/* What an attack needs of a graph. All nodes are the caller's and outlive the attack. A map of
 * points was asked for by map_slices_request. */
typedef struct MapAttackNodes {
    Graph         *graph;
    const Map     *map;
    NodeId         logits; // [1, classes] of the image itself
    NodeId         beta;   // op_scalar_input; NODE_NONE: a ReLU network
    const MapMode *mode;
    const real    *low, *high; // [channels], the box of valid pixels
} MapAttackNodes;

/* What goes on from step to step; a checkpoint saves it. Arrays are [values]. */
typedef struct MapAttackState {
    int64_t step, values;
    real   *image, *first, *second; // the attacked image; Adam's moments
    real   *wanted;                 // [cells], the map
    real   *outputs;                // [classes], what the network said of the clean image
    int64_t cells, classes;
} MapAttackState;

/* The loss before a step. */
typedef struct MapAttackLoss {
    double loss, map_term, output_term, beta;
} MapAttackLoss;

typedef struct MapAttack {
    MapAttackNodes nodes;
    MapAttackRule  rule;
    Plan          *plan;
    NodeId         wanted, outputs, loss, map_term, output_term, found;
    NodeId         gradient; // NODE_NONE: a map of points, whose slices have it
    MapSlices      slices;
    MapAttackState state;
    real           span[3]; // high - low
    /* [values], the box of each value, the caller's to set after opening; NULL: low and high. */
    const real *least, *most;
} MapAttack;

/* Appends the loss and its gradient to the graph and plans them. Errors: ERROR_MEMORY. */
bool map_attack_open(MapAttack *out, const MapAttackNodes *nodes, const MapAttackRule *rule,
                     const PlanOptions *options, Error *error);
void map_attack_close(MapAttack *attack); // accepts a zeroed object

/* Begins: the image [values] whose map is to become `wanted` [cells], and which class or unit is
 * explained. `draw` numbers the image: its noise depends on it. Runs the network once. Of several
 * images (MapRequest) what is [values], [cells] and [classes] holds one after another, and means
 * of the loss are over all of them. */
void map_attack_begin(MapAttack *attack, const real *image, const float *wanted, int64_t unit,
                      uint64_t draw);
/* The same, with a class or unit for each image. */
void map_attack_begin_each(MapAttack *attack, const real *images, const float *wanted,
                           const int64_t *units, uint64_t draw);

/* The loss at the image as it is, and its gradient [values], valid until the next run. */
MapAttackLoss map_attack_look(MapAttack *attack, uint64_t draw);
const real   *map_attack_gradient(const MapAttack *attack);

/* One step; *loss is that before it. Nothing allocates. Errors: ERROR_DATA, the loss is not a
 * finite number. */
bool map_attack_step(MapAttack *attack, uint64_t draw, MapAttackLoss *loss, Error *error);

#endif
