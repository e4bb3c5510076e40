/* tests/test_status.c - what is said of a run that goes on, was cut off, or is done. */
#include "../base/snapshot.h"
#include "../cli/run_state.h"
#include "play.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- runs that meet a signal ----------------------------------------------------------------- */

typedef struct Stop {
    int signal, renames; // it comes after so many files have appeared
} Stop;

static Stop stop;

static int nothing(void *self, FileOperation operation, size_t *size)
{
    (void)self;
    (void)operation;
    (void)size;
    return 0;
}

static void count_down(void *self, FileOperation operation)
{
    (void)self;
    if (operation == FILE_RENAME && --stop.renames == 0)
        raise(stop.signal);
}

static void prepare(void *self)
{
    static const FileHook hook = {nothing, count_down, NULL};
    stop                       = *(const Stop *)self;
    checkpoint_interval_set(0);
    file_hook(&hook);
}

enum { CHECKPOINTS = 3 }; // renames until there is one: settings, and two of them

static pid_t start(int number, int renames)
{
    char line[LINE];
    Stop at = {number, renames};
    snprintf(line, sizeof line, "dissect -m %s -l conv22 -d %s -t 1 -b 2 -q -o %s", play_blob,
             play_probe, in_folder("run"));
    return play_start(prepare, &at, line);
}

static const Outcome *status(const char *more)
{
    return play("status %s %s", in_folder("run"), more);
}

static void a_finished_run(void)
{
    REQUIRE(play_inputs(4));
    REQUIRE(play_result(start(SIGTERM, 0))->code == 0);
    const Outcome *o = status("");
    CHECK(o->code == 0 && strstr(o->out, "run: finished\n  dissect, began 2"));
    CHECK(!file_exists(in_folder("run/progress.json")));
    o = status("--json");
    CHECK(strstr(o->out, "\"state\": \"finished\"") && strstr(o->out, "\"seconds\": 0."));
}

static void a_run_that_goes_on_and_is_killed(void)
{
    char wanted[64];
    int  ended = 0;
    REQUIRE(play_inputs(8));
    pid_t child = start(SIGSTOP, CHECKPOINTS);
    REQUIRE(waitpid(child, &ended, WUNTRACED) == child && WIFSTOPPED(ended));
    const Outcome *o = status("");
    snprintf(wanted, sizeof wanted, "dissect, process %ld on this host, began 2", (long)child);
    CHECK(o->code == 0 && strstr(o->out, "run: running\n") && strstr(o->out, wanted));
    CHECK(strstr(o->out, "last checkpoint ") && !strstr(o->out, "--resume"));
    o = status("--json");
    CHECK(strstr(o->out, "\"here\": true") && strstr(o->out, "\"continue\": null"));
    kill(child, SIGKILL);
    play_result(child);
    o = status("");
    CHECK(o->code == 0 && strstr(o->out, "run: dead"));
    CHECK(strstr(o->out, " dissect -m ") && strstr(o->out, "/run --resume\n"));
}

static void an_interrupted_run_says_how_far_it_was(void)
{
    REQUIRE(play_inputs(8));
    CHECK(play_result(start(SIGTERM, CHECKPOINTS))->code != 0);
    const Outcome *o = status("");
    CHECK(o->code == 0 && strstr(o->out, "run: interrupted by a signal\n"));
    CHECK(strstr(o->out, "  6 of 8 passes (75.0 %)\n") && strstr(o->out, "/run --resume\n"));
}

/* ---- files made by hand ---------------------------------------------------------------------- */

static bool put(const char *name, const char *text)
{
    return folder_create(in_folder("run"), NULL) &&
           file_publish(in_folder("run/%s", name), text, strlen(text), NULL);
}

static const char foreign[] =
    "{\"verb\": \"attack\", \"command\": [\"nemesis\", \"attack\", \"it's\", \"--resume\"], "
    "\"directory\": \"/some where\", \"host\": \"node7\\u001b[2J\", \"process\": 12, \"started\": "
    "\"then\", \"ended\": %s, \"counted\": \"passes\", \"done\": 250, \"total\": 1000, "
    "\"seconds_left\": 90}";

static void a_process_of_another_host_is_believed_for_a_while(void)
{
    char text[512];
    snprintf(text, sizeof text, foreign, "null");
    REQUIRE(put("progress.json", text));
    const Outcome *o = status("");
    CHECK(strstr(o->out, "run: running\n  attack, process 12 on node7"));
    CHECK(!strchr(o->out, '\033') && strstr(o->out, "  250 of 1,000 passes (25.0 %), 1 min 30 s"));
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    REQUIRE(utimensat(AT_FDCWD, in_folder("run/progress.json"), old, 0) == 0);
    CHECK(strstr(status("")->out, "run: dead"));
}

static void the_command_can_be_pasted(void)
{
    char text[512];
    snprintf(text, sizeof text, foreign, "\"failed\"");
    REQUIRE(put("progress.json", text));
    const Outcome *o = status("");
    CHECK(strstr(o->out, "run: stopped by an error\n"));
    CHECK(strstr(o->out, "  cd '/some where' && nemesis attack 'it'\\''s' --resume\n"));
}

static void what_cannot_be_read_is_a_sentence(void)
{
    static const char *const torn[] = {
        "",       "{\"verb\": \"att",
        "[1, 2]", "\xff\xfe",
        "7",      "{\"done\": \"x\", \"total\": -1, \"command\": {}}"};
    REQUIRE(put("unfinished.json", "{}"));
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        REQUIRE(put("progress.json", torn[i]));
        const Outcome *o = status("");
        CHECK(o->code == 0 && strstr(o->out, "run: dead"));
        CHECK(i == 2 || i >= 4 || strstr(o->out, "progress.json"));
        CHECK(status("--json")->code == 0);
    }
    REQUIRE(put("run.json", "{"));
    CHECK(strstr(status("")->out, "run: finished\n  a run, began at a time not known\n"));
}

static void a_run_that_is_to_replace_one_is_told_too(void)
{
    REQUIRE(put("run.json", "{\"verb\": \"noise\"}") &&
            folder_create(in_folder("run/.next"), NULL) && put(".next/unfinished.json", "{}"));
    const Outcome *o = status("");
    CHECK(strstr(o->out, "run: finished\n  noise,") &&
          strstr(o->out, "run: what is to replace it is dead"));
    CHECK(strstr(status("--json")->out, "\"replacement\": {"));
}

static void no_run_is_an_error(void)
{
    CHECK(status("")->code == ERROR_NOT_FOUND);
    REQUIRE(put("photo.png", "x"));
    CHECK(status("")->code == ERROR_NOT_FOUND && strstr(status("")->err, "neither a finished"));
}

static void runs_of_several_layers_are_told_one_after_another(void)
{
    const char *all = in_folder("layers");
    REQUIRE(play_inputs(4));
    REQUIRE(play("dissect -m %s -l conv11,conv22 -d %s -t 1 -q -o %s", play_blob, play_probe, all)
                ->code == 0);
    const Outcome *o     = play("status %s", all);
    const char    *first = strstr(o->out, "layers/conv11: finished\n");
    CHECK(o->code == 0 && first && strstr(first, "layers/conv22: finished\n"));
    o = play("status %s --json", all);
    CHECK(o->code == 0 && strstr(o->out, "\"runs\": [") && strstr(o->out, "layers/conv22\""));
    CHECK(play("status %s", play_probe)->code == ERROR_NOT_FOUND);
}

SUITE(status)
{
    RUN(a_finished_run);
    RUN(a_run_that_goes_on_and_is_killed);
    RUN(an_interrupted_run_says_how_far_it_was);
    RUN(a_process_of_another_host_is_believed_for_a_while);
    RUN(the_command_can_be_pasted);
    RUN(what_cannot_be_read_is_a_sentence);
    RUN(a_run_that_is_to_replace_one_is_told_too);
    RUN(no_run_is_an_error);
    RUN(runs_of_several_layers_are_told_one_after_another);
}
