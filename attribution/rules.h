/* attribution/rules.h - how methods walk back through a network: rules of gradients, of patterns
 * and of relevance, on any graph.
 *
 * Relevance of a layer y = w x + b. A rule divides what arrived at y, R, among the inputs:
 *
 *     R_x = sum over terms of  part * w'(R / (Z + stabiliser)),   Z = sum of w(part) + bias
 *
 * with a part of the input and a part of the weights for each term. Rules are rows of a table
 * (relevance.c); a composite says which one holds for which layers. Sources: Bach et al., PLOS ONE
 * 2015; Montavon et al., Pattern Recognition 2017; docs/methods/explanation-maps.md. */
#ifndef ATTRIBUTION_RULES_H
#define ATTRIBUTION_RULES_H

#include "../engine/sweep.h"

/* What happens to a signal d on its way back through an activation a = phi(z). */
typedef enum GradientRule {
    GRADIENT_PLAIN,  // phi'(z) d
    GRADIENT_GUIDED, // phi'(z) psi(d), psi = max(., 0), or the softplus of the network
    GRADIENT_DECONV  // max(d, 0)
} GradientRule;

/* What a mode decides about a walk. */
typedef struct SweepMode {
    bool gate_at_zero; // a ReLU lets the signal through where z = 0
    bool uses_bias;    // biases take part in Z of the alpha-beta rules, as in the others
    bool norms_pass;   // relevance passes a norm that is not folded as it is
    real stabiliser;   // of every rule; 0: each rule's own
} SweepMode;

/* ---- relevance ------------------------------------------------------------------------------- */

typedef enum RelevanceRule {
    RULE_NONE,
    RULE_ZPLUS,        // positive weights
    RULE_EPSILON,      // all weights
    RULE_GAMMA,        // w + gamma w+
    RULE_ALPHA1BETA0,  // positive contributions
    RULE_ALPHA2BETA1,  // twice the positive less the negative contributions
    RULE_BOX,          // of pixels between two bounds
    RULE_FLAT,         // the same share for every input
    RULE_GAMMA_SIGNED, // all weights, more of the contributions of the sign of Z
    RULE_COUNT
} RelevanceRule;
#define RELEVANCE_RULE_NAMES                                                                       \
    "none|z-plus|epsilon|gamma|alpha1beta0|alpha2beta1|box|flat|gamma-signed"

typedef enum SumRule { SUM_POSITIVE, SUM_PROPORTIONAL } SumRule;
#define SUM_RULE_NAMES "positive|proportional"

/* What attention does with relevance: y = V A, with A = softmax(Q K). */
typedef enum AttentionRule {
    ATTENTION_NONE,  // there is no rule
    ATTENTION_HELD,  // A is a constant: all of it goes to V
    ATTENTION_SHARED // half goes to V, half to A and through the soft-max to Q and K
} AttentionRule;

/* Which rule holds where. */
typedef struct Composite {
    RelevanceRule first, conv, dense; // the first convolution; the others; dense layers
    SumRule       sum, mean;          // residual sums; average pools
    AttentionRule attention;
    bool          norms_pass; // layer norms pass relevance as it is; else their deviation is held
} Composite;

/* Reads a composite of one's own: lines of a place and a rule, such as "first box", "conv gamma",
 * "dense epsilon", "sum positive", "mean proportional"; "#" begins a comment. Places that are not
 * named keep what *out holds. `name` is the file in messages. Errors: ERROR_DATA with the line. */
bool composite_parse(Composite *out, const char *text, const char *name, Error *error);

/* ---- weights that rules need ----------------------------------------------------------------- */

/* Positive parts of weights and the like, made once for each array of weights. */
typedef struct RuleWeights RuleWeights;

bool rule_weights_open(RuleWeights **out, Error *error);
void rule_weights_close(RuleWeights *weights); // NULL allowed; after the plans that read them

/* ---- where relevance goes -------------------------------------------------------------------- */

/* One layer of a walk: what arrived at it and what its inputs did not get, as numbers of the
 * graph. What arrived = what its inputs got + bias + stabiliser + dead. */
typedef struct AccountRow {
    char        layer[64];
    const char *rule;
    NodeId      relevance, bias, stabiliser, dead;
    NodeId      size; // the sum of the sizes of what arrived: how much of it cancels out
} AccountRow;

typedef struct Account {
    AccountRow *rows; // in the order of the walk, from the output down
    int         count;
} Account;

/* ---- a walk ---------------------------------------------------------------------------------- */

typedef struct Walk {
    SweepMode        mode;
    GradientRule     gradient;
    const Composite *relevance;  // NULL: a walk of gradients
    const NodeId    *low, *high; // of RULE_BOX: bounds of the image, [1, c, 1, 1]
    RuleWeights     *weights;
    /* Patterns: the array that stands in place of a layer's weights, by the layer's name; NULL:
     * the weights themselves. Errors go to the graph's caller through *error. */
    const real *(*pattern)(void *self, const char *layer, Shape shape, Error *error);
    void    *pattern_self;
    Account *account; // filled if not NULL; account_close
} Walk;

/* Walks from `from`, where `start` arrives, down to the image.
 * Errors: ERROR_USAGE naming the layer that has no rule; ERROR_MEMORY; those of the patterns. */
bool walk_back(Graph *graph, const Walk *walk, NodeId from, NodeId start, NodeId image,
               NodeId *result, Error *error);
void account_close(Account *account); // accepts a zeroed object

#endif
