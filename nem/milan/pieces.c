/* nem/milan/pieces.c - MILAN on several machines. Exemplars are gathered by one of them: the level
 * of the published program comes from a sketch (N4), which depends on the order of all images. Then
 * each share of the units is captioned, which takes most of the time. */
#include "milan_private.h"

#include <string.h>

const MethodPhase milan_phases[2] = {{"exemplars", CUT_NOTHING}, {"captions", CUT_UNITS}};

/* ---- exemplars: for each unit its exemplars, the slots of their maps, the maps ---------------- */

enum { GATHERED = 3, DESCRIBED = 3 };

static void list_gathered(const Gathering *gathering, int64_t index, SnapshotPart parts[GATHERED])
{
    const UnitGathering *unit = &gathering->units[index];
    size_t               maps = (size_t)(gathering->exemplar_count * gathering->cells);
    parts[0]                  = (SnapshotPart){&unit->exemplars, sizeof unit->exemplars};
    parts[1]                  = (SnapshotPart){unit->slot, sizeof unit->slot};
    parts[2]                  = (SnapshotPart){unit->maps, maps * sizeof *unit->maps};
}

static bool gather(const Explainer *explainer, Collecting *collecting, const Pieces *pieces,
                   Error *error)
{
    const Gathering *gathering = &collecting->gathering;
    SnapshotPart    *parts     = NULL;
    bool             ok        = collecting_load(collecting, error) &&
              (collecting->phase != PHASE_GATHER ||
               milan_gather(collecting, &explainer->inputs.images, error));
    ok = ok && (parts = memory_new((size_t)gathering->unit_count, GATHERED * sizeof *parts, error));
    for (int64_t unit = 0; ok && unit < gathering->unit_count; unit++)
        list_gathered(gathering, unit, parts + GATHERED * unit);
    ok = ok && pieces_save(pieces, parts, GATHERED * gathering->unit_count, error);
    memory_free(parts);
    return ok;
}

static bool exemplars_fit(const Exemplars *exemplars, int64_t most, int64_t images)
{
    bool fit = exemplars->count == most;
    for (int64_t i = 0; fit && i < most; i++)
        fit = exemplars->image[i] >= 0 && exemplars->image[i] < images;
    return fit;
}

static bool load_gathered(Gathering *gathering, const Pieces *pieces, Error *error)
{
    Snapshot     piece = {0};
    SnapshotPart parts[GATHERED];
    if (!pieces_load(pieces, 0, &piece, error))
        return false;
    bool fits = true;
    for (int64_t unit = 0; fits && unit < gathering->unit_count; unit++) {
        UnitGathering *self = &gathering->units[unit];
        list_gathered(gathering, unit, parts);
        fits =
            snapshot_copy_all(&piece, GATHERED * (gathering->first_unit + unit), parts, GATHERED) &&
            exemplars_fit(&self->exemplars, gathering->exemplar_count,
                          gathering->inputs->probe->image_count);
        for (int64_t i = 0; fits && i < gathering->exemplar_count; i++)
            fits = self->slot[i] >= 0 && self->slot[i] < gathering->exemplar_count;
    }
    snapshot_close(&piece);
    return fits || pieces_refuse(pieces, 0, error);
}

/* ---- captions: exemplars, scores, texts ------------------------------------------------------ */

static bool save_described(const Evidence *evidence, const Pieces *pieces, Error *error)
{
    size_t       units = (size_t)evidence->unit_count;
    SnapshotPart parts[DESCRIBED];
    char        *texts = NULL;
    parts[0]           = (SnapshotPart){evidence->exemplars, units * sizeof *evidence->exemplars};
    parts[1]           = (SnapshotPart){evidence->score, units * sizeof *evidence->score};
    if (!milan_join(evidence, evidence->unit_count, &texts, &parts[2].size, error))
        return false;
    parts[2].data = texts;
    bool ok       = pieces_save(pieces, parts, DESCRIBED, error);
    memory_free(texts);
    return ok;
}

static bool caption(const Explainer *explainer, Collecting *collecting, const Pieces *pieces,
                    Error *error)
{
    const ImageSource *images = &explainer->inputs.images;
    collecting->phase         = PHASE_ENCODE;
    return load_gathered(&collecting->gathering, pieces, error) &&
           collecting_load(collecting, error) &&
           (collecting->looks.items || collecting_looks(collecting, error)) &&
           (collecting->phase != PHASE_ENCODE || milan_encode(collecting, images, error)) &&
           milan_decode(collecting, error) && save_described(collecting->evidence, pieces, error);
}

bool milan_piece(const Explainer *explainer, const Pass *pass, int phase, Share share,
                 const Pieces *pieces, Error *error)
{
    Milan     *milan      = explainer->state;
    Collecting collecting = {.milan = milan, .pass = pass};
    int64_t    first = 0, past = explainer->inputs.layer.units;
    if (phase == 1)
        share_range(share, past, 1, &first, &past);
    bool ok = milan_evidence(&collecting.evidence, past - first, error) &&
              gather_open(&collecting.gathering, &explainer->inputs, milan->rules, first,
                          past - first, error) &&
              (phase ? caption : gather)(explainer, &collecting, pieces, error);
    gather_close(&collecting.gathering);
    looks_close(&collecting.looks);
    milan_release(collecting.evidence);
    return ok;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool place(const Explainer *explainer, const Pieces *pieces, int64_t index,
                  Evidence *evidence, Error *error)
{
    const Milan *milan = explainer->state;
    Snapshot     piece = {0};
    int64_t      first, past;
    share_range((Share){index, pieces->count}, evidence->unit_count, 1, &first, &past);
    size_t count = (size_t)(past - first);
    if (!pieces_load(pieces, index, &piece, error))
        return false;
    SnapshotPart parts[2] = {
        {evidence->exemplars + first, count * sizeof *evidence->exemplars},
        {evidence->score + first, count * sizeof *evidence->score},
    };
    bool fits = piece.count == DESCRIBED && snapshot_copy_all(&piece, 0, parts, 2), ok = true;
    for (int64_t unit = first; fits && unit < past; unit++)
        fits = exemplars_fit(&evidence->exemplars[unit], milan->exemplar_count,
                             explainer->inputs.probe->image_count);
    if (fits)
        ok = milan_split(evidence, first, past - first, piece.parts[2], &fits, error);
    snapshot_close(&piece);
    return ok && (fits || pieces_refuse(pieces, index, error));
}

bool milan_pieces(const Explainer *explainer, const Pass *pass, const Pieces *pieces,
                  Evidence **out, Error *error)
{
    Evidence *evidence = NULL;
    bool      ok       = milan_evidence(&evidence, explainer->inputs.layer.units, error);
    (void)pass;
    for (int64_t i = 0; ok && i < pieces->count; i++)
        ok = place(explainer, pieces, i, evidence, error);
    ok = ok && milan_number(explainer, evidence, error);
    if (ok)
        *out = evidence;
    else
        milan_release(evidence);
    return ok;
}
