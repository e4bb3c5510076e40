/* models/models.h - a network from a weight blob, up to a named layer, as nodes of a graph.
 *
 * Layers carry their published names: VGG `conv3_3` (also `features.14`), ResNet `layer3`, ...
 * A VGG convolution is read before its ReLU unless post_relu; a ResNet stage after its last ReLU
 * (Q2). Families share their builder; depths are rows. */
#ifndef MODELS_MODELS_H
#define MODELS_MODELS_H

#include "../engine/blob.h"

/* Lists of what training changes: weights and batch norms. With such lists in its request a network
 * takes its weights as inputs, which a training fills anew before each run, and its batch norms use
 * the statistics of the batch. network_build fills in the lists in the order of the layers.
 *
 * Lists begin as zeros and then belong to one graph and one blob. A second forward pass on that
 * graph with the same lists (another batch, or a perturbed one) uses the weights of the first and
 * adds only the norms of its own batch; so a loss of both passes has one gradient. */

typedef struct TrainableWeight {
    char        name[64]; // of the tensor
    NodeId      node;     // an input, to be filled before the first run
    Shape       shape;
    const real *initial; // the blob's
} TrainableWeight;

typedef struct TrainableNorm {
    char    name[64];         // base of running_mean and running_var
    NodeId  mean, variance;   // of the batch, [1, c, 1, 1]; variance over n
    int64_t channels, values; // numbers a channel has in a batch
    int     forward;          // which forward pass of the graph, from 0
} TrainableNorm;

typedef struct Trainables {
    const Graph      *graph; // of the nodes
    const WeightBlob *blob;  // of the initial values
    int               weight_count, norm_count, forward_count;
    TrainableWeight  *weights;
    TrainableNorm    *norms;
} Trainables;

void trainables_close(Trainables *list); // accepts a zeroed object

/* Which part of a network is wanted, and in which form. */
typedef struct NetworkRequest {
    int64_t            batch;       // images per run
    const char        *layer;       // NULL: the logits
    const char *const *layers;      // several layers of one pass, in any order, in place of `layer`
    int                layer_count; // of them, up to NETWORK_LAYERS; 0: `layer` alone
    bool               post_relu;   // read convolutions after their ReLU
    int64_t            unit;        // -1: all units, else only this one (op_channel) of one layer
    real               softplus_beta; // 0: the network's own activation (network_activation)
    const NodeId      *softplus; // beta as a scalar node of the graph (op_scalar_input), so that
                                 // it may change from run to run; NULL: softplus_beta is built in
    bool          raw_input;     // the input is the prepared tensor, not pixels
    const NodeId *pixels;        // a node of the graph that is read in place of a new input,
                                 // such as that of another forward pass; NULL: a new input
    int64_t     width, height;   // 0: the blob's
    int64_t     tokens;          // of each text, for a network of texts; 0: images
    ConvMethod  conv;            // how a LayerRunner plans its convolutions
    bool        keep_norms;      // batch norms stay nodes; else they are folded into convolutions
    Trainables *trainables;      // NULL: weights are constants
} NetworkRequest;

enum { NETWORK_LAYERS = 32 };

/* What stands between the layers of a network; all families have one kind alone. */
typedef struct Activation {
    const char *name;    // ReLU, ReLU6, GELU, quick GELU, SiLU, softplus, or none
    bool        is_relu; // softplus can stand in its place, or does
} Activation;

typedef struct Network {
    NodeId pixels; // [batch, 3, h, w], RGB in 0..1 (the prepared tensor when raw_input); an input,
                   // or what the request gave
    NodeId prepared; // what its first layer reads: the pixels, prepared
    NodeId tokens;   // of a network of texts [batch, tokens], an index input; it has no pixels
    NodeId ends; // places in the last tokens [batch, width, 1, tokens] of each text's end, an index
                 // input; NODE_NONE unless the layer reads end tokens (text.h fills it)
    NodeId     layer; // [batch, units, lh, lw] or [batch, classes]; of several the first
    NodeId     layers[NETWORK_LAYERS]; // all that were asked for, in the order of the request
    int        layer_count;            // 1 for a single one
    Activation activation;             // before the layer
    bool       is_class_token[NETWORK_LAYERS]; // of each: a transformer's, which has no place
} Network;

/* Errors: ERROR_USAGE (no such layer or unit; the message lists the layers), ERROR_DATA (blob lacks
 * a tensor the layer needs, or its shape is wrong). Constant weights of several forward passes on
 * one graph are held once by a plan. */
bool network_build(Graph *graph, WeightBlob *blob, const NetworkRequest *request, Network *out,
                   Error *error);

/* Which family builds a blob's network: its architecture, or the encoder that a captioner (`milan`)
 * looks at images with, which has its tensors' names behind CAPTIONER_PREFIX. */
#define CAPTIONER_PREFIX "encoder.encoder.model."
const char *network_architecture(const WeightBlob *blob);

/* What the logits of one image say: the class of the largest, the first of equal ones, and the
 * soft-max probability of a class, in 0..1. */
int64_t logits_predicted(const real *logits, int64_t classes);
double  logits_probability(const real *logits, int64_t classes, int64_t class);
/* The Euclidean distance of the probabilities that two answers stand for. */
double logits_distance(const real *a, const real *b, int64_t classes);

/* The activation that a blob's text names, `activation=softplus:3` for a network that was trained
 * so; ReLU where it names none. *beta 0: ReLU. Errors: ERROR_DATA (another text). */
bool network_activation(const WeightBlob *blob, real *beta, Error *error);

/* "relu" or "softplus:BETA" with 0 < BETA <= 1000000; false for any other text. */
bool activation_parse(const char *text, real *beta);

/* Name of the i-th layer that can be probed with this blob, or NULL past the last; valid until the
 * next call in this thread. Blocks of a stage (`layer3.5`) can be asked for too but are not listed.
 */
const char *network_layer_name(WeightBlob *blob, int index);

/* The activation before a layer (NULL: the logits); ReLU of a layer that cannot be built. Errors:
 * ERROR_MEMORY. */
bool network_activation_before(WeightBlob *blob, const char *layer, Activation *out, Error *error);

/* Whether a layer is a transformer's map of patches, whose class token is the layer of this name
 * and CLASS_TOKEN. Errors: ERROR_MEMORY. */
#define CLASS_TOKEN ":class"
bool network_has_class_token(WeightBlob *blob, const char *layer, bool *out, Error *error);

typedef struct LayerSize {
    int64_t units, height, width; // 1 x 1 for logits
} LayerSize;

/* Turns images into activation maps in one call: graph and plan of one request. */
typedef struct LayerRunner {
    Graph    *graph;
    Plan     *plan;
    Network   network;
    int64_t   batch, units, height, width; // of the maps; of several layers the first's
    int64_t   image_height, image_width;
    LayerSize sizes[NETWORK_LAYERS]; // of every layer of the request
} LayerRunner;

bool layer_runner_open(LayerRunner *out, WeightBlob *blob, const NetworkRequest *request,
                       Error *error);
void layer_runner_close(LayerRunner *runner); // accepts a zeroed object

/* pixels [count, 3, h, w] in 0..1, maps [count, units, lh, lw]; count <= batch. */
void layer_runner_run(LayerRunner *runner, const real *pixels, int64_t count, real *maps);

/* The same for every layer of the request, in one pass: maps[i] belongs to its layer i and has the
 * bits of a run of that layer alone. NULL: a layer that is not wanted this time. */
void layer_runner_run_all(LayerRunner *runner, const real *pixels, int64_t count,
                          real *const *maps);

#endif
