/* engine/place.c - offsets in one arena from lifetimes: greedy by size, best fitting gap.
 * Source: Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020. */
#include "plan.h"

static bool alive_together(const Block *a, const Block *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Lowest offset of the smallest gap between already placed neighbours that holds the block.
 * `placed` lists them by rising offset. */
static size_t best_gap(const Block *blocks, const int32_t *placed, int32_t count,
                       const Block *block)
{
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int32_t i = 0; i < count; i++) {
        const Block *other = &blocks[placed[i]];
        if (!alive_together(other, block))
            continue;
        if (other->offset >= end) {
            size_t gap = other->offset - end;
            if (gap >= block->bytes && gap < best_size) {
                best      = end;
                best_size = gap;
            }
        }
        if (other->offset + other->bytes > end)
            end = other->offset + other->bytes;
    }
    return best == SIZE_MAX ? end : best;
}

size_t plan_place(Block *blocks, int32_t count, int32_t *order)
{
    size_t  arena  = 0;
    int32_t placed = 0;
    // Selection of the next largest unplaced block; graphs have some hundred blocks.
    for (int32_t i = 0; i < count; i++)
        blocks[i].offset = SIZE_MAX;
    for (int32_t round = 0; round < count; round++) {
        int32_t next = -1;
        for (int32_t i = 0; i < count; i++)
            if (blocks[i].offset == SIZE_MAX && (next < 0 || blocks[i].bytes > blocks[next].bytes))
                next = i;
        size_t  offset = best_gap(blocks, order, placed, &blocks[next]);
        int32_t at     = placed++;
        for (; at > 0 && blocks[order[at - 1]].offset > offset; at--)
            order[at] = order[at - 1];
        order[at]           = next;
        blocks[next].offset = offset;
        if (offset + blocks[next].bytes > arena)
            arena = offset + blocks[next].bytes;
    }
    return arena;
}
