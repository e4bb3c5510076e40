/* engine/op_layer_norm.c - a layer norm as one step, which the plan makes of its nodes:
 *     out = (x - mean) / sqrt(variance + epsilon) * gain + bias      x, out [n,c,h,w]
 * Mean and variance are those of the c channels of a place, gain and bias one number a channel. A
 * task takes some places of an image through all of it while they are in its core's cache. Every
 * number is rounded as in the steps one by one. */
#include "graph.h"

#include "../base/cores.h"
#include "../base/parallel.h"

#include <string.h>

enum { IN_X, IN_GAIN, IN_BIAS };

enum {
    ALIGN        = 16, // blocks begin at whole vectors of a row
    WANTED_TASKS = 4
};

/* `most`: places of a block at most. */
typedef struct NormJob {
    const OpCall *call;
    int64_t       channels, places, blocks, most;
    size_t        thread_size; // of scratch
} NormJob;

static NormJob job_of(const OpCall *call)
{
    Shape   shape = call->shape;
    NormJob job   = {.call = call, .channels = shape.dim[1], .places = shape.dim[2] * shape.dim[3]};
    int64_t fitting = cores_caches().own * 3 / 8 / (int64_t)sizeof(real) / job.channels;
    int64_t wanted  = (WANTED_TASKS + shape.dim[0] - 1) / shape.dim[0];
    int64_t largest = (job.places + ALIGN - 1) / ALIGN;
    job.blocks      = (job.places + fitting) / (fitting + 1);
    job.blocks      = job.blocks < wanted ? wanted : job.blocks;
    job.blocks      = job.blocks > largest ? largest : job.blocks;
    job.most        = (job.places / job.blocks / ALIGN + 2) * ALIGN;
    job.thread_size = (size_t)job.most * (2 + sizeof(double) / sizeof(real));
    return job;
}

static size_t layer_norm_scratch_size(const OpCall *call, int threads)
{
    return (size_t)threads * job_of(call).thread_size;
}

/* Where block `b` begins. */
static int64_t block_start(const NormJob *job, int64_t b)
{
    return b == job->blocks ? job->places : job->places * b / job->blocks / ALIGN * ALIGN;
}

static void rounded(real *to, const double *total, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (real)total[i];
}

static void layer_norm_task(void *data, int64_t task, int thread)
{
    const NormJob *job   = data;
    const OpCall  *call  = job->call;
    const Kernels *k     = kernels();
    int64_t        block = task % job->blocks, image = task / job->blocks;
    int64_t        first = block_start(job, block), n = block_start(job, block + 1) - first;
    int64_t        channels = job->channels, at = image * channels * job->places + first;
    const real    *x      = (const real *)call->in[IN_X] + at;
    real          *shift  = call->scratch + (size_t)thread * job->thread_size;
    real          *factor = shift + job->most;
    double        *total  = (void *)(factor + job->most);
    real           share  = (real)1 / (real)channels;

    memset(total, 0, (size_t)n * sizeof *total);
    k->sum_rows(total, x, job->places, channels, n);
    rounded(shift, total, n);
    k->scale_offset(shift, shift, share, 0, n);
    k->scale_offset(shift, shift, -1, 0, n);

    memset(total, 0, (size_t)n * sizeof *total);
    k->sum_squares(total, x, shift, job->places, channels, n);
    rounded(factor, total, n);
    k->scale_offset(factor, factor, share, 0, n);
    k->scale_offset(factor, factor, 1, call->params->term, n);
    k->power(factor, factor, (real)-0.5, n);

    k->norm_rows((real *)call->out + at, x, job->places, channels,
                 &(NormRows){shift, factor, call->in[IN_GAIN], call->in[IN_BIAS]}, n);
}

static void layer_norm_forward(const OpCall *call)
{
    NormJob job = job_of(call);
    parallel_for(call->shape.dim[0] * job.blocks, layer_norm_task, &job);
}

const OpInfo op_info_layer_norm = {
    .name = "layer_norm", .scratch_size = layer_norm_scratch_size, .forward = layer_norm_forward};
