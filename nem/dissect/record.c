/* nem/dissect/record.c - a dissection as tally.csv and quantile.npy, and back (6.7).
 *
 * Columns: unit (from 1), category, label, score; for each category -label, -truth, -activation,
 * -intersect, -iou; top1 to top5 -label, -category, -iou; then unit0 (from 0) and threshold. */
#include "dissect.h"

#include "../../base/file.h"
#include "../../format/csv.h"
#include "../../format/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

// The fewest digits that read back as the same number.
static void write_number(Writer *writer, double value)
{
    char text[32];
    int  digits = 15;
    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (digits++ < 17 && strtod(text, NULL) != value);
    writer_text(writer, "%s", text);
}

static void write_float(Writer *writer, float value)
{
    char text[32];
    int  digits = 6;
    do
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
    while (digits++ < 9 && strtof(text, NULL) != value);
    writer_text(writer, "%s", text);
}

static void write_header(Writer *writer, const ProbeSet *probe)
{
    static const char *const fields[5] = {"-label", "-truth", "-activation", "-intersect", "-iou"};
    writer_text(writer, "unit,category,label,score");
    for (int category = 0; category < probe->category_count; category++)
        for (int field = 0; field < 5; field++) {
            char name[LIMIT_PATH];
            snprintf(name, sizeof name, "%s%s", probe->category[category], fields[field]);
            writer_text(writer, ",");
            csv_write_text(writer, name);
        }
    for (int rank = 1; rank <= NEM_TOP; rank++)
        writer_text(writer, ",top%d-label,top%d-category,top%d-iou", rank, rank, rank);
    writer_text(writer, ",unit0,threshold\n");
}

static void write_concept(Writer *writer, const ProbeSet *probe, Concept concept, bool label_first)
{
    const char *label    = probe->labels[concept.label].name,
               *category = probe->category[concept.category];
    csv_write_text(writer, label_first ? label : category);
    writer_text(writer, ",");
    csv_write_text(writer, label_first ? category : label);
    writer_text(writer, ",");
    write_number(writer, concept.score);
}

static void write_row(Writer *writer, const Dissection *dissection, int64_t unit, int64_t number)
{
    const ProbeSet     *probe = dissection->probe;
    const ConceptTally *tally = &dissection->tally;
    Concept             top[NEM_TOP];
    writer_text(writer, "%" PRId64 ",", number + 1);
    write_concept(writer, probe, dissect_concept(dissection, unit), false);
    for (int category = 0; category < probe->category_count; category++) {
        Concept best = dissect_best_in(dissection, unit, category);
        writer_text(writer, ",");
        csv_write_text(writer, probe->labels[best.label].name);
        writer_text(writer, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", tally->truth[best.label],
                    tally->activity[unit * tally->category_count + category],
                    tally->both[unit * tally->label_count + best.label]);
        write_number(writer, best.score);
    }
    dissect_top(dissection, unit, top);
    for (int rank = 0; rank < NEM_TOP; rank++) {
        writer_text(writer, ",");
        write_concept(writer, probe, top[rank], true);
    }
    writer_text(writer, ",%" PRId64 ",", number);
    write_float(writer, dissection->threshold[unit]);
    writer_text(writer, "\n");
}

typedef struct Place {
    double  score;
    int64_t unit;
} Place;

static int by_score(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static bool write_tally(const Dissection *dissection, const int64_t *units, const char *folder,
                        Error *error)
{
    char    path[LIMIT_PATH];
    int64_t count  = dissection->tally.unit_count;
    Place  *places = memory_new((size_t)count, sizeof *places, error);
    Writer *writer = NULL;
    bool    ok =
        places && path_join(path, folder, "tally.csv", error) && writer_open(&writer, path, error);
    if (ok) {
        for (int64_t unit = 0; unit < count; unit++)
            places[unit] = (Place){dissect_concept(dissection, unit).score, unit};
        qsort(places, (size_t)count, sizeof *places, by_score);
        write_header(writer, dissection->probe);
        for (int64_t i = 0; i < count; i++)
            write_row(writer, dissection, places[i].unit,
                      units ? units[places[i].unit] : places[i].unit);
        ok = writer_publish(writer, error);
    }
    memory_free(places);
    return ok;
}

bool dissection_write(const Dissection *dissection, const int64_t *units, const char *folder,
                      Error *error)
{
    char path[LIMIT_PATH];
    for (int64_t i = 1; units && i < dissection->tally.unit_count; i++)
        if (units[i] <= units[i - 1])
            return fail(error, ERROR_INTERNAL, "%s: units are not in increasing order", folder);
    return path_join(path, folder, "quantile.npy", error) &&
           npy_write(path, dissection->threshold, shape_1d(dissection->tally.unit_count), error) &&
           write_tally(dissection, units, folder, error);
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct RunReader {
    const ProbeSet *probe;
    const char     *path; // of tally.csv
    Csv            *csv;
    int             unit, category, label, score; // columns
    RunRecord       record;
} RunReader;

static bool read_concept(RunReader *reader, int64_t row, UnitRecord *unit, Error *error)
{
    const ProbeSet *probe    = reader->probe;
    const char     *category = csv_name(reader->csv, row, reader->category);
    const char     *label    = csv_name(reader->csv, row, reader->label);
    unit->category_name      = memory_text(category, error);
    unit->label_name         = memory_text(label, error);
    unit->category           = -1;
    if (!unit->category_name || !unit->label_name)
        return false;
    if (!probe)
        return true;
    unit->category = probe_category_named(probe, category);
    if (unit->category < 0)
        return fail(error, ERROR_DATA, "%s: line %lld: category '%.60s' is not in %.200s",
                    reader->path, (long long)csv_line(reader->csv, row), category, probe->folder);
    unit->label = probe_label_named(probe, label, unit->category);
    if (*label && unit->label == 0)
        return fail(error, ERROR_DATA, "%s: line %lld: %.60s '%.60s' is not in %.200s",
                    reader->path, (long long)csv_line(reader->csv, row), category, label,
                    probe->folder);
    return true;
}

static bool read_rows(RunReader *reader, Error *error)
{
    Csv       *csv    = reader->csv;
    RunRecord *record = &reader->record;
    if (!csv_need(csv, "unit", &reader->unit, error) ||
        !csv_need(csv, "category", &reader->category, error) ||
        !csv_need(csv, "label", &reader->label, error) ||
        !csv_need(csv, "score", &reader->score, error))
        return false;
    record->units = memory_new((size_t)csv_row_count(csv), sizeof *record->units, error);
    if (!record->units)
        return false;
    for (int64_t row = 0; row < csv_row_count(csv); row++) {
        UnitRecord *unit   = &record->units[row];
        int64_t     number = 0;
        record->unit_count = row + 1;
        if (!csv_whole(csv, row, reader->unit, 1, LIMIT_UNITS, &number, error) ||
            !csv_number(csv, row, reader->score, &unit->score, error) ||
            !read_concept(reader, row, unit, error))
            return false;
        unit->unit = number - 1;
    }
    return true;
}

static int by_unit(const void *a, const void *b)
{
    const UnitRecord *x = a, *y = b;
    return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static bool read_thresholds(RunRecord *record, const char *folder, Error *error)
{
    char   path[LIMIT_PATH];
    float *thresholds = NULL;
    Shape  shape;
    if (!path_join(path, folder, "quantile.npy", error) ||
        !npy_read(path, &thresholds, &shape, error))
        return false;
    bool ok = shape.rank == 1 && shape.dim[0] == record->unit_count;
    if (!ok)
        fail(error, ERROR_DATA, "%s: has shape %s, expected the %lld units of tally.csv", path,
             SHAPE_TEXT(shape), (long long)record->unit_count);
    for (int64_t i = 0; ok && i < record->unit_count; i++) {
        record->units[i].threshold = thresholds[i];
        if (!isfinite(thresholds[i]))
            ok = fail(error, ERROR_DATA, "%s: threshold %lld is not a finite number", path,
                      (long long)i);
    }
    memory_free(thresholds);
    return ok;
}

bool run_record_open(RunRecord *out, const char *folder, const ProbeSet *probe, Error *error)
{
    char      path[LIMIT_PATH];
    Bytes     bytes  = {0};
    RunReader reader = {.probe = probe, .path = path};
    bool      ok     = path_join(path, folder, "tally.csv", error) &&
              file_read(path, LIMIT_TEXT_FILE, &bytes, error) &&
              csv_open(&reader.csv, bytes.data, bytes.size, path, error) &&
              read_rows(&reader, error);
    RunRecord *record = &reader.record;
    if (ok && record->unit_count > 0)
        qsort(record->units, (size_t)record->unit_count, sizeof *record->units, by_unit);
    for (int64_t i = 1; ok && i < record->unit_count; i++)
        if (record->units[i].unit == record->units[i - 1].unit)
            ok = fail(error, ERROR_DATA, "%s: unit %lld appears twice", path,
                      (long long)record->units[i].unit + 1);
    ok = ok && read_thresholds(record, folder, error);
    csv_close(reader.csv);
    bytes_close(&bytes);
    if (ok)
        *out = *record;
    else
        run_record_close(record);
    return ok;
}

void run_record_close(RunRecord *record)
{
    for (int64_t i = 0; record->units && i < record->unit_count; i++) {
        memory_free(record->units[i].label_name);
        memory_free(record->units[i].category_name);
    }
    memory_free(record->units);
    *record = (RunRecord){0};
}
