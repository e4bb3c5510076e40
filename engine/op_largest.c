/* engine/op_largest.c - which numbers of a row are among its largest: 1 there, 0 elsewhere. */
#include "graph.h"

#include "../base/parallel.h"

#include <string.h>

static bool infer_largest(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    int64_t n = in[0].rank ? in[0].dim[in[0].rank - 1] : 0;
    if (params->count < 1 || params->count > n)
        return fail(error, ERROR_INTERNAL, "largest: %lld numbers of each row do not fit %s",
                    (long long)params->count, SHAPE_TEXT(in[0]));
    *out = in[0];
    return true;
}

/* A whole number that is larger for a larger x, and one for -0 and 0. */
static int64_t place_of(real x)
{
    double  wide = (double)x;
    int64_t bits;
    memcpy(&bits, &wide, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

// How many numbers of the row lie at this place or higher.
static int64_t count_from(const real *row, int64_t n, int64_t place)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += place_of(row[i]) >= place;
    return count;
}

/* Halves the places until `wanted` numbers lie at one or higher, or it is that of the wanted-th
 * largest: at most 64 times, and no number is moved. */
static int64_t lowest_place(const real *row, int64_t n, int64_t wanted)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (int64_t i = 0; i < n; i++) {
        int64_t place = place_of(row[i]);
        low           = place < low ? place : low;
        high          = place > high ? place : high;
    }
    while (low < high) {
        uint64_t apart  = (uint64_t)high - (uint64_t)low;
        int64_t  middle = (int64_t)((uint64_t)low + apart / 2 + apart % 2);
        int64_t  count  = count_from(row, n, middle);
        if (count == wanted)
            return middle;
        if (count > wanted)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void largest_row(void *data, int64_t index, int thread)
{
    const OpCall *call   = data;
    int64_t       n      = call->shape.dim[call->shape.rank - 1];
    const real   *row    = (const real *)call->in[0] + index * n;
    real         *out    = (real *)call->out + index * n;
    int64_t       lowest = lowest_place(row, n, call->params->count);
    int64_t       equal  = call->params->count; // that still count
    (void)thread;
    for (int64_t i = 0; i < n; i++)
        equal -= place_of(row[i]) > lowest;
    for (int64_t i = 0; i < n; i++) {
        int64_t place   = place_of(row[i]);
        bool    is_last = place == lowest && equal > 0;
        out[i]          = (real)(place > lowest || is_last);
        equal -= is_last;
    }
}

static void largest_forward(const OpCall *call)
{
    parallel_for(call->count / call->shape.dim[call->shape.rank - 1], largest_row,
                 (void *)(uintptr_t)call);
}

const OpInfo op_info_largest = {.name    = "largest",
                                .arity   = 1,
                                .flags   = OP_NO_GRADIENT,
                                .infer   = infer_largest,
                                .forward = largest_forward};

NodeId op_largest(Graph *graph, NodeId x, int64_t count)
{
    return graph_append(graph, OP_LARGEST, &x, &(OpParams){.count = count});
}
