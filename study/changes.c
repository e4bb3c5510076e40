/* study/changes.c - the list of change rows. */
#include "changes.h"

#include <math.h>
#include <string.h>

/* ---- the list -------------------------------------------------------------------------------- */

void changes_close(Changes *changes)
{
    memory_free(changes->rows);
    *changes = (Changes){0};
}

bool changes_add(Changes *changes, const ChangeRow *row, Error *error)
{
    if (changes->count == changes->capacity) {
        int64_t    capacity = changes->capacity ? 2 * changes->capacity : 64;
        ChangeRow *rows     = memory_grow(changes->rows, (size_t)changes->count, (size_t)capacity,
                                          sizeof *rows, error);
        if (!rows)
            return false;
        changes->rows     = rows;
        changes->capacity = capacity;
    }
    changes->rows[changes->count++] = *row;
    return true;
}

// Strengths are compared at the digits they are written with.
bool setting_equal(const ChangeRow *a, const ChangeRow *b)
{
    return a->store == b->store && strcmp(a->perturbation, b->perturbation) == 0 &&
           fabs(a->strength - b->strength) <= 1e-8 * fabs(a->strength);
}

const ChangeRow *changes_find(const Changes *changes, const ChangeRow *like)
{
    for (int64_t i = 0; changes && i < changes->count; i++) {
        if (changes->rows[i].unit == like->unit && setting_equal(&changes->rows[i], like))
            return &changes->rows[i];
    }
    return NULL;
}
