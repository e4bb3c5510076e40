/* engine/op_attention.c - attention as one step, which the plan makes of three nodes:
 *     out = v softmax(q^T k)^T      q [g,d,t], k [g,d,s], v [g,e,s], out [g,e,t]
 * A group's weights [t,s] stay in a core's cache from the first product to the second, and are
 * written only where a gradient or the caller reads them. The sums are those of the three steps. */
#include "graph.h"

#include "gemm.h"
#include "../base/parallel.h"

enum { IN_V, IN_Q, IN_K };

typedef struct AttentionJob {
    const OpCall *call;
    int64_t       groups, t, s, depth, width;
    size_t        weights_size, thread_size; // of a thread's scratch: weights, all
} AttentionJob;

static AttentionJob job_of(const OpCall *call)
{
    AttentionJob job = {.call   = call,
                        .groups = call->shape.dim[0],
                        .width  = call->shape.dim[1],
                        .t      = call->shape.dim[2]};
    job.s            = shape_elements(call->in_shape[IN_V]) / (job.groups * job.width);
    job.depth        = shape_elements(call->in_shape[IN_Q]) / (job.groups * job.t);
    job.weights_size = (size_t)reals_padded(job.t * job.s);
    size_t scores    = gemm_scratch_size(1, job.t, job.s, job.depth, 1);
    size_t values    = gemm_scratch_size(1, job.width, job.t, job.s, 1);
    size_t most      = scores > values ? scores : values;
    job.thread_size  = job.weights_size + (size_t)reals_padded((int64_t)most);
    return job;
}

static size_t attention_scratch_size(const OpCall *call, int threads)
{
    return (size_t)threads * job_of(call).thread_size;
}

static inline __attribute__((always_inline)) void fetch(const real *x, int64_t n)
{
    enum { LINE = 64 / sizeof(real) };
    for (int64_t i = 0; i < n; i += LINE)
        __builtin_prefetch(x + i, 0, 2);
}

/* Loops inside run as thread 0 of their caller. */
static void attention_task(void *data, int64_t group, int thread)
{
    const AttentionJob *job     = data;
    const OpCall       *call    = job->call;
    real               *scratch = call->scratch + (size_t)thread * job->thread_size;
    real *weights = call->second ? (real *)call->second + group * job->t * job->s : scratch;
    scratch += job->weights_size;
    Gemm scores = {.groups   = 1,
                   .m        = job->t,
                   .n        = job->s,
                   .k        = job->depth,
                   .a        = (const real *)call->in[IN_Q] + group * job->depth * job->t,
                   .b        = (const real *)call->in[IN_K] + group * job->depth * job->s,
                   .c        = weights,
                   .a_row    = 1,
                   .a_depth  = job->t,
                   .b_depth  = job->s,
                   .b_column = 1};
    Gemm values = {.groups   = 1,
                   .m        = job->width,
                   .n        = job->t,
                   .k        = job->s,
                   .a        = (const real *)call->in[IN_V] + group * job->width * job->s,
                   .b        = weights,
                   .c        = (real *)call->out + group * job->width * job->t,
                   .a_row    = job->s,
                   .a_depth  = 1,
                   .b_depth  = 1,
                   .b_column = job->s};
    fetch(scores.a, job->depth * job->t);
    fetch(scores.b, job->depth * job->s);
    gemm_run(&scores, scratch);
    fetch(values.a, job->width * job->s);
    for (int64_t row = 0; row < job->t; row++)
        kernels()->softmax(weights + row * job->s, weights + row * job->s, job->s);
    gemm_run(&values, scratch);
}

static void attention_forward(const OpCall *call)
{
    AttentionJob job = job_of(call);
    parallel_for(job.groups, attention_task, &job);
}

const OpInfo op_info_attention = {
    .name = "attention", .scratch_size = attention_scratch_size, .forward = attention_forward};
