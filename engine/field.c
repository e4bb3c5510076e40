/* engine/field.c - receptive fields by composition: which pixels an element of a layer can depend
 * on.
 *
 * A window of side r, stride s, pad p behind a layer (offset, size, step) gives
 *     offset' = offset - p * step,  size' = size + (r - 1) * step,  step' = step * s.
 * Source: composition rule of the Network Dissection release (receptive-field arithmetic). */
#include "graph.h"

static Field behind_window(Field below, int64_t side, int64_t stride, int64_t pad)
{
    return (Field){.offset = below.offset - pad * below.step,
                   .size   = below.size + (side - 1) * below.step,
                   .step   = below.step * stride};
}

/* The smallest field that holds both; false if they move at different steps. */
static bool join(Field a, Field b, Field *out)
{
    int64_t end_a = a.offset + a.size, end_b = b.offset + b.size;
    int64_t first = a.offset < b.offset ? a.offset : b.offset;
    *out          = (Field){first, (end_a > end_b ? end_a : end_b) - first, a.step};
    return a.step == b.step;
}

/* What is known of a node: it does not see the input, has a field in it, or mixes its places. */
typedef enum Sight { BLIND, HAS_FIELD, MIXES } Sight;

/* One axis (2: rows, 3: columns) of a node whose inputs are blind or have fields; false if it
 * mixes. */
static bool compose(const Graph *graph, NodeId id, int axis, const Sight *sight, Field *field)
{
    const Node *node = graph_node(graph, id);
    NodeId      a = node->input[0], b = node->input[1];
    bool        from_a = a != NODE_NONE && sight[a] == HAS_FIELD;
    bool        from_b = b != NODE_NONE && sight[b] == HAS_FIELD;
    switch (node->op) {
    case OP_CONV2D:
        if (from_b)
            return false;
        field[id] = behind_window(field[a], graph_shape(graph, b).dim[axis], node->params.stride,
                                  node->params.pad);
        return true;
    case OP_MAXPOOL_INDEX:
        field[id] =
            behind_window(field[a], node->params.window, node->params.stride, node->params.pad);
        return true;
    case OP_GATHER: // positions come from windows of the same array
        field[id] = from_b ? field[b] : field[a];
        return from_b;
    case OP_SLICE:
    case OP_PAD:
        field[id] = field[a];
        return node->params.axis < 2;
    default:
        if (!(op_info(node->op)->flags & OP_ELEMENTWISE))
            return false;
        if (from_a && from_b)
            return join(field[a], field[b], &field[id]);
        field[id] = from_a ? field[a] : field[b];
        return true;
    }
}

bool graph_field(const Graph *graph, NodeId input, NodeId output, Field field[2])
{
    if (graph->error.code != ERROR_NONE || input < 0 || output < input || output >= graph->count ||
        graph_shape(graph, output).rank != 4)
        return false;
    size_t nodes = (size_t)output + 1;
    Sight *sight = memory_new(nodes, sizeof *sight, NULL);
    Field *found = memory_new(nodes, sizeof *found, NULL);
    bool   ok    = sight && found;
    for (int axis = 0; ok && axis < 2; axis++) {
        sight[input] = HAS_FIELD;
        found[input] = (Field){.offset = 0, .size = 1, .step = 1};
        for (NodeId id = input + 1; id <= output; id++) {
            const Node *node = graph_node(graph, id);
            sight[id]        = BLIND;
            for (int i = 0; i < op_info(node->op)->arity; i++)
                if (sight[node->input[i]] > sight[id])
                    sight[id] = sight[node->input[i]];
            if (sight[id] == HAS_FIELD && !compose(graph, id, axis + 2, sight, found))
                sight[id] = MIXES;
        }
        ok          = sight[output] == HAS_FIELD;
        field[axis] = found[output];
    }
    memory_free(sight);
    memory_free(found);
    return ok;
}
