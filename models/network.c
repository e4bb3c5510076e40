/* models/network.c - from a blob's architecture to its family; finding the layer asked for. */
#include "builder.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char  *name;
    FamilyBuild *build;
    int          depth;
} architectures[] = {
    {"mini", vgg_build, 9},
    {"vgg11", vgg_build, 11},
    {"vgg13", vgg_build, 13},
    {"vgg16", vgg_build, 16},
    {"vgg19", vgg_build, 19},
    {"vgg11_bn", vgg_bn_build, 11},
    {"vgg13_bn", vgg_bn_build, 13},
    {"vgg16_bn", vgg_bn_build, 16},
    {"vgg19_bn", vgg_bn_build, 19},
    {"resnet18", resnet_build, 18},
    {"resnet34", resnet_build, 34},
    {"resnet50", resnet_build, 50},
    {"resnet101", resnet_build, 101},
    {"resnet152", resnet_build, 152},
    {"resnet18_cifar", resnet_small_build, 18},
    {"resnet20", resnet_cifar_build, 20},
    {"resnet32", resnet_cifar_build, 32},
    {"resnet44", resnet_cifar_build, 44},
    {"resnet56", resnet_cifar_build, 56},
    {"resnet50_v2", resnet_v2_build, 50},
    {"alexnet", alexnet_build, 0},
    {"densenet121", densenet_build, 121},
    {"squeezenet1.0", squeezenet_build, 10},
    {"squeezenet1.1", squeezenet_build, 11},
    {"lenet", lenet_build, 0},
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

static bool run_family(Builder *builder, NodeId x, Error *error)
{
    const char *name = blob_architecture(builder->blob);
    for (int i = 0; i < ARCHITECTURES; i++)
        if (strcmp(architectures[i].name, name) == 0) {
            architectures[i].build(builder, x, architectures[i].depth);
            return true;
        }
    return fail(error, ERROR_DATA, "%s: architecture '%s' is not known", blob_path(builder->blob),
                name);
}

static bool check_request(const WeightBlob *blob, const NetworkRequest *request, Error *error)
{
    if (request->batch < 1 || request->batch > LIMIT_BATCH)
        return fail(error, ERROR_USAGE, "batch is %lld, expected 1 to %d",
                    (long long)request->batch, LIMIT_BATCH);
    if (request->width < 0 || request->width > LIMIT_IMAGE_SIDE || request->height < 0 ||
        request->height > LIMIT_IMAGE_SIDE)
        return fail(error, ERROR_USAGE, "%s: input size %lldx%lld is out of range", blob_path(blob),
                    (long long)request->width, (long long)request->height);
    if (!(request->softplus_beta >= 0))
        return fail(error, ERROR_USAGE, "softplus beta is %g, expected 0 (ReLU) or more",
                    (double)request->softplus_beta);
    return true;
}

/* A list belongs to the graph and the blob it was first used with. */
static bool join_list(Trainables *list, const Graph *graph, const WeightBlob *blob, Error *error)
{
    if (!list)
        return true;
    if (list->graph && (list->graph != graph || list->blob != blob))
        return fail(error, ERROR_INTERNAL, "%s: its weights are to join those of another network",
                    blob_path(blob));
    list->graph = graph;
    list->blob  = blob;
    return true;
}

static bool input_nodes(Graph *graph, WeightBlob *blob, const NetworkRequest *request,
                        NodeId *pixels, NodeId *prepared, Error *error)
{
    const Preparation *preparation = blob_preparation(blob);
    int64_t            width       = request->width ? request->width : preparation->width;
    int64_t            height      = request->height ? request->height : preparation->height;
    Shape              shape       = shape_4d(request->batch, 3, height, width);
    if (request->pixels && !shape_equal(graph_shape(graph, *request->pixels), shape))
        return fail(error, ERROR_USAGE, "%s: takes pixels of %s, found %s", blob_path(blob),
                    SHAPE_TEXT(shape), SHAPE_TEXT(graph_shape(graph, *request->pixels)));
    *pixels   = request->pixels ? *request->pixels : op_input(graph, shape, "pixels");
    *prepared = request->raw_input ? *pixels : prepare_pixels(graph, *pixels, preparation);
    return graph_check(graph, error);
}

bool network_build(Graph *graph, WeightBlob *blob, const NetworkRequest *request, Network *out,
                   Error *error)
{
    NodeId pixels = NODE_NONE, prepared = NODE_NONE;
    if (!graph_check(graph, error) || !check_request(blob, request, error) ||
        !join_list(request->trainables, graph, blob, error) ||
        !input_nodes(graph, blob, request, &pixels, &prepared, error))
        return false;
    Builder builder = {.graph        = graph,
                       .blob         = blob,
                       .request      = request,
                       .wanted       = request->layer ? request->layer : "logits",
                       .wanted_index = -1,
                       .layer        = NODE_NONE};
    if (!run_family(&builder, prepared, error) || !graph_check(graph, error))
        return false;
    if (builder.lack.code == ERROR_MEMORY)
        return fail(error, ERROR_MEMORY, "%s", builder.lack.message);
    if (builder.layer == NODE_NONE && builder.lacking[0])
        return fail(error, ERROR_DATA, "%s, which layer '%s' needs; layers that can be had: %s",
                    builder.lack.message, builder.lacking, builder.list);
    if (builder.layer == NODE_NONE)
        return fail(error, ERROR_USAGE, "%s: %s has no layer '%s', expected one of %s",
                    blob_path(blob), blob_architecture(blob), builder.wanted, builder.list);
    NodeId layer = builder.layer;
    if (request->unit >= 0)
        layer = op_channel(graph, layer, request->unit);
    graph_name(graph, layer, builder.layer_name);
    if (!graph_check(graph, error))
        return false;
    *out = (Network){.pixels = pixels, .layer = layer};
    if (request->trainables)
        request->trainables->forward_count++;
    return true;
}

const char *network_layer_name(WeightBlob *blob, int index)
{
    static _Thread_local char name[LAYER_NAME_BYTES];
    NetworkRequest            request = {.batch = 1, .unit = -1};
    Graph                    *graph   = NULL;
    NodeId                    pixels = NODE_NONE, prepared = NODE_NONE;
    if (index < 0 || !graph_create(&graph, NULL))
        return NULL;
    Builder builder = {.graph        = graph,
                       .blob         = blob,
                       .request      = &request,
                       .wanted_index = index,
                       .layer        = NODE_NONE};
    bool    found   = input_nodes(graph, blob, &request, &pixels, &prepared, NULL) &&
                 run_family(&builder, prepared, NULL) && builder.layer != NODE_NONE;
    snprintf(name, sizeof name, "%s", builder.layer_name);
    graph_destroy(graph);
    return found ? name : NULL;
}
