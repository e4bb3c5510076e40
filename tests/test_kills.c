/* tests/test_kills.c - a run that is killed, interrupted or damaged anywhere goes on to the same
 * bytes.
 *
 * Runs are forks of this process that keep a checkpoint after every batch. KILLS=all ends a run
 * before and after every change it makes on disk, and at 500 random moments; else KILLS of each
 * verb's changes and random moments in all (default 4). */
#include "../cli/run_folder.h"
#include "../study/study.h"
#include "../format/json.h"
#include "../base/digest.h"
#include "../base/snapshot.h"
#include "faults.h"
#include "nem_world.h"
#include "play.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// The verbs from BLOBS on write one file, and their checkpoint beside it.
enum { IMAGES = 7, VERBS = 12, BLOBS = 10 };

static const char *const names[VERBS] = {"dissect",    "noise",     "attack",     "soft",
                                         "manipulate", "attribute", "robustness", "curvature",
                                         "accuracy",   "describe",  "train",      "patterns"};

static char    lines[VERBS][LINE / 2]; // without -o
static int64_t changes[VERBS];         // what each changes on disk in an undisturbed run
static double  seconds[VERBS];

/* ---- runs in forks --------------------------------------------------------------------------- */

static void prepare(void *self)
{
    checkpoint_interval_set(0);
    faults_plan(self);
}

static const char *out_of(int verb)
{
    return in_folder("out/%s", names[verb]);
}

static pid_t start(int verb, FaultPlan *plan, const char *more)
{
    char line[LINE];
    snprintf(line, sizeof line, "%s -o %s %s", lines[verb], out_of(verb), more);
    return play_start(prepare, plan, line);
}

static const Outcome *run(int verb, FaultPlan *plan, const char *more)
{
    return play_result(start(verb, plan, more));
}

static const char *wanted_of(int verb)
{
    return in_folder("wanted/%s", names[verb]);
}

static bool is_as_wanted(int verb)
{
    return play_same_tree(wanted_of(verb), out_of(verb), true, true);
}

static bool make_runs(void)
{
    const char *clean   = in_folder("clean");
    const char *classes = play_inputs(IMAGES) ? play_classes(3) : NULL;
    if (!classes)
        return false;
    snprintf(lines[0], sizeof *lines, "dissect -m %s -l conv22 -d %s -t 1 -b 2", play_blob,
             play_probe);
    snprintf(lines[1], sizeof *lines,
             "noise --baseline %s --type gaussian --std 0.2 --store jpeg75,float "
             "--keep-images -t 1 -b 2",
             clean);
    snprintf(lines[2], sizeof *lines,
             "attack --baseline %s -u 0-2 --steps 2 --eps 0.1,0.2 --store png8,float "
             "--keep-images -t 1 -b 2",
             clean);
    snprintf(lines[3], sizeof *lines,
             "attack --baseline %s -u 0-1 --steps 2 --eps 0.1 --store float --loss "
             "soft-iou --masks activations --target random -t 1 -b 2",
             clean);
    snprintf(lines[4], sizeof *lines,
             "manipulate -m %s --pairs 2 -d %s --method gradient,lrp --steps 2 --smooth 2:0.1 -t 1 "
             "-q",
             play_blob, play_probe);
    snprintf(lines[5], sizeof *lines,
             "attribute -m %s %s --method gradient,integrated,lrp --steps 2 --beta 1,10 -t 1 -q",
             play_blob, play_photo(1));
    snprintf(lines[6], sizeof *lines,
             "robustness -m %s -d %s --method gradient,lrp --measures "
             "rps,aam,insertion,adv-insertion,bound,accuracy "
             "--draws 2 --eps 4/255 --aam-steps 2 --similarities cosine,ssim -t 1 -b 2 -q",
             play_blob, classes);
    snprintf(lines[7], sizeof *lines, "curvature -m %s %s --steps 2 --beta 5,2 -t 1 -q", play_blob,
             play_photo(0));
    snprintf(lines[8], sizeof *lines,
             "accuracy -m %s -d %s --noise gaussian:0.3 --store jpeg75,float -t 1 -b 2 -q",
             play_blob, play_probe);
    snprintf(lines[9], sizeof *lines,
             "describe --method milan --captioner %s -m %s -l conv22 -d %s -t 1 -b 2 -q",
             play_captioner(), play_blob, play_probe);
    snprintf(lines[10], sizeof *lines, "train -d mini:6:1 --epochs 2 -b 2 --rate 0.0001 -t 1 -q");
    snprintf(lines[11], sizeof *lines, "patterns -m %s -d %s --limit 4 -t 1 -q", play_blob,
             play_probe);
    if (play("%s -o %s -q", lines[0], clean)->code || !folder_create(in_folder("out"), NULL) ||
        !folder_create(in_folder("wanted"), NULL))
        return false;
    for (int verb = 0; verb < VERBS; verb++) {
        FaultPlan      count = {.changes_only = true};
        double         begin = clock_seconds();
        const Outcome *o     = run(verb, &count, "");
        seconds[verb]        = clock_seconds() - begin;
        changes[verb]        = play_operations();
        if (o->code || !play_copy_tree(out_of(verb), wanted_of(verb))) {
            printf("  %s: exit %d: %s\n", names[verb], o->code, o->err);
            return false;
        }
    }
    return true;
}

static int64_t wanted_kills(int64_t all)
{
    const char *text = getenv("KILLS");
    return !text ? 4 : strcmp(text, "all") ? atoll(text) : all;
}

// Goes on with a run and compares; says what is wrong.
static bool goes_on(int verb, FaultPlan *plan, const char *what, int64_t at)
{
    const Outcome *o = run(verb, plan, "--resume");
    if (o->code == 0 && is_as_wanted(verb))
        return true;
    printf("  %s, %s %lld: exit %d: %s\n", names[verb], what, (long long)at, o->code, o->err);
    return false;
}

/* ---- the end of a process -------------------------------------------------------------------- */

static void dying_at_any_change_is_made_up_for(void)
{
    FaultPlan none = {0};
    int       bad  = 0;
    REQUIRE(make_runs());
    for (int verb = 0; verb < VERBS; verb++) {
        int64_t kills = wanted_kills(2 * changes[verb]), tried = 0;
        int64_t stride = kills > 0 && kills < 2 * changes[verb] ? 2 * changes[verb] / kills : 1;
        for (int64_t k = 0; k < 2 * changes[verb] && bad < 5; k += stride, tried++) {
            FaultPlan plan = {.kind         = k % 2 ? FAULT_DIES_AFTER : FAULT_DIES_BEFORE,
                              .at           = k / 2 + 1,
                              .changes_only = true};
            play_remove(out_of(verb));
            if (verb >= BLOBS)
                play_remove(in_folder("out/%s.checkpoint", names[verb]));
            const Outcome *o = run(verb, &plan, "");
            bool           last =
                verb >= BLOBS && k == 2 * changes[verb] - 1; // all that is left is the message
            bad += o->code != 128 + SIGKILL || (!last && !goes_on(verb, &none, "dead at", k));
        }
        printf("  %-8s %lld of %lld ends\n", names[verb], (long long)tried,
               (long long)changes[verb] * 2);
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
    const char *at = strstr(lines[verb], name);
    if (!at)
        snprintf(out, LINE, "%s %s", lines[verb], option);
    else
        snprintf(out, LINE, "%.*s%s%s", (int)(at - lines[verb]), lines[verb], option,
                 strchr(at + strlen(name), ' '));
}

static bool make_old(int verb)
{
    char line[LINE];
    old_line(verb, line);
    return play("%s -o %s -q", line, in_folder("old/%s", names[verb]))->code == 0;
}

// Puts the old run, with a file of somebody else, where the new one goes.
static bool place_old(int verb)
{
    play_remove(out_of(verb));
    return play_copy_tree(in_folder("old/%s", names[verb]), out_of(verb)) &&
           file_publish(in_folder("out/%s/notes.txt", names[verb]), "mine", 4, NULL);
}

// What a reader finds: the old run or the new one, whole.
static bool is_old_or_new(int verb)
{
    const char *out = out_of(verb), *notes = in_folder("out/%s/notes.txt", names[verb]);
    const char *old = in_folder("old/%s", names[verb]);
    if (!swap_settle(out, &run_result, NULL) || !file_exists(notes))
        return false;
    remove(notes);
    bool is_old = same_file(in_folder("old/%s/%s", names[verb], old_table[verb]),
                            in_folder("out/%s/%s", names[verb], old_table[verb]));
    return file_exists(in_folder("out/%s/run.json", names[verb])) &&
           play_same_tree(is_old ? old : wanted_of(verb), out, true, false);
}

static void dying_while_replacing_leaves_the_old_run_or_the_new(void)
{
    FaultPlan none = {0}, count = {.changes_only = true};
    int       bad = 0;
    REQUIRE(make_runs() && folder_create(in_folder("old"), NULL));
    for (int verb = 0; verb < 3; verb++) {
        REQUIRE(make_old(verb) && place_old(verb) && run(verb, &count, "--overwrite")->code == 0);
        REQUIRE(is_old_or_new(verb) && is_as_wanted(verb));
        int64_t ends = 2 * play_operations(), kills = 4 * wanted_kills(ends), tried = 0;
        int64_t stride = kills < ends ? ends / kills : 1;
        for (int64_t k = ends - 1; k >= 0 && bad < 5; k -= stride, tried++) {
            FaultPlan plan = {.kind         = k % 2 ? FAULT_DIES_AFTER : FAULT_DIES_BEFORE,
                              .at           = k / 2 + 1,
                              .changes_only = true};
            REQUIRE(place_old(verb));
            const Outcome *o    = run(verb, &plan, "--overwrite");
            bool           fine = o->code == 128 + SIGKILL && is_old_or_new(verb);
            o                   = run(verb, &none, "--overwrite --resume");
            if (fine && o->code == 0 && is_as_wanted(verb))
                continue;
            printf("  %s, dead at %lld: exit %d: %s\n", names[verb], (long long)k, o->code, o->err);
            bad++;
        }
        printf("  %-8s %lld of %lld ends\n", names[verb], (long long)tried, (long long)ends);
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
    pause_for(seconds[verb] * (double)random_unit(random_word(random)));
    kill(child, SIGKILL);
    return play_result(child)->code == 128 + SIGKILL;
}

static void dying_at_any_moment_is_made_up_for(void)
{
    FaultPlan none   = {0};
    Random    random = random_stream(test_seed(), "kills");
    int64_t   kills = wanted_kills(500), done = 0, runs = 0;
    int       bad = 0;
    REQUIRE(make_runs());
    for (; done < kills && bad < 5; runs++) {
        int verb = (int)(runs % BLOBS);
        play_remove(out_of(verb));
        bool killed = killed_at_random(verb, start(verb, &none, ""), &random);
        done += killed;
        while (killed && random_below(&random, 2))
            done += killed = killed_at_random(verb, start(verb, &none, "--resume"), &random);
        bad += !goes_on(verb, &none, "killed in run", runs);
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
    REQUIRE(make_runs());
    for (int verb = 0; verb < VERBS; verb++) {
        int64_t count = wanted_kills(changes[verb]);
        for (int64_t i = 0; i < count && bad < 5; i++) {
            int       number = asking[i % 5];
            FaultPlan plan   = {.kind         = FAULT_SIGNAL,
                                .reason       = number,
                                .changes_only = true,
                                .at           = 1 + i * changes[verb] / count};
            int       code   = number == SIGINT || number == SIGTERM ? 128 + number : ERROR_AGAIN;
            play_remove(out_of(verb));
            const Outcome *o    = run(verb, &plan, "");
            bool           told = o->code == code && strstr(o->err, "--resume goes on from there");
            stopped += told;
            bad += !told && o->code != 0; // too late to be heard
            if (!told && o->code != 0)
                printf("  %s, signal %d at %lld: exit %d: %s\n", names[verb], number,
                       (long long)plan.at, o->code, o->err);
            bad += told && !goes_on(verb, &none, "signal at", plan.at);
        }
    }
    CHECK(bad == 0 && stopped > 0);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

// Interrupts a run late, so that a checkpoint is there.
static bool interrupt(int verb)
{
    FaultPlan plan = {
        .kind = FAULT_SIGNAL, .reason = SIGTERM, .changes_only = true, .at = changes[verb] / 2};
    play_remove(out_of(verb));
    return run(verb, &plan, "")->code == 128 + SIGTERM;
}

static void what_is_kept_is_not_done_again(void)
{
    FaultPlan count = {0};
    REQUIRE(make_runs());
    play_remove(out_of(0));
    REQUIRE(run(0, &count, "")->code == 0);
    int64_t all = play_operations();
    // The photo that was taken in before the signal is not opened again.
    FaultPlan plan = {.kind = FAULT_SIGNAL, .reason = SIGTERM, .changes_only = true, .at = 8};
    play_remove(out_of(0));
    REQUIRE(run(0, &plan, "")->code == 128 + SIGTERM);
    char photo[LIMIT_PATH];
    snprintf(photo, sizeof photo, "%s", play_photo(0));
    REQUIRE(write_bytes(photo, "no picture", 10));
    CHECK(goes_on(0, &count, "without its first photo", 0));
    CHECK(play_operations() < all);
}

// A map whose file somebody replaced after it was done stays as it is.
static void maps_that_are_done_are_not_made_again(void)
{
    enum { ATTRIBUTE = 5 };
    FaultPlan none  = {0};
    Bytes     bytes = {0};
    REQUIRE(make_runs() && interrupt(ATTRIBUTE));
    const char *map = in_folder("out/attribute/1-gradient-beta1.npy");
    REQUIRE(file_exists(map) && write_bytes(map, "mine", 4));
    CHECK(run(ATTRIBUTE, &none, "--resume")->code == 0);
    CHECK(file_read(map, LIMIT_TEXT_FILE, &bytes, NULL) && bytes.size == 4);
    bytes_close(&bytes);
    static const char *const tables[] = {"maps.csv", "conservation.csv", "1-lrp-beta10.npy"};
    for (int i = 0; i < 3; i++)
        CHECK(same_file(in_folder("out/attribute/%s", tables[i]),
                        in_folder("wanted/attribute/%s", tables[i])));
}

static void a_damaged_checkpoint_is_told_and_done_without(void)
{
    static const char *const files[] = {"dissect.checkpoint",  "rows.checkpoint",
                                        "clean.checkpoint",    "part.checkpoint",
                                        "controls.checkpoint", "unfinished.json"};
    FaultPlan                none    = {0};
    int                      damaged = 0;
    REQUIRE(make_runs());
    for (int verb = 0; verb < 3; verb++)
        for (int i = 0; i < 6 * 3; i++) {
            char  path[LIMIT_PATH];
            Bytes bytes = {0};
            REQUIRE(interrupt(verb));
            if (!path_join(path, out_of(verb), files[i / 3], NULL) || !file_exists(path))
                continue;
            REQUIRE(file_read(path, LIMIT_TEXT_FILE, &bytes, NULL));
            uint8_t *copy = memory_new(bytes.size, 1, NULL);
            REQUIRE(copy != NULL);
            memcpy(copy, bytes.data, bytes.size);
            copy[i % 3 == 1 ? 0 : bytes.size / 2] ^= 0x80; // no text has this bit
            REQUIRE(write_bytes(path, copy, i % 3 == 2 ? bytes.size / 3 : bytes.size));
            memory_free(copy);
            bytes_close(&bytes);
            const Outcome *o = run(verb, &none, "--resume");
            CHECK(o->code == 0 && is_as_wanted(verb));
            if (!CHECK(strstr(o->err, files[i / 3]) && strstr(o->err, "starts over")))
                printf("  %s, %s: %d %s\n", names[verb], files[i / 3], o->code, o->err);
            damaged++;
        }
    CHECK(damaged >= 20);
}

enum { COUNT_AT = 80, SIZES_AT = 88 }; // number of parts; their sizes, before the parts

// To be changed and freed by the caller; NULL if it cannot be read.
static uint8_t *read_copy(const char *path, size_t *size)
{
    Bytes    bytes = {0};
    uint8_t *copy  = NULL;
    if (file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) && (copy = memory_new(bytes.size, 1, NULL)))
        memcpy(copy, bytes.data, bytes.size);
    *size = bytes.size;
    bytes_close(&bytes);
    return copy;
}

static bool write_sealed(const char *path, uint8_t *bytes, size_t end)
{
    uint32_t crc = digest_crc32(0, bytes, end);
    memcpy(bytes + end, &crc, sizeof crc);
    return write_bytes(path, bytes, end + sizeof crc);
}

// Its checksum is right, but it says that one more image was taken in than its parts have.
static void a_checkpoint_that_contradicts_itself_is_refused(void)
{
    FaultPlan none = {0};
    FaultPlan plan = {.kind = FAULT_SIGNAL, .reason = SIGTERM, .changes_only = true, .at = 8};
    size_t    size;
    int64_t   parts, place[2]; // of the first part: phase, images done
    REQUIRE(make_runs());
    play_remove(out_of(0));
    REQUIRE(run(0, &plan, "")->code == 128 + SIGTERM);
    const char *path = in_folder("out/dissect/dissect.checkpoint");
    uint8_t    *copy = read_copy(path, &size);
    REQUIRE(copy != NULL);
    memcpy(&parts, copy + COUNT_AT, sizeof parts);
    memcpy(place, copy + SIZES_AT + 8 * parts, sizeof place);
    CHECK(place[0] == 0 && place[1] > 0 && place[1] < IMAGES);
    place[1]++;
    memcpy(copy + SIZES_AT + 8 * parts, place, sizeof place);
    REQUIRE(write_sealed(path, copy, size - 4));
    memory_free(copy);
    const Outcome *o = run(0, &none, "--resume");
    CHECK(o->code == ERROR_DATA && strstr(o->err, "does not fit this run"));
}

// The first row of a file of rows is to reach a label that is not there.
static bool break_row(const char *path)
{
    int32_t  label = 1 << 30;
    size_t   size;
    uint8_t *copy = read_copy(path, &size);
    if (!copy)
        return false;
    memcpy(copy + SIZES_AT + 8 + offsetof(ChangeRow, clean.label), &label, sizeof label);
    bool done = write_sealed(path, copy, size - 4);
    memory_free(copy);
    return done;
}

// Takes the last part away.
static bool drop_part(const char *path)
{
    uint64_t parts, part_size;
    size_t   size;
    uint8_t *copy = read_copy(path, &size);
    if (!copy)
        return false;
    memcpy(&parts, copy + COUNT_AT, sizeof parts);
    size_t last = SIZES_AT + 8 * ((size_t)parts - 1);
    memcpy(&part_size, copy + last, sizeof part_size);
    size_t kept = size - 4 - (last + 8) - (size_t)(part_size + 7) / 8 * 8, end = last + kept;
    memmove(copy + last, copy + last + 8, kept);
    parts--;
    memcpy(copy + COUNT_AT, &parts, sizeof parts);
    bool done = write_sealed(path, copy, end);
    memory_free(copy);
    return done;
}

// Each file of each run, wherever it is what the run would go on from; its checksum is right.
static void a_checkpoint_that_lacks_a_part_or_label_is_refused(void)
{
    enum { FILES = 8, MOMENTS = 6, BROKEN_ROWS = 6 };
    static const char *const files[FILES] = {
        "dissect.checkpoint",  "rows.checkpoint",  "clean.checkpoint", "part.checkpoint",
        "controls.checkpoint", "masks.checkpoint", "rows.checkpoint",  "controls.checkpoint"};
    FaultPlan none           = {0};
    int       refused[FILES] = {0};
    REQUIRE(make_runs());
    for (int i = 0; i < 4 * FILES * MOMENTS; i++) {
        int         verb = i / FILES / MOMENTS, file = i % FILES;
        FaultPlan   plan = {.kind         = FAULT_SIGNAL,
                            .reason       = SIGTERM,
                            .changes_only = true,
                            .at = changes[verb] * (i / FILES % MOMENTS + 1) / (MOMENTS + 1)};
        const char *path = in_folder("out/%s/%s", names[verb], files[file]);
        if (refused[file])
            continue;
        play_remove(out_of(verb));
        run(verb, &plan, "");
        if (!file_exists(path))
            continue;
        REQUIRE(file < BROKEN_ROWS ? drop_part(path) : break_row(path));
        const Outcome *o = run(verb, &none, "--resume");
        refused[file]    = o->code == ERROR_DATA && strstr(o->err, files[file]) &&
                        strstr(o->err, "does not fit this run");
        if (!CHECK(refused[file] || (o->code == 0 && is_as_wanted(verb))))
            printf("  %s, %s: exit %d: %s\n", names[verb], files[file], o->code, o->err);
    }
    for (int file = 0; file < FILES; file++)
        if (!CHECK(refused[file]))
            printf("  %s\n", files[file]);
}

static void a_checkpoint_of_other_settings_is_refused(void)
{
    FaultPlan none = {0};
    REQUIRE(make_runs());
    REQUIRE(interrupt(1));
    CHECK(run(1, &none, "--resume -s 1")->code == 73);
    CHECK(run(1, &none, "")->code == 73);
    CHECK(goes_on(1, &none, "after refusals", 0));
}

/* ---- two processes --------------------------------------------------------------------------- */

static void a_folder_is_one_process_at_a_time(void)
{
    FaultPlan none = {0};
    FileLock  lock = {0};
    char      holder[32];
    REQUIRE(make_runs());
    REQUIRE(interrupt(0));
    snprintf(holder, sizeof holder, "process %ld", (long)getpid());
    REQUIRE(file_lock(&lock, in_folder("out/dissect/.lock"), NULL));
    static const char *const ways[] = {"", "--resume", "--overwrite"};
    for (int i = 0; i < 3; i++) {
        const Outcome *o = run(0, &none, ways[i]);
        CHECK(o->code == ERROR_AGAIN && strstr(o->err, holder));
    }
    file_unlock(&lock);
    // What a killed process leaves locks nothing.
    FaultPlan plan = {.kind = FAULT_DIES_BEFORE, .changes_only = true, .at = changes[0] / 2};
    play_remove(out_of(0));
    REQUIRE(run(0, &plan, "")->code == 128 + SIGKILL);
    CHECK(file_exists(in_folder("out/dissect/.lock")));
    CHECK(goes_on(0, &none, "after its killed holder", 0));
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
    prepare(self);
    signal(SIGUSR2, disturb);
}

// Something is done to an input in the middle of a run: it ends with an error, or did not notice
// because it has a copy; never by a signal, never with other results.
static void inputs_may_change_meanwhile(void)
{
    int noticed = 0, spared = 0;
    REQUIRE(make_runs());
    char saved[LIMIT_PATH + 8], line[LINE];
    snprintf(line, sizeof line, "%s -o %s", lines[0], out_of(0));
    for (int file = 0; file < 2; file++)
        for (int way = 0; way < 3; way++)
            for (int64_t at = 4; at < 120; at += 29) {
                const char *path = file ? play_photo(3) : play_blob;
                disturbance      = (Disturbance){
                         .plan = {.kind = FAULT_SIGNAL, .reason = SIGUSR2, .at = at}, .way = way};
                snprintf(disturbance.path, sizeof disturbance.path, "%s", path);
                snprintf(saved, sizeof saved, "%s.saved", disturbance.path);
                REQUIRE(play_copy_tree(disturbance.path, saved));
                play_remove(out_of(0));
                const Outcome *o =
                    play_result(play_start(prepare_disturbance, &disturbance.plan, line));
                bool same = o->code == 0 && is_as_wanted(0);
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
    RUN(what_is_kept_is_not_done_again);
    RUN(maps_that_are_done_are_not_made_again);
    RUN(a_damaged_checkpoint_is_told_and_done_without);
    RUN(a_checkpoint_that_contradicts_itself_is_refused);
    RUN(a_checkpoint_that_lacks_a_part_or_label_is_refused);
    RUN(a_checkpoint_of_other_settings_is_refused);
    RUN(a_folder_is_one_process_at_a_time);
    RUN(inputs_may_change_meanwhile);
}
