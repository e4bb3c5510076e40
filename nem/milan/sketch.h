/* nem/milan/sketch.h - the running estimate of a quantile that the published exemplars of MILAN
 * were cut with: it keeps about 25,000 of a unit's activations, each standing for many (N4).
 *
 * Buffers of falling size: values go into the smallest; a full buffer is sorted and every second
 * value, beginning with the first or the second by the toss of a coin, moves to the next, where it
 * counts twice as much. While the first buffer has not been full the estimate is exact. Coins come
 * from the counter-based generator, keyed by the unit, so that a unit's estimate depends on its
 * values and their order alone. Source: Karnin, Lang and Liberty, "Optimal quantile approximation
 * in streams", FOCS 2016, in the variant of netdissect's RunningQuantile. */
#ifndef NEM_MILAN_SKETCH_H
#define NEM_MILAN_SKETCH_H

#include "../../base/snapshot.h"

enum { SKETCH_LEVELS = 21 };

typedef struct SketchLevel {
    int32_t capacity, count;
    float  *values; // [capacity]
} SketchLevel;

/* Level 0 is the smallest; a value of level l counts 2^l times. */
typedef struct Sketch {
    int         levels;
    int64_t     resolution; // capacity of the first buffer, the largest
    SketchLevel level[SKETCH_LEVELS];
    float       smallest, largest;
    uint64_t    key, coins; // coins tossed so far
    int64_t     added;
} Sketch;

/* `resolution` is twice the r of the published code, 4096. */
bool sketch_open(Sketch *sketch, int64_t resolution, int64_t unit, Error *error);
void sketch_close(Sketch *sketch); // accepts a zeroed object
/* Errors: ERROR_MEMORY, ERROR_USAGE (more values than levels can stand for). */
bool sketch_add(Sketch *sketch, const float *values, int64_t count, Error *error);
/* Of all values so far, at least one: linear between the kept ones, each in the middle of what it
 * stands for; the smallest and the largest are at 0 and 1. Errors: ERROR_MEMORY. */
bool sketch_quantile(const Sketch *sketch, double p, float *out, Error *error);

/* What a checkpoint keeps of it, in SKETCH_PARTS parts: counts, and the values of each level. */
enum { SKETCH_PARTS = 1 + SKETCH_LEVELS };
typedef struct SketchState {
    int64_t  levels, added;
    uint64_t coins;
    int64_t  count[SKETCH_LEVELS];
    float    smallest, largest;
} SketchState;

void sketch_parts(const Sketch *sketch, SketchState *state, SnapshotPart parts[SKETCH_PARTS]);
/* Into a sketch as sketch_open made it, from part `first` on. False: they do not fit. */
bool sketch_restore(Sketch *sketch, const Snapshot *snapshot, int64_t first, bool *fits,
                    Error *error);

#endif
