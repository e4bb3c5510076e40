/* attack/unit_attack.h - perturbs the images of one unit, so that the unit answers less to one
 * concept and more to another.
 *
 * What an attack makes small is its objective, a number computed from the unit's maps. Only weights
 * on the maps reach the network: the gradient of sum(maps * weights) tells how each pixel is to
 * move. For the mean loss the weights are constant; for others they are the gradient
 * of the loss at the current maps, taken anew before each step. Either way, images that share one
 * objective need not share a run of the network. What is lowered and raised is an Aim: nothing here
 * knows which method explains the unit. */
#ifndef ATTACK_UNIT_ATTACK_H
#define ATTACK_UNIT_ATTACK_H

#include "../nem/method.h"
#include "attack.h"

enum { ATTACK_GROUP = 64 }; // consecutive images that may share one objective (C10)

/* Builds pixels [n, 3, height, width] -> maps of one unit [n, 1, h, w] on an empty graph, which is
 * planned as `plan` says. */
typedef struct UnitBuilder {
    bool (*build)(void *self, Graph *graph, Shape pixels, int64_t unit, Network *out, Error *error);
    void       *self;
    PlanOptions plan;
} UnitBuilder;

/* The builder of a weight blob's layer; its self is the BlobLayer, which outlives it. */
typedef struct BlobLayer {
    WeightBlob *blob;
    const char *layer;
    bool        post_relu;
    ConvMethod  conv;
} BlobLayer;

UnitBuilder unit_builder(BlobLayer *layer);

/* What attacks on the units of one layer share. */
typedef struct AttackSetup {
    const Inputs *inputs; // clean images, layer
    UnitBuilder   builder;
    const Pass   *pass;  // may cancel
    int64_t       batch; // images per PGD run; 0: the layer's batch
} AttackSetup;

/* ---- objective ------------------------------------------------------------------------------- */

typedef enum AttackLoss { LOSS_MEAN, LOSS_SOFT_IOU, LOSS_SOFT_WPMI } AttackLoss;
#define LOSS_NAMES "mean|soft-iou|soft-wpmi"

typedef struct UnitObjective UnitObjective;

/* Makes the objective of an aim, which outlives it. `coupled`: one objective for a whole group
 * (C10), else one for each image. map_count: elements of one map of the unit. Errors: ERROR_USAGE
 * (soft-wpmi, and the aim has no gains). */
bool unit_objective_open(UnitObjective **out, const Aim *aim, AttackLoss loss, bool coupled,
                         int64_t map_count, Error *error);
void unit_objective_close(UnitObjective *objective); // NULL allowed

/* Makes these images (at most ATTACK_GROUP, of one group) the current ones. */
bool unit_objective_load(UnitObjective *objective, const int64_t *images, int64_t count,
                         Error *error);

/* Whether the weights do not depend on the maps (the mean loss). */
bool unit_objective_is_linear(const UnitObjective *objective);

/* weights [count, map_count] of the current images at their maps [count, map_count] (NULL allowed
 * where it is linear); *loss (may be NULL) is the objective's value, summed over the images if not
 * coupled.
 *   mean      (C9) sum(maps * weights) = average over the source mask - average over the target
 *             mask, each area that of the image, or of the group + 1e-8 when coupled
 *   soft-iou  (C11) m = sigmoid((up(maps) - T) / std(up(maps))), score(L) = sum(m L) / (sum(max(m,
 * L)) + 1e-8); weights are the gradient of score(source) - score(target)
 *   soft-wpmi (L13) sum of sigmoid((q - level) / softness) gain over the images; masks do not count
 */
bool unit_objective_weigh(UnitObjective *objective, const float *maps, float *weights, double *loss,
                          Error *error);

/* ---- the run over images --------------------------------------------------------------------- */

typedef struct UnitAttack UnitAttack;

/* One unit's network with its gradient. What the setup points to and the objective outlive it. */
bool unit_attack_open(UnitAttack **out, const AttackSetup *setup, int64_t unit,
                      UnitObjective *objective, Error *error);
void unit_attack_close(UnitAttack *attack); // NULL allowed

/* Receives perturbed images batch by batch, each once: planes [count, 3, h, w] before and after. */
typedef struct PerturbedSink {
    /* Whether it has an image already, so that it need not come; NULL: it has none. */
    bool (*has)(void *self, int64_t image);
    bool (*take)(void *self, const int64_t *images, int64_t count, const real *clean,
                 const real *perturbed, Error *error);
    void *self;
} PerturbedSink;

/* How much of each of `images` (increasing) an attack runs, shares [count]: less than 1 where all
 * that can move the unit lies in a part of the image. Cost: the masks of these images. */
bool unit_attack_shares(UnitAttack *attack, const int64_t *images, int64_t count, float *shares,
                        Error *error);

/* Seconds of a third of a gradient, which is what a pass of an attack is counted as: measured on a
 * batch of whole images. */
bool unit_attack_seconds(const AttackSetup *setup, int64_t unit, double *seconds, Error *error);

/* Sees each state of one image of a run, planes [3, height, width]. The loss is the image's own if
 * the objective is linear, else that of its group. */
typedef struct StateWatch {
    int64_t image;
    bool (*state)(void *self, int step, double loss, const float *planes, Error *error);
    void *self;
} StateWatch;

/* Perturbs each of `images` (increasing) within eps and hands it to the sink. Images that the sink
 * has already are left out; where images share an objective that is not linear, a group is left out
 * only if the sink has all of it. `watch` may be NULL. Errors: ERROR_AGAIN (cancelled), those of
 * the images and of the sink. */
bool unit_attack_run(UnitAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, const StateWatch *watch, Error *error);

/* How many images of the list, from its start, belong to one group of the probing set. */
int64_t group_length(const int64_t *images, int64_t count);

/* True with ERROR_AGAIN once the pass is cancelled. */
bool attack_cancelled(const Pass *pass, Error *error);

#endif
