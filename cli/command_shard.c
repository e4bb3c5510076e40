/* cli/command_shard.c - one piece of a plan. */
#include "commands.h"
#include "output.h"
#include "sharing.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- attempts: work/PIECE.NUMBER.HOST.PROCESS ------------------------------------------------ */

static int number_of(const char *name, int64_t piece)
{
    char start[32];
    int  length = snprintf(start, sizeof start, "%lld.", (long long)piece);
    long number = strncmp(name, start, (size_t)length) == 0 ? strtol(name + length, NULL, 10) : 0;
    return number > 0 && number < INT_MAX ? (int)number : 0;
}

// The latest attempt that has something to go on from, and the number of the latest of all.
static bool find_latest(const char *work, int64_t piece, char latest[LIMIT_PATH], int *number,
                        Error *error)
{
    char  **names = NULL, path[LIMIT_PATH], begun[LIMIT_PATH];
    int64_t count = 0;
    int     best  = 0;
    latest[0]     = 0;
    *number       = 0;
    if (!folder_list(work, &names, &count, error))
        return false;
    for (int64_t i = 0; i < count; i++) {
        int found = number_of(names[i], piece);
        *number   = found > *number ? found : *number;
        if (found > best && path_join(path, work, names[i], NULL) &&
            path_join(begun, path, "unfinished.json", NULL) && file_exists(begun)) {
            best = found;
            memcpy(latest, path, sizeof path);
        }
    }
    names_free(names, count);
    return true;
}

static bool copy_file(const char *from, const char *to, const char *name, Error *error)
{
    char  source[LIMIT_PATH], target[LIMIT_PATH];
    Bytes bytes = {0};
    bool  ok    = path_join(source, from, name, error) && path_join(target, to, name, error) &&
              file_read(source, SIZE_MAX, &bytes, error) &&
              file_publish(target, bytes.data, bytes.size, error);
    bytes_close(&bytes);
    return ok;
}

static bool is_checkpoint(const char *name)
{
    size_t length = strlen(name), ending = strlen(PASS_FILE_ENDING);
    return length > ending && strcmp(name + length - ending, PASS_FILE_ENDING) == 0 &&
           strcmp(name, PIECE_FILE) != 0;
}

// Those that are not there yet.
static bool copy_files(const char *from, const char *to, Error *error)
{
    char  **names = NULL, path[LIMIT_PATH];
    int64_t count = 0;
    bool    ok    = folder_list(from, &names, &count, error);
    for (int64_t i = 0; ok && i < count; i++)
        if (is_checkpoint(names[i]))
            ok = path_join(path, to, names[i], error) &&
                 (file_exists(path) || copy_file(from, to, names[i], error));
    names_free(names, count);
    return ok;
}

/* What an earlier attempt saved serves this one too, whether its process is gone or not: each file
 * is whole. It may save meanwhile, so what one file speaks of may be new: all are looked at twice.
 * Its settings come last; without them nothing was saved. An attempt that ends meanwhile
 * takes its files away, and this one starts over. */
static bool adopt(const char *from, const char *to, Error *error)
{
    Error problem = {0};
    bool  ok      = true;
    for (int look = 0; ok && look < 2; look++)
        ok = copy_files(from, to, &problem);
    ok = ok && copy_file(from, to, "unfinished.json", &problem);
    return ok || problem.code == ERROR_NOT_FOUND ||
           fail(error, problem.code, "%s", problem.message);
}

static bool begin_attempt(const Plan *plan, int64_t piece, char out[LIMIT_PATH], Error *error)
{
    char work[LIMIT_PATH], latest[LIMIT_PATH], host[64] = "", name[128];
    int  number;
    if (!path_join(work, plan->path, PLAN_WORK, error) || !folder_create(work, error) ||
        !find_latest(work, piece, latest, &number, error))
        return false;
    gethostname(host, sizeof host - 1);
    for (char *at = host; *at; at++)
        *at = isalnum((unsigned char)*at) ? *at : '-';
    snprintf(name, sizeof name, "%lld.%d.%s.%ld", (long long)piece, number + 1, host,
             (long)getpid());
    return path_join(out, work, name, error) && folder_create(out, error) &&
           (!latest[0] || adopt(latest, out, error));
}

// What stays is in the way of nobody, and --status tells of it. Nobody adopts half an attempt: what
// says that there is something to go on from goes first.
static void remove_work(const char *work)
{
    char begun[LIMIT_PATH];
    if (path_join(begun, work, "unfinished.json", NULL) &&
        (!file_exists(begun) || file_remove(begun, NULL)))
        tree_remove(work, NULL);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool read_index(const Plan *plan, const char *text, int64_t *out, Error *error)
{
    uint64_t value;
    if (!whole_parse(text, &value) || value >= (uint64_t)plan->pieces)
        return fail(error, ERROR_USAGE, "shard: '%.40s' is no piece; %s has 0 to %lld", text,
                    plan->path, (long long)plan->pieces - 1);
    *out = (int64_t)value;
    return true;
}

static bool do_piece(Sharing *sharing, const Settings *settings, Error *error)
{
    char  work[LIMIT_PATH];
    Piece piece;
    int   phase = plan_phase_of(sharing->plan, sharing->piece);
    if ((phase && !sharing_complete(sharing, phase - 1, settings, error)) ||
        !begin_attempt(sharing->plan, sharing->piece, work, error) ||
        !sharing_run(sharing, settings, work, error) ||
        !shards_find(&sharing->shards, sharing->piece, &piece, error))
        return false;
    if (piece.state != PIECE_DONE)
        return fail(error, ERROR_IO, "%s: piece %lld was made, and is gone or damaged",
                    sharing->plan->path, (long long)sharing->piece);
    remove_work(work);
    if (piece.wrong)
        shards_sweep(&sharing->shards, sharing->piece, NULL);
    note(settings, "%s: piece %lld of %lld is done", sharing->plan->path, (long long)sharing->piece,
         (long long)sharing->plan->pieces);
    return true;
}

static bool run(const Settings *settings, Error *error)
{
    Plan     plan    = {0};
    Piece    piece   = {0};
    Sharing *sharing = memory_new(1, sizeof *sharing, error);
    char     folder[LIMIT_PATH];
    if (!sharing)
        return false;
    *sharing = (Sharing){.role = SHARING_PIECE, .plan = &plan};
    bool ok  = plan_open(&plan, settings->inputs[0], error) &&
              read_index(&plan, settings->inputs[1], &sharing->piece, error) &&
              path_join(folder, plan.path, PLAN_PIECES, error) &&
              shards_open(&sharing->shards, folder, plan.sha256, error) &&
              shards_find(&sharing->shards, sharing->piece, &piece, error);
    if (ok && piece.wrong)
        note(settings, "%s/%s: %s", folder, piece.broken, piece.wrong);
    if (ok && piece.state == PIECE_DONE)
        note(settings, "%s: piece %lld is done already", plan.path, (long long)sharing->piece);
    else
        ok = ok && do_piece(sharing, settings, error);
    plan_close(&plan);
    memory_free(sharing);
    return ok;
}

static const Option options[] = {OPTION_END};

const Verb verb_shard = {
    .name        = "shard",
    .inputs      = "PLAN I",
    .input_least = 2,
    .input_most  = 2,
    .summary     = "do one piece of a plan",
    .details =
        "Does piece I of PLAN, counted from 0 over all phases, and publishes it in PLAN/pieces by "
        "one rename. A piece that is done is left as it is: exit 0 at once. The same piece may be "
        "started again, or twice at a time on two machines; an attempt goes on from what the one "
        "before it saved. Run it where the paths of the plan's command lead to its inputs. Exit 4 "
        "if pieces of the phase before are missing, 65 if some of them are broken: make these "
        "first. After 74 (reading or writing failed), 75 (interrupted) and 128 and more (killed) "
        "the same command goes on.",
    .example = "nemesis shard plans/attack 0",
    .options = options,
    .shared  = "threads|progress|" SHARED_BY_ALL,
    .run     = run,
};
