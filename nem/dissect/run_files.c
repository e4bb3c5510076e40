/* nem/dissect/run_files.c - a dissection as tally.csv and quantile.npy (D21), and back.
 *
 * Columns: unit (from 1), category, label, score; for each category -label, -truth, -activation,
 * -intersect, -iou; top1 to top5 -label, -category, -iou; then unit0 (from 0) and threshold. */
#include "dissect.h"

#include "../../format/csv.h"
#include "../../format/npy.h"
#include "../units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- writing --------------------------------------------------------------------------------- */

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
    for (int rank = 1; rank <= DISSECT_TOP; rank++)
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
    units_write_double(writer, concept.score);
}

static void write_row(Writer *writer, const Dissection *dissection, int64_t unit)
{
    const ProbeSet     *probe = dissection->probe;
    const ConceptTally *tally = &dissection->tally;
    Concept             top[DISSECT_TOP];
    writer_text(writer, "%" PRId64 ",", unit + 1);
    write_concept(writer, probe, dissect_concept(dissection, unit), false);
    for (int category = 0; category < probe->category_count; category++) {
        Concept best = dissect_best_in(dissection, unit, category);
        writer_text(writer, ",");
        csv_write_text(writer, probe->labels[best.label].name);
        writer_text(writer, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", tally->truth[best.label],
                    tally->activity[unit * tally->category_count + category],
                    tally->both[unit * tally->label_count + best.label]);
        units_write_double(writer, best.score);
    }
    dissect_top(dissection, unit, top);
    for (int rank = 0; rank < DISSECT_TOP; rank++) {
        writer_text(writer, ",");
        write_concept(writer, probe, top[rank], true);
    }
    writer_text(writer, ",%" PRId64 ",", unit);
    units_write_float(writer, dissection->threshold[unit]);
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

static bool write_tally(const Dissection *dissection, const char *folder, Error *error)
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
            write_row(writer, dissection, places[i].unit);
        ok = writer_publish(writer, error);
    }
    memory_free(places);
    return ok;
}

bool dissection_write(const Dissection *dissection, const char *folder, Error *error)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, "quantile.npy", error) &&
           npy_write(path, dissection->threshold, shape_1d(dissection->tally.unit_count), error) &&
           write_tally(dissection, folder, error);
}

/* ---- reading --------------------------------------------------------------------------------- */

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

bool dissection_read(RunRecord *out, const char *folder, Labels *labels, Error *error)
{
    UnitTable table  = {.file = "tally.csv", .label = "label", .score = "score", .first = 1};
    RunRecord record = {0};
    if (!unit_table_read(&record, &table, folder, labels, error))
        return false;
    if (!read_thresholds(&record, folder, error)) {
        run_record_close(&record);
        return false;
    }
    *out = record;
    return true;
}
