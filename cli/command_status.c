/* cli/command_status.c - what has become of a run: of one that goes on, was cut off, or is done. */
#include "../base/words.h"
#include "../format/json.h"
#include "commands.h"
#include "next.h"
#include "output.h"
#include "progress.h"
#include "run_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the command that goes on with it -------------------------------------------------------- */

enum { COMMAND_TEXT = 16384 };

static void add_text(char text[COMMAND_TEXT], const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, COMMAND_TEXT - used, "%s%s", used ? " " : "", word);
}

static void add_word(char text[COMMAND_TEXT], const char *word)
{
    char quoted[NEXT_WORD];
    add_text(text, shell_word(word, "", quoted));
}

static bool is_continued(const RunState *state)
{
    return state->stage == RUN_DEAD || state->stage == RUN_INTERRUPTED ||
           state->stage == RUN_FAILED;
}

// A piece of a plan is done as often as one likes, and goes on by itself.
static bool takes_resume(const char *name)
{
    const Verb *verb = verb_named(name);
    return verb && word_index(verb->shared, "resume", strlen("resume")) >= 0;
}

/* "cd /work && nemesis dissect ... --resume"; empty where the words are not known, or a word is
 * longer than a path. */
static void command_text(const RunState *state, char text[COMMAND_TEXT])
{
    char            here[LIMIT_PATH] = "";
    const char     *directory        = run_state_text(state, "directory");
    const Json     *progress         = &state->progress;
    const JsonNode *words =
        progress->nodes ? json_member(progress, progress->nodes, "command") : NULL;
    bool resumes = false, is_verb = false;
    text[0] = 0;
    if (!is_continued(state) || !words || words->kind != JSON_ARRAY || words->count < 2)
        return;
    if (directory && (!getcwd(here, sizeof here) || strcmp(here, directory) != 0)) {
        add_word(text, "cd");
        add_word(text, directory);
        add_text(text, "&&");
    }
    for (int i = words->first; i >= 0; i = state->progress.nodes[i].next) {
        const char *word = state->progress.nodes[i].text;
        if (state->progress.nodes[i].kind != JSON_TEXT || strlen(word) >= LIMIT_PATH ||
            strlen(text) + 4 * strlen(word) + 16 > COMMAND_TEXT) {
            text[0] = 0;
            return;
        }
        resumes = resumes || strcmp(word, "--resume") == 0 || (is_verb && !takes_resume(word));
        is_verb = i == words->first; // the next word
        add_word(text, word);
    }
    if (!resumes)
        add_word(text, "--resume");
}

/* ---- as a document --------------------------------------------------------------------------- */

static void add_number(JsonWriter *json, const char *name, double value)
{
    if (value >= 0)
        json_number(json, name, value);
    else
        json_text(json, name, NULL);
}

static void finished_json(const RunState *state, JsonWriter *json)
{
    const Json     *run     = &state->result;
    const JsonNode *seconds = run->nodes ? json_member(run, run->nodes, "time.seconds") : NULL;
    json_text(json, "verb", run->nodes ? json_member_text(run, "verb") : NULL);
    json_text(json, "started", run->nodes ? json_member_text(run, "time.started") : NULL);
    add_number(json, "seconds",
               seconds && seconds->kind == JSON_NUMBER ? strtod(seconds->text, NULL) : -1);
}

static void unfinished_json(const RunState *state, JsonWriter *json)
{
    bool goes_on = state->stage == RUN_RUNNING;
    char command[COMMAND_TEXT];
    command_text(state, command);
    json_text(json, "verb", run_state_text(state, "verb"));
    json_text(json, "host", state->host);
    json_flag(json, "here", state->is_here);
    json_whole(json, "process", state->process);
    json_text(json, "started", run_state_text(state, "started"));
    json_text(json, "counted", run_state_text(state, "counted"));
    add_number(json, "done", run_state_number(state, "done"));
    add_number(json, "total", run_state_number(state, "total"));
    add_number(json, "seconds_left", goes_on ? run_state_number(state, "seconds_left") : -1);
    add_number(json, "sign_age_seconds", state->sign_age);
    add_number(json, "checkpoint_age_seconds", state->checkpoint_age);
    json_text(json, "continue", command[0] ? command : NULL);
}

static void state_json(const RunState *state, JsonWriter *json)
{
    json_text(json, "state", word_text(RUN_STAGE_NAMES, (int)state->stage));
    if (state->stage == RUN_FINISHED)
        finished_json(state, json);
    else
        unfinished_json(state, json);
    json_text(json, "damage", state->damage.code ? state->damage.message : NULL);
}

static void place_json(const char *path, const RunState *state, const RunState *next,
                       JsonWriter *json)
{
    json_open_object(json, NULL);
    json_text(json, "path", path);
    state_json(state, json);
    if (next->stage != RUN_ABSENT) {
        json_open_object(json, "replacement");
        state_json(next, json);
        json_close(json);
    }
    json_close(json);
}

/* ---- as a few lines -------------------------------------------------------------------------- */

static void print_text(const char *before, const char *text, const char *otherwise)
{
    printf("%s", before);
    print_clean(stdout, text ? text : otherwise);
}

static void print_age(const char *before, double age)
{
    char text[32];
    duration_text(age, text);
    printf("%s%s ago", before, text);
}

// "  3,000 of 14,400 passes (20.8 %), 4 min 10 s left"
static void print_counts(const RunState *state)
{
    double done = run_state_number(state, "done"), total = run_state_number(state, "total");
    double left = run_state_number(state, "seconds_left");
    char   done_text[32], total_text[32], left_text[32];
    if (!(total >= 1 && total < 1e15 && done >= 0 && done <= total)) {
        printf("  has not begun to count\n");
        return;
    }
    count_text((int64_t)done, done_text);
    count_text((int64_t)total, total_text);
    printf("  %s of %s", done_text, total_text);
    print_text(" ", run_state_text(state, "counted"), "");
    printf(" (%.1f %%)", 100 * done / total);
    if (state->stage == RUN_RUNNING && left >= 0 && left < 1e12) {
        duration_text(left, left_text);
        printf(", %s left", left_text);
    }
    printf("\n");
}

static void print_process(const RunState *state)
{
    print_text("  ", run_state_text(state, "verb"), "a run");
    if (state->process)
        printf(", process %lld", (long long)state->process);
    print_text(" on ", state->is_here ? "this host" : state->host, "");
    print_text(", began ", run_state_text(state, "started"), "at a time not known");
    if (state->sign_age >= 0 && run_state_text(state, "verb"))
        print_age(", last sign ", state->sign_age);
    printf("\n");
}

static void print_unfinished(const RunState *state)
{
    char command[COMMAND_TEXT];
    command_text(state, command);
    print_process(state);
    if (state->progress.nodes)
        print_counts(state);
    if (state->checkpoint_age >= 0)
        print_age("  last checkpoint ", state->checkpoint_age);
    else
        printf("  no checkpoint yet");
    printf("\n");
    if (command[0]) {
        print_text("  ", command, "");
        printf("\n");
    } else if (is_continued(state)) {
        printf("  its command with --resume goes on with it\n");
    }
}

static void print_finished(const RunState *state)
{
    const Json     *run     = &state->result;
    const JsonNode *seconds = run->nodes ? json_member(run, run->nodes, "time.seconds") : NULL;
    char            text[32];
    print_text("  ", run->nodes ? json_member_text(run, "verb") : NULL, "a run");
    print_text(", began ", run->nodes ? json_member_text(run, "time.started") : NULL,
               "at a time not known");
    if (seconds && seconds->kind == JSON_NUMBER) {
        duration_text(strtod(seconds->text, NULL), text);
        printf(", took %s", text);
    }
    printf("\n");
}

static const char *stage_text(const RunState *state)
{
    static const char *const texts[] = {"no run",
                                        "running",
                                        "dead: its process is gone, or has been silent for long",
                                        "interrupted by a signal",
                                        "stopped by an error",
                                        "finished"};
    return texts[state->stage];
}

static void print_state(const char *name, const RunState *state)
{
    print_text("", name, "");
    printf(": %s%s\n", state->is_replacement ? "what is to replace it is " : "", stage_text(state));
    if (state->stage == RUN_FINISHED)
        print_finished(state);
    else
        print_unfinished(state);
    if (state->damage.code) {
        print_text("  ", state->damage.message, "");
        printf("\n");
    }
}

/* ---- the verb -------------------------------------------------------------------------------- */

static void show(const char *path, const RunState *state, const RunState *next, JsonWriter *json)
{
    if (json) {
        place_json(path, state, next, json);
        return;
    }
    print_state(path, state);
    if (next->stage != RUN_ABSENT)
        print_state(path, next);
}

// The runs in a folder of runs, one a layer; false, without a cause, if there is none.
static bool show_layers(const char *folder, JsonWriter *json)
{
    char  **names = NULL, path[LIMIT_PATH];
    int64_t count = 0;
    bool    any   = false;
    if (!folder_list(folder, &names, &count, NULL))
        return false;
    if (json) {
        json_open_object(json, NULL);
        json_text(json, "path", folder);
        json_open_array(json, "runs");
    }
    for (int64_t i = 0; i < count; i++) {
        RunState state = {0}, next = {0};
        if (path_join(path, folder, names[i], NULL) && folder_exists(path) &&
            run_state_read(&state, &next, path, NULL)) {
            show(path, &state, &next, json);
            any = true;
        }
        run_state_close(&state);
        run_state_close(&next);
    }
    if (json) {
        json_close(json);
        json_close(json);
    }
    names_free(names, count);
    return any;
}

static bool is_plan(const char *path)
{
    char name[LIMIT_PATH];
    return path_join(name, path, "plan.json", NULL) && file_exists(name);
}

static bool run(const Settings *settings, Error *error)
{
    const char *path  = settings->inputs[0];
    RunState    state = {0}, next = {0};
    JsonWriter  json    = {0};
    JsonWriter *as_json = settings->json ? &json : NULL;
    Error       cause   = {0};
    bool        ok      = run_state_read(&state, &next, path, &cause);
    if (ok)
        show(path, &state, &next, as_json);
    else
        ok = (cause.code == ERROR_NOT_FOUND && show_layers(path, as_json)) ||
             (is_plan(path) &&
              fail(error, ERROR_NOT_FOUND,
                   "%s: is a plan; nemesis plan --status tells how far it is", path)) ||
             fail(error, cause.code, "%s", cause.message);
    ok = ok && (!as_json || json_print(as_json, error));
    json_discard(&json);
    run_state_close(&state);
    run_state_close(&next);
    return ok;
}

static const Option options[] = {OPTION_END};

const Verb verb_status = {
    .name        = "status",
    .inputs      = "RUN",
    .input_least = 1,
    .input_most  = 1,
    .summary     = "how far a run is, or what became of it",
    .details =
        "Says of a run folder whether its run is running, dead, interrupted, failed or finished; "
        "of an unfinished one whose process it is or was, how far it is, how long it will take, "
        "how old its last checkpoint is, and the command that goes on with it. It only reads: a "
        "run is not disturbed. Of a process on another host, which shares the folder, it repeats "
        "what that said last; silent for two minutes, it counts as dead. Of a folder of several "
        "layers' runs it tells one after another. Exit 0 whatever the state, 66 if there is no "
        "run.",
    .example = "nemesis status runs/clean",
    .options = options,
    .shared  = SHARED_BY_ALL,
    .run     = run,
};
