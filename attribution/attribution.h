/* attribution/attribution.h - explanation maps: how much each pixel counts for one decision.
 *
 * A map is made of ordinary nodes of a graph: the network, then a walk back through it with the
 * rules of a method (engine/sweep.h). So the derivative of a map in its image is graph_gradient
 * once more, and an attack on a map needs nothing else:
 *
 *     NodeId beta = op_scalar_input(graph, 10, "beta");              // softplus in place of ReLU
 *     MapRequest request = {.method = map_method_named("gradient"),
 *                           .mode   = map_mode_named("manipulated19"), .beta = &beta};
 *     map_build(graph, blob, &request, &map, &error);
 *     graph_gradient(graph, op_squared_distance(graph, map.map, wanted), &map.image, 1, &step);
 *     plan_create(&plan, graph, (NodeId[]){map.map, step}, 2, &map_plan_options, &error);
 *     map_choose(plan, &map, class);
 *
 * Images are prepared tensors [n, 3, h, w], as the network reads them. Formulas and their labels:
 * docs/methods/explanation-maps.md. */
#ifndef ATTRIBUTION_ATTRIBUTION_H
#define ATTRIBUTION_ATTRIBUTION_H

#include "../models/models.h"
#include "rules.h"

/* ---- methods --------------------------------------------------------------------------------- */

typedef enum MapKind {
    MAP_SWEEP,      // one walk back, with rules
    MAP_INTEGRATED, // the mean of gradients along a straight path
    MAP_GRADCAM,    // the last layer that has places, its channels weighed by their mean gradient
    MAP_ROLLOUT,    // the weights of attention of all layers, multiplied
    MAP_GRADIENT_ROLLOUT // the same weighed by their gradient
} MapKind;

typedef struct MapMethod {
    const char      *name;    // "gradient-x-input"
    const char      *summary; // one line, no full stop
    MapKind          kind;
    GradientRule     rule; // of activations, where relevance is NULL
    bool             times_input, needs_patterns;
    bool             is_flat_on_relu; // on a ReLU network its derivative is zero almost everywhere
    const Composite *relevance;       // its rules; NULL: a method of gradients
} MapMethod;

/* The names, in the order of the table. */
#define MAP_METHOD_NAMES                                                                           \
    "gradient|gradient-x-input|integrated|guided|deconvnet|gradcam|lrp|lrp-epsilon|lrp-gamma|"     \
    "lrp-alpha2beta1|lrp-epsilon-plus|lrp-gamma-box|lrp-plus-box|lrp-epsilon-plus-flat|"           \
    "lrp-alpha2beta1-flat|pattern|rollout|gradient-rollout|lrp-transformer|attnlrp"

const MapMethod *map_method_at(int index);           // NULL past the last
const MapMethod *map_method_named(const char *name); // NULL if there is none

/* Whether a map depends on the image through the choices of max-pools alone, with softplus as with
 * ReLU: signals of its rule do not see what went forward, so its derivative is zero everywhere. */
bool map_method_is_flat(const MapMethod *method);

/* Whether a method explains nothing but networks with attention. */
bool map_method_needs_attention(const MapMethod *method);

/* Whether a method explains a network, up to a layer (NULL: its logits), of images of this size (0:
 * the blob's). Errors: ERROR_USAGE: it needs attention, or has no rule for it; it needs a
 * ReLU, and there is none; Grad-CAM, and no
 * activation lies before the layer; those of network_build. */
bool map_method_suits(const MapMethod *method, WeightBlob *blob, const char *layer, int64_t height,
                      int64_t width, Error *error);

/* ---- modes ----------------------------------------------------------------------------------- */

typedef enum PathRule { PATH_RIGHT, PATH_CLOSED, PATH_GAUSS } PathRule;
#define PATH_NAMES "right|closed|gauss"

typedef enum MapSign { MAP_SIGN_ABS, MAP_SIGN_CLIP, MAP_SIGN_NONE } MapSign;
#define MAP_SIGN_NAMES "abs|clip|none"

typedef enum MapScale { MAP_SCALE_SUM, MAP_SCALE_MAX, MAP_SCALE_NONE } MapScale;
#define MAP_SCALE_NAMES "sum|max|none"

/* From an attribution [c, h, w] to a map [h, w]: the sign of each value is dropped (abs), negative
 * ones are (clip), or neither; channels are added up; the result is divided by its sum, by its
 * largest value + 1e-8, or not. */
typedef struct MapForm {
    MapSign  sign;
    MapScale scale;
} MapForm;

/* What published programs do differently, in one row each (docs/methods/explanation-maps.md). */
typedef struct MapMode {
    const char *name;
    SweepMode   sweep;              // gate at zero, biases, stabilisers
    bool        relevance_at_value; // relevance begins with the logit, else with 1
    bool        gradient_at_value;  // so do the gradients of a class
    bool        shared_bounds;      // one lower and one upper bound of pixels for all channels
    bool        path_of_probability, path_times_input;
    PathRule    path;
    int         steps;        // of the path
    bool        smooths_maps; // SmoothGrad averages maps, else attributions with their signs
    MapForm     form;
} MapMode;

const MapMode *map_mode_at(int index);           // NULL past the last; the first is the default
const MapMode *map_mode_named(const char *name); // NULL if there is none

/* About how many forward passes of the network so many maps take, and so many steps of an attack on
 * one: for estimates of time. Copies of SmoothGrad are a map each; method NULL: given maps, 0. */
int64_t map_method_passes(const MapMethod *method, const MapMode *mode, int64_t maps);
int64_t map_method_step_passes(const MapMethod *method, const MapMode *mode, int64_t steps);

/* ---- a map as nodes -------------------------------------------------------------------------- */

typedef struct MapRequest {
    const MapMethod *method;
    const MapMode   *mode;
    const Composite *relevance;     // in place of the method's rules; NULL: the method's
    const NodeId    *beta;          // a number (op_scalar_input): every ReLU becomes a softplus
    const NodeId    *image;         // a node [images, 3, h, w] to read; NULL: a new input
    const char      *layer;         // what is explained: NULL: the logits
    WeightBlob      *patterns;      // of method `pattern`
    int64_t          width, height; // of the image; 0: the blob's
    int64_t          points;        // 0: one image. Else of a path or of noisy copies, in one run
    bool             in_slices;     // there are more points than these (MapSum)
    bool             noisy_path;    // of a noisy copy of the image; only in slices
    int64_t          images;        // explained side by side, without points; 0: a single one
    bool             keep_norms;
} MapRequest;

/* A sum over points that come in slices, so that memory does not grow with their number: what the
 * points of this run add to it, and an input, what all of them add up to. What comes after depends
 * on the input alone, and every node before it has a smaller index. */
typedef struct MapSum {
    NodeId part, whole;
} MapSum;

/* The nodes of a map, of a single image; with several, image, target and raw have a row each and
 * map is [images, h, w]. With points the attribution is a weighted sum over them: of a path (method
 * `integrated`) point j is baseline + factor[j] (image - baseline), else it is image + noise[j]. Of
 * a noisy path all points belong to one copy, image + noise, and the map is the mean over copies.
 * What is not there is NODE_NONE. */
typedef struct Map {
    NodeId       image;    // [1, 3, h, w]
    NodeId       target;   // [1, units], an input: 1 at the class or unit, else 0 (map_choose)
    NodeId       baseline; // [1, 3, h, w], an input; begins as zeros
    NodeId       factor;   // [points, 1, 1, 1], an input
    NodeId       noise;    // [points, 3, h, w], or [1, 3, h, w] of a noisy path; an input
    NodeId       share;    // [points, 1, 1, 1], an input: the weight of each point in the sum
    MapSum       over_points, over_copies; // in slices; the second of a noisy path
    NodeId       layer; // what is explained, of each point: [points, classes], or [points, c, h, w]
    NodeId       each;  // attribution of each point, [points, c, h, w]
    NodeId       raw;   // attribution, [1, c, h, w]
    NodeId       map;   // [h, w], of the mode's form
    int64_t      units, points, images;
    Account      account; // of relevance, a row a layer
    RuleWeights *weights; // owned
} Map;

/* Appends a map of a network to a graph. Close it after the plans that read it.
 * Errors: ERROR_USAGE (no such layer; a layer without a rule; a method that needs patterns, or a
 * preparation of images, and has none), ERROR_DATA (patterns of another network), ERROR_MEMORY. */
bool map_build(Graph *graph, WeightBlob *blob, const MapRequest *request, Map *out, Error *error);

/* What the network says of the image itself, [1, classes]: the map's layer, or of a map with
 * points, which has those of the points only, the network once more. `request` is that of
 * map_build. */
bool map_logits(Graph *graph, WeightBlob *blob, const MapRequest *request, const Map *map,
                NodeId *out, Error *error);
void map_close(Map *map); // accepts a zeroed object

/* Any network: what a map asks of it. */
typedef struct MapNetwork {
    /* Appends it on `points` [n, c, h, w]; *layer is what is explained. */
    bool (*build)(void *self, Graph *graph, NodeId points, NodeId *layer, Error *error);
    /* The pattern of a layer, by its node's name, as large as its weights; NULL on failure. */
    const real *(*pattern)(void *self, const char *layer, Shape shape, Error *error);
    /* The least and largest values of pixels as the network reads them, one a channel. */
    bool (*bounds)(void *self, real *low, real *high, Error *error);
    void *self;
} MapNetwork;

/* The same for any network, on an image node [1, c, h, w]; of the request only method, mode,
 * relevance, points and images are read. */
bool map_build_on(Graph *graph, const MapNetwork *network, const MapRequest *request, NodeId image,
                  Map *out, Error *error);

/* Says which class or unit is explained: the same of all images, or one each. */
void map_choose(Plan *plan, const Map *map, int64_t unit);
void map_choose_each(Plan *plan, const Map *map, const int64_t *units);

/* How maps are planned: convolutions direct, which are as exact as PyTorch's in float32; Winograd's
 * are five times less (tests/parity/README.md, "Maps"). */
extern const PlanOptions map_plan_options;

/* ---- pixels, as a network reads them --------------------------------------------------------- */

/* The values of black and of white in each channel. Errors: ERROR_DATA, the blob says nothing of
 * images. */
bool pixel_bounds(const WeightBlob *blob, real low[3], real high[3], Error *error);

/* Planes [3, cells] in 0..1 to the prepared tensor, and back, cut to 0..1. */
void pixels_prepare(const Preparation *preparation, const float *planes, int64_t cells, real *out);
void pixels_restore(const Preparation *preparation, const real *prepared, int64_t cells,
                    float *out);

/* ---- noise ----------------------------------------------------------------------------------- */

/* Four standard normal numbers of SmoothGrad (E8), those of places 4 block to 4 block + 3 of a copy
 * of an image. Every number has its address: image (draw), copy, round (0, unless noise is drawn
 * anew in each step of an attack), block; draws and blocks below 2^32. */
void smoothing_noise(uint64_t seed, uint64_t draw, uint64_t copy, uint64_t round, uint64_t block,
                     double z[4]);

/* ---- paths and forms, in numbers ------------------------------------------------------------- */

/* Places on the path, 0 is the baseline and 1 the image, and their weights. `steps` as the mode
 * counts them: PATH_CLOSED has steps + 1 points. Both arrays have path_points() elements. */
int  path_points(PathRule rule, int steps);
void path_fill(PathRule rule, int steps, double *factor, double *share);

/* The map of an attribution; what the node `map` computes, in double. raw [channels, cells]. */
void map_form(MapForm form, const double *raw, int64_t channels, int64_t cells, float *map);

#endif
