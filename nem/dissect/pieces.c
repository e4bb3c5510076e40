/* nem/dissect/pieces.c - a dissection that several machines make.
 *
 * Each share of the images keeps its largest values, as many as the threshold of the whole set can
 * depend on (D5); all of them together give the thresholds; then each share goes through the network
 * once more and counts. The second pass costs less than keeping cells would: a share cannot know
 * the threshold, so of one out of 64 a third of all cells would have to be kept. */
#include "dissect_private.h"

#include <string.h>

const MethodPhase dissect_phases[DISSECT_PIECE_PHASES] = {
    {"largest values", CUT_IMAGES}, {"thresholds", CUT_NOTHING}, {"counts", CUT_IMAGES}};

/* ---- largest values: a part for each unit ---------------------------------------------------- */

static bool save_largest(Survey *survey, const Pieces *pieces, Error *error)
{
    size_t        units = (size_t)survey->unit_count;
    SnapshotPart *parts = memory_new(units, sizeof *parts, error);
    if (!parts)
        return false;
    for (size_t unit = 0; unit < units; unit++) {
        TopValues *top = &survey->top[unit];
        top_trim(top);
        parts[unit] = (SnapshotPart){top->values, (size_t)top->count * sizeof *top->values};
    }
    bool ok = pieces_save(pieces, parts, survey->unit_count, error);
    memory_free(parts);
    return ok;
}

static bool find_largest(Dissecting *dissecting, const Pieces *pieces, Error *error)
{
    return dissecting_load(dissecting, error) && dissecting_survey(dissecting, 1, error) &&
           save_largest(&dissecting->survey, pieces, error);
}

/* ---- thresholds ------------------------------------------------------------------------------ */

// How many values of each unit a share keeps: all of its images', or as many as matter.
static int64_t values_of(const Survey *survey, Share share)
{
    Pass    pass = {.share = share};
    int64_t first, past;
    pass_images(&pass, survey->probe->image_count, &first, &past);
    int64_t values = (past - first) * survey->shape.height * survey->shape.width;
    return values < survey->rank.keep ? values : survey->rank.keep;
}

static bool add_largest(Survey *survey, const Pieces *pieces, const Snapshot *piece, int64_t index,
                        Error *error)
{
    int64_t count = values_of(survey, (Share){index, pieces->count});
    if (piece->count != survey->unit_count)
        return pieces_refuse(pieces, index, error);
    for (int64_t unit = 0; unit < survey->unit_count; unit++) {
        if (piece->parts[unit].size != (size_t)count * sizeof(float))
            return pieces_refuse(pieces, index, error);
        top_add(&survey->top[unit], piece->parts[unit].data, count);
    }
    return true;
}

static bool find_thresholds(Dissecting *dissecting, const Pieces *pieces, Error *error)
{
    Survey *survey    = &dissecting->survey;
    float  *threshold = dissecting->dissection.threshold;
    bool    ok        = true;
    for (int64_t i = 0; ok && i < pieces->count; i++) {
        Snapshot piece = {0};
        ok = pieces_load(pieces, i, &piece, error) && add_largest(survey, pieces, &piece, i, error);
        snapshot_close(&piece);
    }
    for (int64_t unit = 0; ok && unit < survey->unit_count; unit++)
        threshold[unit] = top_quantile(&survey->top[unit], survey->rank);
    SnapshotPart part = {threshold, (size_t)survey->unit_count * sizeof *threshold};
    return ok && pieces_save(pieces, &part, 1, error);
}

/* ---- counts ---------------------------------------------------------------------------------- */

enum { COUNT_PARTS = 4 };

static void list_counts(const Dissection *dissection, SnapshotPart parts[COUNT_PARTS])
{
    const ConceptTally *tally = &dissection->tally;
    size_t              units = (size_t)tally->unit_count, labels = (size_t)tally->label_count;
    parts[0] = (SnapshotPart){dissection->threshold, units * sizeof *dissection->threshold};
    parts[1] = (SnapshotPart){tally->truth, labels * sizeof *tally->truth};
    parts[2] = (SnapshotPart){tally->both, units * labels * sizeof *tally->both};
    parts[3] = (SnapshotPart){tally->activity,
                              units * (size_t)tally->category_count * sizeof *tally->activity};
}

static bool load_thresholds(Dissecting *dissecting, const Pieces *pieces, Error *error)
{
    Snapshot     piece = {0};
    SnapshotPart parts[COUNT_PARTS];
    list_counts(&dissecting->dissection, parts);
    if (!pieces_load(pieces, 0, &piece, error))
        return false;
    bool fits = piece.count == 1 && snapshot_copy_all(&piece, 0, parts, 1);
    snapshot_close(&piece);
    return fits || pieces_refuse(pieces, 0, error);
}

static bool count(Dissecting *dissecting, const Pieces *pieces, Error *error)
{
    SnapshotPart parts[COUNT_PARTS];
    dissecting->phase = PHASE_SECOND;
    if (!load_thresholds(dissecting, pieces, error) || !dissecting_load(dissecting, error) ||
        !dissecting_second(dissecting, 1, error))
        return false;
    list_counts(&dissecting->dissection, parts);
    return pieces_save(pieces, parts, COUNT_PARTS, error);
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool dissect_piece(const Explainer *explainer, const Pass *pass, int phase, Share share,
                   const Pieces *pieces, Error *error)
{
    static bool (*const steps[DISSECT_PIECE_PHASES])(Dissecting *, const Pieces *, Error *) = {
        find_largest, find_thresholds, count};
    const Inputs *inputs     = &explainer->inputs;
    DissectRules  rules      = *(const DissectRules *)explainer->mode->rules;
    Dissecting    dissecting = {0};
    (void)share;           // the pass has it
    rules.store_bytes = 0; // no cells are kept
    bool ok = dissecting_open(&dissecting, &rules, inputs, &inputs->images, pass, error) &&
              steps[phase](&dissecting, pieces, error);
    dissecting_close(&dissecting);
    dissection_close(&dissecting.dissection);
    return ok;
}

static void add(uint64_t *sum, SnapshotPart part)
{
    for (size_t i = 0; i < part.size / sizeof *sum; i++) {
        uint64_t value;
        memcpy(&value, (const char *)part.data + i * sizeof value, sizeof value);
        sum[i] += value;
    }
}

static bool add_counts(Dissection *dissection, const Pieces *pieces, const Snapshot *piece,
                       int64_t index, Error *error)
{
    SnapshotPart parts[COUNT_PARTS];
    list_counts(dissection, parts);
    bool fits = piece->count == COUNT_PARTS;
    for (int i = 0; fits && i < COUNT_PARTS; i++)
        fits = piece->parts[i].size == parts[i].size;
    if (fits && index == 0)
        memcpy(dissection->threshold, piece->parts[0].data, parts[0].size);
    if (!fits || memcmp(dissection->threshold, piece->parts[0].data, parts[0].size) != 0)
        return pieces_refuse(pieces, index, error);
    add(dissection->tally.truth, piece->parts[1]);
    add(dissection->tally.both, piece->parts[2]);
    add(dissection->tally.activity, piece->parts[3]);
    return true;
}

bool dissect_pieces(const Explainer *explainer, const Pass *pass, const Pieces *pieces,
                    Evidence **out, Error *error)
{
    const Inputs *inputs   = &explainer->inputs;
    Evidence     *evidence = memory_new(1, sizeof *evidence, error);
    (void)pass;
    if (!evidence)
        return false;
    bool ok = dissection_open(&evidence->dissection, explainer->mode->rules, inputs->probe,
                              inputs->layer.units, error);
    for (int64_t i = 0; ok && i < pieces->count; i++) {
        Snapshot piece = {0};
        ok             = pieces_load(pieces, i, &piece, error) &&
             add_counts(&evidence->dissection, pieces, &piece, i, error);
        snapshot_close(&piece);
    }
    evidence->dissection.passes = 2;
    if (ok) {
        *out = evidence;
        return true;
    }
    dissection_close(&evidence->dissection);
    memory_free(evidence);
    return false;
}
