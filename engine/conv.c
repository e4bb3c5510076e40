/* engine/conv.c - the door to convolutions: which method computes one.
 *
 * Depthwise where every channel has its own kernel. Else Winograd where it is possible and pays, or
 * direct, and of the direct ones a product of its own for gradients to the few channels of an
 * image; how the others read their pixels changes no bit. Several groups are as many convolutions
 * of one image each, since a group of one image lies together in memory: many of them are tasks,
 * few run one after another with tasks of their own. */
#include "conv_method.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <string.h>

enum { GROUP_TASKS = 24 }; // from so many on, each is computed by one thread

static bool is_grouped(const ConvShape *shape)
{
    return shape->groups > 1;
}

/* One group, of all images. */
static ConvShape group_of(const ConvShape *shape)
{
    ConvShape group = *shape;
    if (is_grouped(shape)) {
        group.c /= shape->groups;
        group.k /= shape->groups;
        group.groups = 1;
    }
    return group;
}

static ConvShape group_of_image(const ConvShape *shape)
{
    ConvShape group = group_of(shape);
    group.n         = 1;
    return group;
}

ConvMethod conv_choose(ConvMethod wanted, const ConvShape *shape, ConvSide side)
{
    ConvShape group    = group_of(shape);
    bool      is_plane = group.c == 1 && group.k == 1; // as each of a depthwise convolution
    bool      possible = group.r == 3 && group.s == 3 && group.stride == 1 && group.pad <= 2;
    int64_t   depth    = side == CONV_INPUT_GRADIENT ? group.k : group.c;
    if (side == CONV_WEIGHT_GRADIENT && group.k < depth)
        depth = group.k;
    bool pays = depth >= 16 && sizeof(real) == sizeof(float) && !image_fits(&group, side);
    if (!possible || is_plane || wanted == CONV_DIRECT)
        return CONV_DIRECT;
    return wanted == CONV_WINOGRAD || pays ? CONV_WINOGRAD : CONV_DIRECT;
}

/* ---- one group ------------------------------------------------------------------------------- */

static size_t prepared_size(const ConvShape *shape, ConvSide side, ConvMethod method)
{
    if (method == CONV_WINOGRAD)
        return winograd_prepared_size(shape, side);
    return image_fits(shape, side) ? image_prepared_size(shape) : direct_prepared_size(shape, side);
}

static void prepare(const ConvShape *shape, ConvSide side, ConvMethod method, const real *weights,
                    real *prepared)
{
    if (method == CONV_WINOGRAD)
        winograd_prepare(shape, side, weights, prepared);
    else if (image_fits(shape, side))
        image_prepare(shape, weights, prepared);
    else
        direct_prepare(shape, side, weights, prepared);
}

static size_t scratch_size(const ConvShape *shape, ConvSide side, ConvMethod method, int threads)
{
    if (method == CONV_WINOGRAD)
        return winograd_scratch_size(shape, side, threads);
    if (image_fits(shape, side))
        return image_scratch_size(shape, threads);
    return bands_fit(shape, side) ? bands_scratch_size(shape, side, threads)
                                  : direct_scratch_size(shape, side, threads);
}

static void run(const ConvShape *shape, ConvSide side, ConvMethod method, const real *prepared,
                const real *from, real *to, const ConvFinish *finish, real *scratch)
{
    if (method == CONV_WINOGRAD)
        winograd_run(shape, side, prepared, from, to, finish, scratch);
    else if (image_fits(shape, side))
        image_run(shape, prepared, from, to, finish, scratch);
    else if (bands_fit(shape, side))
        bands_run(shape, side, prepared, from, to, finish, scratch);
    else
        direct_run(shape, side, prepared, from, to, finish, scratch);
}

/* ---- forward and input gradient -------------------------------------------------------------- */

static size_t padded(size_t reals)
{
    return (size_t)reals_padded((int64_t)reals);
}

typedef struct GroupJob {
    const ConvShape  *shape;
    ConvShape         group; // of one image
    ConvSide          side;
    ConvMethod        method;
    const real       *prepared, *from;
    real             *to, *scratch;
    const ConvFinish *finish;
    size_t            prepared_size, thread_size; // of a group; of each thread
} GroupJob;

static int group_threads(int64_t tasks, int threads)
{
    return tasks >= GROUP_TASKS ? 1 : threads;
}

size_t conv_prepared_size(const ConvShape *shape, ConvSide side, ConvMethod method)
{
    ConvShape group = group_of_image(shape);
    if (depthwise_fits(shape))
        return depthwise_prepared_size(shape);
    return is_grouped(shape) ? (size_t)shape->groups * padded(prepared_size(&group, side, method))
                             : prepared_size(shape, side, method);
}

void conv_prepare(const ConvShape *shape, ConvSide side, ConvMethod method, const real *weights,
                  real *prepared)
{
    ConvShape group = group_of_image(shape);
    if (depthwise_fits(shape))
        depthwise_prepare(shape, side, weights, prepared);
    else if (!is_grouped(shape))
        prepare(shape, side, method, weights, prepared);
    for (int64_t g = 0; g < shape->groups && is_grouped(shape) && !depthwise_fits(shape); g++) {
        prepare(&group, side, method, weights, prepared);
        weights += group.k * group.c * group.r * group.s;
        prepared += padded(prepared_size(&group, side, method));
    }
}

size_t conv_scratch_size(const ConvShape *shape, ConvSide side, ConvMethod method, int threads)
{
    ConvShape group = group_of_image(shape);
    int64_t   tasks = shape->n * shape->groups;
    int       inner = group_threads(tasks, threads);
    if (depthwise_fits(shape))
        return depthwise_scratch_size(shape, side, threads);
    if (!is_grouped(shape))
        return scratch_size(shape, side, method, threads);
    return (size_t)(threads / inner) * padded(scratch_size(&group, side, method, inner));
}

static void group_task(void *data, int64_t task, int thread)
{
    const GroupJob  *job   = data;
    const ConvShape *shape = job->shape, *group = &job->group;
    int64_t          index = task % shape->groups, x = group->c * group->h * group->w;
    int64_t          y          = group->k * group->oh * group->ow;
    bool             is_forward = job->side == CONV_FORWARD;
    int64_t          from = task * (is_forward ? x : y), to = task * (is_forward ? y : x);
    ConvFinish       finish = *job->finish;
    if (finish.bias)
        finish.bias += index * (is_forward ? group->k : group->c);
    if (finish.add)
        finish.add += to;
    if (finish.gate)
        finish.gate += to;
    run(group, job->side, job->method, job->prepared + (size_t)index * job->prepared_size,
        job->from + from, job->to + to, &finish, job->scratch + (size_t)thread * job->thread_size);
}

static void run_tasks(int64_t tasks, void (*task)(void *, int64_t, int), void *job)
{
    if (tasks >= GROUP_TASKS)
        parallel_for(tasks, task, job);
    for (int64_t i = 0; i < tasks && tasks < GROUP_TASKS; i++)
        task(job, i, 0);
}

void conv_run(const ConvShape *shape, ConvSide side, ConvMethod method, const real *prepared,
              const real *from, real *to, const ConvFinish *finish, real *scratch)
{
    if (depthwise_fits(shape)) {
        depthwise_run(shape, side, prepared, from, to, finish, scratch);
    } else if (!is_grouped(shape)) {
        run(shape, side, method, prepared, from, to, finish, scratch);
    } else {
        GroupJob job      = {.shape    = shape,
                             .group    = group_of_image(shape),
                             .side     = side,
                             .method   = method,
                             .prepared = prepared,
                             .from     = from,
                             .to       = to,
                             .scratch  = scratch,
                             .finish   = finish};
        job.prepared_size = padded(prepared_size(&job.group, side, method));
        job.thread_size   = padded(scratch_size(&job.group, side, method, 1));
        run_tasks(shape->n * shape->groups, group_task, &job);
    }
}

/* ---- weight gradient ------------------------------------------------------------------------- */

static size_t weight_scratch_size(const ConvShape *shape, ConvMethod method, int threads)
{
    return method == CONV_WINOGRAD ? weight_winograd_scratch_size(shape, threads)
                                   : weight_direct_scratch_size(shape, threads);
}

static void weight_run(const ConvShape *shape, ConvMethod method, const real *x, const real *gy,
                       real *grad_w, real *scratch)
{
    if (method == CONV_WINOGRAD)
        weight_winograd_run(shape, x, gy, grad_w, scratch);
    else
        weight_direct_run(shape, x, gy, grad_w, scratch);
}

/* Of several images a group is copied together first. */
typedef struct GroupWeightJob {
    const ConvShape *shape;
    ConvShape        group;
    ConvMethod       method;
    const real      *x, *gy;
    real            *grad_w, *scratch;
    size_t           x_size, gy_size, thread_size; // of the copies; of each thread
} GroupWeightJob;

static GroupWeightJob group_weight_job(const ConvShape *shape, ConvMethod method, int threads)
{
    GroupWeightJob job = {.shape = shape, .group = group_of(shape), .method = method};
    ConvShape     *g   = &job.group;
    if (g->n > 1) {
        job.x_size  = padded((size_t)(g->n * g->c * g->h * g->w));
        job.gy_size = padded((size_t)(g->n * g->k * g->oh * g->ow));
    }
    job.thread_size = job.x_size + job.gy_size +
                      padded(weight_scratch_size(g, method, group_threads(shape->groups, threads)));
    return job;
}

/* Group `index` of arrays [images, groups, size]: where it lies, or its copy. */
static const real *take_group(const real *from, int64_t images, int64_t groups, int64_t index,
                              int64_t size, real *copy)
{
    if (images == 1)
        return from + index * size;
    for (int64_t i = 0; i < images; i++)
        memcpy(copy + i * size, from + (i * groups + index) * size, (size_t)size * sizeof(real));
    return copy;
}

static void group_weight_task(void *data, int64_t index, int thread)
{
    const GroupWeightJob *job     = data;
    const ConvShape      *g       = &job->group;
    real                 *scratch = job->scratch + (size_t)thread * job->thread_size;
    const real           *x =
        take_group(job->x, g->n, job->shape->groups, index, g->c * g->h * g->w, scratch);
    const real *gy = take_group(job->gy, g->n, job->shape->groups, index, g->k * g->oh * g->ow,
                                scratch + job->x_size);
    weight_run(g, job->method, x, gy, job->grad_w + index * g->k * g->c * g->r * g->s,
               scratch + job->x_size + job->gy_size);
}

size_t conv_weight_scratch_size(const ConvShape *shape, ConvMethod method, int threads)
{
    if (depthwise_fits(shape))
        return depthwise_weight_scratch_size(shape, threads);
    if (!is_grouped(shape))
        return weight_scratch_size(shape, method, threads);
    int copies = shape->groups >= GROUP_TASKS ? threads : 1;
    return (size_t)copies * group_weight_job(shape, method, threads).thread_size;
}

void conv_weight_run(const ConvShape *shape, ConvMethod method, const real *x, const real *gy,
                     real *grad_w, real *scratch)
{
    if (depthwise_fits(shape)) {
        depthwise_weight_run(shape, x, gy, grad_w, scratch);
    } else if (!is_grouped(shape)) {
        weight_run(shape, method, x, gy, grad_w, scratch);
    } else {
        GroupWeightJob job = group_weight_job(shape, method, parallel_threads());
        job.x              = x;
        job.gy             = gy;
        job.grad_w         = grad_w;
        job.scratch        = scratch;
        run_tasks(shape->groups, group_weight_task, &job);
    }
}
