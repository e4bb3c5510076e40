/* training/objective.h - what a training lowers: a loss, as nodes of a graph.
 *
 * An objective is a row with a builder (objective.c). A builder is given one batch and its logits
 * and appends what it needs: further passes of the network with the same weights, gradients in the
 * pixels, terms. It knows neither blobs nor plans, so the same builder serves a network of a few
 * sines in a test. Notation: f the logit of the true class, g = df/dx its gradient in the prepared
 * pixels x, B images in a batch; sums over a batch are of images as they are normed together.
 * Source: Joo et al., AAAI 2023, and its published code; docs/methods/gradient-alignment.md. */
#ifndef TRAINING_OBJECTIVE_H
#define TRAINING_OBJECTIVE_H

#include "../engine/engine.h"

#define OBJECTIVE_NAMES "ce|l2-cosd|hessian|pgd|triplet|contrastive|caption" // rows of objective.c

/* How the second point of l2-cosd lies to the first; e is perturb_eps. */
typedef enum Perturbation {
    PERTURB_UNIFORM,  // e U(-1, 1) a number
    PERTURB_GAUSSIAN, // e N(0, 1) a number
    PERTURB_GRAD,     // e g / |g|
    PERTURB_GRAD_SIGN // e sign(g) / |sign(g)|
} Perturbation;
#define PERTURBATION_NAMES "uniform|gaussian|grad|grad-sign"

/* What the published code does differently, in one row each (docs/methods/compat-modes.md). */
typedef struct ObjectiveMode {
    const char *name;
    bool        cosine_by_product; // cosd from <a, b> / max(|a| |b|, 1e-8), else from directions
    bool        adds_to_length;    // a direction of z is a / (|a| + 1e-8)
    bool        deviation_by_size; // z is over the deviations of CIFAR-10, of ImageNet for larger
                                   // images, else the blob's
} ObjectiveMode;
#define OBJECTIVE_MODE_NAMES "clean|aligned23"  // rows of modes.c
const ObjectiveMode *objective_mode(int index); // NULL if there is none

typedef struct ObjectiveSettings {
    int          row;  // of OBJECTIVE_NAMES; 0: cross-entropy
    int          mode; // of OBJECTIVE_MODE_NAMES; 0: clean
    double       lambda_l2, lambda_cos, lambda_hessian;
    bool         is_attached;   // l2-cosd: the gradient at x is followed too
    bool         by_difference; // second derivatives by differences of first
    Perturbation perturbation;  // l2-cosd
    double       perturb_eps;   // as pixels in 0..1
    double       attack_eps;    // pgd, triplet; likewise
    int64_t      attack_steps;
    int64_t      attack_inputs; // triplet: numbers of an image that its attack sees; 0: all
} ObjectiveSettings;

/* The network on another batch of prepared pixels, with the weights of the first pass. */
typedef bool ObjectivePass(void *self, NodeId input, NodeId *logits, Error *error);

typedef struct ObjectiveBatch {
    Graph                   *graph;
    const ObjectiveSettings *settings;
    ObjectivePass           *pass;
    void                    *self;
    NodeId input, logits, target; // [B, c, h, w] prepared; [B, classes]; one-hot rows
    NodeId noise;                 // of the shape of input, drawn anew for each step
    NodeId texts, texts_target; // contrastive: embeddings of the images' captions, as `logits` are
                                // of the images; [B, B] which images a caption is true of, as
                                // `target` has which captions are true of an image: rows sum to 1
    const real *unit;           // [c]: what a pixel's 1 is in prepared numbers; outlives the graph
    const real *low, *high;     // [c]: prepared 0 and 1; likewise
} ObjectiveBatch;

enum { OBJECTIVE_HELD = 4 };

typedef struct ObjectiveTerms {
    NodeId loss;      // one number, reported
    NodeId descended; // one number, whose gradient a step follows: the loss, unless by_difference
    NodeId ce, l2, cosd, hessian, other; // its terms without their factors; NODE_NONE: has none
    NodeId logits;                       // whose largest says whether an image is right
    NodeId held[OBJECTIVE_HELD];         // nodes that pass no gradient on
    int    held_count;
    int    pass_count;             // passes of the network, the first included
    int    counted_first, counted; // those whose batch statistics enter the running ones, in order
} ObjectiveTerms;

typedef enum DrawnKind { DRAWN_NONE, DRAWN_UNIFORM, DRAWN_NORMAL } DrawnKind; // U(-1, 1), N(0, 1)

/* What `noise` is to be filled with. */
DrawnKind objective_noise(const ObjectiveSettings *settings);

/* What it is learnt from: images and their classes; images and what is said of them, whose `logits`
 * are embeddings; units and what is said of them, whose graph captioner.h makes. */
typedef enum ObjectiveData { DATA_CLASSES, DATA_CAPTIONS, DATA_UNITS } ObjectiveData;
ObjectiveData objective_data(const ObjectiveSettings *settings);
int           objective_of_units(void); // its row

/* Errors: ERROR_USAGE (numbers out of range, no form by differences, a mode whose code does not have
 * the objective), before anything is built. */
bool objective_check(const ObjectiveSettings *settings, Error *error);

/* Appends the terms; objective_gradient then the gradients of `descended`. */
bool objective_build(const ObjectiveBatch *batch, ObjectiveTerms *out, Error *error);
void objective_gradient(Graph *graph, const ObjectiveTerms *terms, const NodeId *weights, int count,
                        NodeId *gradients);

/* ---- cross-entropy --------------------------------------------------------------------------- */

/* The sum over rows of -log softmax(logits) at the label; `target` has the shape of the logits and
 * one-hot rows, or zeros for rows that do not count. */
NodeId cross_entropy_sum(Graph *graph, NodeId logits, NodeId target);
NodeId cross_entropy_mean(Graph *graph, NodeId logits, NodeId target);

#endif
