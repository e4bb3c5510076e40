/* text/text_pool.c - see text_pool.h. */
#include "text_pool.h"

#include <string.h>

enum { FIRST_ROOM = 64, SLOTS_OF_A_TEXT = 4 };

void text_pool_close(TextPool *pool)
{
    for (int32_t i = 0; i < pool->count; i++)
        memory_free(pool->text[i]);
    memory_free(pool->text);
    memory_free(pool->slots);
    *pool = (TextPool){0};
}

// FNV-1a.
static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

// Where a text stands, or the free slot where it would.
static int32_t *slot_of(const TextPool *pool, const char *text)
{
    uint32_t at = hash_of(text) & (pool->slot_count - 1);
    while (pool->slots[at] && strcmp(pool->text[pool->slots[at] - 1], text) != 0)
        at = (at + 1) & (pool->slot_count - 1);
    return &pool->slots[at];
}

int32_t text_pool_find(const TextPool *pool, const char *text)
{
    return pool->count ? *slot_of(pool, text) - 1 : -1;
}

static bool grow(TextPool *pool, Error *error)
{
    int32_t  room  = pool->room ? 2 * pool->room : FIRST_ROOM;
    int32_t *slots = memory_new((size_t)room, SLOTS_OF_A_TEXT * sizeof *slots, error);
    if (!slots)
        return false;
    char **text = memory_grow(pool->text, (size_t)pool->count, (size_t)room, sizeof *text, error);
    if (!text) {
        memory_free(slots);
        return false;
    }
    memory_free(pool->slots);
    pool->text       = text;
    pool->room       = room;
    pool->slots      = slots;
    pool->slot_count = SLOTS_OF_A_TEXT * (uint32_t)room;
    for (int32_t i = 0; i < pool->count; i++)
        *slot_of(pool, pool->text[i]) = i + 1;
    return true;
}

bool text_pool_add(TextPool *pool, char *text, Error *error)
{
    if (pool->count == INT32_MAX / 2)
        return fail(error, ERROR_MEMORY, "%d texts are too many", (int)pool->count);
    if (pool->count == pool->room && !grow(pool, error))
        return false;
    *slot_of(pool, text)      = pool->count + 1;
    pool->text[pool->count++] = text;
    return true;
}
