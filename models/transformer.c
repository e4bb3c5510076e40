/* models/transformer.c - see transformer.h. */
#include "transformer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BLOCKS = 1000 };

void transformer_settings(Builder *builder, int64_t width, const char *key, Transformer *out)
{
    WeightBlob *blob  = builder->blob;
    double      heads = 0, epsilon = 1e-5;
    if (builder_is_over(builder) ||
        !blob_number(blob, key, 1, (double)width, &heads, &builder->lack) ||
        !blob_number(blob, "norm_epsilon", 1e-12, 1, &epsilon, &builder->lack))
        return;
    out->heads   = (int64_t)heads;
    out->epsilon = (real)epsilon;
    if (heads == 0)
        fail(&builder->lack, ERROR_DATA, "%s: 'about' has no %s", blob_path(blob), key);
    else if (heads != floor(heads) || width % out->heads)
        fail(&builder->lack, ERROR_DATA,
             "%s: 'about' has %s=%g, which do not divide the width of %lld", blob_path(blob), key,
             heads, (long long)width);
}

int transformer_depth(const WeightBlob *blob, const char *prefix)
{
    size_t length = strlen(prefix);
    int    depth  = 0;
    for (int i = 0; i < blob_tensor_count(blob); i++) {
        const char *name = blob_tensor(blob, i)->name;
        char       *end  = NULL;
        if (strncmp(name, prefix, length) != 0)
            continue;
        long number = strtol(name + length, &end, 10);
        if (*end == '.' && number >= depth && number < MOST_BLOCKS)
            depth = (int)number + 1;
    }
    return depth;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static int64_t tokens_width(Builder *builder, NodeId x)
{
    return builder_is_over(builder) ? 0 : graph_shape(builder->graph, x).dim[1];
}

NodeId tokens_dense(Builder *builder, NodeId x, const char *base, char joint, int64_t outputs)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    LayerText weight = layer_text("%s%cweight", base, joint);
    int64_t   inputs = graph_shape(builder->graph, x).dim[1];
    if (outputs == ANY_OUTPUTS)
        outputs = builder_shape(builder, weight.text, 2).dim[0];
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId kernel = builder_tensor(builder, weight.text, shape_2d(outputs, inputs),
                                   shape_4d(outputs, inputs, 1, 1));
    Shape  vector = shape_1d(outputs);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId bias = builder_tensor(builder, LAYER("%s%cbias", base, joint), vector, vector);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId y = op_conv2d(builder->graph, x, kernel, 1, 0);
    graph_name(builder->graph, y, base);
    return op_bias(builder->graph, y, bias);
}

NodeId tokens_norm(Builder *builder, NodeId x, const char *base, real epsilon)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Shape  vector = shape_1d(graph_shape(builder->graph, x).dim[1]);
    NodeId gain   = builder_parameter(builder, base, "weight", vector);
    NodeId bias   = builder_parameter(builder, base, "bias", vector);
    return builder_is_over(builder) ? NODE_NONE
                                    : op_layer_norm(builder->graph, x, gain, bias, epsilon);
}

/* A product with the identity turns matrices [g, rows, columns] around, exactly, and has a
 * gradient. */
static NodeId transposed(Builder *builder, NodeId matrices)
{
    Shape   in       = graph_shape(builder->graph, matrices);
    int64_t rows     = in.dim[1];
    real   *identity = NULL;
    bool    is_new   = false;
    if (!blob_derived(builder->blob, LAYER("identity of %lld", (long long)rows),
                      (size_t)(rows * rows), &identity, &is_new, &builder->lack))
        return NODE_NONE;
    for (int64_t i = 0; is_new && i < rows; i++)
        identity[i * rows + i] = 1;
    NodeId unit = op_parameter(builder->graph, shape_3d(1, rows, rows), identity);
    unit        = op_broadcast_to(builder->graph, unit, shape_3d(in.dim[0], rows, rows));
    return op_matmul(builder->graph, matrices, unit, true, false);
}

NodeId tokens_turned(Builder *builder, NodeId vectors)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Shape  in     = graph_shape(builder->graph, vectors);
    NodeId turned = transposed(builder, vectors);
    return builder_is_over(builder)
               ? NODE_NONE
               : op_reshape(builder->graph, turned, shape_4d(in.dim[0], in.dim[2], 1, in.dim[1]));
}

NodeId tokens_table(Builder *builder, const char *name, Shape stored, int64_t first, int64_t count)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    int64_t rows = stored.dim[stored.rank - 2], width = stored.dim[stored.rank - 1];
    NodeId  table = builder_tensor(builder, name, stored, shape_3d(1, rows, width));
    if (builder_is_over(builder))
        return NODE_NONE;
    return tokens_turned(builder,
                         rows == count ? table : op_slice(builder->graph, table, 1, first, count));
}

// The grid that places are laid out in; false where nothing says so.
static bool places_grid(const Builder *builder, int64_t places, int64_t side, int64_t *rows,
                        int64_t *columns)
{
    const Preparation *preparation = blob_preparation(builder->blob);
    *rows                          = preparation ? preparation->height / side : 0;
    *columns                       = preparation ? preparation->width / side : 0;
    if (*rows * *columns == places)
        return true;
    *rows = *columns = llround(sqrt((double)places));
    return *rows * *columns == places;
}

void tokens_check_places(Builder *builder, int64_t places, Shape image, int64_t rows,
                         int64_t columns, int64_t side)
{
    int64_t     wanted_rows, wanted_columns;
    const char *path        = blob_path(builder->blob);
    bool        is_laid_out = places_grid(builder, places, side, &wanted_rows, &wanted_columns);
    if (is_laid_out && (rows != wanted_rows || columns != wanted_columns))
        fail(&builder->lack, ERROR_DATA,
             "%s: an image of %lldx%lld has %lldx%lld patches, and there are places for the "
             "%lldx%lld of %lldx%lld",
             path, (long long)image.dim[3], (long long)image.dim[2], (long long)columns,
             (long long)rows, (long long)wanted_columns, (long long)wanted_rows,
             (long long)(wanted_columns * side), (long long)(wanted_rows * side));
    else if (rows * columns != places)
        fail(&builder->lack, ERROR_DATA,
             "%s: an image of %lldx%lld has %lldx%lld patches, and there are places for %lld", path,
             (long long)image.dim[3], (long long)image.dim[2], (long long)columns, (long long)rows,
             (long long)places);
}

NodeId build_projection(Builder *builder, NodeId x, const char *name)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Shape stored = builder_shape(builder, name, 2);
    if (stored.rank == 0)
        return NODE_NONE;
    stored.dim[0] = graph_shape(builder->graph, x).dim[1];
    NodeId matrix = builder_tensor(builder, name, stored, stored);
    return builder_is_over(builder) ? NODE_NONE
                                    : op_matmul(builder->graph, x, matrix, false, false);
}

NodeId tokens_pick(Builder *builder, NodeId x, int64_t token)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Shape  shape = graph_shape(builder->graph, x);
    NodeId one   = op_slice(builder->graph, x, 3, token, 1);
    return op_reshape(builder->graph, one, shape_2d(shape.dim[0], shape.dim[1]));
}

void tokens_layer(Builder *builder, const Transformer *transformer, NodeId x, const char *name,
                  const char *alias, bool is_listed)
{
    NodeId  map   = x;
    int64_t count = transformer->rows * transformer->columns;
    if (count > 0 && !builder_is_over(builder)) {
        Shape in     = graph_shape(builder->graph, x);
        Shape places = shape_4d(in.dim[0], in.dim[1], transformer->rows, transformer->columns);
        map          = op_reshape(builder->graph, op_slice(builder->graph, x, 3, 1, count), places);
    }
    if (is_listed)
        build_layer(builder, map, name, alias);
    else
        build_module(builder, map, name);
    if (count == 0)
        return;
    NodeId class = tokens_pick(builder, x, 0);
    build_module(builder, class, LAYER("%s:class", name));
    if (is_listed && alias)
        build_module(builder, class, LAYER("%s:class", alias));
}

/* ---- blocks ---------------------------------------------------------------------------------- */

// Queries, keys and values, each [n, width, 1, tokens].
static void projections(Builder *builder, const BlockKind *kind, NodeId x, const char *base,
                        NodeId out[3])
{
    const char *const single[3] = {kind->query, kind->key, kind->value};
    NodeId            all       = NODE_NONE;
    int64_t           width     = tokens_width(builder, x);
    if (kind->packed)
        all = tokens_dense(builder, x, LAYER("%s.%s", base, kind->packed), '_', 3 * width);
    if (builder_is_over(builder))
        return;
    for (int i = 0; i < 3; i++)
        out[i] = kind->packed
                     ? op_slice(builder->graph, all, 1, i * width, width)
                     : tokens_dense(builder, x, LAYER("%s.%s", base, single[i]), '.', width);
}

NodeId tokens_attend(Builder *builder, const Transformer *transformer, const NodeId part[3],
                     const char *name)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Graph  *graph = builder->graph;
    Shape   out   = graph_shape(graph, part[0]);
    int64_t depth = out.dim[1] / transformer->heads, groups = out.dim[0] * transformer->heads;
    NodeId  split[3];
    for (int i = 0; i < 3; i++)
        split[i] =
            op_reshape(graph, part[i], shape_3d(groups, depth, graph_shape(graph, part[i]).dim[3]));
    NodeId query  = op_scale(graph, split[0], 1 / (real)sqrt((double)depth));
    NodeId scores = op_matmul(graph, query, split[1], true, false);
    if (transformer->mask != NODE_NONE)
        scores = op_add(graph, scores,
                        op_broadcast_to(graph, transformer->mask, graph_shape(graph, scores)));
    NodeId weights = op_softmax(graph, scores);
    graph_name(graph, weights, name);
    return op_reshape(graph, op_matmul(graph, split[2], weights, false, true), out);
}

static NodeId self_attention(Builder *builder, const Transformer *transformer, NodeId x,
                             const char *base, const char *name)
{
    NodeId  part[3] = {NODE_NONE, NODE_NONE, NODE_NONE};
    int64_t width   = tokens_width(builder, x);
    projections(builder, transformer->kind, x, base, part);
    x = tokens_attend(builder, transformer, part, LAYER("%s.attention", name));
    tokens_layer(builder, transformer, x, LAYER("%s.heads", name), NULL, true);
    return tokens_dense(builder, x, LAYER("%s.%s", base, transformer->kind->join), '.', width);
}

static NodeId activated(Builder *builder, NodeId x, BlockActivation activation)
{
    if (activation == BLOCK_RELU)
        return build_activation(builder, x);
    return activation == BLOCK_GELU ? build_gelu(builder, x) : build_quick_gelu(builder, x);
}

static NodeId feed_forward(Builder *builder, const Transformer *transformer, NodeId x,
                           const char *base, const char *name)
{
    const BlockKind *kind  = transformer->kind;
    LayerText        up    = layer_text("%s.%s", base, kind->up);
    int64_t          width = tokens_width(builder, x);
    x                      = tokens_dense(builder, x, up.text, '.', ANY_OUTPUTS);
    tokens_layer(builder, transformer, x, LAYER("%s.mlp.0", name), up.text, true);
    x = activated(builder, x, kind->activation);
    return tokens_dense(builder, x, LAYER("%s.%s", base, kind->down), '.', width);
}

static NodeId block(Builder *builder, const Transformer *transformer, NodeId x, const char *base,
                    const char *name)
{
    static NodeId (*const parts[2])(Builder *, const Transformer *, NodeId, const char *,
                                    const char *) = {self_attention, feed_forward};
    const BlockKind *kind                         = transformer->kind;
    for (int i = 0; i < 2; i++) {
        LayerText norm = layer_text("%s.%s", base, kind->norm[i]);
        NodeId    inner =
            kind->norm_first ? tokens_norm(builder, x, norm.text, transformer->epsilon) : x;
        x = build_add(builder, x, parts[i](builder, transformer, inner, base, name));
        if (!kind->norm_first)
            x = tokens_norm(builder, x, norm.text, transformer->epsilon);
    }
    tokens_layer(builder, transformer, x, name, base, true);
    return x;
}

NodeId transformer_block(Builder *builder, const Transformer *transformer, NodeId x,
                         const char *prefix, int i)
{
    return block(builder, transformer, x, LAYER("%s%d", prefix, i), LAYER("encoder_layer_%d", i));
}

NodeId transformer_blocks(Builder *builder, const Transformer *transformer, NodeId x,
                          const char *prefix)
{
    int depth = transformer_depth(builder->blob, prefix);
    for (int i = 0; i < depth; i++)
        x = transformer_block(builder, transformer, x, prefix, i);
    return x;
}
