/* cli/sharing.c - see sharing.h. */
#include "sharing.h"
#include "../image/image.h"
#include "output.h"

#include <string.h>

/* ---- what the plan was made for -------------------------------------------------------------- */

static bool compare(const Plan *plan, const char *of, const char *name, const char *value,
                    Error *error)
{
    const char *wanted = plan_text(plan, of, name);
    return (wanted && strcmp(wanted, value) == 0) ||
           fail(error, ERROR_DATA, "%s: %s was '%.80s' when the plan was made, now it is '%.80s'",
                plan->path, name, wanted ? wanted : "(none)", value);
}

bool sharing_identify(const Settings *settings, const Identity *identity, Error *error)
{
    const Sharing *sharing = settings->sharing;
    bool           ok      = true;
    for (int i = 0; sharing && ok && i < identity->count; i++)
        if (sharing->role == SHARING_PLAN)
            identity_text(&sharing->plan->settings, identity->name[i], identity->value[i]);
        else
            ok = compare(sharing->plan, "settings", identity->name[i], identity->value[i], error);
    return ok;
}

bool sharing_input(const Settings *settings, const char *name, const char *digest, Error *error)
{
    const Sharing *sharing = settings->sharing;
    if (!sharing)
        return true;
    if (sharing->role != SHARING_PLAN)
        return compare(sharing->plan, "inputs", name, digest, error);
    identity_text(&sharing->plan->inputs, name, digest);
    return true;
}

bool sharing_inputs(const Settings *settings, const RunInputs *inputs, Error *error)
{
    return sharing_input(settings, "files_sha256", inputs->files_sha256, error) &&
           (!*inputs->tables_sha256 ||
            sharing_input(settings, "tables_sha256", inputs->tables_sha256, error));
}

void sharing_cases(const Settings *settings, int64_t cases, const char *what)
{
    if (sharing_is(settings, SHARING_PLAN) && !settings->sharing->plan->phase_count)
        sharing_phase(settings, what, cases, what);
}

void sharing_phase(const Settings *settings, const char *name, int64_t cases, const char *what)
{
    Plan   *plan  = settings->sharing->plan;
    int64_t count = plan->shards < cases ? plan->shards : cases < 1 ? 1 : cases;
    if (what && count < plan->shards)
        note(settings,
             "note: fewer pieces than %lld: the work is cut by %s, of which there are no more than "
             "%lld",
             (long long)plan->shards, what, (long long)cases);
    plan_phase(plan, name, count);
}

void sharing_estimate(const Settings *settings, const WorkEstimate *estimate)
{
    settings->sharing->plan->estimate = *estimate;
}

Share sharing_share(const Settings *settings)
{
    const Sharing *sharing = settings->sharing;
    if (!sharing_is(settings, SHARING_PIECE))
        return (Share){0};
    const PlanPhase *phase = &sharing->plan->phases[plan_phase_of(sharing->plan, sharing->piece)];
    return (Share){sharing->piece - phase->first, phase->count};
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static bool load_piece(void *self, int64_t piece, Snapshot *out, Error *error)
{
    const Run *run     = self;
    Sharing   *sharing = run->settings->sharing;
    Piece      found;
    return shards_load(&sharing->shards, piece, &found, out, error) &&
           (found.state == PIECE_DONE || fail(error, ERROR_PIECES, "%s: piece %lld is missing",
                                              sharing->plan->path, (long long)piece));
}

static bool save_piece(void *self, const SnapshotPart *parts, int64_t count, Error *error)
{
    const Run     *run        = self;
    const Sharing *sharing    = run->settings->sharing;
    Checkpoint     checkpoint = run->checkpoint;
    char           stage[PIECE_STAGE], path[LIMIT_PATH];
    checkpoint.key = sharing->shards.key;
    shards_stage(sharing->piece, stage);
    return checkpoint_save(&checkpoint, PIECE_FILE, stage, parts, count, error) &&
           path_join(path, run->folder.path, PIECE_FILE, error) &&
           shards_publish(&sharing->shards, sharing->piece, path, error);
}

Pieces sharing_pieces(Run *run)
{
    const Sharing *sharing = run->settings->sharing;
    if (!sharing || sharing->role == SHARING_PLAN)
        return (Pieces){0};
    const Plan *plan   = sharing->plan;
    bool        is_one = sharing->role == SHARING_PIECE;
    int         phase  = is_one ? plan_phase_of(plan, sharing->piece) : plan->phase_count;
    PlanPhase   before = phase ? plan->phases[phase - 1] : (PlanPhase){0};
    return (Pieces){.first  = before.first,
                    .count  = before.count,
                    .folder = sharing->shards.folder,
                    .load   = load_piece,
                    .save   = save_piece,
                    .self   = run};
}

/* ---- all pieces of a phase ------------------------------------------------------------------- */

static bool mark_missing(Sharing *sharing, const PlanPhase *phase, const Settings *settings,
                         bool *missing, int64_t *count, int64_t *broken, Error *error)
{
    for (int64_t i = phase->first; i < phase->first + phase->count; i++) {
        Piece piece;
        if (!shards_find(&sharing->shards, i, &piece, error))
            return false;
        if (piece.wrong)
            note(settings, "%s/%s: %s", sharing->shards.folder, piece.broken, piece.wrong);
        missing[i] = piece.state != PIECE_DONE;
        *count += missing[i];
        *broken += piece.state == PIECE_BROKEN;
    }
    return true;
}

bool sharing_complete(Sharing *sharing, int phase, const Settings *settings, Error *error)
{
    const Plan      *plan  = sharing->plan;
    const PlanPhase *of    = &plan->phases[phase];
    int64_t          count = 0, broken = 0;
    char             list[256];
    bool            *missing = memory_new((size_t)plan->pieces, sizeof *missing, error);
    bool ok = missing && mark_missing(sharing, of, settings, missing, &count, &broken, error);
    if (ok && count) {
        shards_list(missing, of->first, of->first + of->count, list, sizeof list);
        bool is_whole = !strstr(list, "...");
        ok = fail(error, broken ? ERROR_DATA : ERROR_PIECES, "%.100s: %lld of %lld %s %s; %s%.255s",
                  plan->path, (long long)count, (long long)of->count,
                  of->count == 1 ? "piece is" : "pieces are",
                  broken ? "missing or broken" : "missing",
                  is_whole ? "run these again: --array=" : "for the list: nemesis plan --status ",
                  is_whole ? list : plan->path);
    }
    memory_free(missing);
    return ok;
}

/* ---- running --------------------------------------------------------------------------------- */

// How the program behaves is up to who runs a piece; what it computes is up to the plan.
static void take_manners(Settings *inner, const Settings *outer, Sharing *sharing)
{
    bool is_plan         = sharing->role == SHARING_PLAN;
    inner->sharing       = sharing;
    inner->dry_run       = is_plan;
    inner->resume        = sharing->role == SHARING_PIECE || outer->resume;
    inner->overwrite     = outer->overwrite;
    inner->quiet         = outer->quiet;
    inner->verbose       = outer->verbose;
    inner->json          = outer->json;
    inner->progress      = outer->progress;
    inner->threads       = outer->threads;
    inner->command       = outer->command;
    inner->command_count = outer->command_count;
}

static bool refuse(const Settings *inner, Error *error)
{
    const char *word = inner->dry_run       ? "dry-run"
                       : inner->resume      ? "resume"
                       : inner->overwrite   ? "overwrite"
                       : inner->keep_images ? "keep-images"
                                            : NULL;
    return !word || fail(error, ERROR_USAGE, "plan: --%s cannot be in the command of a plan", word);
}

bool sharing_run(Sharing *sharing, const Settings *outer, const char *out, Error *error)
{
    const Plan  *plan  = sharing->plan;
    int          count = plan->word_count - 1;
    Settings     inner = {0};
    const char **words = memory_new((size_t)count + 2, sizeof *words, error);
    if (!words)
        return false;
    words[0] = "--out";
    words[1] = out;
    for (int i = 0; i < count; i++)
        words[i + 2] = plan->words[i + 1];
    bool ok = arguments_parse(plan->verb, count + 2, words, &inner, error) && refuse(&inner, error);
    if (ok) {
        take_manners(&inner, outer, sharing);
        image_limits_set(
            (ImageLimits){.pixels = (size_t)inner.max_pixels, .seconds = LIMIT_DECODE_SECONDS});
        ok = plan->verb->run(&inner, error);
    }
    arguments_free(&inner);
    memory_free(words);
    return ok;
}
