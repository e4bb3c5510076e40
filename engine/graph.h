/* engine/graph.h - the node array behind engine.h. Knows shapes and rules, no floats. */
#ifndef ENGINE_GRAPH_H
#define ENGINE_GRAPH_H

#include "op.h"

enum { NODE_NAME_BYTES = 64 };

typedef struct Node {
    OpKind   op;
    NodeId   input[OP_ARITY]; // each smaller than this node's own index; NODE_NONE beyond arity
    OpParams params;
    Shape    shape;
    char     name[NODE_NAME_BYTES];
} Node;

struct Graph {
    Node   *nodes;
    int32_t count, room;
    Error   error; // the first builder error; sticks
};

/* Checks, infers the shape and appends; NODE_NONE on a failed graph or bad inputs. Reads as many
 * inputs as the op has. */
NodeId graph_append(Graph *graph, OpKind op, const NodeId *input, const OpParams *params);

/* Whether `input` is one of the node's inputs. */
bool graph_reads(const Graph *graph, NodeId node, NodeId input);

/* The node whose memory a node uses: itself, or what it is a reshape of. */
NodeId graph_root(const Graph *graph, NodeId node);

/* The first channel of x that a channel of a convolution reads: where its group begins. */
int64_t graph_group_start(const Graph *graph, NodeId conv, int64_t channel);

/* Rules take ids, never Node *: appending may move the array. */
static inline const Node *graph_node(const Graph *graph, NodeId node)
{
    return &graph->nodes[node];
}

#endif
