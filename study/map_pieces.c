/* study/map_pieces.c - attacks on maps on several machines: each runs neighbouring cases. A piece has
 * the rows of its cases in three parts, and then a part for each case: the image before and after,
 * and three maps, from which whoever puts pieces together writes the files of the case. */
#include "map_case.h"

#include <stdio.h>
#include <string.h>

enum { ROWS = 3, CASE_PARTS = 5 };

typedef struct Sizes {
    size_t image, map; // bytes
} Sizes;

static Sizes sizes_of(const MapStudy *study)
{
    size_t cells = (size_t)(study->height * study->width);
    return (Sizes){3 * cells * sizeof(real), cells * sizeof(float)};
}

static void case_names(int64_t index, char file[48], char stage[48])
{
    snprintf(stage, 48, "case %lld", (long long)index);
    snprintf(file, 48, "case-%lld" PASS_FILE_ENDING, (long long)index);
}

bool map_case_keep(const MapStudy *study, const MapCase *result, Checkpoint *checkpoint,
                   Error *error)
{
    Sizes        size              = sizes_of(study);
    SnapshotPart parts[CASE_PARTS] = {{result->clean, size.image},
                                      {result->attacked, size.image},
                                      {result->before, size.map},
                                      {result->target, size.map},
                                      {result->after, size.map}};
    char         file[48], stage[48];
    case_names(result->method * study->pairs + result->pair, file, stage);
    return checkpoint_save(checkpoint, file, stage, parts, CASE_PARTS, error);
}

// Rows of the cases from `first` to before `past`.
static void list_rows(const MapStudy *study, const MapResults *results, int64_t first, int64_t past,
                      SnapshotPart parts[ROWS])
{
    RowCounts from = map_rows(study, first), to = map_rows(study, past);
    parts[0] = (SnapshotPart){results->measures + from.measures,
                              (size_t)(to.measures - from.measures) * sizeof *results->measures};
    parts[1] =
        (SnapshotPart){results->smoothings + from.smoothings,
                       (size_t)(to.smoothings - from.smoothings) * sizeof *results->smoothings};
    parts[2] = (SnapshotPart){results->steps + from.steps,
                              (size_t)(to.steps - from.steps) * sizeof *results->steps};
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool load_case(const MapStudy *study, Checkpoint *kept, int64_t index, Snapshot *out,
                      SnapshotPart parts[CASE_PARTS], Error *error)
{
    Sizes size  = sizes_of(study);
    bool  found = false;
    char  file[48], stage[48];
    case_names(index, file, stage);
    if (!checkpoint_load(kept, file, stage, out, &found, error))
        return false;
    for (int i = 0; found && i < CASE_PARTS; i++) {
        parts[i] = i < out->count ? out->parts[i] : (SnapshotPart){0};
        found    = parts[i].size == (i < 2 ? size.image : size.map);
    }
    return found || checkpoint_refuse(kept, file, error);
}

bool map_results_save(const MapStudy *study, const MapResults *results, Checkpoint *kept,
                      const Pieces *pieces, Error *error)
{
    int64_t    first, past;
    Checkpoint reader = *kept;
    reader.resume     = true;
    share_range(study->share, study->method_count * study->pairs, 1, &first, &past);
    int64_t       count = ROWS + CASE_PARTS * (past - first);
    Snapshot     *cases = memory_new((size_t)(past - first), sizeof *cases, error);
    SnapshotPart *parts = memory_new((size_t)count, sizeof *parts, error);
    bool          ok    = cases && parts;
    if (ok)
        list_rows(study, results, first, past, parts);
    for (int64_t i = 0; ok && i < past - first; i++)
        ok = load_case(study, &reader, first + i, &cases[i], parts + ROWS + CASE_PARTS * i, error);
    ok = ok && pieces_save(pieces, parts, count, error);
    for (int64_t i = 0; cases && i < past - first; i++)
        snapshot_close(&cases[i]);
    memory_free(cases);
    memory_free(parts);
    return ok;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_flag(const bool *flag)
{
    uint8_t byte; // what is no bool must not be read as one
    memcpy(&byte, flag, sizeof byte);
    return byte <= 1;
}

// Whether rows name what there is.
static bool rows_fit(const MapStudy *study, const MapResults *results, RowCounts from, RowCounts to)
{
    bool fit = true;
    for (int64_t i = from.measures; fit && i < to.measures; i++) {
        const MapMeasure *row = &results->measures[i];
        fit                   = row->pair >= 0 && row->pair < study->pairs && row->method >= 0 &&
              row->method < study->method_count && (unsigned)row->store < STORE_ARMS &&
              is_flag(&row->is_softplus) && is_flag(&row->is_control);
    }
    for (int64_t i = from.smoothings; fit && i < to.smoothings; i++)
        fit = results->smoothings[i].pair >= 0 && results->smoothings[i].pair < study->pairs &&
              results->smoothings[i].method >= 0 &&
              results->smoothings[i].method < study->method_count;
    for (int64_t i = from.steps; fit && i < to.steps; i++)
        fit = results->steps[i].pair >= 0 && results->steps[i].pair < study->pairs &&
              results->steps[i].method >= 0 && results->steps[i].method < study->method_count;
    return fit;
}

static bool finish_case(const MapStudy *study, int64_t index, const SnapshotPart parts[CASE_PARTS],
                        Error *error)
{
    MapCase result = {.pair     = (int)(index % study->pairs),
                      .method   = (int)(index / study->pairs),
                      .clean    = parts[0].data,
                      .attacked = parts[1].data,
                      .before   = parts[2].data,
                      .target   = parts[3].data,
                      .after    = parts[4].data};
    return study->done(study->self, &result, error);
}

static bool take(const MapStudy *study, const Pieces *pieces, int64_t index, const Snapshot *piece,
                 MapResults *results, Error *error)
{
    Sizes        size = sizes_of(study);
    int64_t      first, past;
    SnapshotPart rows[ROWS];
    share_range((Share){index, pieces->count}, study->method_count * study->pairs, 1, &first,
                &past);
    list_rows(study, results, first, past, rows);
    bool fits = piece->count == ROWS + CASE_PARTS * (past - first) &&
                snapshot_copy_all(piece, 0, rows, ROWS) &&
                rows_fit(study, results, map_rows(study, first), map_rows(study, past));
    for (int64_t i = ROWS; fits && i < piece->count; i++)
        fits = piece->parts[i].size == ((i - ROWS) % CASE_PARTS < 2 ? size.image : size.map);
    if (!fits)
        return pieces_refuse(pieces, index, error);
    for (int64_t i = first; i < past; i++)
        if (!finish_case(study, i, piece->parts + ROWS + CASE_PARTS * (i - first), error))
            return false;
    return true;
}

bool map_results_join(const MapStudy *study, const Pieces *pieces, MapResults *out, Error *error)
{
    MapResults results = {0};
    bool       ok      = map_results_open(&results, study, error);
    for (int64_t i = 0; ok && i < pieces->count; i++) {
        Snapshot piece = {0};
        ok             = pieces_load(pieces, i, &piece, error) &&
             take(study, pieces, i, &piece, &results, error);
        snapshot_close(&piece);
    }
    if (!ok) {
        map_results_close(&results);
        return false;
    }
    RowCounts all           = map_rows(study, INT64_MAX);
    results.cases           = all.cases;
    results.measure_count   = all.measures;
    results.smoothing_count = all.smoothings;
    results.step_count      = all.steps;
    *out                    = results;
    return true;
}
