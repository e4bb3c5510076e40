/* engine/fuse_channels.c - finds what can run channel by channel (see channelwise.h).
 *
 * Nodes are taken in order. One that works on planes [n, c, h, w] channel by channel joins the
 * group of what it reads, or begins one; arithmetic on one number a channel joins as well. A group
 * that is read by a step outside takes no more nodes. So whatever a group reads is computed before
 * its last node, and whatever reads it comes after: it can run there as one step. */
#include "plan.h"

typedef struct Group {
    Shape   shape;
    bool    is_open, is_kept;
    int32_t on_planes, values; // values: at most
} Group;

static bool is_on_numbers(const Graph *graph, NodeId id, int64_t channels)
{
    const Node *node = graph_node(graph, id);
    return (node->op == OP_ADD || node->op == OP_MUL || node->op == OP_SCALE_OFFSET ||
            node->op == OP_POWER) &&
           shape_elements(node->shape) == channels;
}

/* The latest open group that a node reads, or that reads planes it reads; -1: none. */
static int32_t group_for(const Graph *graph, const Step *steps, const Group *groups,
                         const int32_t *readers, NodeId id, Shape planes)
{
    int32_t best = -1;
    for (int i = 0; i < 2 * OP_ARITY; i++) {
        NodeId  in = steps[id].in[i % OP_ARITY];
        int32_t g  = in == NODE_NONE ? -1 : i < OP_ARITY ? steps[in].group : readers[in];
        if (g <= best || !groups[g].is_open ||
            groups[g].values + 1 + 2 * CHANNEL_CLONE > CHANNEL_VALUES)
            continue;
        if (planes.rank ? shape_equal(groups[g].shape, planes)
                        : is_on_numbers(graph, id, groups[g].shape.dim[1]))
            best = g;
    }
    return best;
}

static bool is_plain(const Step *step, NodeId id)
{
    return step->core == id && !step->absorbed && step->op != OP_MAXPOOL;
}

/* Two open groups that a node reads become one, if that is not too large. */
static void merge(Step *steps, Group *groups, NodeId end, int32_t from, int32_t into)
{
    if (from < 0 || from == into || !groups[from].is_open ||
        !shape_equal(groups[from].shape, groups[into].shape) ||
        groups[from].values + groups[into].values > CHANNEL_VALUES - 1 - 2 * CHANNEL_CLONE)
        return;
    for (NodeId id = 0; id < end; id++)
        if (steps[id].group == from)
            steps[id].group = into;
    groups[into].on_planes += groups[from].on_planes;
    groups[into].values += groups[from].values;
    groups[from] = (Group){.shape = groups[into].shape};
}

static bool begins_stage(const PlanOptions *options, NodeId id)
{
    for (int i = 0; i < options->stage_count; i++)
        if (options->stages[i] == id)
            return true;
    return false;
}

/* Gives steps their group; returns how many groups there are. */
static int32_t find_groups(const Graph *graph, const PlanOptions *options, const bool *needed,
                           Step *steps, Group *groups, int32_t *readers)
{
    int32_t count = 0;
    for (NodeId id = 0; id < graph->count; id++)
        readers[id] = -1;
    for (NodeId id = 0; id < graph->count; id++) {
        for (int32_t g = 0; g < count && begins_stage(options, id); g++)
            groups[g].is_open = false;
        bool is_leaf = (op_info(graph_node(graph, id)->op)->flags & OP_IS_LEAF) != 0;
        if (!needed[id] || is_leaf || steps[id].absorbed || graph_root(graph, id) != id)
            continue;
        Shape   planes = is_plain(&steps[id], id) ? channel_planes(graph, id) : shape_scalar();
        int32_t own    = -1;
        if (is_plain(&steps[id], id))
            own = group_for(graph, steps, groups, readers, id, planes);
        if (own < 0 && planes.rank) {
            own         = count++;
            groups[own] = (Group){.shape = planes, .is_open = true};
        }
        for (int i = 0; i < OP_ARITY && own >= 0; i++)
            if (steps[id].in[i] != NODE_NONE)
                merge(steps, groups, id, steps[steps[id].in[i]].group, own);
        NodeId reads[STEP_READS];
        step_reads(&steps[id], reads);
        for (int i = 0; i < STEP_READS; i++)
            if (reads[i] != NODE_NONE && steps[reads[i]].group >= 0 && steps[reads[i]].group != own)
                groups[steps[reads[i]].group].is_open = false;
        steps[id].group = own;
        if (own >= 0) {
            groups[own].on_planes += planes.rank != 0;
            groups[own].values++;
            for (int i = 0; i < OP_ARITY; i++) {
                NodeId in = channel_input(graph, &steps[id], i);
                if (in == NODE_NONE || steps[in].group == own)
                    continue;
                if (!channel_is_shared(graph, in)) // no sign that two steps belong together
                    readers[in] = own;
                groups[own].values += channel_clone_values(graph, steps, in, groups[own].shape);
            }
        }
    }
    return count;
}

/* A step reads a node of another group: that is stored, or what its clone reads is. */
// NOLINTNEXTLINE(misc-no-recursion): as deep as clones are
static void mark_read(const Graph *graph, const Step *steps, NodeId read, const Step *by,
                      Shape planes, bool *stored)
{
    if (steps[read].group < 0 || steps[read].group == by->group)
        return;
    if (by->group < 0 || channel_clone_values(graph, steps, read, planes) == 1) {
        stored[read] = true;
        return;
    }
    for (int i = 0; i < OP_ARITY; i++)
        if (steps[read].in[i] != NODE_NONE)
            mark_read(graph, steps, steps[read].in[i], by, planes, stored);
}

/* What steps outside its group, or the caller, read. */
static void mark_stored(const Graph *graph, const bool *needed, const bool *is_output,
                        const Step *steps, const Group *groups, bool *stored)
{
    for (NodeId id = 0; id < graph->count; id++)
        stored[id] = is_output[id];
    for (NodeId id = 0; id < graph->count; id++) {
        NodeId      reads[STEP_READS];
        const Step *step = &steps[id];
        if (!needed[id] || step->absorbed || graph_root(graph, id) != id ||
            (op_info(graph_node(graph, id)->op)->flags & OP_IS_LEAF))
            continue;
        step_reads(step, reads);
        for (int i = 0; i < STEP_READS; i++)
            if (reads[i] != NODE_NONE)
                mark_read(graph, steps, reads[i], step,
                          step->group < 0 ? shape_scalar() : groups[step->group].shape, stored);
    }
}

/* The steps of a group become part of that of its last stored node, which runs the program. Nodes
 * behind it are computed again by whoever reads them. */
static void take_over(const Graph *graph, Step *steps, const bool *stored, int32_t group,
                      int32_t program)
{
    NodeId last = NODE_NONE;
    for (NodeId id = 0; id < graph->count; id++) {
        if (steps[id].group != group)
            continue;
        steps[id].absorbed = true;
        last               = stored[id] ? id : last;
    }
    if (last == NODE_NONE)
        return;
    steps[last].op       = OP_CHANNELS;
    steps[last].absorbed = false;
    steps[last].program  = program;
    for (int i = 0; i < OP_ARITY; i++)
        steps[last].in[i] = NODE_NONE;
}

static void dissolve(const Graph *graph, Step *steps, int32_t group)
{
    for (NodeId id = 0; id < graph->count; id++)
        if (steps[id].group == group)
            steps[id].group = -1;
}

bool plan_fuse_channels(const Graph *graph, const PlanOptions *options, const bool *needed,
                        const bool *is_output, Step *steps, ChannelProgram **programs,
                        int32_t *count, Error *error)
{
    size_t         nodes   = (size_t)graph->count;
    Group         *groups  = memory_new(nodes, sizeof *groups, error);
    int32_t       *readers = memory_new(nodes, sizeof *readers, error);
    bool          *stored  = memory_new(nodes, sizeof *stored, error);
    ChannelWriter *writer  = channel_writer_new(error);
    int32_t        found = 0, kept = 0, written = 0;
    bool           ok = groups && readers && stored && writer;
    if (ok) {
        found = find_groups(graph, options, needed, steps, groups, readers);
        for (int32_t g = 0; g < found; g++) { // one node is as good a step
            if (groups[g].on_planes < 2)
                dissolve(graph, steps, g);
            groups[g].is_kept = groups[g].on_planes >= 2;
            kept += groups[g].is_kept;
        }
        ok = (*programs = memory_new((size_t)kept, sizeof **programs, error)) != NULL;
    }
    // What one group stores depends on which others there are.
    for (bool is_settled = false; ok && !is_settled;) {
        is_settled = true;
        written    = 0;
        mark_stored(graph, needed, is_output, steps, groups, stored);
        for (int32_t g = 0; g < found && is_settled; g++)
            if (groups[g].is_kept && !channel_write(writer, graph, steps, stored, g,
                                                    groups[g].shape, *programs + written++)) {
                dissolve(graph, steps, g);
                groups[g].is_kept = is_settled = false;
            }
    }
    *count = 0;
    for (int32_t g = 0; ok && g < found; g++)
        if (groups[g].is_kept)
            take_over(graph, steps, stored, g, (*count)++);
    memory_free(groups);
    memory_free(readers);
    memory_free(stored);
    memory_free(writer);
    return ok;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Whether a program has read an array for the last time when it writes another: turns go element by
 * element, a phase over all of them. */
static bool is_read_before(const ChannelProgram *program, int32_t read, int32_t written)
{
    int32_t last = -1, write = -1;
    for (int32_t i = 0; i < program->turn_count; i++) {
        const ChannelTurn *turn = &program->turn[i];
        if ((turn->a.kind == PLACE_ARRAY && turn->a.index == read) ||
            (turn->b.kind == PLACE_ARRAY && turn->b.index == read))
            last = i;
        if (turn->out.kind == PLACE_ARRAY && turn->out.index == written)
            write = i;
    }
    return last <= write;
}

void plan_share_arrays(const ChannelProgram *program, const Graph *graph, NodeId node,
                       Block *blocks, int32_t *owner)
{
    for (int32_t i = 0; i < program->array_count; i++) {
        NodeId written = program->array[i].node;
        for (int32_t j = 0; j < program->array_count && owner[written] == written; j++) {
            NodeId read = program->array[j].node;
            Block *from = &blocks[owner[read]], *to = &blocks[written];
            if (!program->array[i].is_written || program->array[j].is_written ||
                program->array[i].is_number || program->array[j].is_number ||
                (op_info(graph_node(graph, read)->op)->flags & OP_IS_LEAF) || from->last != node ||
                blocks[read].last != node || from->bytes != to->bytes ||
                !is_read_before(program, j, i))
                continue;
            from->last     = to->last;
            owner[written] = owner[read];
            to->bytes      = 0;
        }
    }
}
