/* attribution/network.c - maps of a network that comes from a weight blob. */
#include "attention.h"
#include "making.h"

#include <stdio.h>
#include <string.h>

// A pixel in 0..1 of a channel; rounded once, so that no bound is beside the pixel that it bounds.
static real prepared(const Preparation *p, double pixel, int64_t channel)
{
    return (real)((pixel * (double)p->scale - (double)p->mean[channel]) / (double)p->std[channel]);
}

bool pixel_bounds(const WeightBlob *blob, real low[3], real high[3], Error *error)
{
    if (!blob_takes_images(blob, error))
        return false;
    const Preparation *p = blob_preparation(blob);
    for (int c = 0; c < 3; c++) {
        low[c]  = prepared(p, 0, c);
        high[c] = prepared(p, 1, c);
    }
    return true;
}

void pixels_prepare(const Preparation *p, const float *planes, int64_t cells, real *out)
{
    for (int64_t i = 0; i < 3 * cells; i++)
        out[i] = prepared(p, (double)planes[i], i / cells);
}

void pixels_restore(const Preparation *p, const real *prepared, int64_t cells, float *out)
{
    for (int64_t i = 0; i < 3 * cells; i++) {
        int64_t c = i / cells;
        double  value =
            ((double)prepared[i] * (double)p->std[c] + (double)p->mean[c]) / (double)p->scale;
        out[i] = (float)(value < 0 ? 0 : value > 1 ? 1 : value);
    }
}

typedef struct BlobNetwork {
    WeightBlob       *blob;
    const MapRequest *request;
} BlobNetwork;

static bool build(void *self, Graph *graph, NodeId points, NodeId *layer, Error *error)
{
    const BlobNetwork *network = self;
    const MapRequest  *request = network->request;
    Shape              shape   = graph_shape(graph, points);
    NetworkRequest     wanted  = {.batch      = shape.dim[0],
                                  .layer      = request->layer,
                                  .unit       = -1,
                                  .softplus   = request->beta,
                                  .raw_input  = true,
                                  .pixels     = &points,
                                  .height     = shape.dim[2],
                                  .width      = shape.dim[3],
                                  .keep_norms = request->keep_norms};
    Network            built;
    if (!network_build(graph, network->blob, &wanted, &built, error))
        return false;
    *layer = built.layer;
    return true;
}

static const real *pattern(void *self, const char *layer, Shape shape, Error *error)
{
    const BlobNetwork *network = self;
    const real        *data    = NULL;
    char               name[80];
    snprintf(name, sizeof name, "%s.pattern", layer);
    return blob_find(network->request->patterns, name, shape, &data, error) ? data : NULL;
}

static bool bounds(void *self, real *low, real *high, Error *error)
{
    const BlobNetwork *network = self;
    return pixel_bounds(network->blob, low, high, error);
}

// Patterns say of which weights they were made.
static bool check_patterns(const MapRequest *request, WeightBlob *blob, Error *error)
{
    if (!request->method->needs_patterns)
        return true;
    if (!request->patterns)
        return fail(error, ERROR_USAGE, "method %s needs patterns, which `nemesis patterns` makes",
                    request->method->name);
    const char *of = blob_about(request->patterns, "patterns_of");
    if (!of)
        return fail(error, ERROR_DATA, "%s: holds no patterns, expected a file of `patterns`",
                    blob_path(request->patterns));
    return strcmp(of, blob_sha256(blob)) == 0 ||
           fail(error, ERROR_DATA, "%s: patterns of other weights (%.12s...), expected those of %s",
                blob_path(request->patterns), of, blob_path(blob));
}

static bool make_image(Graph *graph, WeightBlob *blob, const MapRequest *request, NodeId *image,
                       Error *error)
{
    bool is_told = request->width && request->height;
    if (request->image) {
        *image = *request->image;
        return true;
    }
    if (!is_told && !blob_takes_images(blob, error))
        return false;
    const Preparation *preparation = blob_preparation(blob);
    int64_t            width       = request->width ? request->width : preparation->width;
    int64_t            height      = request->height ? request->height : preparation->height;
    *image =
        op_input(graph, shape_4d(request->images ? request->images : 1, 3, height, width), "image");
    return graph_check(graph, error);
}

bool map_build(Graph *graph, WeightBlob *blob, const MapRequest *request, Map *out, Error *error)
{
    NodeId      image   = NODE_NONE;
    BlobNetwork self    = {blob, request};
    MapNetwork  network = {.build = build, .pattern = pattern, .bounds = bounds, .self = &self};
    return check_patterns(request, blob, error) &&
           make_image(graph, blob, request, &image, error) &&
           map_build_on(graph, &network, request, image, out, error);
}

// Without a ReLU these rules have nothing to change.
static bool gradient_suits(const MapMethod *method, const Network *network, Error *error)
{
    return method->rule == GRADIENT_PLAIN || network->activation.is_relu ||
           fail(error, ERROR_USAGE,
                "%s changes the signals of ReLUs, and this network has none before what is "
                "explained, so its map would be that of gradient",
                method->name);
}

bool map_method_suits(const MapMethod *method, WeightBlob *blob, const char *layer, int64_t height,
                      int64_t width, Error *error)
{
    NetworkRequest request = {.batch     = 1,
                              .layer     = layer,
                              .unit      = -1,
                              .raw_input = true,
                              .height    = height,
                              .width     = width};
    Network        network;
    Graph         *graph = NULL;
    bool           ok    = graph_create(&graph, error) &&
              network_build(graph, blob, &request, &network, error) &&
              gradient_suits(method, &network, error) &&
              attention_suits(graph, network.layer, method, error) &&
              (method->kind != MAP_GRADCAM || gradcam_suits(graph, network.layer, error));
    graph_destroy(graph);
    return ok;
}

bool map_logits(Graph *graph, WeightBlob *blob, const MapRequest *request, const Map *map,
                NodeId *out, Error *error)
{
    NetworkRequest own = {.batch     = 1,
                          .unit      = -1,
                          .softplus  = request->beta,
                          .raw_input = true,
                          .pixels    = &map->image,
                          .height    = request->height,
                          .width     = request->width};
    Network        network;
    *out = map->layer;
    if (map->share == NODE_NONE)
        return true;
    if (!network_build(graph, blob, &own, &network, error))
        return false;
    *out = network.layer;
    return true;
}
