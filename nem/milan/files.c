/* nem/milan/files.c - exemplars.csv of a run folder, and what a clean run is read back for: its
 * exemplars are where an attack perturbs (N14). */
#include "milan_private.h"

#include "../../format/csv.h"
#include "../units.h"

#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

bool milan_write(const Explainer *explainer, const Evidence *evidence, const char *folder,
                 Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    if (!path_join(path, folder, MILAN_FILE, error) || !writer_open(&writer, path, error))
        return false;
    writer_text(writer, "unit,rank,image,activation,file\n");
    for (int64_t unit = 0; unit < evidence->unit_count; unit++) {
        const Exemplars *found = &evidence->exemplars[unit];
        for (int64_t rank = 0; rank < found->count; rank++) {
            writer_text(writer, "%lld,%lld,%lld,", (long long)unit, (long long)rank + 1,
                        (long long)found->image[rank]);
            units_write_float(writer, found->peak[rank]);
            writer_text(writer, ",");
            csv_write_text(writer, probe_image_path(explainer->inputs.probe, found->image[rank]));
            writer_text(writer, "\n");
        }
    }
    return writer_publish(writer, error);
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct ExemplarReader {
    Csv        *csv;
    const char *path;
    int         unit, rank, image; // columns
    int64_t     images;            // of the set
} ExemplarReader;

static bool read_row(ExemplarReader *reader, int64_t row, MilanClean *clean, Error *error)
{
    int64_t unit = 0, rank = 0, image = 0;
    if (!csv_whole(reader->csv, row, reader->unit, 0, clean->record.unit_count - 1, &unit, error) ||
        !csv_whole(reader->csv, row, reader->rank, 1, MILAN_EXEMPLARS, &rank, error) ||
        !csv_whole(reader->csv, row, reader->image, 0, reader->images - 1, &image, error))
        return false;
    Exemplars *found = &clean->exemplars[unit];
    if (rank != found->count + 1)
        return fail(error, ERROR_DATA, "%s: line %lld: rank %lld of unit %lld, expected %lld",
                    reader->path, (long long)csv_line(reader->csv, row), (long long)rank,
                    (long long)unit, (long long)found->count + 1);
    found->image[found->count++] = image;
    return true;
}

static bool have_all(const MilanClean *clean, int64_t count, const char *path, Error *error)
{
    for (int64_t unit = 0; unit < clean->record.unit_count; unit++)
        if (clean->exemplars[unit].count != count)
            return fail(error, ERROR_DATA, "%s: unit %lld has %lld exemplars, expected %lld", path,
                        (long long)unit, (long long)clean->exemplars[unit].count, (long long)count);
    return true;
}

static bool read_exemplars(const Explainer *explainer, const char *folder, MilanClean *clean,
                           Error *error)
{
    const Milan   *milan = explainer->state;
    char           path[LIMIT_PATH];
    ExemplarReader reader = {.path = path, .images = explainer->inputs.probe->image_count};
    clean->exemplars =
        memory_new((size_t)clean->record.unit_count, sizeof *clean->exemplars, error);
    bool ok = clean->exemplars && path_join(path, folder, MILAN_FILE, error) &&
              csv_read(&reader.csv, path, error) &&
              csv_need(reader.csv, "unit", &reader.unit, error) &&
              csv_need(reader.csv, "rank", &reader.rank, error) &&
              csv_need(reader.csv, "image", &reader.image, error);
    for (int64_t row = 0; ok && row < csv_row_count(reader.csv); row++)
        ok = read_row(&reader, row, clean, error);
    ok = ok && have_all(clean, milan->exemplar_count, path, error);
    csv_close(reader.csv);
    return ok;
}

bool milan_baseline(Explainer *explainer, const char *folder, Error *error)
{
    Milan     *milan = explainer->state;
    MilanClean clean = {0};
    if (!units_read(&clean.record, folder, explainer->labels, error) ||
        !read_exemplars(explainer, folder, &clean, error)) {
        milan_clean_close(&clean);
        return false;
    }
    milan_clean_close(&milan->clean);
    milan->clean = clean;
    return true;
}

void milan_clean_close(MilanClean *clean)
{
    run_record_close(&clean->record);
    memory_free(clean->exemplars);
    *clean = (MilanClean){0};
}
