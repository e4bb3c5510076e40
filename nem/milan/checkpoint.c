/* nem/milan/checkpoint.c - how far a run over all units is, on disk and back. A snapshot has the
 * parts
 *     place, extra, features, scores, texts,
 * and for each unit UNIT_PARTS more: its exemplars, the slots of their maps, the maps, and what its
 * level follows from; empty where the phase does not need them. */
#include "milan_private.h"

#include <string.h>

enum { HEAD_PARTS = 5, LEVEL_PARTS = SKETCH_PARTS, UNIT_PARTS = 3 + LEVEL_PARTS };

typedef struct Place {
    int64_t phase, next, images, units, cells, features, is_sketched, images_looked;
} Place;

/* What is saved of a level beside its values. */
typedef struct LevelState {
    SketchState sketch;
    int64_t     count;
    double      bound;
} LevelState;

static Place place_of(const Collecting *collecting)
{
    const Gathering *gathering = &collecting->gathering;
    return (Place){.phase         = collecting->phase,
                   .next          = collecting->next,
                   .images        = gathering->inputs->probe->image_count,
                   .units         = gathering->unit_count,
                   .cells         = gathering->cells,
                   .features      = collecting->milan->pyramid.features,
                   .is_sketched   = gathering->rules->is_sketched,
                   .images_looked = collecting->images_looked};
}

// Features of the items that are done, all of them in the last phase.
static SnapshotPart features_part(const Collecting *collecting)
{
    const Looks *looks = &collecting->looks;
    int64_t      count = collecting->phase == PHASE_GATHER   ? 0
                         : collecting->phase == PHASE_ENCODE ? collecting->next
                                                             : looks->count;
    return (SnapshotPart){looks->features,
                          (size_t)(count * collecting->milan->pyramid.features) * sizeof(real)};
}

/* ---- one unit -------------------------------------------------------------------------------- */

static void level_parts(const Gathering *gathering, const UnitGathering *unit, LevelState *state,
                        SnapshotPart parts[LEVEL_PARTS])
{
    if (gathering->rules->is_sketched) {
        sketch_parts(&unit->sketch, &state->sketch, parts);
        return;
    }
    state->count = unit->top.count;
    state->bound = (double)unit->top.bound;
    parts[0]     = (SnapshotPart){state, sizeof *state};
    parts[1] = (SnapshotPart){unit->top.values, (size_t)unit->top.count * sizeof *unit->top.values};
}

static void unit_parts(const Collecting *collecting, int64_t index, LevelState *state,
                       SnapshotPart parts[UNIT_PARTS])
{
    const Gathering     *gathering = &collecting->gathering;
    const UnitGathering *unit      = &gathering->units[index];
    size_t maps = (size_t)unit->exemplars.count * (size_t)gathering->cells * sizeof *unit->maps;
    parts[0]    = (SnapshotPart){&unit->exemplars, sizeof unit->exemplars};
    parts[1]    = (SnapshotPart){unit->slot, sizeof unit->slot};
    parts[2]    = (SnapshotPart){unit->maps, collecting->phase == PHASE_DECODE ? 0 : maps};
    if (collecting->phase == PHASE_GATHER)
        level_parts(gathering, unit, state, parts + 3);
}

static bool level_load(Gathering *gathering, UnitGathering *unit, const Snapshot *snapshot,
                       int64_t first, bool *fits, Error *error)
{
    LevelState state;
    if (gathering->rules->is_sketched)
        return sketch_restore(&unit->sketch, snapshot, first, fits, error);
    *fits = snapshot_copy(snapshot, first, &state, sizeof state) && state.count >= 0 &&
            state.count <= unit->top.capacity &&
            snapshot_copy(snapshot, first + 1, unit->top.values,
                          (size_t)state.count * sizeof *unit->top.values);
    if (*fits) {
        unit->top.count = state.count;
        unit->top.bound = (float)state.bound;
    }
    return true;
}

static bool exemplars_fit(const Gathering *gathering, const UnitGathering *unit)
{
    int64_t images = gathering->inputs->probe->image_count;
    if (unit->exemplars.count < 0 || unit->exemplars.count > gathering->exemplar_count)
        return false;
    for (int64_t i = 0; i < unit->exemplars.count; i++)
        if (unit->exemplars.image[i] < 0 || unit->exemplars.image[i] >= images ||
            unit->slot[i] < 0 || unit->slot[i] >= gathering->exemplar_count)
            return false;
    return true;
}

static bool unit_load(Collecting *collecting, int64_t index, const Snapshot *snapshot, bool *fits,
                      Error *error)
{
    Gathering     *gathering = &collecting->gathering;
    UnitGathering *unit      = &gathering->units[index];
    int64_t        first     = HEAD_PARTS + index * UNIT_PARTS;
    *fits = snapshot_copy(snapshot, first, &unit->exemplars, sizeof unit->exemplars) &&
            snapshot_copy(snapshot, first + 1, unit->slot, sizeof unit->slot) &&
            exemplars_fit(gathering, unit);
    if (*fits && collecting->phase != PHASE_DECODE)
        *fits = snapshot_copy(snapshot, first + 2, unit->maps,
                              (size_t)unit->exemplars.count * (size_t)gathering->cells *
                                  sizeof *unit->maps);
    return !*fits || collecting->phase != PHASE_GATHER ||
           level_load(gathering, unit, snapshot, first + 3, fits, error);
}

/* ---- captions -------------------------------------------------------------------------------- */

bool milan_join(const Evidence *evidence, int64_t count, char **out, size_t *size, Error *error)
{
    *size = 0;
    for (int64_t unit = 0; unit < count; unit++)
        *size += strlen(evidence->text[unit]) + 1;
    *out = memory_new(*size, 1, error);
    if (!*out)
        return false;
    char *at = *out;
    for (int64_t unit = 0; unit < count; unit++) {
        size_t length = strlen(evidence->text[unit]) + 1;
        memcpy(at, evidence->text[unit], length);
        at += length;
    }
    return true;
}

bool milan_split(Evidence *evidence, int64_t first, int64_t count, SnapshotPart texts, bool *fits,
                 Error *error)
{
    const char *at = texts.data, *end = at + texts.size;
    for (int64_t unit = first; *fits && unit < first + count; unit++) {
        const char *stop = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        *fits            = stop != NULL;
        if (!*fits)
            break;
        evidence->text[unit] = memory_text(at, error);
        if (!evidence->text[unit])
            return false;
        at = stop + 1;
    }
    *fits = *fits && at == end;
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

bool collecting_save(const Collecting *collecting, Error *error)
{
    const Pass     *pass     = collecting->pass;
    const Evidence *evidence = collecting->evidence;
    int64_t         units    = collecting->gathering.unit_count;
    int64_t         count    = HEAD_PARTS + UNIT_PARTS * units;
    Place           place    = place_of(collecting);
    SnapshotPart   *parts    = memory_new((size_t)count, sizeof *parts, error);
    LevelState     *states   = memory_new((size_t)units, sizeof *states, error);
    int64_t         found    = collecting->phase == PHASE_DECODE ? collecting->next : 0;
    char           *texts    = NULL;
    size_t          size     = 0;
    bool            ok       = parts && states && milan_join(evidence, found, &texts, &size, error);
    if (ok) {
        parts[0] = (SnapshotPart){&place, sizeof place};
        parts[1] = (SnapshotPart){pass->extra, pass->extra_size};
        parts[2] = features_part(collecting);
        parts[3] = (SnapshotPart){evidence->score, (size_t)units * sizeof *evidence->score};
        parts[4] = (SnapshotPart){texts, size};
        for (int64_t unit = 0; unit < units; unit++)
            unit_parts(collecting, unit, &states[unit], parts + HEAD_PARTS + UNIT_PARTS * unit);
        ok = checkpoint_save(pass->checkpoint, pass->file, pass->phase, parts, count, error);
    }
    memory_free(texts);
    memory_free(states);
    memory_free(parts);
    return ok;
}

/* ---- reading: where it fails, half of it is loaded ------------------------------------------- */

// Whether a phase can be so far.
static bool next_fits(const Collecting *collecting)
{
    const Gathering *gathering = &collecting->gathering;
    int64_t most = collecting->phase == PHASE_GATHER ? gathering->inputs->probe->image_count
                   : collecting->phase == PHASE_ENCODE
                       ? gathering->unit_count * gathering->exemplar_count
                       : gathering->unit_count;
    return collecting->next >= 0 && collecting->next <= most;
}

static bool head_load(Collecting *collecting, const Snapshot *snapshot)
{
    const Pass *pass     = collecting->pass;
    Evidence   *evidence = collecting->evidence;
    Place       place, mine = place_of(collecting);
    if (!snapshot_copy(snapshot, 0, &place, sizeof place) || place.phase < PHASE_GATHER ||
        place.phase > PHASE_DECODE ||
        snapshot->count != HEAD_PARTS + UNIT_PARTS * collecting->gathering.unit_count)
        return false;
    mine.phase                = place.phase;
    mine.next                 = place.next;
    mine.images_looked        = place.images_looked;
    collecting->phase         = (MilanPhase)place.phase;
    collecting->next          = place.next;
    collecting->images_looked = place.images_looked;
    return memcmp(&place, &mine, sizeof mine) == 0 && next_fits(collecting) &&
           snapshot_copy(snapshot, 1, pass->extra, pass->extra_size) &&
           snapshot_copy(snapshot, 3, evidence->score,
                         (size_t)evidence->unit_count * sizeof *evidence->score);
}

static bool load_parts(Collecting *collecting, const Snapshot *snapshot, bool *fits, Error *error)
{
    *fits = head_load(collecting, snapshot);
    for (int64_t unit = 0; *fits && unit < collecting->gathering.unit_count; unit++)
        if (!unit_load(collecting, unit, snapshot, fits, error))
            return false;
    if (!*fits || collecting->phase == PHASE_GATHER)
        return true;
    if (!collecting_looks(collecting, error))
        return false;
    SnapshotPart features = features_part(collecting);
    *fits                 = snapshot_copy(snapshot, 2, collecting->looks.features, features.size);
    return collecting->phase != PHASE_DECODE ||
           milan_split(collecting->evidence, 0, collecting->next, snapshot->parts[4], fits, error);
}

bool collecting_load(Collecting *collecting, Error *error)
{
    const Pass *pass     = collecting->pass;
    Snapshot    snapshot = {0};
    bool        found = false, fits = true;
    if (!pass->checkpoint)
        return true;
    if (!checkpoint_load(pass->checkpoint, pass->file, pass->phase, &snapshot, &found, error))
        return false;
    bool ok = !found || load_parts(collecting, &snapshot, &fits, error);
    snapshot_close(&snapshot);
    return ok && (fits || checkpoint_refuse(pass->checkpoint, pass->file, error));
}
