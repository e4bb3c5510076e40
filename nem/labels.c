/* nem/labels.c - the texts that labels and categories stand for. */
#include "method.h"

#include <string.h>

/* ---- looking up ------------------------------------------------------------------------------ */

/* Labels that grow, with a table of places by the hash of a text. */
struct LabelPool {
    char      **text; // [room], the first `count` of the labels in use, owned
    int        *category_of;
    int32_t    *slots; // [slot_count], 0: free, else a label
    int32_t     room;
    uint32_t    slot_count; // a power of two, at least twice as many as labels
    const char *category;
};

// FNV-1a.
static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

// Where a text stands, or the free slot where it would.
static int32_t *slot_of(const LabelPool *pool, const char *text)
{
    uint32_t at = hash_of(text) & (pool->slot_count - 1);
    while (pool->slots[at] && strcmp(pool->text[pool->slots[at]], text) != 0)
        at = (at + 1) & (pool->slot_count - 1);
    return &pool->slots[at];
}

int32_t labels_find(const Labels *labels, const char *text, int category)
{
    if (labels->grown)
        return *text && category <= 0 ? *slot_of(labels->grown, text) : 0;
    for (int32_t i = 1; i < labels->count && *text; i++)
        if ((category < 0 || labels->category_of[i] == category) &&
            strcmp(labels->text[i], text) == 0)
            return i;
    return 0;
}

int labels_category(const Labels *labels, const char *name)
{
    for (int i = 0; i < labels->category_count; i++)
        if (strcmp(labels->category[i], name) == 0)
            return i;
    return -1;
}

/* ---- growing --------------------------------------------------------------------------------- */

static bool grow(LabelPool *pool, int32_t count, Error *error)
{
    int32_t  room  = pool->room ? 2 * pool->room : 64;
    int32_t *slots = memory_new((size_t)room, 4 * sizeof *slots, error);
    if (!slots)
        return false;
    char **text = memory_grow(pool->text, (size_t)count, (size_t)room, sizeof *text, error);
    if (text)
        pool->text = text;
    int *category_of = text ? memory_grow(pool->category_of, (size_t)count, (size_t)room,
                                          sizeof *category_of, error)
                            : NULL;
    if (!category_of) {
        memory_free(slots);
        return false;
    }
    memory_free(pool->slots);
    pool->category_of = category_of;
    pool->slots       = slots;
    pool->slot_count  = 4 * (uint32_t)room;
    pool->room        = room;
    for (int32_t label = 1; label < count; label++)
        *slot_of(pool, pool->text[label]) = label;
    return true;
}

static bool add(Labels *labels, const char *text, Error *error)
{
    LabelPool *pool  = labels->grown;
    int32_t    count = labels->count;
    if (count == LIMIT_CSV_ROWS)
        return fail(error, ERROR_DATA, "more than %d descriptions", LIMIT_CSV_ROWS);
    bool fits    = count < pool->room || grow(pool, count, error);
    labels->text = (const char *const *)pool->text; // moved, even if there was too little room
    labels->category_of = pool->category_of;
    char *copy          = fits ? memory_text(text, error) : NULL;
    if (!copy)
        return false;
    pool->text[count]        = copy;
    pool->category_of[count] = 0;
    if (count)
        *slot_of(pool, text) = count;
    labels->count++;
    return true;
}

bool labels_open_free(Labels *labels, const char *category, Error *error)
{
    LabelPool *pool = memory_new(1, sizeof *pool, error);
    if (!pool)
        return false;
    pool->category = category;
    *labels        = (Labels){.category_count = 1, .category = &pool->category, .grown = pool};
    return add(labels, "", error);
}

bool labels_intern(Labels *labels, const char *text, int32_t *label, Error *error)
{
    int32_t found = labels_find(labels, text, 0);
    if (!found && *text) {
        if (!add(labels, text, error))
            return false;
        found = labels->count - 1;
    }
    *label = found;
    return true;
}

bool labels_number(Labels *labels, const char *text, int category, int32_t *label, Error *error)
{
    if (labels->grown)
        return labels_intern(labels, text, label, error);
    *label = labels_find(labels, text, category);
    return true;
}

void labels_close(Labels *labels)
{
    LabelPool *pool = labels ? labels->grown : NULL;
    for (int32_t label = 0; pool && label < labels->count; label++)
        memory_free(pool->text[label]);
    if (pool) {
        memory_free(pool->text);
        memory_free(pool->category_of);
        memory_free(pool->slots);
    }
    memory_free(pool);
    if (labels)
        *labels = (Labels){0};
}
