/* attribution/methods.c - the table of methods: a row each. */
#include "attribution.h"

#include <string.h>

/* Composites, (E19): which rule holds where. `lrp` is that of the first study of maps, the others
 * those of the study of gradient alignment, and two of theirs with the flat rule at the image. */
#define WITHOUT_ATTENTION(first_rule, conv_rule, dense_rule, sum_rule, mean_rule)                  \
    {                                                                                              \
        .first = (first_rule), .conv = (conv_rule), .dense = (dense_rule), .sum = (sum_rule),      \
        .mean = (mean_rule)                                                                        \
    }
static const Composite study =
    WITHOUT_ATTENTION(RULE_BOX, RULE_ZPLUS, RULE_ZPLUS, SUM_POSITIVE, SUM_POSITIVE);
static const Composite epsilon =
    WITHOUT_ATTENTION(RULE_NONE, RULE_EPSILON, RULE_EPSILON, SUM_PROPORTIONAL, SUM_PROPORTIONAL);
static const Composite gamma_rules =
    WITHOUT_ATTENTION(RULE_NONE, RULE_GAMMA, RULE_EPSILON, SUM_PROPORTIONAL, SUM_PROPORTIONAL);
static const Composite alpha2beta1 =
    WITHOUT_ATTENTION(RULE_NONE, RULE_ALPHA2BETA1, RULE_EPSILON, SUM_PROPORTIONAL, SUM_POSITIVE);
static const Composite epsilon_plus =
    WITHOUT_ATTENTION(RULE_NONE, RULE_ALPHA1BETA0, RULE_EPSILON, SUM_PROPORTIONAL, SUM_POSITIVE);
static const Composite gamma_box =
    WITHOUT_ATTENTION(RULE_BOX, RULE_GAMMA, RULE_EPSILON, SUM_PROPORTIONAL, SUM_PROPORTIONAL);
static const Composite plus_box =
    WITHOUT_ATTENTION(RULE_BOX, RULE_ALPHA1BETA0, RULE_ALPHA1BETA0, SUM_PROPORTIONAL, SUM_POSITIVE);
static const Composite plus_flat =
    WITHOUT_ATTENTION(RULE_FLAT, RULE_ALPHA1BETA0, RULE_EPSILON, SUM_PROPORTIONAL, SUM_POSITIVE);
static const Composite alphabeta_flat =
    WITHOUT_ATTENTION(RULE_FLAT, RULE_ALPHA2BETA1, RULE_EPSILON, SUM_PROPORTIONAL, SUM_POSITIVE);

/* Of networks with attention: conservative propagation (T4, T5), and AttnLRP (T6, T7). */
static const Composite transformer = {.conv      = RULE_EPSILON,
                                      .dense     = RULE_EPSILON,
                                      .sum       = SUM_PROPORTIONAL,
                                      .mean      = SUM_PROPORTIONAL,
                                      .attention = ATTENTION_HELD};
static const Composite attnlrp     = {.conv       = RULE_GAMMA_SIGNED,
                                      .dense      = RULE_GAMMA_SIGNED,
                                      .sum        = SUM_PROPORTIONAL,
                                      .mean       = SUM_PROPORTIONAL,
                                      .attention  = ATTENTION_SHARED,
                                      .norms_pass = true};

static const MapMethod methods[] = {
    {.name            = "gradient",
     .summary         = "the derivative of the logit in each pixel",
     .is_flat_on_relu = true},
    {.name = "gradient-x-input", .summary = "the derivative times the pixel", .times_input = true},
    {.name    = "integrated",
     .summary = "the mean derivative along the straight path from a baseline",
     .kind    = MAP_INTEGRATED},
    {.name            = "guided",
     .summary         = "the derivative, with negative signals dropped at activations",
     .rule            = GRADIENT_GUIDED,
     .is_flat_on_relu = true},
    {.name            = "deconvnet",
     .summary         = "negative signals dropped at activations, whatever went forward",
     .rule            = GRADIENT_DECONV,
     .is_flat_on_relu = true},
    {.name    = "gradcam",
     .summary = "the last maps of the network, weighed by their mean derivative",
     .kind    = MAP_GRADCAM},
    {.name = "lrp", .summary = "relevance: z+, box at the image", .relevance = &study},
    {.name = "lrp-epsilon", .summary = "relevance: epsilon", .relevance = &epsilon},
    {.name = "lrp-gamma", .summary = "relevance: gamma, epsilon", .relevance = &gamma_rules},
    {.name      = "lrp-alpha2beta1",
     .summary   = "relevance: alpha 2 beta 1, epsilon",
     .relevance = &alpha2beta1},
    {.name      = "lrp-epsilon-plus",
     .summary   = "relevance: positive contributions, epsilon",
     .relevance = &epsilon_plus},
    {.name      = "lrp-gamma-box",
     .summary   = "relevance: gamma, epsilon, box at the image",
     .relevance = &gamma_box},
    {.name      = "lrp-plus-box",
     .summary   = "relevance: positive contributions, box at the image",
     .relevance = &plus_box},
    {.name      = "lrp-epsilon-plus-flat",
     .summary   = "relevance: as lrp-epsilon-plus, flat at the image",
     .relevance = &plus_flat},
    {.name      = "lrp-alpha2beta1-flat",
     .summary   = "relevance: as lrp-alpha2beta1, flat at the image",
     .relevance = &alphabeta_flat},
    {.name            = "pattern",
     .summary         = "the derivative with each weight times its pattern",
     .needs_patterns  = true,
     .is_flat_on_relu = true},
    {.name    = "rollout",
     .summary = "attention of all layers multiplied, whatever the class",
     .kind    = MAP_ROLLOUT},
    {.name    = "gradient-rollout",
     .summary = "the same, of what raises the logit",
     .kind    = MAP_GRADIENT_ROLLOUT},
    {.name      = "lrp-transformer",
     .summary   = "relevance: epsilon, attention and norms held constant",
     .relevance = &transformer},
    {.name      = "attnlrp",
     .summary   = "relevance: gamma, shared between values and attention",
     .relevance = &attnlrp},
};

const MapMethod *map_method_at(int index)
{
    bool is_there = index >= 0 && index < (int)(sizeof methods / sizeof *methods);
    return is_there ? &methods[index] : NULL;
}

const MapMethod *map_method_named(const char *name)
{
    for (int i = 0; map_method_at(i); i++)
        if (strcmp(map_method_at(i)->name, name) == 0)
            return map_method_at(i);
    return NULL;
}

bool map_method_is_flat(const MapMethod *method)
{
    return !method->relevance && method->rule == GRADIENT_DECONV;
}

bool map_method_needs_attention(const MapMethod *method)
{
    return method->kind == MAP_ROLLOUT || method->kind == MAP_GRADIENT_ROLLOUT ||
           (method->relevance && method->relevance->attention != ATTENTION_NONE);
}
