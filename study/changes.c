/* study/changes.c - the list of change rows, in memory and in checkpoints. */
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

/* ---- checkpoints ----------------------------------------------------------------------------- */

static const char rows_file[] = "rows.checkpoint";
_Static_assert(sizeof(ChangeRow) == 136, "every byte of a row has a name");

bool changes_save(const Changes *changes, Checkpoint *checkpoint, Error *error)
{
    SnapshotPart rows = {changes->rows, (size_t)changes->count * sizeof *changes->rows};
    return checkpoint_save(checkpoint, rows_file, "", &rows, 1, error);
}

static bool concept_fits(const Concept *concept, const Labels *labels)
{
    return concept->label >= 0 && concept->label < labels->count && concept->category >= 0 &&
           concept->category < labels->category_count;
}

bool change_row_fits(const ChangeRow *row, const Labels *labels)
{
    uint8_t changed, hit; // what is no bool must not be read as one
    memcpy(&changed, &row->changed, sizeof changed);
    memcpy(&hit, &row->hit, sizeof hit);
    return memchr(row->perturbation, 0, sizeof row->perturbation) &&
           (unsigned)row->store < STORE_ARMS && row->target >= 0 && row->target < labels->count &&
           concept_fits(&row->clean, labels) && concept_fits(&row->now, labels) && changed <= 1 &&
           hit <= 1;
}

bool changes_resume(Changes *out, Checkpoint *checkpoint, const Labels *labels, Error *error)
{
    Snapshot snapshot = {0};
    bool     found    = false;
    *out              = (Changes){0};
    if (!checkpoint_load(checkpoint, rows_file, "", &snapshot, &found, error))
        return false;
    if (!found)
        return true;
    size_t size  = snapshot.count == 1 ? snapshot.parts[0].size : 0;
    size_t count = size / sizeof *out->rows;
    bool   fits = snapshot.count == 1 && size % sizeof *out->rows == 0, ok = true;
    if (fits && count > 0) {
        out->rows = memory_new(count, sizeof *out->rows, error);
        ok        = out->rows && snapshot_copy(&snapshot, 0, out->rows, size);
        if (ok)
            out->count = out->capacity = (int64_t)count;
    }
    snapshot_close(&snapshot);
    for (int64_t i = 0; ok && fits && i < out->count; i++)
        fits = change_row_fits(&out->rows[i], labels);
    if (!fits)
        changes_close(out);
    return ok && (fits || checkpoint_refuse(checkpoint, rows_file, error));
}
