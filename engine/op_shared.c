/* engine/op_shared.c - what several ops share: cutting elements into chunks, common shape rules. */
#include "graph.h"

#include "../base/parallel.h"

enum { CHUNK = 16384 };

typedef struct ChunkJob {
    const OpCall *call;
    int64_t       count;
    void (*chunk)(const OpCall *, int64_t, int64_t);
} ChunkJob;

static void run_chunk(void *data, int64_t i, int thread)
{
    ChunkJob *job   = data;
    int64_t   first = i * CHUNK, left = job->count - first;
    (void)thread;
    job->chunk(job->call, first, left < CHUNK ? left : CHUNK);
}

void op_chunks(const OpCall *call, int64_t count, void (*chunk)(const OpCall *, int64_t, int64_t))
{
    ChunkJob job = {call, count, chunk};
    parallel_for((count + CHUNK - 1) / CHUNK, run_chunk, &job);
}

bool infer_same(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    (void)params, (void)error;
    *out = in[0];
    return true;
}

bool infer_pair(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    (void)params;
    if (!shape_equal(in[0], in[1]))
        return fail(error, ERROR_INTERNAL, "elementwise op: shapes %s and %s differ",
                    SHAPE_TEXT(in[0]), SHAPE_TEXT(in[1]));
    *out = in[0];
    return true;
}

bool infer_by_scalar(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    (void)params;
    if (in[1].rank != 0)
        return fail(error, ERROR_INTERNAL, "an op by one number: found %s, expected a scalar",
                    SHAPE_TEXT(in[1]));
    *out = in[0];
    return true;
}
