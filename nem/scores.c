/* nem/scores.c - see scores.h. */
#include "scores.h"

#include "../probe/stream.h"

#include <math.h>
#include <string.h>

struct Evidence {
    float *scores; // [rows, labels]; label 0 keeps 0
};

static float *row_of(const Explainer *explainer, const Evidence *evidence, int64_t row)
{
    return evidence->scores + row * explainer->labels->count;
}

static size_t table_size(const Explainer *explainer, int64_t rows)
{
    return (size_t)rows * (size_t)explainer->labels->count;
}

static bool evidence_open(Evidence **out, const Explainer *explainer, int64_t rows, Error *error)
{
    Evidence *evidence = memory_new(1, sizeof *evidence, error);
    if (!evidence)
        return false;
    evidence->scores = memory_new(table_size(explainer, rows), sizeof *evidence->scores, error);
    if (!evidence->scores) {
        scores_release(evidence);
        return false;
    }
    *out = evidence;
    return true;
}

void scores_release(Evidence *evidence)
{
    if (evidence)
        memory_free(evidence->scores);
    memory_free(evidence);
}

/* ---- collecting ------------------------------------------------------------------------------ */

static int64_t cells_of(const Explainer *explainer)
{
    return explainer->inputs.layer.height * explainer->inputs.layer.width;
}

static bool add_map(const Explainer *explainer, int64_t unit, int64_t image, const float *map,
                    float *scores, Error *error)
{
    bool finite = true;
    for (int64_t i = 0; i < cells_of(explainer); i++)
        finite = finite && isfinite(map[i]);
    if (!map_check(explainer->inputs.probe, image, unit, finite, error))
        return false;
    explainer->method->score_map(explainer, image, map, scores);
    return true;
}

typedef struct Collector {
    const Explainer *explainer;
    int64_t          first, past; // units
    Evidence        *evidence;    // of these
    float           *room;        // [cells]
} Collector;

static bool take_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    const Collector *collector = self;
    const Explainer *explainer = collector->explainer;
    int64_t          units = explainer->inputs.layer.units, cells = cells_of(explainer);
    for (int64_t i = 0; i < count * units; i++) {
        int64_t unit = i % units, image = first + i / units;
        if (unit < collector->first || unit >= collector->past)
            continue;
        const float *map = map_floats(maps + i * cells, cells, collector->room);
        if (!add_map(explainer, unit, image, map,
                     row_of(explainer, collector->evidence, unit - collector->first), error))
            return false;
    }
    return true;
}

static bool collect_units(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                          int64_t first, int64_t past, Evidence **out, Error *error)
{
    const Inputs *inputs    = &explainer->inputs;
    Collector     collector = {.explainer = explainer, .first = first, .past = past};
    if (!evidence_open(&collector.evidence, explainer, past - first, error))
        return false;
    SnapshotPart state = {collector.evidence->scores,
                          table_size(explainer, past - first) * sizeof(float)};
    collector.room     = memory_new((size_t)cells_of(explainer), sizeof *collector.room, error);
    bool done          = collector.room &&
                stream_sweep(inputs, images, pass, take_batch, &collector, &state, 1, error);
    memory_free(collector.room);
    if (done)
        *out = collector.evidence;
    else
        scores_release(collector.evidence);
    return done;
}

bool scores_collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                    Evidence **out, Error *error)
{
    return collect_units(explainer, images, pass, 0, explainer->inputs.layer.units, out, error);
}

/* ---- in pieces ------------------------------------------------------------------------------- */

const MethodPhase scores_phase = {"scores", CUT_UNITS};

bool scores_piece(const Explainer *explainer, const Pass *pass, int phase, Share share,
                  const Pieces *pieces, Error *error)
{
    Evidence *evidence = NULL;
    int64_t   first, past;
    (void)phase;
    share_range(share, explainer->inputs.layer.units, 1, &first, &past);
    if (!collect_units(explainer, &explainer->inputs.images, pass, first, past, &evidence, error))
        return false;
    SnapshotPart part = {evidence->scores, table_size(explainer, past - first) * sizeof(float)};
    bool         ok   = pieces_save(pieces, &part, 1, error);
    scores_release(evidence);
    return ok;
}

bool scores_pieces(const Explainer *explainer, const Pass *pass, const Pieces *pieces,
                   Evidence **out, Error *error)
{
    Evidence *evidence = NULL;
    int64_t   units    = explainer->inputs.layer.units;
    bool      ok       = evidence_open(&evidence, explainer, units, error);
    (void)pass;
    for (int64_t i = 0; ok && i < pieces->count; i++) {
        Snapshot piece = {0};
        int64_t  first, past;
        share_range((Share){i, pieces->count}, units, 1, &first, &past);
        ok = pieces_load(pieces, i, &piece, error) &&
             (snapshot_copy(&piece, 0, row_of(explainer, evidence, first),
                            table_size(explainer, past - first) * sizeof(float)) ||
              pieces_refuse(pieces, i, error));
        snapshot_close(&piece);
    }
    if (ok)
        *out = evidence;
    else
        scores_release(evidence);
    return ok;
}

/* ---- one unit -------------------------------------------------------------------------------- */

bool scores_collect_unit(const Explainer *explainer, const UnitView *view, Evidence **out,
                         Error *error)
{
    Evidence *evidence = NULL;
    bool      done     = evidence_open(&evidence, explainer, 1, error);
    for (int64_t image = 0; done && image < explainer->inputs.probe->image_count; image++)
        done = add_map(explainer, view->unit, image, view->maps[image], evidence->scores, error);
    if (done)
        *out = evidence;
    else
        scores_release(evidence);
    return done;
}

/* ---- explaining ------------------------------------------------------------------------------ */

Concept scores_explain(const Explainer *explainer, const Evidence *evidence, int64_t row)
{
    const float *scores = row_of(explainer, evidence, row);
    int32_t      best   = 0;
    for (int32_t label = 1; label < explainer->labels->count; label++)
        if (scores[label] > scores[best])
            best = label;
    return (Concept){best, explainer->labels->category_of[best], (double)scores[best]};
}

double scores_of(const Explainer *explainer, const Evidence *evidence, int64_t row, int32_t label)
{
    return (double)row_of(explainer, evidence, row)[label];
}

bool scores_candidates(const Explainer *explainer, bool *present, Error *error)
{
    (void)error;
    memset(present + 1, true, (size_t)explainer->labels->count - 1);
    return true;
}
