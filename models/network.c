/* models/network.c - from a blob's architecture to its family; finding the layer asked for. */
#include "builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Family {
    const char  *name;
    FamilyBuild *build;
    int          depth;
} Family;

static const Family architectures[] = {
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
    {"resnext50_32x4d", resnext_build, 50},
    {"mobilenet_v2", mobilenet_v2_build, 0},
    {"efficientnet_b0", efficientnet_build, 0},
    {"efficientnet_b1", efficientnet_build, 1},
    {"efficientnet_b2", efficientnet_build, 2},
    {"efficientnet_b3", efficientnet_build, 3},
    {"efficientnet_b4", efficientnet_build, 4},
    {"alexnet_groups", alexnet_groups_build, 0},
    {"vit", vit_build, 0},
    {"encoder", encoder_build, 0},
    {"clip_vit", clip_vit_build, 0},
    {"clip_resnet", clip_resnet_build, 0},
    {"clip_mini", clip_mini_build, 0},
};
static const Family text_architectures[] = {
    {"clip_vit", clip_text_build, 0},
    {"clip_resnet", clip_text_build, 0},
    {"clip_mini", clip_text_build, 0},
    {"roberta", roberta_build, 0},
};
enum {
    ARCHITECTURES      = sizeof architectures / sizeof *architectures,
    TEXT_ARCHITECTURES = sizeof text_architectures / sizeof *text_architectures
};

bool activation_parse(const char *text, real *beta)
{
    char  *end   = NULL;
    double value = 0;
    if (strcmp(text, "relu") == 0) {
        *beta = 0;
        return true;
    }
    if (strncmp(text, "softplus:", 9) != 0)
        return false;
    value = strtod(text + 9, &end);
    if (end == text + 9 || *end || !(value > 0 && value <= 1e6))
        return false;
    *beta = (real)value;
    return true;
}

bool network_activation(const WeightBlob *blob, real *beta, Error *error)
{
    const char *text = blob_about(blob, "activation");
    *beta            = 0;
    return !text || activation_parse(text, beta) ||
           fail(error, ERROR_DATA,
                "%s: 'about' has activation=%.64s, expected relu or softplus:BETA", blob_path(blob),
                text);
}

// On texts where tokens are asked for; or NULL.
static const Family *family_named(const char *name, bool is_text)
{
    const Family *table = is_text ? text_architectures : architectures;
    int           count = is_text ? TEXT_ARCHITECTURES : ARCHITECTURES;
    for (int i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const char *network_architecture(const WeightBlob *blob)
{
    const char *name    = blob_architecture(blob);
    const char *encoder = strcmp(name, "milan") == 0 ? blob_about(blob, "encoder") : NULL;
    return encoder ? encoder : name;
}

static bool run_family(Builder *builder, NodeId x, Error *error)
{
    const char   *name   = network_architecture(builder->blob);
    const Family *family = family_named(name, builder->request->tokens > 0);
    if (!family)
        return fail(error, ERROR_DATA, "%s: architecture '%s' is not known%s",
                    blob_path(builder->blob), name,
                    builder->request->tokens ? " to take texts" : "");
    builder->prefix = name == blob_architecture(builder->blob) ? NULL : CAPTIONER_PREFIX;
    family->build(builder, x, family->depth);
    return true;
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
    if (request->tokens < 0 || request->tokens > LIMIT_TOKENS)
        return fail(error, ERROR_USAGE, "%s: %lld tokens, expected 1 to %d", blob_path(blob),
                    (long long)request->tokens, LIMIT_TOKENS);
    if (!(request->softplus_beta >= 0))
        return fail(error, ERROR_USAGE, "softplus beta is %g, expected 0 (ReLU) or more",
                    (double)request->softplus_beta);
    if (request->layer_count < 0 || request->layer_count > NETWORK_LAYERS)
        return fail(error, ERROR_USAGE, "%d layers at once, expected up to %d",
                    request->layer_count, NETWORK_LAYERS);
    if (request->layer_count > 1 && request->unit >= 0)
        return fail(error, ERROR_USAGE, "unit %lld of %d layers, expected all units or one layer",
                    (long long)request->unit, request->layer_count);
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

// Tokens of texts; the words of a vocabulary are rows of the first table.
static bool token_nodes(Graph *graph, const WeightBlob *blob, const NetworkRequest *request,
                        Network *out, Error *error)
{
    static const char *const tables[] = {"token_embedding.weight",
                                         "embeddings.word_embeddings.weight"};
    const BlobTensor        *table    = blob_lookup(blob, tables[0]);
    table                             = table ? table : blob_lookup(blob, tables[1]);
    if (!table || table->shape.rank != 2)
        return fail(error, ERROR_DATA, "%s: no table of words '%s' or '%s'", blob_path(blob),
                    tables[0], tables[1]);
    out->tokens = op_index_input(graph, shape_2d(request->batch, request->tokens),
                                 table->shape.dim[0], "tokens");
    return graph_check(graph, error);
}

static bool pixel_nodes(Graph *graph, WeightBlob *blob, const NetworkRequest *request, Network *out,
                        Error *error)
{
    const Preparation *preparation = blob_preparation(blob);
    bool               is_told     = request->raw_input && request->width && request->height;
    if (!is_told && !blob_takes_images(blob, error))
        return false;
    int64_t width  = request->width ? request->width : preparation->width;
    int64_t height = request->height ? request->height : preparation->height;
    Shape   shape  = shape_4d(request->batch, 3, height, width);
    if (request->pixels && !shape_equal(graph_shape(graph, *request->pixels), shape))
        return fail(error, ERROR_USAGE, "%s: takes pixels of %s, found %s", blob_path(blob),
                    SHAPE_TEXT(shape), SHAPE_TEXT(graph_shape(graph, *request->pixels)));
    out->pixels = request->pixels ? *request->pixels : op_input(graph, shape, "pixels");
    out->prepared =
        request->raw_input ? out->pixels : prepare_pixels(graph, out->pixels, preparation);
    return graph_check(graph, error);
}

// The node that the first layer reads.
static bool input_nodes(Graph *graph, WeightBlob *blob, const NetworkRequest *request, Network *out,
                        NodeId *first, Error *error)
{
    *out    = (Network){.pixels = NODE_NONE, .prepared = NODE_NONE, .tokens = NODE_NONE};
    bool ok = request->tokens ? token_nodes(graph, blob, request, out, error)
                              : pixel_nodes(graph, blob, request, out, error);
    *first  = request->tokens ? out->tokens : out->prepared;
    return ok;
}

static void builder_start(Builder *builder, Graph *graph, WeightBlob *blob,
                          const NetworkRequest *request)
{
    *builder                 = (Builder){.graph        = graph,
                                         .blob         = blob,
                                         .request      = request,
                                         .prefix       = "",
                                         .wanted_index = -1,
                                         .ends         = NODE_NONE};
    builder->activation.name = "none";
    for (int i = 0; i < NETWORK_LAYERS; i++)
        builder->layers[i] = NODE_NONE;
}

// Whether every layer was there; else says which is not, and why.
static bool check_found(Builder *builder, Error *error)
{
    const char *path    = blob_path(builder->blob);
    int         missing = 0;
    if (!graph_check(builder->graph, error))
        return false;
    if (builder->lack.code == ERROR_MEMORY)
        return fail(error, ERROR_MEMORY, "%s", builder->lack.message);
    while (missing < builder->wanted_count && builder->layers[missing] != NODE_NONE)
        missing++;
    if (missing == builder->wanted_count)
        return true;
    const char *had = builder->list[0] ? "; layers that can be had: " : "";
    if (builder->lacking[0])
        return fail(error, ERROR_DATA, "%s, which layer '%s' needs%s%s", builder->lack.message,
                    builder->lacking, had, builder->list);
    if (strcmp(builder->wanted[missing], "logits") == 0)
        return fail(error, ERROR_USAGE, "%s: %s has no classes, as it has no layer 'logits'%s%s",
                    path, blob_architecture(builder->blob), had, builder->list);
    return fail(error, ERROR_USAGE, "%s: %s has no layer '%s', expected one of %s", path,
                blob_architecture(builder->blob), builder->wanted[missing], builder->list);
}

static bool is_class_token(const char *layer)
{
    const char *colon = strrchr(layer, ':');
    return colon && strcmp(colon, CLASS_TOKEN) == 0;
}

bool network_build(Graph *graph, WeightBlob *blob, const NetworkRequest *request, Network *out,
                   Error *error)
{
    Network network;
    NodeId  first = NODE_NONE;
    if (!graph_check(graph, error) || !check_request(blob, request, error) ||
        !join_list(request->trainables, graph, blob, error) ||
        !input_nodes(graph, blob, request, &network, &first, error))
        return false;
    const char        *single = request->layer ? request->layer : "logits";
    const char *const *names  = request->layer_count ? request->layers : &single;
    Builder            builder;
    builder_start(&builder, graph, blob, request);
    if (request->softplus_beta > 0)
        builder.softplus_beta = request->softplus_beta;
    else if (!network_activation(blob, &builder.softplus_beta, error))
        return false;
    builder.wanted       = names;
    builder.wanted_count = request->layer_count ? request->layer_count : 1;
    if (!run_family(&builder, first, error) || !check_found(&builder, error))
        return false;
    network.layer_count = builder.wanted_count;
    network.ends        = builder.ends;
    memcpy(network.layers, builder.layers, sizeof network.layers);
    if (request->unit >= 0) {
        network.layers[0] = op_channel(graph, builder.layers[0], request->unit);
        graph_name(graph, network.layers[0], builder.layer_name);
    }
    network.layer      = network.layers[0];
    network.activation = builder.activation;
    for (int i = 0; i < network.layer_count; i++)
        network.is_class_token[i] = is_class_token(names[i]);
    if (!graph_check(graph, error))
        return false;
    *out = network;
    if (request->trainables)
        request->trainables->forward_count++;
    return true;
}

// The nodes of a layer alone, on a graph that is gone; *is_built false: there is no such layer.
static bool try_layer(WeightBlob *blob, const char *layer, Network *out, bool *is_built,
                      Error *error)
{
    NetworkRequest request = {.batch = 1, .layer = layer, .unit = -1};
    Graph         *graph   = NULL;
    Error          cause   = {0};
    *is_built = graph_create(&graph, &cause) && network_build(graph, blob, &request, out, &cause);
    graph_destroy(graph);
    return cause.code != ERROR_MEMORY || fail(error, ERROR_MEMORY, "%s", cause.message);
}

bool network_activation_before(WeightBlob *blob, const char *layer, Activation *out, Error *error)
{
    Network network  = {0};
    bool    is_built = false, ok = try_layer(blob, layer, &network, &is_built, error);
    *out = is_built ? network.activation : (Activation){"ReLU", true};
    return ok;
}

bool network_has_class_token(WeightBlob *blob, const char *layer, bool *out, Error *error)
{
    Network network = {0};
    *out            = false;
    return is_class_token(layer) ||
           try_layer(blob, LAYER("%s" CLASS_TOKEN, layer), &network, out, error);
}

const char *network_layer_name(WeightBlob *blob, int index)
{
    static _Thread_local char name[LAYER_NAME_BYTES];
    NetworkRequest            request = {.batch = 1, .unit = -1};
    Graph                    *graph   = NULL;
    Network                   network;
    NodeId                    first = NODE_NONE;
    request.tokens                  = blob_preparation(blob) ? 0 : 1;
    if (index < 0 || !graph_create(&graph, NULL))
        return NULL;
    Builder builder;
    builder_start(&builder, graph, blob, &request);
    builder.wanted_index = index;
    builder.wanted_count = 1;
    bool found           = input_nodes(graph, blob, &request, &network, &first, NULL) &&
                 run_family(&builder, first, NULL) && builder.found == 1;
    snprintf(name, sizeof name, "%s", builder.layer_name);
    graph_destroy(graph);
    return found ? name : NULL;
}
