/* nem/labels.c - the texts that labels and categories stand for. */
#include "../text/text_pool.h"
#include "method.h"

#include <string.h>

/* ---- looking up ------------------------------------------------------------------------------ */

/* Labels that grow; the number of a text is its label. */
struct LabelPool {
    TextPool    texts;
    int        *category_of; // [room], all 0
    int32_t     room;
    const char *category;
};

int32_t labels_find(const Labels *labels, const char *text, int category)
{
    if (labels->grown) {
        int32_t found = category <= 0 ? text_pool_find(&labels->grown->texts, text) : 0;
        return found < 0 ? 0 : found;
    }
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

static bool make_room(LabelPool *pool, int32_t count, Error *error)
{
    if (count < pool->room)
        return true;
    int32_t room = pool->room ? 2 * pool->room : 64;
    int    *category_of =
        memory_grow(pool->category_of, (size_t)count, (size_t)room, sizeof *category_of, error);
    if (!category_of)
        return false;
    pool->category_of = category_of;
    pool->room        = room;
    return true;
}

static bool add(Labels *labels, const char *text, Error *error)
{
    LabelPool *pool = labels->grown;
    if (labels->count == LIMIT_CSV_ROWS)
        return fail(error, ERROR_DATA, "more than %d descriptions", LIMIT_CSV_ROWS);
    if (!make_room(pool, labels->count, error))
        return false;
    labels->category_of = pool->category_of;
    char *copy          = memory_text(text, error);
    bool  added         = copy && text_pool_add(&pool->texts, copy, error);
    labels->text =
        (const char *const *)pool->texts.text; // moved, even if there was too little room
    if (!added) {
        memory_free(copy);
        return false;
    }
    pool->category_of[labels->count++] = 0;
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
    if (pool) {
        text_pool_close(&pool->texts);
        memory_free(pool->category_of);
    }
    memory_free(pool);
    if (labels)
        *labels = (Labels){0};
}
