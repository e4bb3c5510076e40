/* engine/plan.h - a graph turned into steps over one arena. See engine.h for the public side. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "graph.h"

/* One step: a node, or a short chain of nodes fused at its last one. Inputs are node ids; several
 * nodes that share memory are named by their root. */
typedef struct Step {
    NodeId node; // whose values are written; the last of the chain
    NodeId core; // the node that gives op and parameters
    OpKind op;   // the core's, or OP_MAXPOOL
    NodeId in[OP_ARITY];
    NodeId bias, add, gate, index; // fused tail; NODE_NONE where absent
    bool   relu;
    bool   absorbed; // part of a later step
} Step;

/* Fills steps[0..count-1] (one a node), fusing conv+bias(+add)(+relu|gate) and pooling's two
 * halves. `needed` are the nodes outputs depend on; `is_output` nodes keep their values. */
void plan_fuse(const Graph *graph, const bool *needed, const bool *is_output, bool fuse,
               Step *steps, int32_t *uses);

/* A block of the arena, alive from step `first` to step `last` (node indices, inclusive). */
typedef struct Block {
    size_t  bytes, offset;
    int32_t first, last;
} Block;

/* Gives every block an offset such that blocks alive together do not overlap; returns the arena
 * size. Largest first, into the smallest gap that fits. `order` is scratch for `count` indices. */
size_t plan_place(Block *blocks, int32_t count, int32_t *order);

/* For benches: the steps one by one. `text` says op, result shape, method and what is fused; flops
 * counts a convolution or product as written (2 x multiplications), 0 for the rest. */
typedef struct StepReport {
    char   text[192];
    double flops;
} StepReport;

int32_t    plan_step_count(const Plan *plan);
StepReport plan_step_report(const Plan *plan, int32_t step);
void       plan_run_step(const Plan *plan, int32_t step);

#endif
