/* nem/units.c - units.csv, and tables like it. */
#include "units.h"

#include "../format/csv.h"

#include <stdlib.h>

static const char FILE_NAME[] = "units.csv";

/* ---- writing --------------------------------------------------------------------------------- */

void units_write_double(Writer *writer, double value)
{
    char text[32];
    number_text(value, text);
    writer_text(writer, "%s", text);
}

void units_write_float(Writer *writer, float value)
{
    char text[32];
    int  digits = 6;
    do
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
    while (digits++ < 9 && strtof(text, NULL) != value);
    writer_text(writer, "%s", text);
}

static void write_row(Writer *writer, const Explainer *explainer, const Evidence *evidence,
                      const char *layer, int64_t unit)
{
    const Method *method = explainer->method;
    Concept concept      = method->explain(explainer, evidence, unit);
    csv_write_text(writer, layer);
    writer_text(writer, ",%lld,", (long long)unit);
    csv_write_text(writer, explainer->labels->text[concept.label]);
    writer_text(writer, ",");
    units_write_double(writer, concept.score);
    writer_text(writer, ",");
    csv_write_text(writer, explainer->labels->category[concept.category]);
    writer_text(writer, ",");
    units_write_float(writer, method->threshold ? method->threshold(evidence, unit) : 0);
    writer_text(writer, "\n");
}

bool units_write(const Explainer *explainer, const Evidence *evidence, const char *layer,
                 const char *folder, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    if (!path_join(path, folder, FILE_NAME, error) || !writer_open(&writer, path, error))
        return false;
    writer_text(writer, "layer,unit,description,score,category,threshold\n");
    for (int64_t unit = 0; unit < explainer->inputs.layer.units; unit++)
        write_row(writer, explainer, evidence, layer, unit);
    return writer_publish(writer, error);
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct TableReader {
    const UnitTable *table;
    Labels          *labels;
    const char      *path;
    Csv             *csv;
    int              unit, category, label, score, threshold; // columns
    RunRecord        record;
} TableReader;

static bool find_columns(TableReader *reader, Error *error)
{
    const UnitTable *table = reader->table;
    return csv_need(reader->csv, "unit", &reader->unit, error) &&
           csv_need(reader->csv, "category", &reader->category, error) &&
           csv_need(reader->csv, table->label, &reader->label, error) &&
           csv_need(reader->csv, table->score, &reader->score, error) &&
           (!table->threshold ||
            csv_need(reader->csv, table->threshold, &reader->threshold, error));
}

static bool read_names(const TableReader *reader, int64_t row, UnitRecord *unit, Error *error)
{
    Labels     *labels   = reader->labels;
    const char *category = csv_name(reader->csv, row, reader->category);
    const char *label    = csv_name(reader->csv, row, reader->label);
    unit->category_name  = memory_text(category, error);
    unit->label_name     = memory_text(label, error);
    unit->category       = -1;
    if (!unit->category_name || !unit->label_name)
        return false;
    if (!labels)
        return true;
    unit->category = labels_category(labels, category);
    if (unit->category < 0)
        return fail(error, ERROR_DATA, "%s: line %lld: there is no category '%.60s'", reader->path,
                    (long long)csv_line(reader->csv, row), category);
    if (!labels_number(labels, label, unit->category, &unit->label, error))
        return false;
    if (*label && unit->label == 0)
        return fail(error, ERROR_DATA, "%s: line %lld: there is no %.60s '%.60s'", reader->path,
                    (long long)csv_line(reader->csv, row), category, label);
    return true;
}

static bool read_row(const TableReader *reader, int64_t row, UnitRecord *unit, Error *error)
{
    const UnitTable *table     = reader->table;
    int64_t          number    = 0;
    double           threshold = 0;
    if (!csv_whole(reader->csv, row, reader->unit, table->first, LIMIT_UNITS + table->first - 1,
                   &number, error) ||
        !csv_number(reader->csv, row, reader->score, &unit->score, error) ||
        (table->threshold && !csv_number(reader->csv, row, reader->threshold, &threshold, error)) ||
        !read_names(reader, row, unit, error))
        return false;
    unit->unit      = number - table->first;
    unit->threshold = (float)threshold;
    return true;
}

static int by_unit(const void *a, const void *b)
{
    const UnitRecord *x = a, *y = b;
    return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static bool read_rows(TableReader *reader, Error *error)
{
    RunRecord *record = &reader->record;
    int64_t    count  = csv_row_count(reader->csv);
    record->units     = memory_new((size_t)count, sizeof *record->units, error);
    if (!record->units)
        return false;
    for (int64_t row = 0; row < count; row++) {
        record->unit_count = row + 1;
        if (!read_row(reader, row, &record->units[row], error))
            return false;
    }
    qsort(record->units, (size_t)count, sizeof *record->units, by_unit);
    for (int64_t i = 1; i < count; i++)
        if (record->units[i].unit == record->units[i - 1].unit)
            return fail(error, ERROR_DATA, "%s: unit %lld appears twice", reader->path,
                        (long long)(record->units[i].unit + reader->table->first));
    for (int64_t i = 0; i < count; i++)
        if (record->units[i].unit != i)
            return fail(error, ERROR_DATA, "%s: unit %lld is missing", reader->path,
                        (long long)(i + reader->table->first));
    return true;
}

bool unit_table_read(RunRecord *out, const UnitTable *table, const char *folder, Labels *labels,
                     Error *error)
{
    char        path[LIMIT_PATH];
    TableReader reader = {.table = table, .labels = labels, .path = path};
    bool ok = path_join(path, folder, table->file, error) && csv_read(&reader.csv, path, error) &&
              find_columns(&reader, error) && read_rows(&reader, error);
    csv_close(reader.csv);
    if (ok)
        *out = reader.record;
    else
        run_record_close(&reader.record);
    return ok;
}

bool units_read(RunRecord *out, const char *folder, Labels *labels, Error *error)
{
    UnitTable table = {
        .file = FILE_NAME, .label = "description", .score = "score", .threshold = "threshold"};
    return unit_table_read(out, &table, folder, labels, error);
}

bool record_read(RunRecord *out, const Method *method, const char *folder, Labels *labels,
                 Error *error)
{
    return (method->read ? method->read : units_read)(out, folder, labels, error);
}
