/* cli/run_state.c - see run_state.h. */
#include "run_state.h"
#include "../probe/pass.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_file(const char *folder, const char *name)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, name, NULL) && file_exists(path);
}

// What cannot be read counts as not there; the first such file is remembered.
static void read_document(const char *folder, const char *name, Json *out, Error *damage)
{
    char  path[LIMIT_PATH];
    Bytes bytes = {0};
    Error error = {0};
    if (has_file(folder, name) && path_join(path, folder, name, NULL) &&
        file_read(path, JSON_BYTES, &bytes, &error))
        json_read(bytes.data, bytes.size, path, out, &error);
    bytes_close(&bytes);
    if (error.code && !damage->code && error.code != ERROR_NOT_FOUND)
        fail(damage, error.code, "%s", error.message);
}

const char *run_state_text(const RunState *state, const char *name)
{
    return state->progress.nodes ? json_member_text(&state->progress, name) : NULL;
}

double run_state_number(const RunState *state, const char *name)
{
    const JsonNode *node =
        state->progress.nodes ? json_member(&state->progress, state->progress.nodes, name) : NULL;
    return node && node->kind == JSON_NUMBER ? strtod(node->text, NULL) : -1;
}

static double youngest_checkpoint(const char *folder)
{
    char  **names = NULL, path[LIMIT_PATH];
    int64_t count = 0;
    double  least = -1;
    if (!folder_list(folder, &names, &count, NULL))
        return -1;
    for (int64_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]), ending = strlen(PASS_FILE_ENDING);
        if (length <= ending || strcmp(names[i] + length - ending, PASS_FILE_ENDING) != 0 ||
            !path_join(path, folder, names[i], NULL))
            continue;
        double age = file_age(path);
        least      = age >= 0 && (least < 0 || age < least) ? age : least;
    }
    names_free(names, count);
    return least;
}

static void take_place(RunState *state)
{
    char        here[sizeof state->host] = "";
    const char *host                     = run_state_text(state, "host");
    double      process                  = run_state_number(state, "process");
    gethostname(here, sizeof here - 1);
    snprintf(state->host, sizeof state->host, "%s", host ? host : here);
    state->is_here = strcmp(state->host, here) == 0;
    state->process = process >= 1 && process < 1e9 ? (int64_t)process : 0;
}

/* A lock is the word of this host's kernel. Where there is none to be asked, or the process is of
 * another host (whose locks may not be seen from here), what it said last has to do. */
static RunStage stage_unfinished(RunState *state, LockState lock, long holder)
{
    const char *ended   = run_state_text(state, "ended");
    bool        is_told = state->progress.nodes != NULL;
    if (lock == LOCK_HELD) {
        state->process = holder ? holder : state->process;
        return RUN_RUNNING;
    }
    if (ended)
        return strcmp(ended, "interrupted") == 0 ? RUN_INTERRUPTED : RUN_FAILED;
    if (is_told && !state->is_here)
        return state->sign_age < SILENT_SECONDS ? RUN_RUNNING : RUN_DEAD;
    if (is_told && lock == LOCK_UNKNOWN && state->process && kill((pid_t)state->process, 0) == 0)
        return RUN_RUNNING;
    return RUN_DEAD;
}

// The run that is made in `folder`, whose lock is in `state` already.
static void read_folder(RunState *state, const char *folder, LockState lock, long holder)
{
    char path[LIMIT_PATH];
    state->sign_age = state->checkpoint_age = -1;
    if (has_file(folder, "run.json")) {
        state->stage = RUN_FINISHED;
        read_document(folder, "run.json", &state->result, &state->damage);
        return;
    }
    read_document(folder, PROGRESS_FILE, &state->progress, &state->damage);
    state->checkpoint_age = youngest_checkpoint(folder);
    bool is_begun         = state->progress.nodes || state->damage.code || lock == LOCK_HELD ||
                    state->checkpoint_age >= 0 || has_file(folder, "unfinished.json");
    if (!is_begun)
        return;
    if (path_join(path, folder, PROGRESS_FILE, NULL))
        state->sign_age = file_age(path);
    take_place(state);
    state->stage = stage_unfinished(state, lock, holder);
}

bool run_state_read(RunState *out, RunState *next, const char *path, Error *error)
{
    char     lock_path[LIMIT_PATH], next_path[LIMIT_PATH], new_path[LIMIT_PATH];
    RunState state = {0}, other = {0};
    long     holder = 0;
    if (!folder_exists(path))
        return fail(error, ERROR_NOT_FOUND, "%s: there is no such run folder", path);
    if (!path_join(lock_path, path, ".lock", error) || !swap_path(next_path, path, error) ||
        !path_join(new_path, path, ".new", error))
        return false;
    LockState   lock       = file_lock_state(lock_path, &holder);
    bool        has_result = has_file(path, "run.json");
    bool        both       = has_result && folder_exists(next_path);
    const char *place      = path;
    if (!has_result && has_file(new_path, "run.json"))
        place = new_path; // a whole result that is just being moved up (base/swap.h)
    else if (!has_result && has_file(next_path, "run.json"))
        place = next_path;
    read_folder(&state, place, lock, holder);
    if (both) {
        read_folder(&other, next_path, lock, holder);
        other.is_replacement = true;
    }
    if (state.stage == RUN_ABSENT) {
        run_state_close(&other);
        return fail(error, ERROR_NOT_FOUND,
                    "%s: holds neither a finished run (run.json) nor an unfinished one", path);
    }
    *out  = state;
    *next = other;
    return true;
}

void run_state_close(RunState *state)
{
    json_free(&state->progress);
    json_free(&state->result);
    *state = (RunState){0};
}
