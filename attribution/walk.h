/* attribution/walk.h - what the files of a walk share. */
#ifndef ATTRIBUTION_WALK_H
#define ATTRIBUTION_WALK_H

#include "rules.h"

/* What is known of a walk through one graph. Arrays have an entry a node up to where it starts. */
typedef struct Walker {
    const Walk *walk;
    NodeId      image, from;
    bool       *is_between; // depends on the image and leads to where the walk starts
    bool       *leads;      // leads to where the walk starts
    bool       *is_weighed; // a layer with weights lies between the image and this node
    NodeId     *sum;        // of a layer with weights: the node that adds its bias, or NODE_NONE
    int         account_room;
    Error       error; // of a rule, which has no other way to tell
} Walker;

/* ---- what a node is, told from the ops around it (structure.c) -------------------------------- */

bool has_weights(const Graph *graph, NodeId node);   // a convolution or a product of matrices
bool is_concat(const Graph *graph, NodeId node);     // two arrays put side by side, by op_concat
bool is_norm(const Graph *graph, NodeId node);       // a factor and a term a channel, by op_affine
bool is_layer_norm(const Graph *graph, NodeId node); // the factor and term behind a layer norm
/* The sum of op_layer_norm in which a mean is subtracted: input 0 less its mean. */
bool is_centring(const Graph *graph, NodeId node);
/* Of a product of a signal and a gate, which is computed from signals too: the place of the gate, 0
 * or 1. A gate is a sigmoid, a normal distribution function, or the deviation of a norm; x times
 * its own gate is SiLU or GELU. -1: any other node. */
int gate_input(const Graph *graph, NodeId node);
/* A ReLU, a clamp or a softplus. */
bool is_rectifier(const Graph *graph, NodeId node);

/* ---- rules of nodes -------------------------------------------------------------------------- */

/* What relevance holds constant: the place of an input that nothing is handed to, or -1. Gates,
 * subtracted means, weights of attention if the composite says so. */
int held_input(const Walker *walker, const Graph *graph, NodeId node);

/* The rule of a node, NULL where its own derivative is right. Errors: ERROR_USAGE, no rule. */
bool walker_rule(const Walker *walker, const Graph *graph, NodeId node, SweepRule **rule,
                 Error *error);

/* A layer's name: its own, or its kind and number, "sum 3". */
typedef struct WalkName {
    char text[64];
} WalkName;
WalkName walk_name(const Walker *walker, const Graph *graph, NodeId node);

/* ---- rules ----------------------------------------------------------------------------------- */

SweepRule rule_relu, rule_clamp, rule_softplus; // of gradients
SweepRule rule_pattern;                         // of layers with weights
SweepRule rule_linear;                          // relevance of layers with weights
SweepRule rule_sum, rule_mean;                  // relevance of residual sums and average pools
SweepRule rule_term;                    // and of sums with what does not depend on the image
SweepRule rule_centring;                // of layer norms
SweepRule rule_product, rule_soft_max;  // of attention
SweepRule rule_pass, rule_pass_to_both; // relevance goes on as it is

/* A layer with weights: y = w x, a convolution or a dense layer. */
typedef struct LinearLayer {
    NodeId   node, x, w;
    bool     is_conv;
    OpParams params;
} LinearLayer;

LinearLayer linear_layer(const Graph *graph, NodeId node);
NodeId      linear_forward(Graph *graph, const LinearLayer *layer, NodeId x, NodeId w);
/* The transposed layer: what reaches x when s arrives. */
NodeId linear_backward(Graph *graph, const LinearLayer *layer, NodeId s, NodeId w);

/* s = arrived / (z + stabiliser), and what the division leaves over. Where z cannot be negative
 * (is_positive) nothing is handed on where it is zero; else the stabiliser has the sign of z. */
typedef struct Division {
    NodeId s;
    NodeId stabiliser, dead; // shares, numbers
} Division;

Division relevance_divide(Graph *graph, NodeId arrived, NodeId z, real stabiliser,
                          bool is_positive);
NodeId   positive_part(Graph *graph, NodeId x);
NodeId   negative_part(Graph *graph, NodeId x);
bool     is_never_negative(const Graph *graph, NodeId node);

/* Adds a row to the account of the walk, if it keeps one. NODE_NONE: zero. */
void account_add(Walker *walker, Graph *graph, NodeId node, const char *rule, NodeId arrived,
                 NodeId bias, NodeId stabiliser, NodeId dead);

/* ---- weights --------------------------------------------------------------------------------- */

typedef enum WeightPart {
    WEIGHT_PLAIN,
    WEIGHT_POSITIVE,
    WEIGHT_NEGATIVE,
    WEIGHT_GAMMA, // w + gamma w+
    WEIGHT_ONE,
    WEIGHT_TIMES_PATTERN
} WeightPart;

#define RULE_GAMMA_SHARE ((real)0.25) // gamma

/* Arrays made from weights, each once. NULL and ERROR_MEMORY on failure. */
const real *rule_weights_part(RuleWeights *weights, const real *source, Shape shape,
                              WeightPart part, Error *error);
const real *rule_weights_times(RuleWeights *weights, const real *source, const real *pattern,
                               Shape shape, Error *error);
/* An array of zeros that lives as long, for the caller to fill. */
real *rule_weights_own(RuleWeights *weights, size_t count, Error *error);

#endif
