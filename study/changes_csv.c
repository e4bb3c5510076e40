/* study/changes_csv.c - changes.csv: what became of each unit under each setting. */
#include "changes.h"
#include "../format/csv.h"

#include <math.h>
#include <string.h>

#define COLUMN_NAMES                                                                               \
    "method|strength|store|unit0|clean_category|clean_label|clean_iou|new_category|new_label|"     \
    "new_iou|clean_label_iou|target_category|target_label|target_iou|poisoned|fraction|"           \
    "linf_before_store|linf_after_store|changed|hit|outcome|nem|similarity|new_threshold"

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
    COLUMN_OUTCOME,    // written, never read: it follows from the others (C26)
    COLUMN_NEM,        // not of Network Dissection
    COLUMN_SIMILARITY, // likewise, unless a likeness was asked for
    COLUMN_THRESHOLD,  // of methods that have one; files of earlier versions lack it
    COLUMNS
};

static bool has_column(const Explainer *explainer, int column)
{
    if (column == COLUMN_NEM)
        return explainer->method != method_at(0);
    if (column == COLUMN_SIMILARITY)
        return explainer->method != method_at(0) || explainer->likeness;
    return column != COLUMN_THRESHOLD || explainer->method->threshold;
}

/* ---- writing --------------------------------------------------------------------------------- */

// A score, or nothing where the method cannot say it.
static void write_score(Writer *writer, double score)
{
    if (!isnan(score))
        writer_text(writer, "%.9g", score);
    writer_text(writer, ",");
}

static void write_concept(Writer *writer, const Labels *labels, int category, int32_t label,
                          double score)
{
    csv_write_text(writer, labels->category[category]);
    writer_text(writer, ",");
    csv_write_text(writer, labels->text[label]);
    writer_text(writer, ",");
    write_score(writer, score);
}

static void write_row(Writer *writer, const Explainer *explainer, const ChangeRow *row)
{
    const Labels *labels = explainer->labels;
    writer_text(writer, "%s,%.9g,%s,%lld,", row->perturbation, row->strength,
                store_arm_name(row->store), (long long)row->unit);
    write_concept(writer, labels, row->clean.category, row->clean.label, row->clean.score);
    write_concept(writer, labels, row->now.category, row->now.label, row->now.score);
    write_score(writer, row->clean_label_iou);
    if (row->target)
        write_concept(writer, labels, labels->category_of[row->target], row->target,
                      row->target_iou);
    else
        writer_text(writer, ",,,");
    writer_text(writer, "%lld,%.9g,%.9g,%.9g,%d,%d,%s", (long long)row->poisoned, row->fraction,
                row->linf_before, row->linf_after, row->changed, row->hit,
                word_text(OUTCOME_NAMES, outcome_of(row, explainer->method)));
    if (has_column(explainer, COLUMN_NEM))
        writer_text(writer, ",%s", explainer->method->name);
    if (has_column(explainer, COLUMN_SIMILARITY))
        writer_text(writer, ",%.9g", row->similarity);
    if (has_column(explainer, COLUMN_THRESHOLD))
        writer_text(writer, ",");
    if (has_column(explainer, COLUMN_THRESHOLD) && !isnan(row->new_threshold))
        writer_text(writer, "%.9g", (double)row->new_threshold);
    writer_text(writer, "\n");
}

static bool write_rows(const Changes *changes, const Explainer *explainer, const char *folder,
                       const char *name, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    if (!path_join(path, folder, name, error) || !writer_open(&writer, path, error))
        return false;
    for (int column = 0; column < COLUMNS; column++)
        if (has_column(explainer, column))
            writer_text(writer, "%s%s", column ? "," : "", word_text(COLUMN_NAMES, column));
    writer_text(writer, "\n");
    for (int64_t i = 0; i < changes->count; i++)
        write_row(writer, explainer, &changes->rows[i]);
    return writer_publish(writer, error);
}

bool changes_write(const Changes *changes, const Explainer *explainer, const char *folder,
                   Error *error)
{
    return write_rows(changes, explainer, folder, "changes.csv", error) &&
           summary_write(changes, explainer, folder, error) &&
           (!similarity_counts(explainer) || similarity_write(changes, explainer, folder, error));
}

bool changes_write_part(const Changes *changes, const Explainer *explainer, const char *folder,
                        Error *error)
{
    return write_rows(changes, explainer, folder, CHANGES_PART, error);
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct ChangeReader {
    const Explainer *explainer;
    const Csv       *csv;
    int              column[COLUMNS];
} ChangeReader;

static bool read_number(const ChangeReader *reader, int64_t row, int column, double *out,
                        Error *error)
{
    return csv_number(reader->csv, row, reader->column[column], out, error);
}

static bool read_flag(const ChangeReader *reader, int64_t row, int column, bool *out, Error *error)
{
    int64_t flag;
    if (!csv_whole(reader->csv, row, reader->column[column], 0, 1, &flag, error))
        return false;
    *out = flag;
    return true;
}

static bool read_score(const ChangeReader *reader, int64_t row, int column, double *out,
                       Error *error)
{
    *out = (double)NAN;
    return !*csv_text(reader->csv, row, reader->column[column]) ||
           read_number(reader, row, column, out, error);
}

// Category, label and score from `column` on.
static bool read_concept(const ChangeReader *reader, int64_t row, int column, Concept *out,
                         Error *error)
{
    Labels     *labels   = reader->explainer->labels;
    const char *category = csv_name(reader->csv, row, reader->column[column]);
    const char *label    = csv_name(reader->csv, row, reader->column[column + 1]);
    out->category        = labels_category(labels, category);
    if (!labels_number(labels, label, out->category, &out->label, error))
        return false;
    if (out->category < 0 || (*label && !out->label))
        return fail(error, ERROR_DATA,
                    "changes.csv: line %lld: '%.60s' of category '%.60s' is no label of this run",
                    (long long)csv_line(reader->csv, row), label, category);
    return read_score(reader, row, column + 2, &out->score, error);
}

static bool read_target(const ChangeReader *reader, int64_t row, ChangeRow *out, Error *error)
{
    Concept target = {0};
    if (!*csv_text(reader->csv, row, reader->column[COLUMN_TARGET]))
        return true;
    if (!read_concept(reader, row, COLUMN_TARGET, &target, error))
        return false;
    out->target     = target.label;
    out->target_iou = target.score;
    return true;
}

static bool read_similarity(const ChangeReader *reader, int64_t row, ChangeRow *out, Error *error)
{
    const Explainer *explainer = reader->explainer;
    const char      *before    = explainer->labels->text[out->clean.label];
    const char      *after     = explainer->labels->text[out->now.label];
    if (reader->column[COLUMN_SIMILARITY] >= 0)
        return read_number(reader, row, COLUMN_SIMILARITY, &out->similarity, error);
    out->similarity = description_change(explainer->method, before, after).similarity;
    return true;
}

static bool read_threshold(const ChangeReader *reader, int64_t row, ChangeRow *out, Error *error)
{
    int    column = reader->column[COLUMN_THRESHOLD];
    double threshold;
    out->new_threshold = NAN;
    if (column < 0 || !*csv_text(reader->csv, row, column))
        return true;
    if (!read_number(reader, row, COLUMN_THRESHOLD, &threshold, error))
        return false;
    out->new_threshold = (float)threshold;
    return true;
}

static bool read_row(const ChangeReader *reader, int64_t row, ChangeRow *out, Error *error)
{
    const Csv  *csv    = reader->csv;
    const int  *column = reader->column;
    const char *name   = csv_text(csv, row, column[COLUMN_METHOD]);
    *out               = (ChangeRow){0};
    if (strlen(name) >= sizeof out->perturbation)
        return fail(error, ERROR_DATA, "changes.csv: line %lld: method '%.60s' is unknown",
                    (long long)csv_line(csv, row), name);
    memcpy(out->perturbation, name, strlen(name) + 1);
    return read_number(reader, row, COLUMN_STRENGTH, &out->strength, error) &&
           store_arm_parse(csv_text(csv, row, column[COLUMN_STORE]), &out->store, error) &&
           csv_whole(csv, row, column[COLUMN_UNIT], 0, LIMIT_UNITS, &out->unit, error) &&
           read_concept(reader, row, COLUMN_CLEAN, &out->clean, error) &&
           read_concept(reader, row, COLUMN_NOW, &out->now, error) &&
           read_score(reader, row, COLUMN_CLEAN_LABEL_IOU, &out->clean_label_iou, error) &&
           read_target(reader, row, out, error) &&
           csv_whole(csv, row, column[COLUMN_POISONED], 0, INT32_MAX, &out->poisoned, error) &&
           read_number(reader, row, COLUMN_FRACTION, &out->fraction, error) &&
           read_number(reader, row, COLUMN_LINF_BEFORE, &out->linf_before, error) &&
           read_number(reader, row, COLUMN_LINF_AFTER, &out->linf_after, error) &&
           read_flag(reader, row, COLUMN_CHANGED, &out->changed, error) &&
           read_flag(reader, row, COLUMN_HIT, &out->hit, error) &&
           read_similarity(reader, row, out, error) && read_threshold(reader, row, out, error);
}

bool changes_read(Changes *out, const char *folder, const Explainer *explainer, Error *error)
{
    char         path[LIMIT_PATH];
    Csv         *csv     = NULL;
    Changes      changes = {0};
    ChangeReader reader  = {.explainer = explainer};
    bool done  = path_join(path, folder, "changes.csv", error) && csv_read(&csv, path, error);
    reader.csv = csv;
    for (int i = 0; done && i < COLUMN_SIMILARITY; i++)
        done = i == COLUMN_OUTCOME || !has_column(explainer, i) ||
               csv_need(csv, word_text(COLUMN_NAMES, i), &reader.column[i], error);
    for (int i = COLUMN_SIMILARITY; done && i < COLUMNS; i++) // not in every file
        reader.column[i] = csv_column(csv, word_text(COLUMN_NAMES, i));
    for (int64_t row = 0; done && row < csv_row_count(csv); row++) {
        ChangeRow change;
        done = read_row(&reader, row, &change, error) && changes_add(&changes, &change, error);
    }
    csv_close(csv);
    if (!done) {
        changes_close(&changes);
        return false;
    }
    *out = changes;
    return true;
}
