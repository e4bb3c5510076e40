/* engine/channelwise.h - what a plan makes of batch norms: many nodes as one step, channel by
 * channel.
 *
 * Sums over a channel, sums and products of its planes, and arithmetic on one number a channel need
 * nothing of other channels. So planes go through all that a block at a time in a core's cache;
 * what no other step reads is never written to memory. A program goes through the planes in phases,
 * since a sum must be whole before it is used; in a later phase planes that were not stored are
 * computed again. A task is a group of images with all their channels, as they lie in memory; the
 * sums of groups are added in order. */
#ifndef ENGINE_CHANNELWISE_H
#define ENGINE_CHANNELWISE_H

#include "sweep.h"

enum {
    CHANNEL_VALUES  = 192, // nodes of a program and what they read
    CHANNEL_CLONE   = 12,  // at most, of what is computed again
    CHANNEL_TURNS   = 384,
    CHANNEL_PHASES  = 8,
    CHANNEL_NUMBERS = CHANNEL_VALUES,
    CHANNEL_BLOCK   = 1024,              // numbers of a plane that go through a phase together
    CHANNEL_SLOT    = CHANNEL_BLOCK + 16 // distance of slots: not the same sets of a cache
};

/* Where a turn reads or writes: a number of this channel, a block that is not stored, or an array
 * of the plan. */
typedef enum PlaceKind { PLACE_NONE, PLACE_NUMBER, PLACE_SLOT, PLACE_ARRAY } PlaceKind;

typedef struct Place {
    PlaceKind kind;
    int32_t   index;
} Place;

/* One operation on a number or on a block of a plane:
 *     OP_SCALE_OFFSET   a * b + c; where b or c is not a place, a * factor + term
 *     OP_SUM_TO         number: the sum of a over the planes
 *     OP_BROADCAST_TO   plane: the number a
 *     others            as the op: a and b, or a alone; the factor is OP_POWER's exponent, the bound
 *                       of OP_CLAMP and OP_GATE, and the beta of OP_SIGMOID and OP_SOFTPLUS where b
 *                       is not a place */
typedef struct ChannelTurn {
    OpKind op;
    Place  out, a, b, c;
    real   factor, term;
} ChannelTurn;

typedef struct ChannelArray {
    NodeId  node;
    bool    is_number, is_written; // one number a channel; else planes
    bool    is_shared;             // the same number for all channels
    int32_t number;
    void   *data; // filled when the plan has placed it
} ChannelArray;

typedef struct ChannelProgram {
    Shape       shape; // [n, c, h, w] of the planes
    int32_t     array_count, number_count, slot_count, phase_count, turn_count;
    bool        has_sums;
    bool        is_flat; // no number belongs to one channel, so planes may be cut anywhere
    int32_t     number_end[CHANNEL_PHASES], plane_end[CHANNEL_PHASES]; // turns of a phase, in order
    ChannelTurn turn[CHANNEL_TURNS];
    ChannelArray array[CHANNEL_VALUES];
} ChannelProgram;

#endif
