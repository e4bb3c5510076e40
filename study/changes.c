/* study/changes.c - changes.csv: what became of each unit under each setting. */
#include "changes.h"
#include "../base/file.h"
#include "../format/csv.h"

#include <math.h>
#include <string.h>

static const char *const column_names[] = {"method",
                                           "strength",
                                           "store",
                                           "unit0",
                                           "clean_category",
                                           "clean_label",
                                           "clean_iou",
                                           "new_category",
                                           "new_label",
                                           "new_iou",
                                           "clean_label_iou",
                                           "target_category",
                                           "target_label",
                                           "target_iou",
                                           "poisoned",
                                           "fraction",
                                           "linf_before_store",
                                           "linf_after_store",
                                           "changed",
                                           "hit"};

enum {
    COLUMN_METHOD,
    COLUMN_STRENGTH,
    COLUMN_STORE,
    COLUMN_UNIT,
    COLUMN_CLEAN, // category, label, iou
    COLUMN_NOW             = COLUMN_CLEAN + 3,
    COLUMN_CLEAN_LABEL_IOU = COLUMN_NOW + 3,
    COLUMN_TARGET,
    COLUMN_POISONED = COLUMN_TARGET + 3,
    COLUMN_FRACTION,
    COLUMN_LINF_BEFORE,
    COLUMN_LINF_AFTER,
    COLUMN_CHANGED,
    COLUMN_HIT,
    COLUMNS
};

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
    return a->store == b->store && strcmp(a->method, b->method) == 0 &&
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

/* ---- writing --------------------------------------------------------------------------------- */

static void write_concept(Writer *writer, const ProbeSet *probe, int category, int32_t label,
                          double iou)
{
    csv_write_text(writer, probe->category[category]);
    writer_text(writer, ",");
    csv_write_text(writer, label ? probe->labels[label].name : "");
    writer_text(writer, ",%.9g,", iou);
}

static void write_row(Writer *writer, const ProbeSet *probe, const ChangeRow *row)
{
    writer_text(writer, "%s,%.9g,%s,%lld,", row->method, row->strength, store_arm_name(row->store),
                (long long)row->unit);
    write_concept(writer, probe, row->clean.category, row->clean.label, row->clean.score);
    write_concept(writer, probe, row->now.category, row->now.label, row->now.score);
    writer_text(writer, "%.9g,", row->clean_label_iou);
    if (row->target)
        write_concept(writer, probe, probe->labels[row->target].category, row->target,
                      row->target_iou);
    else
        writer_text(writer, ",,,");
    writer_text(writer, "%lld,%.9g,%.9g,%.9g,%d,%d\n", (long long)row->poisoned, row->fraction,
                row->linf_before, row->linf_after, row->changed, row->hit);
}

static bool write_changes(const Changes *changes, const ProbeSet *probe, const char *folder,
                          Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    if (!path_join(path, folder, "changes.csv", error) || !writer_open(&writer, path, error))
        return false;
    for (int column = 0; column < COLUMNS; column++)
        writer_text(writer, "%s%s", column ? "," : "", column_names[column]);
    writer_text(writer, "\n");
    for (int64_t i = 0; i < changes->count; i++)
        write_row(writer, probe, &changes->rows[i]);
    return writer_publish(writer, error);
}

bool changes_write(const Changes *changes, const ProbeSet *probe, const char *folder, Error *error)
{
    return write_changes(changes, probe, folder, error) &&
           summary_write(changes, probe, folder, error);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_concept(const Csv *csv, int64_t row, const int *column, const ProbeSet *probe,
                         Concept *out, Error *error)
{
    const char *category = csv_name(csv, row, column[0]), *label = csv_name(csv, row, column[1]);
    out->category = probe_category_named(probe, category);
    out->label    = *label ? probe_label_named(probe, label, out->category) : 0;
    if (out->category < 0 || (*label && !out->label))
        return fail(error, ERROR_DATA,
                    "changes.csv: line %lld: '%.60s' of category '%.60s' is not in the probing set",
                    (long long)csv_line(csv, row), label, category);
    return csv_number(csv, row, column[2], &out->score, error);
}

static bool read_target(const Csv *csv, int64_t row, const int *column, const ProbeSet *probe,
                        ChangeRow *out, Error *error)
{
    Concept target = {0};
    if (!*csv_text(csv, row, column[0]))
        return true;
    if (!read_concept(csv, row, column, probe, &target, error))
        return false;
    out->target     = target.label;
    out->target_iou = target.score;
    return true;
}

static bool read_row(const Csv *csv, int64_t row, const int *column, const ProbeSet *probe,
                     ChangeRow *out, Error *error)
{
    const char *method  = csv_text(csv, row, column[COLUMN_METHOD]);
    int64_t     changed = 0, hit = 0;
    *out = (ChangeRow){0};
    if (strlen(method) >= sizeof out->method)
        return fail(error, ERROR_DATA, "changes.csv: line %lld: method '%.60s' is unknown",
                    (long long)csv_line(csv, row), method);
    memcpy(out->method, method, strlen(method) + 1);
    if (!csv_number(csv, row, column[COLUMN_STRENGTH], &out->strength, error) ||
        !store_arm_parse(csv_text(csv, row, column[COLUMN_STORE]), &out->store, error) ||
        !csv_whole(csv, row, column[COLUMN_UNIT], 0, LIMIT_UNITS, &out->unit, error) ||
        !read_concept(csv, row, column + COLUMN_CLEAN, probe, &out->clean, error) ||
        !read_concept(csv, row, column + COLUMN_NOW, probe, &out->now, error) ||
        !csv_number(csv, row, column[COLUMN_CLEAN_LABEL_IOU], &out->clean_label_iou, error) ||
        !read_target(csv, row, column + COLUMN_TARGET, probe, out, error) ||
        !csv_whole(csv, row, column[COLUMN_POISONED], 0, INT32_MAX, &out->poisoned, error) ||
        !csv_number(csv, row, column[COLUMN_FRACTION], &out->fraction, error) ||
        !csv_number(csv, row, column[COLUMN_LINF_BEFORE], &out->linf_before, error) ||
        !csv_number(csv, row, column[COLUMN_LINF_AFTER], &out->linf_after, error) ||
        !csv_whole(csv, row, column[COLUMN_CHANGED], 0, 1, &changed, error) ||
        !csv_whole(csv, row, column[COLUMN_HIT], 0, 1, &hit, error))
        return false;
    out->changed = changed;
    out->hit     = hit;
    return true;
}

bool changes_read(Changes *out, const char *folder, const ProbeSet *probe, Error *error)
{
    char    path[LIMIT_PATH];
    Bytes   bytes   = {0};
    Csv    *csv     = NULL;
    Changes changes = {0};
    int     column[COLUMNS];
    bool    done = path_join(path, folder, "changes.csv", error) &&
                file_read(path, LIMIT_TEXT_FILE, &bytes, error) &&
                csv_open(&csv, bytes.data, bytes.size, path, error);
    for (int i = 0; done && i < COLUMNS; i++)
        done = csv_need(csv, column_names[i], &column[i], error);
    for (int64_t row = 0; done && row < csv_row_count(csv); row++) {
        ChangeRow change;
        done = read_row(csv, row, column, probe, &change, error) &&
               changes_add(&changes, &change, error);
    }
    csv_close(csv);
    bytes_close(&bytes);
    if (!done) {
        changes_close(&changes);
        return false;
    }
    *out = changes;
    return true;
}

/* ---- checkpoints ------------------------------------------------------------------------------- */

static const char rows_file[] = "rows.checkpoint";
_Static_assert(sizeof(ChangeRow) == 128, "every byte of a row has a name");

bool changes_keep(const Changes *changes, Checkpoint *checkpoint, Error *error)
{
    SnapshotPart rows = {changes->rows, (size_t)changes->count * sizeof *changes->rows};
    return checkpoint_save(checkpoint, rows_file, "", &rows, 1, error);
}

static bool concept_fits(const Concept *concept, const ProbeSet *probe)
{
    return concept->label >= 0 && concept->label < probe->label_count && concept->category >= 0 &&
           concept->category < probe->category_count;
}

bool change_row_fits(const ChangeRow *row, const ProbeSet *probe)
{
    uint8_t changed, hit; // what is no bool must not be read as one
    memcpy(&changed, &row->changed, sizeof changed);
    memcpy(&hit, &row->hit, sizeof hit);
    return memchr(row->method, 0, sizeof row->method) && (unsigned)row->store < STORE_ARMS &&
           row->target >= 0 && row->target < probe->label_count &&
           concept_fits(&row->clean, probe) && concept_fits(&row->now, probe) && changed <= 1 &&
           hit <= 1;
}

bool changes_resume(Changes *out, Checkpoint *checkpoint, const ProbeSet *probe, Error *error)
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
    bool   fits  = snapshot.count == 1 && size % sizeof *out->rows == 0, ok = true;
    if (fits && count > 0) {
        out->rows = memory_new(count, sizeof *out->rows, error);
        ok        = out->rows && snapshot_copy(&snapshot, 0, out->rows, size);
        if (ok)
            out->count = out->capacity = (int64_t)count;
    }
    snapshot_close(&snapshot);
    for (int64_t i = 0; ok && fits && i < out->count; i++)
        fits = change_row_fits(&out->rows[i], probe);
    if (!fits)
        changes_close(out);
    return ok && (fits || checkpoint_refuse(checkpoint, rows_file, error));
}
