/* nem/milan/sketch.c - see sketch.h. */
#include "sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_CAPACITY = 128 };

/* ---- levels ---------------------------------------------------------------------------------- */

// The next, smaller buffer: two thirds of the last one's size, in multiples of eight. 0: none.
static int32_t next_capacity(const Sketch *sketch)
{
    double  exact = ceil((double)sketch->resolution * pow(0.67, sketch->levels));
    int64_t even  = ((int64_t)exact + 7) / 8 * 8;
    if (exact < 2 || sketch->levels == SKETCH_LEVELS)
        return 0;
    return (int32_t)(even < LEAST_CAPACITY && sketch->levels ? LEAST_CAPACITY : even);
}

// Puts a buffer before the others.
static bool add_level(Sketch *sketch, int32_t capacity, Error *error)
{
    float *values = memory_new((size_t)capacity, sizeof *values, error);
    if (!values)
        return false;
    memmove(sketch->level + 1, sketch->level, (size_t)sketch->levels * sizeof *sketch->level);
    sketch->level[0] = (SketchLevel){.capacity = capacity, .values = values};
    sketch->levels++;
    return true;
}

bool sketch_open(Sketch *sketch, int64_t resolution, int64_t unit, Error *error)
{
    RandomBlock block = random_block(random_key(0, "milan sketch"), 0, (uint64_t)unit);
    *sketch           = (Sketch){.resolution = resolution,
                                 .smallest   = INFINITY,
                                 .largest    = -INFINITY,
                                 .key        = (uint64_t)block.word[0] << 32 | block.word[1]};
    return add_level(sketch, (int32_t)resolution, error);
}

void sketch_close(Sketch *sketch)
{
    for (int i = 0; i < sketch->levels; i++)
        memory_free(sketch->level[i].values);
    *sketch = (Sketch){0};
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int toss(Sketch *sketch)
{
    return (int)(random_block(sketch->key, 0, sketch->coins++).word[0] & 1);
}

// Every second value of a sorted buffer, by a coin, to `to`; returns how many.
static int32_t halve(Sketch *sketch, SketchLevel *level, float *to)
{
    int32_t kept = 0;
    qsort(level->values, (size_t)level->count, sizeof *level->values, by_value);
    for (int32_t i = toss(sketch); i < level->count; i += 2)
        to[kept++] = level->values[i];
    return kept;
}

// What must stay free in a level, so that half of the level before it can come.
static int32_t reserve_of(const Sketch *sketch, int index)
{
    return index ? (sketch->level[index - 1].capacity + 1) / 2 : 1;
}

static int32_t free_in(const Sketch *sketch, int index)
{
    return sketch->level[index].capacity - sketch->level[index].count;
}

/* A smaller level in front of the others: what they hold counts twice as much from now on, so it
 * moves down a level where there is room, and is halved where there is none. */
static bool expand(Sketch *sketch, Error *error)
{
    int32_t capacity = next_capacity(sketch);
    if (!capacity)
        return fail(error, ERROR_USAGE,
                    "%lld activations of a unit are more than the published estimate of a level "
                    "stands for; the other modes are exact",
                    (long long)sketch->added);
    if (!add_level(sketch, capacity, error))
        return false;
    for (int index = 1; index < sketch->levels; index++) {
        SketchLevel *level = &sketch->level[index], *below = &sketch->level[index - 1];
        if (level->count == 0)
            continue;
        if (free_in(sketch, index - 1) - level->count >= reserve_of(sketch, index - 1)) {
            memcpy(below->values + below->count, level->values,
                   (size_t)level->count * sizeof *level->values);
            below->count += level->count;
            level->count = 0;
        } else {
            level->count = halve(sketch, level, level->values);
        }
    }
    return true;
}

// Makes room in the first level.
static bool shift(Sketch *sketch, Error *error)
{
    for (int index = 0; free_in(sketch, index) < reserve_of(sketch, index); index++) {
        if (index + 1 == sketch->levels)
            return expand(sketch, error);
        SketchLevel *level = &sketch->level[index], *next = &sketch->level[index + 1];
        next->count += halve(sketch, level, next->values + next->count);
        level->count = 0;
    }
    return true;
}

bool sketch_add(Sketch *sketch, const float *values, int64_t count, Error *error)
{
    for (int64_t i = 0; i < count; i++) {
        sketch->smallest = values[i] < sketch->smallest ? values[i] : sketch->smallest;
        sketch->largest  = values[i] > sketch->largest ? values[i] : sketch->largest;
    }
    for (int64_t at = 0; at < count;) {
        if (free_in(sketch, 0) == 0 && !shift(sketch, error))
            return false;
        SketchLevel *first = &sketch->level[0];
        int64_t      some  = free_in(sketch, 0) < count - at ? free_in(sketch, 0) : count - at;
        memcpy(first->values + first->count, values + at, (size_t)some * sizeof *values);
        first->count += (int32_t)some;
        at += some;
    }
    sketch->added += count;
    return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct Weighed {
    float  value;
    double weight;
} Weighed;

static int by_weighed(const void *a, const void *b)
{
    const Weighed *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

// Between two points of the cumulative curve.
static double between(double p, double at, double next_at, double value, double next)
{
    return next_at > at ? value + (p - at) / (next_at - at) * (next - value) : next;
}

bool sketch_quantile(const Sketch *sketch, double p, float *out, Error *error)
{
    int64_t count = 0, used = 0;
    double  total = 0, before = 0;
    for (int i = 0; i < sketch->levels; i++)
        count += sketch->level[i].count;
    Weighed *all = memory_new((size_t)count, sizeof *all, error);
    if (!all)
        return false;
    for (int i = 0; i < sketch->levels; i++)
        for (int32_t k = 0; k < sketch->level[i].count; k++) {
            all[used++] = (Weighed){sketch->level[i].values[k], ldexp(1, i)};
            total += ldexp(1, i);
        }
    qsort(all, (size_t)count, sizeof *all, by_weighed);
    double at = 0, value = (double)sketch->smallest, found = (double)sketch->largest;
    bool   is_found = false;
    for (int64_t i = 0; i < count && !is_found; i++) {
        double next_at = (before + all[i].weight / 2) / total, next = (double)all[i].value;
        is_found = p < next_at;
        if (is_found)
            found = between(p, at, next_at, value, next);
        before += all[i].weight;
        at    = next_at;
        value = next;
    }
    if (!is_found)
        found = between(p, at, 1, value, (double)sketch->largest);
    memory_free(all);
    *out = (float)found;
    return true;
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

void sketch_parts(const Sketch *sketch, SketchState *state, SnapshotPart parts[SKETCH_PARTS])
{
    *state   = (SketchState){.levels   = sketch->levels,
                             .added    = sketch->added,
                             .coins    = sketch->coins,
                             .smallest = sketch->smallest,
                             .largest  = sketch->largest};
    parts[0] = (SnapshotPart){state, sizeof *state};
    for (int i = 0; i < SKETCH_LEVELS; i++) {
        const SketchLevel *level = &sketch->level[i];
        state->count[i]          = level->count;
        parts[1 + i] = (SnapshotPart){level->values, (size_t)level->count * sizeof *level->values};
    }
}

bool sketch_restore(Sketch *sketch, const Snapshot *snapshot, int64_t first, bool *fits,
                    Error *error)
{
    SketchState  state;
    SnapshotPart parts[SKETCH_PARTS];
    *fits = snapshot_copy(snapshot, first, &state, sizeof state) && state.levels >= 1 &&
            state.levels <= SKETCH_LEVELS;
    while (*fits && sketch->levels < state.levels)
        if (!add_level(sketch, next_capacity(sketch), error))
            return false;
    for (int i = 0; *fits && i < SKETCH_LEVELS; i++) {
        *fits                  = state.count[i] >= 0 && state.count[i] <= sketch->level[i].capacity;
        sketch->level[i].count = (int32_t)(*fits ? state.count[i] : 0);
    }
    if (!*fits)
        return true;
    sketch->added    = state.added;
    sketch->coins    = state.coins;
    sketch->smallest = state.smallest;
    sketch->largest  = state.largest;
    sketch_parts(sketch, &state, parts);
    *fits = snapshot_copy_all(snapshot, first + 1, parts + 1, SKETCH_LEVELS);
    return true;
}
