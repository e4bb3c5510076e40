/* engine/op_channels.c - runs a channel program; the plan alone makes such steps. */
#include "graph.h"

#include "channelwise.h"
#include "../base/parallel.h"

enum {
    GROUPS       = 16,    // of images, at most: their sums are added in order
    CHUNK        = 64,    // channels of a task that works on numbers
    PIECE        = 16384, // elements of a task of a flat program
    THREAD_TASKS = 2
};

/* One run of a program. */
typedef struct ChannelJob {
    const ChannelProgram *program;
    const Kernels        *kernels;
    int64_t               images, channels, plane;
    int64_t               groups, blocks; // tasks on planes: groups of images by blocks of channels
    double               *totals;         // [group][channel][number]
    real                 *numbers;        // [channel][number]
    real                 *slots;          // of all threads
    int32_t               phase;
} ChannelJob;

/* A channel on its way: its numbers, and its sums over one group. */
typedef struct ChannelRun {
    real   *number;
    double *total;
} ChannelRun;

static ChannelRun run_of(const ChannelJob *job, int64_t group, int64_t channel)
{
    int64_t numbers = job->program->number_count;
    return (ChannelRun){job->numbers + channel * numbers,
                        job->totals + (group * job->channels + channel) * numbers};
}

/* Turns on planes of a phase. */
static int32_t first_turn(const ChannelProgram *program, int32_t phase)
{
    return phase < 0 ? 0 : program->number_end[phase];
}

static int32_t end_turn(const ChannelProgram *program, int32_t phase)
{
    return phase < 0 ? 0 : program->plane_end[phase];
}

/* ---- numbers --------------------------------------------------------------------------------- */

static real number_at(const ChannelRun *run, Place place, real otherwise)
{
    return place.kind == PLACE_NUMBER ? run->number[place.index] : otherwise;
}

static void number_turn(const Kernels *k, const ChannelRun *run, const ChannelTurn *turn)
{
    real *out = &run->number[turn->out.index], a = number_at(run, turn->a, 0),
         b = number_at(run, turn->b, turn->factor);
    switch (turn->op) {
    case OP_ADD:
        k->add(out, &a, &b, 1);
        break;
    case OP_MUL:
        k->mul(out, &a, &b, 1);
        break;
    case OP_RELU:
        k->relu(out, &a, 1);
        break;
    case OP_CLAMP:
        k->clamp(out, &a, turn->factor, 1);
        break;
    case OP_GATE:
        if (turn->factor > 0)
            k->gate_below(out, &a, &b, turn->factor, 1);
        else
            k->gate(out, &a, &b, 1);
        break;
    case OP_POWER:
        k->power(out, &a, turn->factor, 1);
        break;
    case OP_SIGMOID:
        k->sigmoid(out, &a, b, 1);
        break;
    case OP_SOFTPLUS:
        k->softplus(out, &a, b, 1);
        break;
    case OP_NORMAL_CDF:
        k->normal_cdf(out, &a, 1);
        break;
    case OP_EXP:
        k->exp(out, &a, 1);
        break;
    default: // OP_SCALE_OFFSET
        k->scale_offset(out, &a, b, turn->term, 1);
        break;
    }
}

/* What the groups summed in the phase before, added in order; group 0 keeps it. */
static void add_groups(const ChannelJob *job, int64_t channel, const ChannelTurn *turn)
{
    ChannelRun whole = run_of(job, 0, channel);
    for (int64_t group = 1; group < job->groups; group++) {
        const double *part = run_of(job, group, channel).total;
        whole.total[turn->out.index] += part[turn->out.index];
    }
    whole.number[turn->out.index] = (real)whole.total[turn->out.index];
}

/* Arrays of one number a channel, on their way in or out. */
static void move_numbers(const ChannelProgram *program, int64_t channel, real *number,
                         bool is_written)
{
    for (int32_t i = 0; i < program->array_count; i++) {
        const ChannelArray *array = &program->array[i];
        if (!array->is_number || array->is_written != is_written)
            continue;
        if (is_written)
            ((real *)array->data)[channel] = number[array->number];
        else
            number[array->number] = ((const real *)array->data)[array->is_shared ? 0 : channel];
    }
}

static void number_task(void *data, int64_t task, int thread)
{
    const ChannelJob     *job     = data;
    const ChannelProgram *program = job->program;
    const ChannelTurn    *turn    = program->turn;
    int64_t               end     = (task + 1) * CHUNK;
    int32_t               before  = job->phase - 1;
    (void)thread;
    for (int64_t channel = task * CHUNK; channel < end && channel < job->channels; channel++) {
        ChannelRun run = run_of(job, 0, channel);
        if (job->phase == 0)
            move_numbers(program, channel, run.number, false);
        for (int32_t i = first_turn(program, before); i < end_turn(program, before); i++)
            if (turn[i].op == OP_SUM_TO)
                add_groups(job, channel, &turn[i]);
        for (int32_t i = end_turn(program, before); i < program->number_end[job->phase]; i++)
            number_turn(job->kernels, &run, &turn[i]);
        if (job->phase + 1 == program->phase_count)
            move_numbers(program, channel, run.number, true);
    }
}

/* ---- planes ---------------------------------------------------------------------------------- */

/* A block of one channel's plane of an image. */
typedef struct PlaneBlock {
    const ChannelProgram *program;
    const Kernels        *kernels;
    real                 *slots;
    int64_t               at, n, total; // its first element in arrays of planes, all of these
} PlaneBlock;

static real *block_at(const PlaneBlock *block, Place place)
{
    return place.kind == PLACE_SLOT ? block->slots + (int64_t)place.index * CHANNEL_SLOT
                                    : (real *)block->program->array[place.index].data + block->at;
}

/* Fetches the block to come of an array that was read, where there is one: many arrays in turns,
 * each in other pages, are more than the processor foresees. In line: gcc leaves out a function
 * that only fetches. */
static inline __attribute__((always_inline)) void fetch_next(const PlaneBlock *block, Place place)
{
    if (place.kind != PLACE_ARRAY || block->at + 2 * block->n > block->total)
        return;
    const real *next = (const real *)block->program->array[place.index].data + block->at + block->n;
    for (int64_t i = 0; i < block->n; i += 16)
        __builtin_prefetch(next + i, 0, 2);
}

static void plane_turn(const PlaneBlock *block, const ChannelRun *run, const ChannelTurn *turn)
{
    const Kernels *k = block->kernels;
    int64_t        n = block->n;
    if (turn->op == OP_SUM_TO) {
        run->total[turn->out.index] += (double)k->sum(block_at(block, turn->a), n);
        return;
    }
    real *out = block_at(block, turn->out);
    if (turn->op == OP_BROADCAST_TO) {
        real value = run->number[turn->a.index];
        for (int64_t i = 0; i < n; i++)
            out[i] = value;
        return;
    }
    const real *a = block_at(block, turn->a);
    switch (turn->op) {
    case OP_ADD:
        k->add(out, a, block_at(block, turn->b), n);
        break;
    case OP_MUL:
        k->mul(out, a, block_at(block, turn->b), n);
        break;
    case OP_RELU:
        k->relu(out, a, n);
        break;
    case OP_CLAMP:
        k->clamp(out, a, turn->factor, n);
        break;
    case OP_GATE:
        if (turn->factor > 0)
            k->gate_below(out, a, block_at(block, turn->b), turn->factor, n);
        else
            k->gate(out, a, block_at(block, turn->b), n);
        break;
    case OP_POWER:
        k->power(out, a, turn->factor, n);
        break;
    case OP_SIGMOID:
        k->sigmoid(out, a, number_at(run, turn->b, turn->factor), n);
        break;
    case OP_SOFTPLUS:
        k->softplus(out, a, number_at(run, turn->b, turn->factor), n);
        break;
    case OP_NORMAL_CDF:
        k->normal_cdf(out, a, n);
        break;
    case OP_EXP:
        k->exp(out, a, n);
        break;
    default: // OP_SCALE_OFFSET
        k->scale_offset(out, a, number_at(run, turn->b, turn->factor),
                        number_at(run, turn->c, turn->term), n);
        break;
    }
}

/* The turns of a phase on elements that lie behind each other, block by block. */
static void run_turns(const ChannelJob *job, const ChannelRun *run, int thread, int64_t at,
                      int64_t count)
{
    const ChannelProgram *program = job->program;
    int32_t    from = first_turn(program, job->phase), end = end_turn(program, job->phase);
    PlaneBlock part = {.program = program,
                       .kernels = job->kernels,
                       .total   = shape_elements(program->shape),
                       .slots = job->slots + (int64_t)thread * program->slot_count * CHANNEL_SLOT};
    for (int64_t done = 0; done < count; done += CHANNEL_BLOCK) {
        part.at = at + done;
        part.n  = count - done < CHANNEL_BLOCK ? count - done : CHANNEL_BLOCK;
        for (int32_t i = from; i < end; i++) {
            plane_turn(&part, run, &program->turn[i]);
            fetch_next(&part, program->turn[i].a);
            fetch_next(&part, program->turn[i].b);
        }
    }
}

/* A group of images, whole images one after another: planes of one channel alone lie far apart, and
 * memory is read at half the speed. */
static void plane_task(void *data, int64_t task, int thread)
{
    const ChannelJob  *job   = data;
    const ChannelTurn *turn  = job->program->turn;
    int64_t            group = task / job->blocks, block = task % job->blocks;
    int64_t            first = block * job->channels / job->blocks, plane = job->plane;
    int64_t            last  = (block + 1) * job->channels / job->blocks;
    int64_t            image = group * job->images / job->groups;
    int32_t from = first_turn(job->program, job->phase), end = end_turn(job->program, job->phase);
    for (int64_t channel = first; channel < last; channel++) {
        ChannelRun run = run_of(job, group, channel);
        for (int32_t i = from; i < end; i++)
            if (turn[i].op == OP_SUM_TO)
                run.total[turn[i].out.index] = 0;
    }
    for (; image < (group + 1) * job->images / job->groups; image++)
        for (int64_t channel = first; channel < last; channel++) {
            ChannelRun run = run_of(job, group, channel);
            run_turns(job, &run, thread, (image * job->channels + channel) * plane, plane);
        }
}

/* A piece of all planes of a flat program, as if they were one. */
static void piece_task(void *data, int64_t task, int thread)
{
    const ChannelJob *job  = data;
    ChannelRun        run  = run_of(job, 0, 0);
    int64_t           left = job->plane - task * PIECE;
    run_turns(job, &run, thread, task * PIECE, left < PIECE ? left : PIECE);
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* Groups from the number of images alone, as they are the order of sums; channels are split where
 * that leaves threads without tasks. The planes of a flat program are one. */
static ChannelJob job_of(const OpCall *call, int threads)
{
    const ChannelProgram *program = call->program;
    ChannelJob            job     = {.program  = program,
                                     .kernels  = kernels(),
                                     .images   = program->shape.dim[0],
                                     .channels = program->shape.dim[1],
                                     .plane    = program->shape.dim[2] * program->shape.dim[3]};
    if (program->is_flat) {
        job.plane *= job.images * job.channels;
        job.images = job.channels = 1;
    }
    job.groups     = job.images < GROUPS ? job.images : GROUPS;
    int64_t wanted = ((int64_t)THREAD_TASKS * threads + job.groups - 1) / job.groups;
    job.blocks     = wanted < job.channels ? wanted : job.channels;
    return job;
}

static size_t totals_size(const ChannelJob *job)
{
    size_t totals = (size_t)(job->groups * job->channels * job->program->number_count);
    return totals * (sizeof(double) / sizeof(real));
}

static size_t numbers_size(const ChannelJob *job)
{
    return ((size_t)(job->channels * job->program->number_count) + 15) / 16 * 16;
}

static void channels_forward(const OpCall *call)
{
    ChannelJob job = job_of(call, parallel_threads());
    job.totals     = (void *)call->scratch;
    job.numbers    = call->scratch + totals_size(&job);
    job.slots      = job.numbers + numbers_size(&job);
    for (; job.phase < job.program->phase_count; job.phase++) {
        parallel_for((job.channels + CHUNK - 1) / CHUNK, number_task, &job);
        if (first_turn(job.program, job.phase) == end_turn(job.program, job.phase))
            continue;
        if (job.program->is_flat)
            parallel_for((job.plane + PIECE - 1) / PIECE, piece_task, &job);
        else
            parallel_for(job.groups * job.blocks, plane_task, &job);
    }
}

static size_t channels_scratch(const OpCall *call, int threads)
{
    ChannelJob job = job_of(call, threads);
    return totals_size(&job) + numbers_size(&job) +
           (size_t)threads * (size_t)call->program->slot_count * CHANNEL_SLOT;
}

const OpInfo op_info_channels = {
    .name = "channels", .scratch_size = channels_scratch, .forward = channels_forward};
