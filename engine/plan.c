/* engine/plan.c - steps, lifetimes, one arena, prepared weights; then a run is loops. */
#include "plan.h"

#include "../base/parallel.h"

#include <string.h>

enum { ALIGN = 64 };

static size_t padded(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static bool is_leaf(const Graph *graph, NodeId node)
{
    return (op_info(graph_node(graph, node)->op)->flags & OP_IS_LEAF) != 0;
}

/* Whether a step may write its result over `read`, which it reads at this place: over an input
 * element by element, over the summand or gate of a convolution unless the convolution itself reads
 * it too. */
static bool may_overwrite(const Step *step, int place, NodeId read)
{
    if (place < OP_ARITY)
        return (op_info(step->op)->flags & OP_ELEMENTWISE) != 0;
    for (int i = 0; i < OP_ARITY; i++)
        if (step->in[i] == read)
            return false;
    return place != READ_BIAS;
}

/* Nodes the outputs depend on, through plain inputs. */
static void mark_needed(const Graph *graph, const NodeId *outputs, int count, bool *needed)
{
    for (int i = 0; i < count; i++)
        needed[outputs[i]] = true;
    for (NodeId node = graph->count - 1; node >= 0; node--)
        for (int i = 0; i < OP_ARITY && needed[node]; i++)
            if (graph_node(graph, node)->input[i] != NODE_NONE)
                needed[graph_node(graph, node)->input[i]] = true;
}

/* After fusing, only what steps still read is needed. */
static void mark_steps(const Plan *plan, const Graph *graph, const NodeId *outputs, int count,
                       bool *needed)
{
    memset(needed, 0, (size_t)graph->count * sizeof *needed);
    for (int i = 0; i < count; i++)
        needed[graph_root(graph, outputs[i])] = true;
    for (NodeId node = graph->count - 1; node >= 0; node--) {
        NodeId reads[STEP_READS];
        if (op_info(graph_node(graph, node)->op)->flags & OP_IS_INPUT) // filled even if not read
            needed[node] = true;
        if (!needed[node] || is_leaf(graph, node))
            continue;
        const Step *step = &plan->steps[node];
        if (step->absorbed) // a stored part of a program, which says what it reads
            continue;
        step_reads(step, reads);
        for (int i = 0; i < STEP_READS; i++)
            if (reads[i] != NODE_NONE)
                needed[reads[i]] = true;
        const ChannelProgram *program = step->program < 0 ? NULL : &plan->programs[step->program];
        for (int32_t i = 0; program && i < program->array_count; i++)
            needed[program->array[i].node] = true;
    }
}

static size_t node_bytes(const Graph *graph, NodeId node)
{
    bool is_index = op_info(graph_node(graph, node)->op)->gives == ELEMENT_INDEX;
    return padded((size_t)shape_elements(graph_shape(graph, node)) *
                  (is_index ? sizeof(int32_t) : sizeof(real)));
}

/* When each buffer is first written and last read. Inputs, constants and outputs live on. */
static void find_lifetimes(Plan *plan, const Graph *graph, const bool *needed,
                           const NodeId *outputs, int count)
{
    for (NodeId node = 0; node < graph->count; node++)
        plan->blocks[node] = (Block){.first = INT32_MAX, .last = -1};
    for (NodeId node = 0; node < graph->count; node++) {
        const Step *step = &plan->steps[node];
        NodeId      reads[STEP_READS];
        if (!needed[node] || graph_node(graph, node)->op == OP_PARAMETER)
            continue;
        Block *block = &plan->blocks[node];
        block->bytes = node_bytes(graph, node);
        if (is_leaf(graph, node)) {
            block->first = 0;
            block->last  = graph->count;
            continue;
        }
        if (step->absorbed) // written by the step of its reader, as a second result
            continue;
        block->first = block->first < node ? block->first : node;
        block->last  = block->last > node ? block->last : node;
        if (step->second != NODE_NONE) {
            Block *second = &plan->blocks[step->second];
            second->bytes = node_bytes(graph, step->second);
            second->first = node;
            second->last  = second->last > node ? second->last : node;
        }
        step_reads(step, reads);
        for (int i = 0; i < STEP_READS; i++)
            if (reads[i] != NODE_NONE && plan->blocks[reads[i]].last < node)
                plan->blocks[reads[i]].last = node;
        const ChannelProgram *program = step->program < 0 ? NULL : &plan->programs[step->program];
        for (int32_t i = 0; program && i < program->array_count; i++) {
            Block *array = &plan->blocks[program->array[i].node];
            array->last  = array->last > node ? array->last : node;
            if (program->array[i].is_written)
                array->first = node;
        }
    }
    for (int i = 0; i < count; i++) {
        NodeId node = graph_root(graph, outputs[i]);
        if (plan->blocks[node].last >= 0)
            plan->blocks[node].last = graph->count;
    }
}

/* An elementwise step may write over an input that dies with it; the two blocks become one. */
static void share_blocks(Plan *plan, const Graph *graph, const bool *needed)
{
    for (NodeId node = 0; node < graph->count; node++)
        plan->owner[node] = node;
    for (NodeId node = 0; node < graph->count; node++) {
        const Step *step = &plan->steps[node];
        if (!needed[node] || is_leaf(graph, node) || step->absorbed)
            continue;
        if (step->program >= 0)
            plan_share_arrays(&plan->programs[step->program], graph, node, plan->blocks,
                              plan->owner);
        NodeId reads[STEP_READS];
        step_reads(step, reads);
        for (int i = 0; i < STEP_READS; i++) {
            NodeId other = reads[i];
            if (other == NODE_NONE || is_leaf(graph, other) || !may_overwrite(step, i, other))
                continue;
            if (shape_elements(graph_shape(graph, other)) != // a number for all elements
                shape_elements(graph_shape(graph, node)))
                continue;
            Block *from = &plan->blocks[plan->owner[other]], *to = &plan->blocks[node];
            if (from->last == node && plan->blocks[other].last == node &&
                from->bytes == to->bytes &&
                op_info(graph_node(graph, other)->op)->gives == ELEMENT_REAL) {
                from->last        = to->last;
                plan->owner[node] = plan->owner[other];
                to->bytes         = 0;
                break;
            }
        }
    }
}

static bool place_blocks(Plan *plan, const Graph *graph, const bool *needed, Error *error)
{
    Block   *packed = memory_new((size_t)graph->count + 1, sizeof *packed, error);
    int32_t *node   = memory_new((size_t)graph->count + 1, sizeof *node, error);
    int32_t *order  = memory_new((size_t)graph->count + 1, sizeof *order, error);
    int32_t  count  = 0;
    bool     ok     = packed && node && order;
    if (ok) {
        for (NodeId i = 0; i < graph->count; i++)
            if (plan->blocks[i].bytes > 0 && plan->blocks[i].last >= 0 && plan->owner[i] == i) {
                node[count]     = i;
                packed[count++] = plan->blocks[i];
            }
        size_t arena = plan_place(packed, count, order);
        plan->bytes += arena;
        plan->arena = memory_new(arena, 1, error);
        ok          = plan->arena != NULL;
        for (int32_t i = 0; ok && i < count; i++)
            plan->buffer[node[i]] = plan->arena + packed[i].offset;
        for (NodeId i = 0; ok && i < graph->count; i++) {
            if (graph_op(graph, i) == OP_PARAMETER && needed[i])
                plan->buffer[i] = (void *)(uintptr_t)graph_node(graph, i)->params.data;
            else if (plan->owner[i] != i)
                plan->buffer[i] = plan->buffer[plan->owner[i]];
        }
    }
    memory_free(packed);
    memory_free(node);
    memory_free(order);
    return ok;
}

static OpCall call_of(Plan *plan, const Graph *graph, const Step *step, const PlanOptions *options)
{
    const Node *core         = graph_node(graph, step->core);
    plan->params[step->node] = core->params;
    OpCall call              = {.params = &plan->params[step->node],
                                .shape  = graph_node(graph, step->node)->shape};
    call.count               = shape_elements(call.shape);
    for (int i = 0; i < OP_ARITY; i++)
        if (step->in[i] != NODE_NONE) {
            call.in[i]       = plan->buffer[step->in[i]];
            bool is_core     = graph_op(graph, step->core) == step->op || step->op == OP_MAXPOOL;
            call.in_shape[i] = graph_shape(graph, is_core ? core->input[i] : step->in[i]);
        }
    call.out    = plan->buffer[step->node];
    call.second = step->second == NODE_NONE ? NULL : plan->buffer[step->second];
    call.finish = (ConvFinish){
        .bias = step->bias == NODE_NONE ? NULL : plan->buffer[step->bias],
        .add  = step->add == NODE_NONE ? NULL : plan->buffer[step->add],
        .gate = step->gate == NODE_NONE ? NULL : plan->buffer[step->gate],
        .relu = step->relu,
        .most = step->most,
    };
    if (step->program >= 0) {
        ChannelProgram *program = &plan->programs[step->program];
        for (int32_t i = 0; i < program->array_count; i++)
            program->array[i].data = plan->buffer[program->array[i].node];
        call.program = program;
    }
    ConvSide side = CONV_FORWARD;
    if (conv_side_of(step->op, &side)) {
        ConvShape shape = conv_shape_of(step->op, &core->params, call.in_shape, call.shape);
        bool      even  = options->even_forward && side == CONV_FORWARD && !step->is_gradient;
        call.method = conv_choose(even && options->conv == CONV_AUTO ? CONV_DIRECT : options->conv,
                                  &shape, side);
    }
    return call;
}

/* Whether a step's weights are constant and can be laid out for its kernel beforehand. */
static bool is_prepared(const Plan *plan, const Graph *graph, int32_t i)
{
    const Step *step = &plan->steps[plan->order[i]];
    return op_info(step->op)->prepare && graph_op(graph, step->in[1]) == OP_PARAMETER;
}

/* Groups of a convolution with these shapes; 1 for other ops. */
static int64_t groups_of(OpKind op, const OpCall *call)
{
    ConvSide side;
    return conv_side_of(op, &side)
               ? conv_shape_of(op, call->params, call->in_shape, call->shape).groups
               : 1;
}

/* An earlier step that has the same weights laid out the same way, or i: the layout depends on the
 * weights, their groups, the op and its parameters, never on the size of the images. So forward
 * passes of one network and gradients of gradients hold each layout once. */
static int32_t prepared_with(const Plan *plan, const Graph *graph, int32_t i)
{
    const OpCall *own = &plan->calls[i];
    OpKind        op  = plan->steps[plan->order[i]].op;
    for (int32_t j = 0; j < i; j++) {
        const OpCall *other = &plan->calls[j];
        if (is_prepared(plan, graph, j) && plan->steps[plan->order[j]].op == op &&
            other->in[1] == own->in[1] && other->method == own->method &&
            shape_equal(other->in_shape[1], own->in_shape[1]) &&
            groups_of(op, other) == groups_of(op, own) &&
            other->params->stride == own->params->stride && other->params->pad == own->params->pad)
            return j;
    }
    return i;
}

/* Constant weights are laid out once for the kernels: sizes first, then one allocation. */
static bool prepare_weights(Plan *plan, const Graph *graph, Error *error)
{
    size_t total = 0, at = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < plan->step_count; i++) {
            const OpInfo *info = op_info(plan->steps[plan->order[i]].op);
            OpCall       *call = &plan->calls[i];
            if (!is_prepared(plan, graph, i))
                continue;
            int32_t first = prepared_with(plan, graph, i);
            if (first < i) {
                call->prepared = plan->calls[first].prepared;
                continue;
            }
            size_t size = padded(info->prepared_size(call) * sizeof(real)) / sizeof(real);
            if (pass == 0) {
                total += size;
            } else {
                info->prepare(call, call->in[1], plan->prepared + at);
                call->prepared = plan->prepared + at;
                at += size;
            }
        }
        if (pass == 0 && !(plan->prepared = memory_new(total, sizeof(real), error)))
            return false;
    }
    plan->bytes += total * sizeof(real);
    return true;
}

static bool allocate_scratch(Plan *plan, Error *error)
{
    size_t most = 0;
    for (int32_t i = 0; i < plan->step_count; i++) {
        const OpInfo *info = op_info(plan->steps[plan->order[i]].op);
        size_t        size =
            info->scratch_size ? info->scratch_size(&plan->calls[i], parallel_threads()) : 0;
        most = size > most ? size : most;
    }
    plan->bytes += most * sizeof(real);
    plan->scratch = memory_new(most, sizeof(real), error);
    for (int32_t i = 0; i < plan->step_count && plan->scratch; i++)
        plan->calls[i].scratch = plan->scratch;
    return plan->scratch != NULL;
}

/* Constants, and what inputs begin with. */
static void fill_leaves(const Plan *plan, const Graph *graph, const bool *needed)
{
    for (NodeId node = 0; node < graph->count; node++) {
        const Node *n      = graph_node(graph, node);
        bool        begins = n->op == OP_INPUT && n->params.value != 0;
        if (!needed[node] || (n->op != OP_CONSTANT && !begins))
            continue;
        for (int64_t i = shape_elements(n->shape) - 1; i >= 0; i--)
            ((real *)plan->buffer[node])[i] = n->params.value;
    }
}

static bool lay_out(Plan *plan, const Graph *graph, const NodeId *outputs, int count,
                    const PlanOptions *options, Error *error)
{
    size_t   nodes     = (size_t)graph->count;
    bool    *needed    = memory_new(nodes, sizeof *needed, error);
    bool    *is_output = memory_new(nodes, sizeof *is_output, error);
    int32_t *uses      = memory_new(nodes, sizeof *uses, error);
    bool     ok        = needed && is_output && uses;
    for (NodeId node = 0; node < graph->count; node++)
        plan->params[node] = graph_node(graph, node)->params;
    if (ok) {
        mark_needed(graph, outputs, count, needed);
        for (int i = 0; i < count; i++)
            is_output[outputs[i]] = is_output[graph_root(graph, outputs[i])] = true;
        plan_fuse(graph, needed, is_output, !options->no_fuse, plan->steps, uses);
        mark_steps(plan, graph, outputs, count, needed);
        ok = options->no_fuse || plan_fuse_channels(graph, options, needed, is_output, plan->steps,
                                                    &plan->programs, &plan->program_count, error);
    }
    if (ok) {
        mark_steps(plan, graph, outputs, count, needed);
        find_lifetimes(plan, graph, needed, outputs, count);
        share_blocks(plan, graph, needed);
        if (options->no_reuse)
            for (NodeId node = 0; node < graph->count; node++) {
                bool is_used      = plan->blocks[node].last >= 0;
                plan->owner[node] = node;
                if (is_used)
                    plan->blocks[node] = (Block){node_bytes(graph, node), 0, 0, graph->count};
            }
        ok = place_blocks(plan, graph, needed, error);
    }
    if (ok) {
        fill_leaves(plan, graph, needed);
        for (NodeId node = 0; node < graph->count; node++)
            if (needed[node] && !is_leaf(graph, node) && !plan->steps[node].absorbed &&
                graph_root(graph, node) == node) {
                plan->calls[plan->step_count]   = call_of(plan, graph, &plan->steps[node], options);
                plan->order[plan->step_count++] = node;
            }
        ok = prepare_weights(plan, graph, error) && allocate_scratch(plan, error);
    }
    // Names of nodes that share memory resolve to the same buffer.
    for (NodeId node = 0; ok && node < graph->count; node++)
        plan->buffer[node] = plan->buffer[graph_root(graph, node)];
    memory_free(needed);
    memory_free(is_output);
    memory_free(uses);
    return ok;
}

bool plan_create(Plan **out, const Graph *graph, const NodeId *outputs, int count,
                 const PlanOptions *options, Error *error)
{
    if (!graph_check(graph, error))
        return false;
    for (int i = 0; i < count; i++)
        if (outputs[i] < 0 || outputs[i] >= graph->count)
            return fail(error, ERROR_INTERNAL, "plan: output %d is not a node of the graph", i);
    Plan  *plan  = memory_new(1, sizeof *plan, error);
    size_t nodes = (size_t)graph->count;
    if (!plan)
        return false;
    plan->steps  = memory_new(nodes, sizeof *plan->steps, error);
    plan->calls  = memory_new(nodes, sizeof *plan->calls, error);
    plan->params = memory_new(nodes, sizeof *plan->params, error);
    plan->buffer = memory_new(nodes, sizeof *plan->buffer, error);
    plan->order  = memory_new(nodes, sizeof *plan->order, error);
    plan->blocks = memory_new(nodes, sizeof *plan->blocks, error);
    plan->owner  = memory_new(nodes, sizeof *plan->owner, error);
    bool ok      = plan->steps && plan->calls && plan->params && plan->buffer && plan->order &&
              plan->blocks && plan->owner &&
              lay_out(plan, graph, outputs, count, options ? options : &(PlanOptions){0}, error);
    if (!ok) {
        plan_destroy(plan);
        return false;
    }
    *out = plan;
    return true;
}

void plan_destroy(Plan *plan)
{
    if (!plan)
        return;
    memory_free(plan->steps);
    memory_free(plan->calls);
    memory_free(plan->params);
    memory_free(plan->buffer);
    memory_free(plan->order);
    memory_free(plan->blocks);
    memory_free(plan->owner);
    memory_free(plan->programs);
    memory_free(plan->arena);
    memory_free(plan->scratch);
    memory_free(plan->prepared);
    memory_free(plan);
}

real *plan_input(Plan *plan, NodeId input)
{
    return plan->buffer[input];
}

void plan_set_scalar(Plan *plan, NodeId input, real value)
{
    *plan_input(plan, input) = value;
}

bool plan_set_index(Plan *plan, NodeId input, const int32_t *positions, Error *error)
{
    const OpParams *params = &plan->params[input];
    int64_t         count  = shape_elements(params->shape);
    for (int64_t i = 0; i < count; i++)
        if (positions[i] < 0 || positions[i] >= params->count)
            return fail(error, ERROR_DATA, "position %lld is %d, expected 0 to %lld", (long long)i,
                        (int)positions[i], (long long)params->count - 1);
    memcpy(plan->buffer[input], positions, (size_t)count * sizeof *positions);
    return true;
}

const real *plan_output(const Plan *plan, NodeId output)
{
    return plan->buffer[output];
}

void plan_run_step(const Plan *plan, int32_t step)
{
    op_info(plan->steps[plan->order[step]].op)->forward(&plan->calls[step]);
}

void plan_run_stage(Plan *plan, NodeId from, NodeId end)
{
    for (int32_t i = 0; i < plan->step_count; i++)
        if (plan->order[i] >= from && plan->order[i] < end)
            plan_run_step(plan, i);
}

void plan_run(Plan *plan)
{
    plan_run_stage(plan, 0, INT32_MAX);
}

size_t plan_bytes(const Plan *plan)
{
    return plan->bytes;
}
