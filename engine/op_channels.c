/* engine/op_channels.c - runs a channel program; the plan alone makes such steps. */
#include "graph.h"

#include "channelwise.h"
#include "../base/parallel.h"

enum { TASK_NUMBERS = 16384, MOST_TOGETHER = 16, THREAD_TASKS = 2 };

/* The numbers of one channel on its way through a program. */
typedef struct ChannelRun {
    int64_t channel;
    real    number[CHANNEL_NUMBERS];
    double  total[CHANNEL_NUMBERS];
} ChannelRun;

/* A task: channels side by side, of some images. */
typedef struct ChannelGroup {
    const ChannelProgram *program;
    const Kernels        *kernels;
    int64_t               first_image, end_image, plane;
    int64_t               begin, end; // what of each plane
    real                 *slots;
    int64_t               count;
    ChannelRun            run[MOST_TOGETHER];
} ChannelGroup;

static real number_at(const ChannelRun *run, Place place, real otherwise)
{
    return place.kind == PLACE_NUMBER ? run->number[place.index] : otherwise;
}

static void number_turn(ChannelRun *run, const ChannelTurn *turn)
{
    const Kernels *k   = kernels();
    real          *out = &run->number[turn->out.index], a = number_at(run, turn->a, 0),
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
    case OP_GATE:
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
    default: // OP_SCALE_OFFSET
        k->scale_offset(out, &a, b, turn->term, 1);
        break;
    }
}

/* `at`: the block's first element in arrays of planes. */
static real *block_at(const ChannelGroup *group, Place place, int64_t at)
{
    return place.kind == PLACE_SLOT ? group->slots + (int64_t)place.index * CHANNEL_SLOT
                                    : (real *)group->program->array[place.index].data + at;
}

static void plane_turn(const ChannelGroup *group, ChannelRun *run, const ChannelTurn *turn,
                       int64_t at, int64_t n)
{
    const Kernels *k = group->kernels;
    if (turn->op == OP_SUM_TO) {
        run->total[turn->out.index] += (double)k->sum(block_at(group, turn->a, at), n);
        return;
    }
    real *out = block_at(group, turn->out, at);
    if (turn->op == OP_BROADCAST_TO) {
        real value = run->number[turn->a.index];
        for (int64_t i = 0; i < n; i++)
            out[i] = value;
        return;
    }
    const real *a = block_at(group, turn->a, at);
    switch (turn->op) {
    case OP_ADD:
        k->add(out, a, block_at(group, turn->b, at), n);
        break;
    case OP_MUL:
        k->mul(out, a, block_at(group, turn->b, at), n);
        break;
    case OP_RELU:
        k->relu(out, a, n);
        break;
    case OP_GATE:
        k->gate(out, a, block_at(group, turn->b, at), n);
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
    default: // OP_SCALE_OFFSET
        k->scale_offset(out, a, number_at(run, turn->b, turn->factor),
                        number_at(run, turn->c, turn->term), n);
        break;
    }
}

/* Channels side by side go through a phase together, image by image: planes of one channel alone
 * lie far apart, and memory is read at half the speed. */
static void run_planes(ChannelGroup *group, int32_t first, int32_t end)
{
    const ChannelProgram *program  = group->program;
    const ChannelTurn    *turn     = program->turn;
    int64_t               channels = program->shape.dim[1], plane = group->plane;
    ChannelRun           *runs = group->run, *last = runs + group->count;
    for (ChannelRun *run = runs; run < last; run++)
        for (int32_t i = first; i < end; i++)
            if (turn[i].op == OP_SUM_TO)
                run->total[turn[i].out.index] = 0;
    for (int64_t image = group->first_image; first < end && image < group->end_image; image++)
        for (ChannelRun *run = runs; run < last; run++)
            for (int64_t done = group->begin; done < group->end; done += CHANNEL_BLOCK) {
                int64_t left = group->end - done;
                int64_t n    = left < CHANNEL_BLOCK ? left : CHANNEL_BLOCK;
                int64_t at   = (image * channels + run->channel) * plane + done;
                for (int32_t i = first; i < end; i++)
                    plane_turn(group, run, &turn[i], at, n);
            }
    for (ChannelRun *run = runs; run < last; run++)
        for (int32_t i = first; i < end; i++)
            if (turn[i].op == OP_SUM_TO)
                run->number[turn[i].out.index] = (real)run->total[turn[i].out.index];
}

static void read_numbers(const ChannelProgram *program, ChannelRun *run)
{
    for (int32_t i = 0; i < program->array_count; i++) {
        const ChannelArray *array = &program->array[i];
        if (array->is_number && !array->is_written)
            run->number[array->number] =
                ((const real *)array->data)[array->is_shared ? 0 : run->channel];
    }
}

static void write_numbers(const ChannelProgram *program, const ChannelRun *run)
{
    for (int32_t i = 0; i < program->array_count; i++) {
        const ChannelArray *array = &program->array[i];
        if (array->is_number && array->is_written)
            ((real *)array->data)[run->channel] = run->number[array->number];
    }
}

static void run_program(ChannelGroup *group)
{
    const ChannelProgram *program = group->program;
    ChannelRun           *runs = group->run, *last = runs + group->count;
    int32_t               done = 0;
    for (ChannelRun *run = runs; run < last; run++)
        read_numbers(program, run);
    for (int32_t phase = 0; phase < program->phase_count; phase++) {
        for (; done < program->number_end[phase]; done++)
            for (ChannelRun *run = runs; run < last; run++)
                number_turn(run, &program->turn[done]);
        run_planes(group, done, program->plane_end[phase]);
        done = program->plane_end[phase];
    }
    for (ChannelRun *run = runs; run < last && group->first_image == 0; run++)
        write_numbers(program, run);
}

/* Images of a task. Without sums they are independent as well: few channels, as of pixels, make
 * enough tasks. */
static int64_t images_of(const ChannelProgram *program)
{
    int64_t plane = program->shape.dim[2] * program->shape.dim[3], all = program->shape.dim[0];
    if (program->has_sums || all * plane <= TASK_NUMBERS)
        return all;
    return plane < TASK_NUMBERS ? TASK_NUMBERS / plane : 1;
}

/* Channels of a task, which changes no result: as many as still leave each thread some tasks. */
static int64_t channels_of(const ChannelProgram *program)
{
    int64_t all = program->shape.dim[1], together = all / (THREAD_TASKS * parallel_threads());
    return together < 1 ? 1 : together > MOST_TOGETHER ? MOST_TOGETHER : together;
}

static int64_t tasks_for(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

static void run_task(void *data, int64_t task, int thread)
{
    const OpCall         *call     = data;
    const ChannelProgram *program  = call->program;
    int64_t               channels = program->shape.dim[1], images = images_of(program);
    int64_t               together = channels_of(program), blocks = tasks_for(channels, together);
    int64_t               first = task % blocks * together, left = channels - first;
    ChannelGroup          group;
    group.program     = program;
    group.kernels     = kernels();
    group.first_image = task / blocks * images;
    group.end_image   = group.first_image + images;
    if (group.end_image > program->shape.dim[0])
        group.end_image = program->shape.dim[0];
    group.plane = group.end = program->shape.dim[2] * program->shape.dim[3];
    group.begin             = 0;
    group.slots             = call->scratch + (int64_t)thread * program->slot_count * CHANNEL_SLOT;
    group.count             = left < together ? left : together;
    for (int64_t i = 0; i < group.count; i++)
        group.run[i].channel = first + i;
    run_program(&group);
}

/* A piece of all planes, as if they were one. */
static void run_piece(void *data, int64_t task, int thread)
{
    const OpCall         *call    = data;
    const ChannelProgram *program = call->program;
    ChannelGroup          group;
    group.program        = program;
    group.kernels        = kernels();
    group.first_image    = 0;
    group.end_image      = 1;
    group.plane          = shape_elements(program->shape);
    group.begin          = task * TASK_NUMBERS;
    group.end            = group.begin + TASK_NUMBERS;
    group.end            = group.end < group.plane ? group.end : group.plane;
    group.slots          = call->scratch + (int64_t)thread * program->slot_count * CHANNEL_SLOT;
    group.count          = 1;
    group.run[0].channel = 0;
    run_program(&group);
}

static void channels_forward(const OpCall *call)
{
    const ChannelProgram *program = call->program;
    if (program->is_flat) {
        parallel_for(tasks_for(shape_elements(program->shape), TASK_NUMBERS), run_piece,
                     (void *)(uintptr_t)call);
        return;
    }
    int64_t groups = tasks_for(program->shape.dim[0], images_of(program));
    parallel_for(groups * tasks_for(program->shape.dim[1], channels_of(program)), run_task,
                 (void *)(uintptr_t)call);
}

static size_t channels_scratch(const OpCall *call, int threads)
{
    return (size_t)threads * (size_t)call->program->slot_count * CHANNEL_SLOT;
}

const OpInfo op_info_channels = {
    .name = "channels", .scratch_size = channels_scratch, .forward = channels_forward};
