/* nem/clip/cosines.c - see cosines.h. */
#include "cosines.h"
#include "../../engine/engine.h"

#include <string.h>

struct Cosines {
    const Embeddings *images;
    const float      *concepts;
    Graph            *graph;
    Plan             *plan;
    NodeId            left, right, product; // [rows, width], [concepts, width], [rows, concepts]
    int64_t           tile;                 // concepts of the product
};

const float *embedding_of(const Embeddings *images, int64_t image)
{
    int64_t low = 0, high = images->changed_count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (images->changed[middle] < image)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_changed = low < images->changed_count && images->changed[low] == image;
    return is_changed ? images->changed_rows + low * images->width
                      : images->rows + image * images->width;
}

static bool plan_product(Cosines *cosines, Error *error)
{
    int64_t width = cosines->images->width;
    if (!graph_create(&cosines->graph, error))
        return false;
    cosines->left    = op_input(cosines->graph, shape_2d(COSINE_ROWS, width), "images");
    cosines->right   = op_input(cosines->graph, shape_2d(cosines->tile, width), "concepts");
    cosines->product = op_matmul(cosines->graph, cosines->left, cosines->right, false, true);
    return plan_create(&cosines->plan, cosines->graph, &cosines->product, 1, NULL, error);
}

bool cosines_open(Cosines **out, const Embeddings *images, const float *concepts, int64_t tile,
                  Error *error)
{
    Cosines *cosines = memory_new(1, sizeof *cosines, error);
    if (!cosines)
        return false;
    *cosines = (Cosines){.images = images, .concepts = concepts, .tile = tile};
    if (!plan_product(cosines, error)) {
        cosines_close(cosines);
        return false;
    }
    *out = cosines;
    return true;
}

void cosines_close(Cosines *cosines)
{
    if (!cosines)
        return;
    plan_destroy(cosines->plan);
    graph_destroy(cosines->graph);
    memory_free(cosines);
}

static void copy_reals(real *out, const float *from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (real)from[i];
}

// Columns `at` to at + count - 1 of the block, whose rows have `stride` numbers.
static void run_tile(Cosines *cosines, int64_t rows, int64_t first, int64_t count, int64_t stride,
                     float *out)
{
    int64_t width = cosines->images->width;
    copy_reals(plan_input(cosines->plan, cosines->right), cosines->concepts + first * width,
               count * width);
    plan_run(cosines->plan);
    const real *found = plan_output(cosines->plan, cosines->product);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < count; i++)
            out[row * stride + i] = (float)found[row * cosines->tile + i];
}

void cosines_run(Cosines *cosines, const int64_t *images, int64_t count, int64_t first,
                 int64_t concept_count, float *out)
{
    int64_t width = cosines->images->width;
    real   *left  = plan_input(cosines->plan, cosines->left);
    for (int64_t i = 0; i < count; i++)
        copy_reals(left + i * width, embedding_of(cosines->images, images[i]), width);
    for (int64_t at = 0; at < concept_count; at += cosines->tile) {
        int64_t rest = concept_count - at;
        run_tile(cosines, count, first + at, rest < cosines->tile ? rest : cosines->tile,
                 concept_count, out + at);
    }
}
