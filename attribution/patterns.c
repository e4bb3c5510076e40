/* attribution/patterns.c - see patterns.h.
 *
 * The sums over patches that a convolution needs are gradients of its weights: with m = 1 where the
 * unit counts, sum of x = conv2d_weight(x, m) and sum of x y = conv2d_weight(x, m y). */
#include "patterns.h"

#include "../base/file.h"
#include "../engine/sweep.h"
#include "attention.h"
#include "walk.h"

#include <stdio.h>
#include <string.h>

typedef struct PatternLayer {
    char        name[64];
    const real *weights;
    Shape       shape;             // of the weights, units first
    int64_t     units, size;       // of a unit's weights
    NodeId      counted, value;    // [units]: positions that count; sum of y over all
    NodeId      input, product;    // [units, size]: sums of x and of x y where they count
    double      positions;         // of one image
    double     *count, *value_sum; // [units]
    double     *input_sum, *product_sum;
} PatternLayer;

struct PatternSums {
    WeightBlob   *blob;
    Graph        *graph;
    Plan         *plan;
    Network       network;
    int           count;
    int64_t       images;
    PatternLayer *layers;
    SnapshotPart *parts;
};

/* ---- layers of the graph --------------------------------------------------------------------- */

static bool is_named_layer(const Graph *g, NodeId node)
{
    return has_weights(g, node) && graph_op(g, graph_input(g, node, 1)) == OP_PARAMETER &&
           graph_name_of(g, node)[0];
}

static void mark_needed(const Graph *g, NodeId last, bool *needed)
{
    needed[last] = true;
    for (NodeId node = last; node >= 0; node--)
        for (int i = 0; i < graph_input_count(g, node) && needed[node]; i++)
            needed[graph_input(g, node, i)] = true;
}

// The node that adds a layer's bias, else the layer; whether activations alone read it.
static NodeId value_of(const Graph *g, NodeId layer, NodeId last, const bool *needed,
                       bool *is_activated)
{
    NodeId value = layer;
    for (NodeId node = layer + 1; node <= last && value == layer; node++)
        if (needed[node] && graph_op(g, node) == OP_ADD && graph_input(g, node, 0) == layer &&
            graph_is_per_channel(g, graph_input(g, node, 1)))
            value = node;
    *is_activated = false;
    for (NodeId node = value + 1; node <= last; node++)
        for (int i = 0; i < graph_input_count(g, node) && needed[node]; i++)
            if (graph_input(g, node, i) == value) {
                *is_activated = is_rectifier(g, node);
                if (!*is_activated)
                    return value;
            }
    return value;
}

// Sums over images and places: [n, units, h, w] or [n, units] to [units].
static NodeId per_unit(Graph *g, NodeId x)
{
    Shape shape = graph_shape(g, x), one = shape;
    for (int i = 0; i < one.rank; i++)
        one.dim[i] = i == 1 ? shape.dim[1] : 1;
    return op_reshape(g, op_sum_to(g, x, one), shape_1d(shape.dim[1]));
}

// What the weights' gradient is where gy arrives: [units, size] or the kernel's shape.
static NodeId patches(Graph *g, NodeId layer, NodeId gy)
{
    NodeId   x = graph_input(g, layer, 0), w = graph_input(g, layer, 1);
    OpParams p = graph_params(g, layer);
    if (graph_op(g, layer) == OP_CONV2D)
        return op_conv2d_weight(g, x, gy, graph_shape(g, w), p.stride, p.pad);
    return op_matmul(g, gy, x, true, false);
}

static bool add_layer(PatternSums *sums, NodeId node, NodeId last, const bool *needed, Error *error)
{
    Graph        *g     = sums->graph;
    PatternLayer *layer = &sums->layers[sums->count++];
    bool          is_activated;
    NodeId        w      = graph_input(g, node, 1);
    NodeId        y      = value_of(g, node, last, needed, &is_activated);
    Shape         all    = graph_shape(g, y);
    int64_t       places = shape_elements(all) / (all.dim[0] * all.dim[1]);
    NodeId        ones = op_constant(g, all, 1), m = is_activated ? op_gate(g, y, ones) : ones;
    layer->weights   = graph_params(g, w).data;
    layer->shape     = graph_shape(g, w);
    layer->units     = layer->shape.dim[0];
    layer->size      = shape_elements(layer->shape) / layer->units;
    layer->positions = (double)places;
    layer->counted   = per_unit(g, m);
    layer->value     = per_unit(g, y);
    layer->input     = patches(g, node, m);
    layer->product   = patches(g, node, is_activated ? op_relu(g, y) : y);
    snprintf(layer->name, sizeof layer->name, "%s", graph_name_of(g, node));
    size_t units = (size_t)layer->units, weights = units * (size_t)layer->size;
    layer->count       = memory_new(units, sizeof(double), error);
    layer->value_sum   = memory_new(units, sizeof(double), error);
    layer->input_sum   = memory_new(weights, sizeof(double), error);
    layer->product_sum = memory_new(weights, sizeof(double), error);
    return layer->count && layer->value_sum && layer->input_sum && layer->product_sum;
}

static bool add_layers(PatternSums *sums, Error *error)
{
    NodeId last   = sums->network.layer;
    int    most   = 0;
    bool  *needed = memory_new((size_t)last + 1, sizeof *needed, error);
    bool   ok     = needed != NULL;
    if (ok) {
        mark_needed(sums->graph, last, needed);
        for (NodeId node = 0; node <= last; node++)
            most += needed[node] && is_named_layer(sums->graph, node);
        sums->layers = memory_new((size_t)most, sizeof *sums->layers, error);
        sums->parts  = memory_new(4 * (size_t)most + 1, sizeof *sums->parts, error);
        ok           = sums->layers && sums->parts;
    }
    for (NodeId node = 0; ok && node <= last; node++)
        if (needed[node] && is_named_layer(sums->graph, node))
            ok = add_layer(sums, node, last, needed, error);
    memory_free(needed);
    return ok && graph_check(sums->graph, error);
}

static bool open_plan(PatternSums *sums, ConvMethod conv, Error *error)
{
    PlanOptions options = {.conv = conv, .even_forward = true};
    NodeId     *outputs = memory_new(4 * (size_t)sums->count, sizeof *outputs, error);
    if (!outputs)
        return false;
    for (int i = 0; i < sums->count; i++) {
        const PatternLayer *layer = &sums->layers[i];
        outputs[4 * i]            = layer->counted;
        outputs[4 * i + 1]        = layer->value;
        outputs[4 * i + 2]        = layer->input;
        outputs[4 * i + 3]        = layer->product;
    }
    bool ok = plan_create(&sums->plan, sums->graph, outputs, 4 * sums->count, &options, error);
    memory_free(outputs);
    return ok;
}

bool patterns_open(PatternSums **out, WeightBlob *blob, int64_t height, int64_t width,
                   ConvMethod conv, Error *error)
{
    NetworkRequest request = {
        .batch = 1, .unit = -1, .raw_input = true, .height = height, .width = width};
    PatternSums *sums = memory_new(1, sizeof *sums, error);
    if (!sums)
        return false;
    sums->blob = blob;
    if (!graph_create(&sums->graph, error) ||
        !network_build(sums->graph, blob, &request, &sums->network, error) ||
        !attention_suits(sums->graph, sums->network.layer, map_method_named("pattern"), error) ||
        !add_layers(sums, error) || !open_plan(sums, conv, error)) {
        patterns_close(sums);
        return false;
    }
    *out = sums;
    return true;
}

void patterns_close(PatternSums *sums)
{
    for (int i = 0; sums && sums->layers && i < sums->count; i++) {
        memory_free(sums->layers[i].count);
        memory_free(sums->layers[i].value_sum);
        memory_free(sums->layers[i].input_sum);
        memory_free(sums->layers[i].product_sum);
    }
    if (sums) {
        plan_destroy(sums->plan);
        graph_destroy(sums->graph);
        memory_free(sums->layers);
        memory_free(sums->parts);
    }
    memory_free(sums);
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void add(double *sum, const real *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] += (double)values[i];
}

void patterns_add(PatternSums *sums, const real *image)
{
    Shape shape = graph_shape(sums->graph, sums->network.pixels);
    memcpy(plan_input(sums->plan, sums->network.pixels), image,
           (size_t)shape_elements(shape) * sizeof *image);
    plan_run(sums->plan);
    for (int i = 0; i < sums->count; i++) {
        PatternLayer *layer = &sums->layers[i];
        add(layer->count, plan_output(sums->plan, layer->counted), layer->units);
        add(layer->value_sum, plan_output(sums->plan, layer->value), layer->units);
        add(layer->input_sum, plan_output(sums->plan, layer->input), layer->units * layer->size);
        add(layer->product_sum, plan_output(sums->plan, layer->product),
            layer->units * layer->size);
    }
    sums->images++;
}

const SnapshotPart *patterns_state(PatternSums *sums, int64_t *count)
{
    int64_t used        = 0;
    sums->parts[used++] = (SnapshotPart){&sums->images, sizeof sums->images};
    for (int i = 0; i < sums->count; i++) {
        const PatternLayer *layer = &sums->layers[i];
        size_t              units = (size_t)layer->units * sizeof(double);
        size_t              all   = units * (size_t)layer->size;
        sums->parts[used++]       = (SnapshotPart){layer->count, units};
        sums->parts[used++]       = (SnapshotPart){layer->value_sum, units};
        sums->parts[used++]       = (SnapshotPart){layer->input_sum, all};
        sums->parts[used++]       = (SnapshotPart){layer->product_sum, all};
    }
    *count = used;
    return sums->parts;
}

int64_t patterns_images(const PatternSums *sums)
{
    return sums->images;
}

int patterns_layers(const PatternSums *sums)
{
    return sums->count;
}

/* ---- patterns -------------------------------------------------------------------------------- */

// A = cov / <w, cov>, cov = E+[x y] - E+[x] E[y]; a unit that never counts has none.
static void unit_pattern(const PatternSums *sums, const PatternLayer *layer, int64_t unit,
                         float *out)
{
    const double *product = layer->product_sum + unit * layer->size;
    const double *input   = layer->input_sum + unit * layer->size;
    double        count = layer->count[unit] > 0 ? layer->count[unit] : 1, seen = 0;
    double        mean = layer->value_sum[unit] / (layer->positions * (double)sums->images);
    for (int64_t i = 0; i < layer->size; i++) {
        double covariance = product[i] / count - input[i] / count * mean;
        seen += (double)layer->weights[unit * layer->size + i] * covariance;
    }
    seen = seen != 0 ? seen : 1;
    for (int64_t i = 0; i < layer->size; i++)
        out[i] = (float)((product[i] / count - input[i] / count * mean) / seen);
}

int64_t patterns_bytes(const PatternSums *sums)
{
    int64_t bytes = 0;
    for (int64_t i = 0; i < sums->count; i++)
        bytes += sums->layers[i].units * sums->layers[i].size * (int64_t)sizeof(float);
    return bytes;
}

static bool make_tensor(const PatternSums *sums, const PatternLayer *layer, BlobTensor *out,
                        Error *error)
{
    size_t count = (size_t)(layer->units * layer->size);
    float *data  = memory_new(count, sizeof *data, error);
    char   name[80];
    snprintf(name, sizeof name, "%s.pattern", layer->name);
    *out = (BlobTensor){.name  = memory_text(name, error),
                        .type  = BLOB_F32,
                        .shape = layer->shape,
                        .data  = data,
                        .bytes = count * sizeof *data};
    for (int64_t unit = 0; data && unit < layer->units; unit++)
        unit_pattern(sums, layer, unit, data + unit * layer->size);
    return data && out->name;
}

bool patterns_write(const PatternSums *sums, const char *path, const char *note, Error *error)
{
    size_t      count   = (size_t)sums->count;
    BlobTensor *tensors = memory_new(count, sizeof *tensors, error);
    uint8_t    *bytes   = NULL;
    size_t      size    = 0;
    char        about[LIMIT_PATH];
    bool        ok = tensors != NULL;
    snprintf(about, sizeof about, "architecture=%.60s\npatterns_of=%s\n%s",
             blob_architecture(sums->blob), blob_sha256(sums->blob), note);
    for (size_t i = 0; ok && i < count; i++)
        ok = make_tensor(sums, &sums->layers[i], &tensors[i], error);
    ok = ok && blob_encode(tensors, (int)count, about, &bytes, &size, error) &&
         file_publish(path, bytes, size, error);
    for (size_t i = 0; tensors && i < count; i++) {
        memory_free((void *)(uintptr_t)tensors[i].name);
        memory_free((void *)(uintptr_t)tensors[i].data);
    }
    memory_free(tensors);
    memory_free(bytes);
    return ok;
}
