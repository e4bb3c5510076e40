/* tests/test_kills.c - a run that is killed or interrupted anywhere goes on to the same bytes.
 *
 * Runs are forks of this process that keep a checkpoint after every batch. KILLS=all ends a run
 * before and after every change it makes on disk, and at 500 random moments; else KILLS of each
 * verb's changes and random moments in all (default 4). */
#include "../cli/run_folder.h"
#include "kills.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the end of a process -------------------------------------------------------------------- */

static void dying_at_any_change_is_made_up_for(void)
{
    FaultPlan none = {0};
    int       bad  = 0;
    REQUIRE(kills_open(KILLS_VERBS));
    for (int verb = 0; verb < KILLS_VERBS; verb++) {
        int64_t kills = kills_asked(2 * kills_changes[verb]), tried = 0;
        int64_t stride =
            kills > 0 && kills < 2 * kills_changes[verb] ? 2 * kills_changes[verb] / kills : 1;
        for (int64_t k = 0; k < 2 * kills_changes[verb] && bad < 5; k += stride, tried++) {
            FaultPlan plan = {.kind         = k % 2 ? FAULT_DIES_AFTER : FAULT_DIES_BEFORE,
                              .at           = k / 2 + 1,
                              .changes_only = true};
            play_remove(kills_out(verb));
            if (verb >= KILLS_BLOBS)
                play_remove(in_folder("out/%s.checkpoint", kills_verb[verb]));
            const Outcome *o    = kills_run(verb, &plan, "");
            bool           last = verb >= KILLS_BLOBS &&
                        k == 2 * kills_changes[verb] - 1; // all that is left is the message
            bad += o->code != 128 + SIGKILL || (!last && !kills_goes_on(verb, &none, "dead at", k));
        }
        printf("  %-8s %lld of %lld ends\n", kills_verb[verb], (long long)tried,
               (long long)kills_changes[verb] * 2);
    }
    CHECK(bad == 0);
}

/* ---- a run that replaces another ------------------------------------------------------------- */

static const char *const old_lines[] = {"--limit 4", "--std 0.3", "--eps 0.3"};
static const char *const old_table[] = {"units.csv", "changes.csv", "changes.csv"};

// The line of an older run: the last option of its name stands for itself, so it is put in place.
static void old_line(int verb, char out[LINE])
{
    const char *option = old_lines[verb], *space = strchr(option, ' ');
    char        name[16];
    snprintf(name, sizeof name, "%.*s ", (int)(space - option), option);
    const char *at = strstr(kills_line[verb], name);
    if (!at)
        snprintf(out, LINE, "%s %s", kills_line[verb], option);
    else
        snprintf(out, LINE, "%.*s%s%s", (int)(at - kills_line[verb]), kills_line[verb], option,
                 strchr(at + strlen(name), ' '));
}

static bool make_old(int verb)
{
    char line[LINE];
    old_line(verb, line);
    return play("%s -o %s -q", line, in_folder("old/%s", kills_verb[verb]))->code == 0;
}

// Puts the old run, with a file of somebody else, where the new one goes.
static bool place_old(int verb)
{
    play_remove(kills_out(verb));
    return play_copy_tree(in_folder("old/%s", kills_verb[verb]), kills_out(verb)) &&
           file_publish(in_folder("out/%s/notes.txt", kills_verb[verb]), "mine", 4, NULL);
}

// What a reader finds: the old run or the new one, whole.
static bool is_old_or_new(int verb)
{
    const char *out = kills_out(verb), *notes = in_folder("out/%s/notes.txt", kills_verb[verb]);
    const char *old = in_folder("old/%s", kills_verb[verb]);
    if (!swap_settle(out, &run_result, NULL) || !file_exists(notes))
        return false;
    remove(notes);
    bool is_old = same_file(in_folder("old/%s/%s", kills_verb[verb], old_table[verb]),
                            in_folder("out/%s/%s", kills_verb[verb], old_table[verb]));
    return file_exists(in_folder("out/%s/run.json", kills_verb[verb])) &&
           play_same_tree(is_old ? old : kills_wanted(verb), out, true, false);
}

static void dying_while_replacing_leaves_the_old_run_or_the_new(void)
{
    FaultPlan none = {0}, count = {.changes_only = true};
    int       bad = 0;
    REQUIRE(kills_open(3) && folder_create(in_folder("old"), NULL));
    for (int verb = 0; verb < 3; verb++) {
        REQUIRE(make_old(verb) && place_old(verb) &&
                kills_run(verb, &count, "--overwrite")->code == 0);
        REQUIRE(is_old_or_new(verb) && kills_is_as_wanted(verb));
        int64_t ends = 2 * play_operations(), kills = 4 * kills_asked(ends), tried = 0;
        int64_t stride = kills < ends ? ends / kills : 1;
        for (int64_t k = ends - 1; k >= 0 && bad < 5; k -= stride, tried++) {
            FaultPlan plan = {.kind         = k % 2 ? FAULT_DIES_AFTER : FAULT_DIES_BEFORE,
                              .at           = k / 2 + 1,
                              .changes_only = true};
            REQUIRE(place_old(verb));
            const Outcome *o    = kills_run(verb, &plan, "--overwrite");
            bool           fine = o->code == 128 + SIGKILL && is_old_or_new(verb);
            o                   = kills_run(verb, &none, "--overwrite --resume");
            if (fine && o->code == 0 && kills_is_as_wanted(verb))
                continue;
            printf("  %s, dead at %lld: exit %d: %s\n", kills_verb[verb], (long long)k, o->code,
                   o->err);
            bad++;
        }
        printf("  %-8s %lld of %lld ends\n", kills_verb[verb], (long long)tried, (long long)ends);
    }
    CHECK(bad == 0);
}

static void pause_for(double time)
{
    struct timespec span = {(time_t)time, (long)((time - (double)(time_t)time) * 1e9)};
    nanosleep(&span, NULL);
}

// Kills the child after a random part of the verb's time; true if that ended it.
static bool killed_at_random(int verb, pid_t child, Random *random)
{
    pause_for(kills_seconds[verb] * (double)random_unit(random_word(random)));
    kill(child, SIGKILL);
    return play_result(child)->code == 128 + SIGKILL;
}

static void dying_at_any_moment_is_made_up_for(void)
{
    FaultPlan none   = {0};
    Random    random = random_stream(test_seed(), "kills");
    int64_t   kills = kills_asked(500), done = 0, runs = 0;
    int       bad = 0;
    REQUIRE(kills_open(KILLS_BLOBS));
    for (; done < kills && bad < 5; runs++) {
        int verb = (int)(runs % KILLS_BLOBS);
        play_remove(kills_out(verb));
        bool killed = killed_at_random(verb, kills_start(verb, &none, ""), &random);
        done += killed;
        while (killed && random_below(&random, 2))
            done += killed = killed_at_random(verb, kills_start(verb, &none, "--resume"), &random);
        bad += !kills_goes_on(verb, &none, "killed in run", runs);
    }
    CHECK(bad == 0);
    printf("  %lld kills in %lld runs\n", (long long)done, (long long)runs);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void a_signal_ends_a_batch_and_keeps_it(void)
{
    static const int asking[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU};
    FaultPlan        none     = {0};
    int              bad      = 0;
    int64_t          stopped  = 0;
    REQUIRE(kills_open(KILLS_VERBS));
    for (int verb = 0; verb < KILLS_VERBS; verb++) {
        int64_t count = kills_asked(kills_changes[verb]);
        for (int64_t i = 0; i < count && bad < 5; i++) {
            int       number = asking[i % 5];
            FaultPlan plan   = {.kind         = FAULT_SIGNAL,
                                .reason       = number,
                                .changes_only = true,
                                .at           = 1 + i * kills_changes[verb] / count};
            int       code   = number == SIGINT || number == SIGTERM ? 128 + number : ERROR_AGAIN;
            play_remove(kills_out(verb));
            const Outcome *o    = kills_run(verb, &plan, "");
            bool           told = o->code == code && strstr(o->err, "--resume goes on from there");
            stopped += told;
            bad += !told && o->code != 0; // too late to be heard
            if (!told && o->code != 0)
                printf("  %s, signal %d at %lld: exit %d: %s\n", kills_verb[verb], number,
                       (long long)plan.at, o->code, o->err);
            bad += told && !kills_goes_on(verb, &none, "signal at", plan.at);
        }
    }
    CHECK(bad == 0 && stopped > 0);
}

/* ---- two processes --------------------------------------------------------------------------- */

static void a_folder_is_one_process_at_a_time(void)
{
    FaultPlan none = {0};
    FileLock  lock = {0};
    char      holder[32];
    REQUIRE(kills_open(1));
    REQUIRE(kills_interrupt(0));
    snprintf(holder, sizeof holder, "process %ld", (long)getpid());
    REQUIRE(file_lock(&lock, in_folder("out/dissect/.lock"), NULL));
    static const char *const ways[] = {"", "--resume", "--overwrite"};
    for (int i = 0; i < 3; i++) {
        const Outcome *o = kills_run(0, &none, ways[i]);
        CHECK(o->code == ERROR_AGAIN && strstr(o->err, holder));
    }
    file_unlock(&lock);
    // What a killed process leaves locks nothing.
    FaultPlan plan = {.kind = FAULT_DIES_BEFORE, .changes_only = true, .at = kills_changes[0] / 2};
    play_remove(kills_out(0));
    REQUIRE(kills_run(0, &plan, "")->code == 128 + SIGKILL);
    CHECK(file_exists(in_folder("out/dissect/.lock")));
    CHECK(kills_goes_on(0, &none, "after its killed holder", 0));
}

/* ---- inputs that change ---------------------------------------------------------------------- */

typedef struct Disturbance {
    FaultPlan plan;
    char      path[LIMIT_PATH];
    int       way; // 0 cut, 1 rewritten, 2 deleted
} Disturbance;

static Disturbance disturbance;

static void disturb(int number)
{
    (void)number;
    int handle = open(disturbance.path, O_WRONLY);
    if (disturbance.way == 0 && truncate(disturbance.path, 64) != 0)
        _exit(99);
    if (disturbance.way == 1 && pwrite(handle, &disturbance, 4096, 0) < 0)
        _exit(99);
    if (disturbance.way == 2)
        unlink(disturbance.path);
    close(handle);
}

static void prepare_disturbance(void *self)
{
    kills_prepare(self);
    signal(SIGUSR2, disturb);
}

// Something is done to an input in the middle of a run: it ends with an error, or did not notice
// because it has a copy; never by a signal, never with other results.
static void inputs_may_change_meanwhile(void)
{
    int noticed = 0, spared = 0;
    REQUIRE(kills_open(1));
    char saved[LIMIT_PATH + 8], line[LINE];
    snprintf(line, sizeof line, "%s -o %s", kills_line[0], kills_out(0));
    for (int file = 0; file < 2; file++)
        for (int way = 0; way < 3; way++)
            for (int64_t at = 4; at < 120; at += 29) {
                const char *path = file ? play_photo(3) : play_blob;
                disturbance      = (Disturbance){
                         .plan = {.kind = FAULT_SIGNAL, .reason = SIGUSR2, .at = at}, .way = way};
                snprintf(disturbance.path, sizeof disturbance.path, "%s", path);
                snprintf(saved, sizeof saved, "%s.saved", disturbance.path);
                REQUIRE(play_copy_tree(disturbance.path, saved));
                play_remove(kills_out(0));
                const Outcome *o =
                    play_result(play_start(prepare_disturbance, &disturbance.plan, line));
                bool same = o->code == 0 && kills_is_as_wanted(0);
                bool told = o->code == 65 || o->code == 66 || o->code == 74;
                if (!CHECK(same || told))
                    printf("  file %d, way %d, at %lld: exit %d: %s\n", file, way, (long long)at,
                           o->code, o->err);
                spared += same;
                noticed += told;
                REQUIRE(rename(saved, disturbance.path) == 0);
            }
    CHECK(spared > 0 && noticed > 0);
}

SUITE(kills)
{
    RUN(dying_at_any_change_is_made_up_for);
    RUN(dying_while_replacing_leaves_the_old_run_or_the_new);
    RUN(dying_at_any_moment_is_made_up_for);
    RUN(a_signal_ends_a_batch_and_keeps_it);
    RUN(a_folder_is_one_process_at_a_time);
    RUN(inputs_may_change_meanwhile);
}
