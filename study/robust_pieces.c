/* study/robust_pieces.c - a study of robustness on several machines: each measures groups of images.
 * A piece has the values of its images [rows, count], and photos, maps and attacked images of those
 * that are shown, which only the first share has. */
#include "robust_parts.h"

#include <string.h>

enum { PIECE_PARTS = 4 };

static void list_parts(const RobustRun *run, double *values, SnapshotPart parts[PIECE_PARTS])
{
    const RobustResults *kept  = run->results;
    size_t               shown = (size_t)kept->shown, cells = (size_t)run->cells;
    size_t               methods = (size_t)run->study->method_count;
    size_t               images  = (size_t)(run->past - run->begin);
    parts[0] = (SnapshotPart){values, (size_t)kept->row_count * images * sizeof *values};
    parts[1] = (SnapshotPart){kept->maps, methods * shown * 3 * cells * sizeof *kept->maps};
    parts[2] = (SnapshotPart){kept->photos, shown * (size_t)run->values * sizeof *kept->photos};
    parts[3] = (SnapshotPart){kept->attacked,
                              methods * shown * (size_t)run->values * sizeof *kept->attacked};
    for (int i = 1; i < PIECE_PARTS && run->begin > 0; i++)
        parts[i].size = 0;
}

// Between the values of a share [rows, count] and those of all images [rows, images].
static void move(const RobustRun *run, double *values, bool is_back)
{
    RobustResults *results = run->results;
    int64_t        count   = run->past - run->begin;
    for (int64_t row = 0; row < results->row_count; row++) {
        double *whole = results->values + row * results->images + run->begin;
        double *part  = values + row * count;
        memcpy(is_back ? whole : part, is_back ? part : whole, (size_t)count * sizeof *part);
    }
}

static double *room_of(const RobustRun *run, Error *error)
{
    return memory_new((size_t)(run->results->row_count * (run->past - run->begin)), sizeof(double),
                      error);
}

bool robustness_save(const RobustStudy *study, const RobustResults *results, const Pieces *pieces,
                     Error *error)
{
    RobustResults kept = *results;
    RobustRun     run  = {.study   = study,
                          .results = &kept,
                          .cells   = study->height * study->width,
                          .values  = 3 * study->height * study->width};
    SnapshotPart  parts[PIECE_PARTS];
    share_range(study->share, study->images, study->mode->group, &run.begin, &run.past);
    double *values = room_of(&run, error);
    if (!values)
        return false;
    move(&run, values, false);
    list_parts(&run, values, parts);
    bool ok = pieces_save(pieces, parts, PIECE_PARTS, error);
    memory_free(values);
    return ok;
}

static bool take(RobustRun *run, const Pieces *pieces, int64_t index, const Snapshot *piece,
                 Error *error)
{
    SnapshotPart parts[PIECE_PARTS];
    double      *values = room_of(run, error);
    if (!values)
        return false;
    list_parts(run, values, parts);
    bool fits = piece->count == PIECE_PARTS && snapshot_copy_all(piece, 0, parts, PIECE_PARTS);
    if (fits)
        move(run, values, true);
    memory_free(values);
    return fits || pieces_refuse(pieces, index, error);
}

bool robustness_join(const RobustStudy *study, const Pieces *pieces, RobustResults *out,
                     Error *error)
{
    RobustResults results = {0};
    RobustRun     run     = {.study = study, .results = &results};
    bool          ok      = robust_results_open(&run, error);
    for (int64_t i = 0; ok && i < pieces->count; i++) {
        Snapshot piece = {0};
        share_range((Share){i, pieces->count}, study->images, run.room, &run.begin, &run.past);
        ok = pieces_load(pieces, i, &piece, error) && take(&run, pieces, i, &piece, error);
        snapshot_close(&piece);
    }
    if (ok)
        *out = results;
    else
        robustness_close(&results);
    return ok;
}
