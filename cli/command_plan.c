/* cli/command_plan.c - cuts one run into pieces for many machines, and says how far they are. */
#include "commands.h"
#include "next.h"
#include "output.h"
#include "run_state.h"
#include "sharing.h"

#include <stdlib.h>
#include <string.h>

/* ---- making a plan --------------------------------------------------------------------------- */

static bool show(const Plan *plan, const Settings *settings, Error *error)
{
    char time[32], path[NEXT_WORD];
    if (settings->json) {
        char  name[LIMIT_PATH];
        Bytes bytes = {0};
        bool  ok    = path_join(name, plan->path, "plan.json", error) &&
                  file_read(name, JSON_BYTES, &bytes, error);
        if (ok)
            fwrite(bytes.data, 1, bytes.size, stdout);
        bytes_close(&bytes);
        return ok;
    }
    printf("%s in %lld pieces:\n", plan->verb->name, (long long)plan->pieces);
    for (int i = 0; i < plan->phase_count; i++)
        printf("  %lld to %lld  %s\n", (long long)plan->phases[i].first,
               (long long)(plan->phases[i].first + plan->phases[i].count - 1),
               plan->phases[i].name);
    if (plan->estimate.seconds >= 0) {
        duration_text(plan->estimate.seconds, time);
        printf("on this machine alone it would take about %s and %.0f MB of memory\n", time,
               (double)plan->estimate.memory_bytes / 1e6);
    }
    shell_word(plan->path, "", path);
    if (!output_flush(error))
        return false;
    note(settings, "by Slurm: sbatch %s/run.sbatch; on this machine: sh %s/run.sh", path, path);
    tell_next(settings, "shard %s 0", path);
    return true;
}

static bool make(const Settings *settings, Error *error)
{
    Plan     plan    = {.words      = settings->inputs,
                        .word_count = settings->input_count,
                        .verb       = verb_named(settings->inputs[0]),
                        .shards     = settings->shards};
    Sharing *sharing = memory_new(1, sizeof *sharing, error);
    if (!sharing)
        return false;
    *sharing = (Sharing){.role = SHARING_PLAN, .plan = &plan};
    bool ok  = true;
    if (!plan.verb || !plan.verb->is_cut)
        ok = fail(error, ERROR_USAGE,
                  "plan: %.40s cannot be cut into pieces (see nemesis help plan)",
                  settings->inputs[0]);
    else if (strlen(settings->out) >= LIMIT_PATH - 128)
        ok = fail(error, ERROR_CREATE, "output path has more than %d bytes", LIMIT_PATH - 129);
    else if (file_exists(settings->out))
        ok = fail(error, ERROR_CREATE, "%s: exists already; a plan is made in a new folder",
                  settings->out);
    if (ok)
        snprintf(plan.path, sizeof plan.path, "%s", settings->out);
    ok = ok && plan_words_fit(&plan, error) && plan_paths_fit(&plan, settings, error) &&
         sharing_run(sharing, settings, settings->out, error);
    if (ok && !plan.phase_count)
        ok = fail(error, ERROR_INTERNAL, "%s: said nothing of how it is cut", plan.verb->name);
    ok = ok && plan_count_fits(&plan, error) && plan_folders(&plan, error) &&
         plan_scripts(&plan, settings, error) && plan_write(&plan, error) &&
         show(&plan, settings, error);
    plan_close(&plan);
    memory_free(sharing);
    return ok;
}

/* ---- --status -------------------------------------------------------------------------------- */

typedef struct Found {
    PieceState *states; // [pieces]
    bool       *marked; // [pieces], room
    int64_t     attempts, stale;
    char        first_stale[LIMIT_PATH];
} Found;

static bool look(Plan *plan, Shards *shards, const Settings *settings, Found *found, Error *error)
{
    for (int64_t i = 0; i < plan->pieces; i++) {
        Piece piece;
        if (!shards_find(shards, i, &piece, error))
            return false;
        found->states[i] = piece.state;
        if (piece.wrong)
            note(settings, "%s/%s: %s", shards->folder, piece.broken, piece.wrong);
    }
    return true;
}

// Work folders, and those that nobody is at any more.
static bool look_at_work(const Plan *plan, Found *found, Error *error)
{
    char    folder[LIMIT_PATH], **names = NULL;
    int64_t count = 0;
    bool    ok    = path_join(folder, plan->path, PLAN_WORK, error) &&
              (!folder_exists(folder) || folder_list(folder, &names, &count, error));
    for (int64_t i = 0; ok && i < count; i++) {
        char     path[LIMIT_PATH];
        RunState state = {0}, next = {0};
        if (!path_join(path, folder, names[i], NULL) || !folder_exists(path))
            continue;
        bool is_known = run_state_read(&state, &next, path, NULL);
        bool is_stale = !is_known || state.stage != RUN_RUNNING;
        if (is_stale && !found->stale++)
            memcpy(found->first_stale, path, sizeof path);
        found->attempts += !is_stale;
        run_state_close(&state);
        run_state_close(&next);
    }
    names_free(names, count);
    return ok;
}

static int64_t mark(const Plan *plan, Found *found, int phase, PieceState state)
{
    const PlanPhase *of    = &plan->phases[phase];
    int64_t          count = 0;
    for (int64_t i = of->first; i < of->first + of->count; i++) {
        found->marked[i] = found->states[i] == state;
        count += found->marked[i];
    }
    return count;
}

static const char *list_of(const Plan *plan, Found *found, int phase, PieceState state,
                           char out[8192])
{
    const PlanPhase *of = &plan->phases[phase];
    mark(plan, found, phase, state);
    shards_list(found->marked, of->first, of->first + of->count, out, 8192);
    return out;
}

static bool status_json(const Plan *plan, Found *found, Error *error)
{
    JsonWriter json = {0};
    char       list[8192];
    json_open_object(&json, NULL);
    json_text(&json, "plan", plan->path);
    json_text(&json, "verb", plan->verb->name);
    json_open_array(&json, "phases");
    for (int i = 0; i < plan->phase_count; i++) {
        json_open_object(&json, NULL);
        json_text(&json, "name", plan->phases[i].name);
        json_whole(&json, "first", plan->phases[i].first);
        json_whole(&json, "pieces", plan->phases[i].count);
        json_whole(&json, "done", mark(plan, found, i, PIECE_DONE));
        json_text(&json, "missing", list_of(plan, found, i, PIECE_MISSING, list));
        json_text(&json, "broken", list_of(plan, found, i, PIECE_BROKEN, list));
        json_close(&json);
    }
    json_close(&json);
    json_whole(&json, "running", found->attempts);
    json_whole(&json, "stale", found->stale);
    json_close(&json);
    bool ok = json_print(&json, error);
    json_discard(&json);
    return ok;
}

static void print_list(const char *what, const char *list)
{
    if (*list)
        printf("  %s: --array=%s\n", what, list);
}

static bool status_text(const Plan *plan, Found *found, Error *error)
{
    char list[8192];
    (void)error;
    for (int i = 0; i < plan->phase_count; i++) {
        printf("%s: %lld of %lld pieces are done\n", plan->phases[i].name,
               (long long)mark(plan, found, i, PIECE_DONE), (long long)plan->phases[i].count);
        print_list("missing", list_of(plan, found, i, PIECE_MISSING, list));
        print_list("broken", list_of(plan, found, i, PIECE_BROKEN, list));
    }
    if (found->attempts)
        printf("at work: %lld\n", (long long)found->attempts);
    if (found->stale) {
        printf("left behind by tasks that ended: %lld, such as ", (long long)found->stale);
        print_clean(stdout, found->first_stale);
        printf("\n");
    }
    return true;
}

static bool status(const Settings *settings, Error *error)
{
    Plan    plan   = {0};
    Shards *shards = memory_new(1, sizeof *shards, error);
    Found   found  = {0};
    char    folder[LIMIT_PATH];
    bool    ok = shards && plan_open(&plan, settings->plan_status, error) &&
              path_join(folder, plan.path, PLAN_PIECES, error) &&
              shards_open(shards, folder, plan.sha256, error);
    if (ok) {
        found.states = memory_new((size_t)plan.pieces, sizeof *found.states, error);
        found.marked = memory_new((size_t)plan.pieces, sizeof *found.marked, error);
    }
    ok = ok && found.states && found.marked && look(&plan, shards, settings, &found, error) &&
         look_at_work(&plan, &found, error) &&
         (settings->json ? status_json : status_text)(&plan, &found, error);
    memory_free(found.states);
    memory_free(found.marked);
    plan_close(&plan);
    memory_free(shards);
    return ok;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool run(const Settings *settings, Error *error)
{
    return settings->plan_status ? status(settings, error) : make(settings, error);
}

static bool check(const Settings *settings, Error *error)
{
    if (settings->plan_status)
        return (!settings->input_count && !settings->out && !settings->shards) ||
               fail(error, ERROR_USAGE, "plan: --status PLAN stands alone");
    return (settings->input_count && settings->out && settings->shards) ||
           fail(error, ERROR_USAGE,
                "plan: needs a verb with its options, --shards N and --out PLAN");
}

static const Option options[] = {
    {.name   = "shards",
     .kind   = ARGUMENT_WHOLE,
     .offset = offsetof(Settings, shards),
     .value  = "N",
     .help   = "pieces of each phase; there are fewer where the work has fewer parts",
     .least  = 1,
     .most   = PLAN_SHARDS},
    {.name   = "out",
     .letter = 'o',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, out),
     .value  = "PLAN",
     .help   = "folder to make"},
    {.name   = "status",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, plan_status),
     .value  = "PLAN",
     .help   = "in place of a verb: which pieces of a plan are done, missing or broken"},
    OPTION_END};

const Verb verb_plan = {
    .name       = "plan",
    .inputs     = "VERB ...",
    .input_most = 256,
    .wraps      = true,
    .summary    = "cut a run into pieces for many machines",
    .details =
        "Takes the command line of dissect, describe, noise, attack, manipulate --pairs or "
        "robustness, without its -o, measures it for some seconds, and writes a folder: plan.json; "
        "run.sbatch, which runs it by Slurm; run.sh, which runs it on one machine. Pieces count "
        "from 0 over all phases; those of a phase need all of the phase before. `nemesis shard "
        "PLAN I` does a piece on any machine that sees the folder and the inputs, as often as it "
        "likes, `nemesis merge PLAN -o RUN` puts them together: RUN has the bytes of a run on one "
        "machine, whatever N is. Kernels avx2 and avx512 agree to the bit and may mix; any others "
        "must be those that made the plan.",
    .example = "nemesis plan attack runs/clean -u all --shards 64 -o plans/attack",
    .options = options,
    .shared  = SHARED_BY_ALL,
    .check   = check,
    .run     = run,
};
