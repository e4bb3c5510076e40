/* nem/dissect/stage.c - a dissection's place, on disk and back. A snapshot has the parts
 *     place, extra, thresholds, truth, both, activity,
 * and for each unit UNIT_PARTS more: its counts, largest values, runs, cells, runs of each image;
 * empty where the phase does not need them. */
#include "parts.h"

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

static Place place_of(const Stage *stage)
{
    const Survey *survey = stage->survey;
    return (Place){.phase      = stage->phase,
                   .next       = stage->next,
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
static void head_parts(const Stage *stage, Place *place, SnapshotPart parts[HEAD_PARTS])
{
    const PassCheckpoint *keep  = stage->settings->keep;
    ConceptTally         *tally = &stage->dissection->tally;
    size_t                units = (size_t)tally->unit_count, labels = (size_t)tally->label_count;
    size_t                activity = units * (size_t)tally->category_count;
    parts[0] = (SnapshotPart){place, sizeof *place};
    parts[1] = (SnapshotPart){keep->extra, keep->extra_size};
    parts[2] = (SnapshotPart){stage->dissection->threshold, units * sizeof(float)};
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

static bool stage_save(Stage *stage, Error *error)
{
    const PassCheckpoint *keep     = stage->settings->keep;
    const Survey         *survey   = stage->survey;
    bool                  with_top = stage->phase == PHASE_SURVEY;
    int64_t               units    = stage->phase == PHASE_SECOND ? 0 : survey->unit_count;
    int64_t               count    = HEAD_PARTS + UNIT_PARTS * units;
    Place                 place    = place_of(stage);
    SnapshotPart         *parts    = memory_new((size_t)count, sizeof *parts, error);
    UnitCounts           *counts   = memory_new((size_t)units, sizeof *counts, error);
    bool                  ok       = parts && counts;
    if (ok)
        head_parts(stage, &place, parts);
    for (int64_t unit = 0; ok && unit < units; unit++) {
        counts[unit] = counts_of(survey, unit);
        unit_parts(survey, unit, with_top, &counts[unit], parts + HEAD_PARTS + UNIT_PARTS * unit);
    }
    ok = ok && checkpoint_save(keep->checkpoint, keep->name, keep->stage, parts, count, error);
    memory_free(counts);
    memory_free(parts);
    return ok;
}

bool pass_cancelled(const DissectSettings *settings)
{
    return settings->cancel && *settings->cancel;
}

bool pass_keeps(const DissectSettings *settings, bool cancelled)
{
    return settings->keep && (cancelled || checkpoint_due(settings->keep->checkpoint));
}

bool pass_interrupted(const DissectSettings *settings, int64_t done, int64_t total, Error *error)
{
    return fail(error, ERROR_AGAIN, "interrupted after %lld of %lld images%s", (long long)done,
                (long long)total, settings->keep ? CHECKPOINT_HINT : "");
}

bool stage_pause(void *self, int64_t next, Error *error)
{
    Stage                 *stage    = self;
    const DissectSettings *settings = stage->settings;
    bool                   stop     = pass_cancelled(settings);
    stage->next                     = next;
    if (pass_keeps(settings, stop) && !stage_save(stage, error))
        return false;
    return !stop || pass_interrupted(settings, next, stage->survey->probe->image_count, error);
}

/* ---- reading: where it fails, half of it is loaded --------------------------------------------- */

// Makes room for what the counts say. *fits false: they cannot be right.
static bool make_room(const Stage *stage, int64_t unit, const UnitCounts *counts, bool *fits,
                      Error *error)
{
    const Survey *survey = stage->survey;
    TopValues    *top    = &survey->top[unit];
    size_t        most   = survey->settings->store_bytes;
    int64_t       images = stage->phase == PHASE_SURVEY ? stage->next : survey->probe->image_count;
    *fits          = counts->top_count >= 0 && counts->top_count <= top->capacity;
    top->count     = *fits ? counts->top_count : 0;
    top->bound     = counts->bound;
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

static bool load_units(const Stage *stage, const Snapshot *snapshot, bool *fits, Error *error)
{
    Survey *survey = stage->survey;
    *fits          = snapshot->count == HEAD_PARTS + UNIT_PARTS * survey->unit_count;
    for (int64_t unit = 0; *fits && unit < survey->unit_count; unit++) {
        int64_t      first = HEAD_PARTS + UNIT_PARTS * unit;
        UnitCounts   counts;
        SnapshotPart parts[UNIT_PARTS];
        *fits = snapshot_copy(snapshot, first, &counts, sizeof counts);
        if (*fits && !make_room(stage, unit, &counts, fits, error))
            return false;
        if (!*fits)
            return true;
        unit_parts(survey, unit, stage->phase == PHASE_SURVEY, &counts, parts);
        *fits = snapshot_copy_all(snapshot, first + 1, parts + 1, UNIT_PARTS - 1) &&
                (!survey->stores || cells_valid(&survey->stores[unit], &survey->shape,
                                                survey->probe->image_count));
    }
    return true;
}

static bool load_place(Stage *stage, const Snapshot *snapshot, Place *place)
{
    Place now = place_of(stage);
    return snapshot_copy(snapshot, 0, place, sizeof *place) && place->phase >= PHASE_SURVEY &&
           place->phase <= PHASE_SECOND && place->next >= 0 && place->next <= now.images &&
           place->images == now.images && place->units == now.units && place->cells == now.cells &&
           (now.has_stores || !place->has_stores) &&
           (place->has_stores || place->phase != PHASE_KEPT);
}

bool stage_load(Stage *stage, Error *error)
{
    const PassCheckpoint *keep     = stage->settings->keep;
    Snapshot              snapshot = {0};
    Place                 place;
    SnapshotPart          parts[HEAD_PARTS];
    bool                  found = false, fits = true;
    if (!keep)
        return true;
    if (!checkpoint_load(keep->checkpoint, keep->name, keep->stage, &snapshot, &found, error))
        return false;
    if (!found)
        return true;
    fits = load_place(stage, &snapshot, &place);
    if (fits) {
        stage->phase              = (DissectPhase)place.phase;
        stage->next               = place.next;
        stage->survey->peak_bytes = (size_t)place.peak_bytes;
        if (!place.has_stores)
            survey_drop(stage->survey);
        head_parts(stage, &place, parts);
        fits = snapshot_copy_all(&snapshot, 1, parts + 1, HEAD_PARTS - 1);
    }
    bool ok = !fits || stage->phase == PHASE_SECOND || load_units(stage, &snapshot, &fits, error);
    snapshot_close(&snapshot);
    return ok && (fits || checkpoint_refuse(keep->checkpoint, keep->name, error));
}
