/* nem/dissect/checkpoint.c - a dissection's place, on disk and back. A snapshot has the parts
 *     place, extra, thresholds, truth, both, activity,
 * and for each unit UNIT_PARTS more: its counts, largest values, runs, cells, runs of each image;
 * empty where the phase does not need them. */
#include "dissect_private.h"

enum { HEAD_PARTS = 6, UNIT_PARTS = 5 };

typedef struct Place {
    int64_t  phase, next, images, units, cells;
    uint64_t peak_bytes, has_stores;
} Place;

typedef struct UnitCounts {
    int64_t  top_count;
    uint64_t run_count, run_room, cell_count, cell_room, settled;
    int64_t  images;
    float    bound, settled_bound;
} UnitCounts;

static Place place_of(const Dissecting *dissecting)
{
    const Survey *survey = &dissecting->survey;
    return (Place){.phase      = dissecting->phase,
                   .next       = dissecting->next,
                   .images     = survey->probe->image_count,
                   .units      = survey->unit_count,
                   .cells      = survey->shape.height * survey->shape.width,
                   .peak_bytes = survey->peak_bytes,
                   .has_stores = survey->stores != NULL};
}

static UnitCounts counts_of(const Survey *survey, int64_t unit)
{
    const TopValues *top    = &survey->top[unit];
    UnitCounts       counts = {.top_count = top->count, .bound = top->bound};
    if (survey->stores) {
        const CellStore *store = &survey->stores[unit];
        counts.run_count       = store->run_count;
        counts.run_room        = store->run_room;
        counts.cell_count      = store->cell_count;
        counts.cell_room       = store->cell_room;
        counts.settled         = store->settled;
        counts.settled_bound   = store->settled_bound;
        counts.images          = store->images;
    }
    return counts;
}

// The arrays of the head, of the sizes this dissection has.
static void head_parts(const Dissecting *dissecting, Place *place, SnapshotPart parts[HEAD_PARTS])
{
    const Pass         *pass  = dissecting->pass;
    const ConceptTally *tally = &dissecting->dissection.tally;
    size_t              units = (size_t)tally->unit_count, labels = (size_t)tally->label_count;
    size_t              activity = units * (size_t)tally->category_count;
    parts[0]                     = (SnapshotPart){place, sizeof *place};
    parts[1]                     = (SnapshotPart){pass->extra, pass->extra_size};
    parts[2] = (SnapshotPart){dissecting->dissection.threshold, units * sizeof(float)};
    parts[3] = (SnapshotPart){tally->truth, labels * sizeof *tally->truth};
    parts[4] = (SnapshotPart){tally->both, units * labels * sizeof *tally->both};
    parts[5] = (SnapshotPart){tally->activity, activity * sizeof *tally->activity};
}

static void unit_parts(const Survey *survey, int64_t unit, bool with_top, UnitCounts *counts,
                       SnapshotPart parts[UNIT_PARTS])
{
    const TopValues *top = &survey->top[unit];
    for (int i = 0; i < UNIT_PARTS; i++)
        parts[i] = (SnapshotPart){0};
    parts[0] = (SnapshotPart){counts, sizeof *counts};
    if (with_top)
        parts[1] = (SnapshotPart){top->values, (size_t)counts->top_count * sizeof *top->values};
    if (!survey->stores)
        return;
    const CellStore *store = &survey->stores[unit];
    parts[2] = (SnapshotPart){store->runs, 2 * counts->run_count * sizeof *store->runs};
    parts[3] = (SnapshotPart){store->cells, counts->cell_count * sizeof *store->cells};
    parts[4] = (SnapshotPart){store->image_runs, (size_t)counts->images * sizeof(uint16_t)};
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool save(const Dissecting *dissecting, Error *error)
{
    const Pass   *pass     = dissecting->pass;
    const Survey *survey   = &dissecting->survey;
    bool          with_top = dissecting->phase == PHASE_SURVEY;
    int64_t       units    = dissecting->phase == PHASE_SECOND ? 0 : survey->unit_count;
    int64_t       count    = HEAD_PARTS + UNIT_PARTS * units;
    Place         place    = place_of(dissecting);
    SnapshotPart *parts    = memory_new((size_t)count, sizeof *parts, error);
    UnitCounts   *counts   = memory_new((size_t)units, sizeof *counts, error);
    bool          ok       = parts && counts;
    if (ok)
        head_parts(dissecting, &place, parts);
    for (int64_t unit = 0; ok && unit < units; unit++) {
        counts[unit] = counts_of(survey, unit);
        unit_parts(survey, unit, with_top, &counts[unit], parts + HEAD_PARTS + UNIT_PARTS * unit);
    }
    ok = ok && checkpoint_save(pass->checkpoint, pass->file, pass->phase, parts, count, error);
    memory_free(counts);
    memory_free(parts);
    return ok;
}

bool dissecting_pause(void *self, int64_t next, Error *error)
{
    Dissecting *dissecting = self;
    bool        stop       = pass_cancelled(dissecting->pass);
    dissecting->next       = next;
    if (pass_saves(dissecting->pass, stop) && !save(dissecting, error))
        return false;
    return !stop ||
           pass_interrupted(dissecting->pass, next, dissecting->survey.probe->image_count, error);
}

/* ---- reading: where it fails, half of it is loaded ------------------------------------------- */

// Makes room for what the counts say. *fits false: they cannot be right.
static bool make_room(Dissecting *dissecting, int64_t unit, const UnitCounts *counts, bool *fits,
                      Error *error)
{
    const Survey *survey = &dissecting->survey;
    TopValues    *top    = &survey->top[unit];
    size_t        most   = survey->rules->store_bytes;
    int64_t       images =
        dissecting->phase == PHASE_SURVEY ? dissecting->next : survey->probe->image_count;
    *fits      = counts->top_count >= 0 && counts->top_count <= top->capacity;
    top->count = *fits ? counts->top_count : 0;
    top->bound = counts->bound;
    if (!survey->stores || !*fits)
        return true;
    CellStore *store     = &survey->stores[unit];
    store->run_count     = counts->run_count;
    store->cell_count    = counts->cell_count;
    store->settled       = counts->settled;
    store->settled_bound = counts->settled_bound;
    store->images        = counts->images;
    *fits                = counts->run_count <= counts->run_room &&
            counts->run_room <= most / (2 * sizeof *store->runs) &&
            counts->cell_count <= counts->cell_room &&
            counts->cell_room <= most / sizeof *store->cells && counts->images == images;
    if (!*fits)
        return true;
    store->runs  = memory_new(counts->run_room, 2 * sizeof *store->runs, error);
    store->cells = memory_new(counts->cell_room, sizeof *store->cells, error);
    if (!store->runs || !store->cells)
        return false;
    store->run_room  = counts->run_room;
    store->cell_room = counts->cell_room;
    return true;
}

static bool load_units(Dissecting *dissecting, const Snapshot *snapshot, bool *fits, Error *error)
{
    Survey *survey = &dissecting->survey;
    *fits          = snapshot->count == HEAD_PARTS + UNIT_PARTS * survey->unit_count;
    for (int64_t unit = 0; *fits && unit < survey->unit_count; unit++) {
        int64_t      first = HEAD_PARTS + UNIT_PARTS * unit;
        UnitCounts   counts;
        SnapshotPart parts[UNIT_PARTS];
        *fits = snapshot_copy(snapshot, first, &counts, sizeof counts);
        if (*fits && !make_room(dissecting, unit, &counts, fits, error))
            return false;
        if (!*fits)
            return true;
        unit_parts(survey, unit, dissecting->phase == PHASE_SURVEY, &counts, parts);
        *fits = snapshot_copy_all(snapshot, first + 1, parts + 1, UNIT_PARTS - 1) &&
                (!survey->stores ||
                 cells_valid(&survey->stores[unit], &survey->shape, survey->probe->image_count));
    }
    return true;
}

static bool load_place(Dissecting *dissecting, const Snapshot *snapshot, Place *place)
{
    Place now = place_of(dissecting);
    return snapshot_copy(snapshot, 0, place, sizeof *place) && place->phase >= PHASE_SURVEY &&
           place->phase <= PHASE_SECOND && place->next >= 0 && place->next <= now.images &&
           place->images == now.images && place->units == now.units && place->cells == now.cells &&
           (now.has_stores || !place->has_stores) &&
           (place->has_stores || place->phase != PHASE_KEPT);
}

bool dissecting_load(Dissecting *dissecting, Error *error)
{
    const Pass  *pass     = dissecting->pass;
    Snapshot     snapshot = {0};
    Place        place;
    SnapshotPart parts[HEAD_PARTS];
    bool         found = false, fits = true;
    if (!pass->checkpoint)
        return true;
    if (!checkpoint_load(pass->checkpoint, pass->file, pass->phase, &snapshot, &found, error))
        return false;
    if (!found)
        return true;
    fits = load_place(dissecting, &snapshot, &place);
    if (fits) {
        dissecting->phase             = (DissectPhase)place.phase;
        dissecting->next              = place.next;
        dissecting->survey.peak_bytes = (size_t)place.peak_bytes;
        if (!place.has_stores)
            survey_drop(&dissecting->survey);
        head_parts(dissecting, &place, parts);
        fits = snapshot_copy_all(&snapshot, 1, parts + 1, HEAD_PARTS - 1);
    }
    bool ok = !fits || dissecting->phase == PHASE_SECOND ||
              load_units(dissecting, &snapshot, &fits, error);
    snapshot_close(&snapshot);
    return ok && (fits || checkpoint_refuse(pass->checkpoint, pass->file, error));
}
