/* engine/channel_program.c - writes the program of one group of nodes (see channelwise.h). */
#include "plan.h"

#include <string.h>

/* ---- what a node is to a program ------------------------------------------------------------- */

static bool is_planes(Shape shape)
{
    return shape.rank == 4 && shape_elements(shape) > shape.dim[1];
}

static bool is_channel_vector(Shape small, Shape large)
{
    return small.rank == 4 && small.dim[1] == large.dim[1] && shape_elements(small) == large.dim[1];
}

bool channel_is_shared(const Graph *graph, NodeId id)
{
    return shape_elements(graph_shape(graph, id)) == 1;
}

NodeId channel_input(const Graph *graph, const Step *step, int i)
{
    return i > 0 && op_constant_beta(graph, step->core) != 0 ? NODE_NONE : step->in[i];
}

/* The planes a node works on, of rank 0 where it does not work channel by channel. */
Shape channel_planes(const Graph *graph, NodeId id)
{
    const Node *node = graph_node(graph, id);
    Shape inner = node->input[0] == NODE_NONE ? shape_scalar() : graph_shape(graph, node->input[0]);
    switch (node->op) {
    case OP_ADD:
    case OP_MUL:
    case OP_SCALE_OFFSET:
    case OP_SCALE_BY:
    case OP_POWER:
    case OP_SIGMOID:
    case OP_SOFTPLUS:
    case OP_NORMAL_CDF:
    case OP_EXP:
    case OP_RELU:
    case OP_CLAMP:
    case OP_GATE:
        return is_planes(node->shape) ? node->shape : shape_scalar();
    case OP_BROADCAST_TO:
        return is_planes(node->shape) && is_channel_vector(inner, node->shape) ? node->shape
                                                                               : shape_scalar();
    case OP_SUM_TO:
        return is_planes(inner) && is_channel_vector(node->shape, inner) ? inner : shape_scalar();
    default:
        return shape_scalar();
    }
}

/* What a later group computes again instead of reading it: a number spread over planes, or planes
 * times and plus numbers and a sigmoid of these (of planes that are read it is read itself: it
 * takes longer than reading), if that leads to planes in few steps. Returns how
 * many values it takes; 0: it must be read. */
// NOLINTNEXTLINE(misc-no-recursion): at most `depth` calls deep
static int32_t clone_size(const Graph *graph, const Step *steps, NodeId id, Shape planes, int depth)
{
    const Step *step = &steps[id];
    if (depth == 0 || step->group < 0 || !shape_equal(channel_planes(graph, id), planes))
        return 0;
    if (step->op == OP_BROADCAST_TO)
        return 2;
    if (step->op != OP_ADD && step->op != OP_MUL && step->op != OP_SCALE_OFFSET &&
        step->op != OP_SCALE_BY && step->op != OP_SIGMOID && step->op != OP_NORMAL_CDF)
        return 0;
    int32_t size = 1, read = 0;
    for (int i = 0; i < 2; i++) {
        NodeId  in    = channel_input(graph, step, i);
        int32_t inner = in == NODE_NONE ? 0 : clone_size(graph, steps, in, planes, depth - 1);
        read += in != NODE_NONE && inner == 0 && !channel_is_shared(graph, in);
        size += inner ? inner : 1;
    }
    if (step->op == OP_SIGMOID && read == 1)
        return 0;
    return read <= 1 ? size : 0;
}

enum { CLONE_DEPTH = 5 };

int32_t channel_clone_values(const Graph *graph, const Step *steps, NodeId id, Shape planes)
{
    int32_t size = clone_size(graph, steps, id, planes, CLONE_DEPTH);
    return size > 0 && size <= CHANNEL_CLONE ? size : 1;
}

/* ---- one program ----------------------------------------------------------------------------- */

/* A node of the program or one it reads. */
typedef struct Value {
    NodeId  node;
    OpKind  op;
    int32_t input[2]; // values; -1: none
    int32_t same;     // an earlier value that is the same; -1: none
    bool    is_member, is_number, is_stored;
    int32_t phase;         // the first in which it can be used (number) or computed (plane)
    int32_t number, array; // -1: none
    // In the phase at hand:
    bool    is_wanted, is_part; // computed; as part of its only reader
    int32_t uses;               // turns still to come that read it
    Place   place;
} Value;

struct ChannelWriter {
    const Graph    *graph;
    const Step     *steps; // as they were before programs took them over
    ChannelProgram *program;
    Value           value[CHANNEL_VALUES];
    int32_t         count;
    bool            taken[CHANNEL_VALUES]; // slots
    bool            is_full;
};

typedef ChannelWriter Writer;

static int32_t array_of(Writer *w, Value *value, bool is_written)
{
    ChannelProgram *program = w->program;
    w->is_full              = w->is_full || program->array_count == CHANNEL_VALUES;
    if (w->is_full)
        return 0;
    bool is_shared   = channel_is_shared(w->graph, value->node);
    bool is_vector   = shape_elements(graph_shape(w->graph, value->node)) == program->shape.dim[1];
    program->is_flat = program->is_flat && (is_shared || !is_vector);
    program->array[program->array_count] = (ChannelArray){.node       = value->node,
                                                          .is_number  = is_vector || is_shared,
                                                          .is_shared  = is_shared,
                                                          .is_written = is_written,
                                                          .number     = value->number};
    return program->array_count++;
}

static bool is_same(const Writer *w, const Value *a, const Value *b)
{
    const OpParams *p = &graph_node(w->graph, a->node)->params;
    const OpParams *q = &graph_node(w->graph, b->node)->params;
    return a->is_member && a->same < 0 && a->op == b->op && a->input[0] == b->input[0] &&
           a->input[1] == b->input[1] && p->value == q->value && p->term == q->term &&
           op_constant_beta(w->graph, a->node) == op_constant_beta(w->graph, b->node) &&
           shape_elements(graph_shape(w->graph, a->node)) ==
               shape_elements(graph_shape(w->graph, b->node));
}

static int32_t add_member(Writer *w, const Step *step, bool is_stored);

/* One more value. What is computed again may lead to more than a group was thought to need: a
 * writer without room says that it is full, and what it has written is not used. */
static int32_t add_value(Writer *w, const Value *value)
{
    if (w->count == CHANNEL_VALUES) {
        w->is_full = true;
        return 0;
    }
    w->value[w->count] = *value;
    return w->count++;
}

/* The value of a node, begun if it is new: computed again here, or an array that is read. */
// NOLINTNEXTLINE(misc-no-recursion): as deep as clones are
static int32_t value_of(Writer *w, NodeId node)
{
    for (int32_t i = 0; i < w->count; i++)
        if (w->value[i].node == node)
            return w->value[i].same >= 0 ? w->value[i].same : i;
    if (w->is_full)
        return 0;
    if (channel_clone_values(w->graph, w->steps, node, w->program->shape) > 1)
        return add_member(w, &w->steps[node], false);
    Value value     = {.node = node, .input = {-1, -1}, .same = -1, .number = -1};
    value.is_number = channel_is_shared(w->graph, node) ||
                      shape_elements(graph_shape(w->graph, node)) == w->program->shape.dim[1];
    if (value.is_number)
        value.number = w->program->number_count++;
    value.array = array_of(w, &value, false);
    return add_value(w, &value);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as clones are
static int32_t add_member(Writer *w, const Step *step, bool is_stored)
{
    const Node *node  = graph_node(w->graph, step->node);
    Value       value = {.node      = step->node,
                         .op        = node->op,
                         .input     = {-1, -1},
                         .is_member = true,
                         .is_number = true,
                         .is_stored = is_stored,
                         .same      = -1,
                         .number    = -1,
                         .array     = -1};
    for (int i = 0; i < op_info(node->op)->arity; i++) {
        if (channel_input(w->graph, step, i) == NODE_NONE)
            continue;
        value.input[i]     = value_of(w, step->in[i]);
        const Value *input = &w->value[value.input[i]];
        // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch): value_of has written it
        value.is_number = value.is_number && input->is_number;
        value.phase     = input->phase > value.phase ? input->phase : value.phase;
    }
    for (int32_t i = 0; i < w->count && !is_stored && value.same < 0; i++)
        if (is_same(w, &w->value[i], &value))
            value.same = i;
    if (value.same >= 0) {
        add_value(w, &value);
        return value.same;
    }
    if (node->op == OP_SUM_TO) {
        value.is_number      = true;
        w->program->has_sums = true;
        w->program->is_flat  = false;
        value.phase++;
    }
    if (node->op == OP_BROADCAST_TO)
        value.number = w->value[value.input[0]].number;
    else if (value.is_number)
        value.number = w->program->number_count++;
    if (is_stored)
        value.array = array_of(w, &value, true);
    w->is_full = w->is_full || value.phase + 1 >= CHANNEL_PHASES;
    return add_value(w, &value);
}

static void add_turn(Writer *w, ChannelTurn turn)
{
    if (w->program->turn_count == CHANNEL_TURNS)
        w->is_full = true;
    else
        w->program->turn[w->program->turn_count++] = turn;
}

static Place number_place(const Value *value)
{
    return (Place){PLACE_NUMBER, value->number};
}

static Place new_slot(Writer *w)
{
    int32_t slot = 0;
    while (w->taken[slot])
        slot++;
    w->taken[slot]         = true;
    w->program->slot_count = slot + 1 > w->program->slot_count ? slot + 1 : w->program->slot_count;
    return (Place){PLACE_SLOT, slot};
}

/* A number that stands for a whole plane. */
static bool is_spread(const Writer *w, const Value *value)
{
    return value->is_number &&
           shape_elements(graph_shape(w->graph, value->node)) > w->program->shape.dim[1];
}

/* The block of a plane that a turn reads. */
static Place read_plane(Writer *w, int32_t index)
{
    Value *value = &w->value[index];
    if (value->is_number) {
        Place slot = new_slot(w);
        add_turn(w, (ChannelTurn){.op = OP_BROADCAST_TO, .out = slot, .a = number_place(value)});
        return slot;
    }
    return value->place;
}

static void let_go(Writer *w, int32_t index, Place place)
{
    bool is_last = index < 0 || w->value[index].is_number || --w->value[index].uses == 0;
    if (is_last && place.kind == PLACE_SLOT)
        w->taken[place.index] = false;
}

/* out = a * b + c by numbers: what an addition or a product with a number becomes, together with
 * the product it adds to where nobody else reads that. Signs of zeros stay: x + -0 is x. */
static bool write_affine(Writer *w, const Value *value, ChannelTurn *turn, int32_t *plane)
{
    const OpParams *params = &graph_node(w->graph, value->node)->params;
    turn->factor = 1, turn->term = -(real)0;
    *plane = value->input[0];
    if (value->op == OP_SCALE_OFFSET) {
        turn->factor = params->value;
        turn->term   = params->term;
        return true;
    }
    if (value->op == OP_SCALE_BY) { // a number that all channels share; the op adds zero
        turn->b    = number_place(&w->value[value->input[1]]);
        turn->term = 0;
        return true;
    }
    if (value->op != OP_ADD && value->op != OP_MUL)
        return false;
    int number = w->value[value->input[0]].is_number ? 0 : 1;
    if (!w->value[value->input[number]].is_number)
        return false;
    *plane      = value->input[1 - number];
    Place place = number_place(&w->value[value->input[number]]);
    if (value->op == OP_MUL) {
        turn->b = place;
        return true;
    }
    turn->c            = place;
    const Value *other = &w->value[*plane];
    if (other->is_part) {
        int factor = w->value[other->input[0]].is_number ? 0 : 1;
        turn->b    = number_place(&w->value[other->input[factor]]);
        *plane     = other->input[1 - factor];
    }
    return true;
}

/* The beta or exponent of a turn, or the factor. */
static real constant_of(const Graph *graph, NodeId id)
{
    real beta = op_constant_beta(graph, id);
    return beta != 0 ? beta : graph_node(graph, id)->params.value;
}

static void write_plane(Writer *w, Value *value, int32_t phase)
{
    ChannelTurn turn      = {.op = value->op};
    int32_t     inputs[2] = {value->input[0], value->input[1]};
    if (value->op == OP_SUM_TO) {
        turn.a   = read_plane(w, inputs[0]);
        turn.out = number_place(value);
    } else if (value->is_number) {
        turn.op   = OP_BROADCAST_TO;
        turn.a    = number_place(value);
        inputs[0] = inputs[1] = -1;
    } else if (write_affine(w, value, &turn, &inputs[0])) {
        turn.op   = OP_SCALE_OFFSET;
        turn.a    = read_plane(w, inputs[0]);
        inputs[1] = -1;
    } else {
        turn.factor = constant_of(w->graph, value->node);
        turn.a      = read_plane(w, inputs[0]);
        if (inputs[1] >= 0 && (value->op == OP_SIGMOID || value->op == OP_SOFTPLUS)) {
            turn.b    = number_place(&w->value[inputs[1]]);
            inputs[1] = -1;
        }
        if (inputs[1] >= 0)
            turn.b = inputs[1] == inputs[0] ? turn.a : read_plane(w, inputs[1]);
    }
    // What is read for the last time may be written over: all turns go element by element.
    let_go(w, inputs[0], turn.a);
    if (inputs[1] >= 0)
        let_go(w, inputs[1], turn.b);
    if (value->op != OP_SUM_TO) {
        turn.out = value->is_stored && value->phase == phase ? (Place){PLACE_ARRAY, value->array}
                                                             : new_slot(w);
        value->place = turn.out;
    }
    add_turn(w, turn);
}

/* Marks what a phase computes, and how often its turns read each value. */
static void mark_phase(Writer *w, int32_t phase)
{
    for (int32_t i = 0; i < w->count; i++) {
        Value *value  = &w->value[i];
        bool   is_sum = value->op == OP_SUM_TO && value->is_member && value->same < 0 &&
                      value->phase == phase + 1;
        bool is_result =
            value->is_stored && value->phase == phase && (!value->is_number || is_spread(w, value));
        value->is_wanted = is_sum || is_result;
        value->is_part   = false;
        value->uses      = 0;
        if (!value->is_number && (!value->is_member || (value->is_stored && value->phase < phase)))
            value->place = (Place){PLACE_ARRAY, value->array};
    }
    for (int32_t i = w->count - 1; i >= 0; i--) {
        const Value *value = &w->value[i];
        if (!value->is_wanted || (value->is_number && value->op != OP_SUM_TO))
            continue;
        for (int in = 0; in < 2; in++) {
            Value *input = value->input[in] < 0 ? NULL : &w->value[value->input[in]];
            if (!input)
                continue;
            input->uses++;
            if (!input->is_number && input->is_member &&
                !(input->is_stored && input->phase < phase))
                input->is_wanted = true;
        }
    }
    // A product with a number that one addition of a number reads is part of it.
    for (int32_t i = 0; i < w->count; i++) {
        const Value *value = &w->value[i];
        if (!value->is_wanted || value->is_number || value->op != OP_ADD)
            continue;
        for (int in = 0; in < 2; in++) {
            Value *input = &w->value[value->input[in]];
            bool   by_number =
                input->is_wanted && !input->is_number && input->op == OP_MUL &&
                (w->value[input->input[0]].is_number || w->value[input->input[1]].is_number);
            if (by_number && input->uses == 1 && !input->is_stored &&
                w->value[value->input[1 - in]].is_number)
                input->is_part = true;
        }
    }
}

static void write_number(Writer *w, const Value *value)
{
    ChannelTurn turn = {.op     = value->op,
                        .out    = number_place(value),
                        .a      = number_place(&w->value[value->input[0]]),
                        .factor = constant_of(w->graph, value->node),
                        .term   = graph_node(w->graph, value->node)->params.term};
    if (value->input[1] >= 0)
        turn.b = number_place(&w->value[value->input[1]]);
    add_turn(w, turn);
}

static void write_phase(Writer *w, int32_t phase)
{
    ChannelProgram *program = w->program;
    memset(w->taken, 0, sizeof w->taken);
    for (int32_t i = 0; i < w->count; i++) {
        const Value *value = &w->value[i];
        if (value->is_member && value->same < 0 && value->is_number && value->phase == phase &&
            value->op != OP_SUM_TO && value->op != OP_BROADCAST_TO)
            write_number(w, value);
    }
    program->number_end[phase] = program->turn_count;
    mark_phase(w, phase);
    for (int32_t i = 0; i < w->count; i++)
        if (w->value[i].is_wanted && !w->value[i].is_part)
            write_plane(w, &w->value[i], phase);
    program->plane_end[phase] = program->turn_count;
}

/* False if the program does not fit. */
static bool write_program(Writer *w)
{
    int32_t last = 0;
    for (int32_t i = 0; i < w->count; i++)
        last = w->value[i].phase > last ? w->value[i].phase : last;
    for (int32_t phase = 0; phase <= last && !w->is_full; phase++)
        write_phase(w, phase);
    w->program->phase_count = last + 1;
    return !w->is_full;
}

ChannelWriter *channel_writer_new(Error *error)
{
    return memory_new(1, sizeof(ChannelWriter), error);
}

bool channel_write(ChannelWriter *w, const Graph *graph, const Step *steps, const bool *stored,
                   int32_t group, Shape planes, ChannelProgram *program)
{
    memset(w, 0, sizeof *w);
    *program   = (ChannelProgram){.shape = planes, .is_flat = true};
    w->graph   = graph;
    w->steps   = steps;
    w->program = program;
    for (NodeId id = 0; id < graph->count; id++)
        if (steps[id].group == group && !w->is_full)
            add_member(w, &steps[id], stored[id]);
    return write_program(w);
}
