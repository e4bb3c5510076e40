/* engine/graph.h - the node array behind engine.h. Knows shapes and rules, no floats. */
#ifndef ENGINE_GRAPH_H
#define ENGINE_GRAPH_H

#include "op.h"

enum { NODE_MOST_INPUTS = 2, NODE_NAME_BYTES = 64 };

typedef struct Node {
    OpKind   op;
    NodeId   input[NODE_MOST_INPUTS]; // each smaller than this node's own index; NODE_NONE beyond arity
    OpParams params;
    Shape    shape;
    bool     is_index; // int32 positions instead of reals
    char     name[NODE_NAME_BYTES];
} Node;

struct Graph {
    Node   *nodes;
    int32_t count, room;
    Error   error; // the first builder error; sticks
};

/* Checks, infers the shape and appends; NODE_NONE on a failed graph or bad inputs. */
NodeId graph_append(Graph *graph, OpKind op, NodeId a, NodeId b, const OpParams *params);

/* Rules take ids, never Node *: appending may move the array. */
static inline const Node *graph_node(const Graph *graph, NodeId node)
{
    return &graph->nodes[node];
}

#endif
