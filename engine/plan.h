/* engine/plan.h - a graph turned into steps over one arena. See engine.h for the public side. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "channelwise.h"
#include "graph.h"

/* One step: a node, or a short chain of nodes fused at its last one. Inputs are node ids; several
 * nodes that share memory are named by their root. */
typedef struct Step {
    NodeId  node; // whose values are written; the last of the chain
    NodeId  core; // the node that gives op and parameters
    OpKind  op;   // the core's, or one that the plan makes
    NodeId  in[OP_ARITY];
    NodeId  bias, add, gate; // fused tail; NODE_NONE where absent
    NodeId  second;          // another node whose values are written, or NODE_NONE
    bool    relu;
    real    most;           // of relu and gate, see FinishRows
    bool    absorbed;       // part of a later step
    bool    is_gradient;    // an input gradient leads to it
    int32_t group, program; // channel by channel with others; what OP_CHANNELS runs; -1: none
} Step;

/* All nodes a step reads, NODE_NONE for none: inputs first, then the fused tail. What a program
 * reads stands in its arrays. */
enum { READ_BIAS = OP_ARITY, READ_ADD, READ_GATE, STEP_READS };

static inline void step_reads(const Step *step, NodeId reads[STEP_READS])
{
    for (int i = 0; i < OP_ARITY; i++)
        reads[i] = step->in[i];
    reads[READ_BIAS] = step->bias;
    reads[READ_ADD]  = step->add;
    reads[READ_GATE] = step->gate;
}

/* Fills steps[0..count-1] (one a node), fusing conv+bias(+add)(+relu|gate) and pooling's two
 * halves. `needed` are the nodes outputs depend on; `is_output` nodes keep their values. */
void plan_fuse(const Graph *graph, const bool *needed, const bool *is_output, bool fuse,
               Step *steps, int32_t *uses);

/* Of plan_fuse: the nodes of a layer norm as one step at the last of them, `id`. */
void fuse_norm(const Graph *graph, const bool *is_output, Step *steps, const int32_t *uses,
               NodeId id);

/* The planes [n, c, h, w] a node works on channel by channel; of rank 0 where it does not. */
Shape channel_planes(const Graph *graph, NodeId id);

/* Whether a node is one number that all channels share, as the beta of a softplus is. */
bool channel_is_shared(const Graph *graph, NodeId id);

/* Planes or numbers a step reads as part of a program: an input, or NODE_NONE for what its turn has
 * in it (a constant beta). */
NodeId channel_input(const Graph *graph, const Step *step, int i);

/* How many values it takes a program on `planes` to read a node outside: 1, it is an array; more,
 * it is computed again. */
int32_t channel_clone_values(const Graph *graph, const Step *steps, NodeId id, Shape planes);

/* Writes the program of the steps of one group, of which the `stored` are written; false if it does
 * not fit. The steps are as plan_fuse left them, but for their groups. */
typedef struct ChannelWriter ChannelWriter;
ChannelWriter               *channel_writer_new(Error *error); // freed by memory_free
bool channel_write(ChannelWriter *writer, const Graph *graph, const Step *steps, const bool *stored,
                   int32_t group, Shape planes, ChannelProgram *program);

/* Turns what can run channel by channel into programs, in an array that the caller frees. `needed`
 * are the nodes that steps read after plan_fuse. No program is part of two stages. */
bool plan_fuse_channels(const Graph *graph, const PlanOptions *options, const bool *needed,
                        const bool *is_output, Step *steps, ChannelProgram **programs,
                        int32_t *count, Error *error);

/* A block of the arena, alive from step `first` to step `last` (node indices, inclusive). */
typedef struct Block {
    size_t  bytes, offset;
    int32_t first, last;
} Block;

/* What a program that runs at `node` writes takes the place of planes that die with it: owner[i] is
 * the node whose memory node i uses. */
void plan_share_arrays(const ChannelProgram *program, const Graph *graph, NodeId node,
                       Block *blocks, int32_t *owner);

/* Gives every block an offset such that blocks alive together do not overlap; returns the arena
 * size. Largest first, into the smallest gap that fits. `order` is scratch for `count` indices. */
size_t plan_place(Block *blocks, int32_t count, int32_t *order);

struct Plan {
    Step           *steps;
    OpCall         *calls;
    OpParams       *params;             // copies, one a node, so that the graph may grow afterwards
    void          **buffer;             // one a node; NULL where none is held
    int32_t         step_count, *order; // nodes with a step, in order
    uint8_t        *arena;
    real           *scratch, *prepared;
    size_t          bytes;
    Block          *blocks;
    ChannelProgram *programs;
    int32_t         program_count;
    int32_t *owner; // node whose memory a node uses (itself, or the dying input it overwrites)
};

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
