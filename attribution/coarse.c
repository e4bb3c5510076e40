/* attribution/coarse.c - maps of cells that are larger than pixels, enlarged to the image: of the
 * last maps of a convolutional network, of the patches of a transformer.
 *
 * Sources: Selvaraju et al., ICCV 2017 (Grad-CAM); Abnar and Zuidema, "Quantifying attention flow
 * in transformers", ACL 2020 (rollout); Chefer, Gur and Wolf, "Generic attention-model
 * explainability for interpreting bi-modal and encoder-decoder transformers", ICCV 2021 (gradient
 * rollout). */
#include "attention.h"
#include "making.h"
#include "walk.h"

/* ---- enlarging ------------------------------------------------------------------------------- */

/* A matrix [large, small] whose product with a row of `small` cells is that row resized, linearly
 * between the centres of cells. */
static NodeId resizer(Making *making, int64_t small, int64_t large, Error *error)
{
    real *data = rule_weights_own(making->map->weights, (size_t)(small * large), error);
    for (int64_t i = 0; data && i < large; i++) {
        double at    = ((double)i + 0.5) * (double)small / (double)large - 0.5;
        at           = at < 0 ? 0 : at > (double)(small - 1) ? (double)(small - 1) : at;
        int64_t left = (int64_t)at, right = left + 1 < small ? left + 1 : left;
        data[i * small + left] += (real)(1 - (at - (double)left));
        data[i * small + right] += (real)(at - (double)left);
    }
    return data ? op_parameter(making->graph, shape_2d(large, small), data) : NODE_NONE;
}

// Cells [n, rows, columns] as the attribution of one channel, as large as the image.
static bool enlarge(Making *making, NodeId small, Error *error)
{
    Graph  *g     = making->graph;
    Shape   cells = graph_shape(g, small), image = graph_shape(g, making->map->image);
    int64_t count = cells.dim[0], h = image.dim[2], w = image.dim[3];
    NodeId  rows   = resizer(making, cells.dim[1], h, error),
           columns = resizer(making, cells.dim[2], w, error);
    if (rows == NODE_NONE || columns == NODE_NONE) {
        graph_check(g, error); // else memory, which has told
        return false;
    }
    // A product an image, so that no image's bits depend on how many there are.
    Shape tall = shape_3d(count, h, cells.dim[1]), broad = shape_3d(count, w, cells.dim[2]);
    rows         = op_broadcast_to(g, op_reshape(g, rows, shape_3d(1, h, cells.dim[1])), tall);
    columns      = op_broadcast_to(g, op_reshape(g, columns, shape_3d(1, w, cells.dim[2])), broad);
    NodeId large = op_matmul(g, rows, op_matmul(g, small, columns, false, true), false, false);
    making->map->each = op_reshape(g, large, shape_4d(count, 1, h, w));
    return graph_check(g, error);
}

/* ---- Grad-CAM -------------------------------------------------------------------------------- */

// The last activation with places before the layer.
static NodeId last_maps(const Graph *g, NodeId layer)
{
    for (NodeId node = layer - 1; node >= 0; node--)
        if ((is_rectifier(g, node) || gate_input(g, node) >= 0) && graph_shape(g, node).rank == 4)
            return node;
    return NODE_NONE;
}

bool gradcam_suits(const Graph *g, NodeId layer, Error *error)
{
    return last_maps(g, layer) != NODE_NONE ||
           fail(error, ERROR_USAGE, "gradcam: no activation with places lies before the layer");
}

/* (E10): relu(sum of channels, each times its mean derivative), as large as the image. */
bool make_gradcam(Making *making, Error *error)
{
    Graph *g    = making->graph;
    NodeId maps = last_maps(g, making->map->layer), slope;
    if (!gradcam_suits(g, making->map->layer, error) || !making_walk(making, maps, &slope, error))
        return false;
    Shape a = graph_shape(g, maps), one = a, flat = a;
    one.dim[2] = one.dim[3] = flat.dim[1] = 1;
    NodeId mean = op_scale(g, op_sum_to(g, slope, one), 1 / (real)(a.dim[2] * a.dim[3]));
    NodeId sum  = op_sum_to(g, op_mul(g, maps, op_broadcast_to(g, mean, a)), flat);
    return enlarge(making, op_reshape(g, op_relu(g, sum), shape_3d(a.dim[0], a.dim[2], a.dim[3])),
                   error);
}

/* ---- rollout --------------------------------------------------------------------------------- */

// How many patches lie side by side and one above another, of an image and its tokens.
static bool find_patches(const Making *making, int64_t tokens, int64_t *rows, int64_t *columns,
                         Error *error)
{
    Shape   image = graph_shape(making->graph, making->map->image);
    int64_t h = image.dim[2], w = image.dim[3], side = 1;
    while (tokens > 1 && side * side * (tokens - 1) < h * w)
        side++;
    *rows    = h / side;
    *columns = w / side;
    return (tokens > 1 && *rows * *columns == tokens - 1) ||
           fail(error, ERROR_USAGE,
                "%s: attention of %lld tokens, expected a class token and square patches of an "
                "image of %lld x %lld",
                making->request->method->name, (long long)tokens, (long long)h, (long long)w);
}

// The mean over heads of [images heads, T, T] as [images, T, T].
static NodeId mean_of_heads(Graph *g, NodeId each, int64_t images)
{
    Shape   shape = graph_shape(g, each);
    int64_t heads = shape.dim[0] / images, tokens = shape.dim[1], cells = tokens * tokens;
    NodeId  sum = op_sum_to(g, op_reshape(g, each, shape_3d(images, heads, cells)),
                            shape_3d(images, 1, cells));
    return op_scale(g, op_reshape(g, sum, shape_3d(images, tokens, tokens)), (real)1 / (real)heads);
}

/* What the class token, the first row, owes to each token of the first layer: the row of
 * (I + M_n) ... (I + M_1), or of their halves, with M the mean over heads of the weights of
 * attention (T2), or of the positive parts of weights times their derivatives (T3). */
static NodeId class_row(Making *making, const NodeId *attention, const NodeId *slope, int count)
{
    Graph  *g      = making->graph;
    int64_t images = making->map->points, tokens = graph_shape(g, attention[0]).dim[1];
    NodeId  row = op_pad(g, op_constant(g, shape_3d(images, 1, 1), 1), 2, 0, tokens - 1);
    for (int i = count - 1; i >= 0; i--) {
        NodeId each = attention[i];
        if (slope)
            each = op_relu(g, op_mul(g, each, slope[i]));
        NodeId moved = op_matmul(g, row, mean_of_heads(g, each, images), false, false);
        row          = op_add(g, row, moved);
        if (!slope)
            row = op_scale(g, row, (real)0.5);
    }
    return row;
}

bool make_rollout(Making *making, Error *error)
{
    Graph      *g = making->graph;
    NodeId      attention[ATTENTION_MOST], slope[ATTENTION_MOST];
    const char *name    = making->request->method->name;
    bool        is_free = making->request->method->kind == MAP_ROLLOUT; // of the class
    int         count   = attention_find(g, making->map->layer, attention);
    int64_t     rows, columns, tokens = graph_shape(g, attention[0]).dim[1];
    if (count > ATTENTION_MOST)
        return fail(error, ERROR_USAGE, "%s: attention of %d blocks, expected up to %d", name,
                    count, ATTENTION_MOST);
    for (int i = 1; i < count; i++)
        if (graph_shape(g, attention[i]).dim[1] != tokens)
            return fail(error, ERROR_USAGE, "%s: attention of %lld and of %lld tokens", name,
                        (long long)tokens, (long long)graph_shape(g, attention[i]).dim[1]);
    if (!find_patches(making, tokens, &rows, &columns, error))
        return false;
    if (!is_free)
        graph_sweep(g, NULL, making->map->layer, making_chosen(making), attention, count, slope);
    NodeId row = class_row(making, attention, is_free ? NULL : slope, count);
    return enlarge(making,
                   op_reshape(g, op_slice(g, row, 2, 1, tokens - 1),
                              shape_3d(making->map->points, rows, columns)),
                   error);
}
