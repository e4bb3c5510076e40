/* tests/test_outputs.c - no command destroys what it reads, nor an old result before the new one is
 * whole. */
#include "../base/swap.h"
#include "play.h"
#include "small_inputs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- paths ----------------------------------------------------------------------------------- */

static void a_path_has_many_spellings(void)
{
    char linked[LIMIT_PATH], hard[LIMIT_PATH], nowhere[LIMIT_PATH];
    snprintf(linked, sizeof linked, "%s", in_folder("linked"));
    snprintf(hard, sizeof hard, "%s", in_folder("hard"));
    snprintf(nowhere, sizeof nowhere, "%s", in_folder("nowhere"));
    REQUIRE(folder_create(in_folder("runs/clean"), NULL));
    REQUIRE(file_publish(in_folder("runs/file"), "x", 1, NULL));
    REQUIRE(symlink("runs", linked) == 0 && link(in_folder("runs/file"), hard) == 0 &&
            symlink("runs/new", nowhere) == 0);
    const char *clean = in_folder("runs/clean"), *made = in_folder("runs/new");
    CHECK(path_is_same(clean, in_folder("./runs/../runs//clean/")));
    CHECK(path_is_same(clean, in_folder("linked/clean")));
    CHECK(path_is_same(in_folder("runs/file"), hard));
    CHECK(path_is_same(made, in_folder("runs/clean/../new")) && path_is_same(made, nowhere));
    CHECK(path_is_same(in_folder("runs/new/a/b"), in_folder("linked/new/./a/c/../b")));
    CHECK(!path_is_same(clean, in_folder("runs")) && !path_is_same(made, in_folder("new")));
    CHECK(!path_is_same(in_folder("runs/new/a"), in_folder("runs/new/b")));
    CHECK(path_is_below(in_folder("linked/file"), in_folder("runs")));
    CHECK(!path_is_below(in_folder("linked/file"), clean));
}

/* ---- files that are links, pipes or open already --------------------------------------------- */

static bool reads(const char *path, const char *text)
{
    Bytes bytes = {0};
    bool  same  = file_read(path, 1 << 20, &bytes, NULL) && bytes.size == strlen(text) &&
                memcmp(bytes.data, text, bytes.size) == 0;
    bytes_close(&bytes);
    return same;
}

static void a_link_is_written_through(void)
{
    struct stat info;
    const char *target = in_folder("target"), *name = in_folder("link"),
               *loose = in_folder("loose");
    REQUIRE(file_publish(target, "old", 3, NULL) && symlink("target", name) == 0 &&
            symlink("made", loose) == 0);
    CHECK(file_publish(name, "new", 3, NULL) && reads(target, "new"));
    CHECK(lstat(name, &info) == 0 && S_ISLNK(info.st_mode));
    CHECK(file_publish(loose, "made", 4, NULL) && reads(in_folder("made"), "made"));
    CHECK(symlink("b", in_folder("a")) == 0 && symlink("a", in_folder("b")) == 0);
    CHECK(!file_publish(in_folder("a"), "x", 1, NULL));
    CHECK(!file_publish(test_folder(), "x", 1, NULL));
}

static void what_is_no_file_is_written_to(void)
{
    struct stat info;
    CHECK(file_publish("/dev/null", "x", 1, NULL));
    CHECK(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
    NEED_INPUTS();
    const char    *run = dissect("run", ""), *redirected = in_folder("redirected");
    const Outcome *o = program_run_to(redirected, "compare %s %s -o /dev/stdout", run, run);
    CHECK(o->code == 0 && count_lines(redirected) > SMALL_UNITS + 1);
    o = program_run("compare %s %s -o /dev/stdout", run, run);
    CHECK(o->code == 0 && strstr(o->out, "unit0,category_a"));
    o = program_run("compare %s %s -o %s", run, run, test_folder());
    CHECK(o->code == 73 && strstr(o->err, "is a folder"));
}

/* ---- outputs that are inputs ----------------------------------------------------------------- */

static bool refuses(const Outcome *o, const char *told)
{
    bool right = o->code == 2 && strstr(o->err, told);
    if (!right)
        printf("  exit %d: %s", o->code, o->err);
    return right;
}

static void a_run_is_never_made_over_its_inputs(void)
{
    static char names[6][LIMIT_PATH]; // in_folder's own do not last
    char       *clean = names[0], *kept = names[1], *way = names[2], *linked = names[3];
    char       *noise = names[4], *round = names[5];
    NEED_INPUTS();
    snprintf(clean, LIMIT_PATH, "%s", dissect("clean", ""));
    snprintf(kept, LIMIT_PATH, "%s", in_folder("kept"));
    snprintf(way, LIMIT_PATH, "%s", in_folder("way"));
    snprintf(linked, LIMIT_PATH, "%s", in_folder("linked"));
    snprintf(noise, LIMIT_PATH, "%s", in_folder("noise"));
    snprintf(round, LIMIT_PATH, "%s", in_folder("./way/../clean/"));
    REQUIRE(symlink("clean", linked) == 0 && play_copy_tree(clean, kept));
    REQUIRE(
        program_run("noise --baseline %s --type gaussian --std 0.1 -o %s", clean, noise)->code ==
        0);
    REQUIRE(folder_create(way, NULL));
    const char *const outs[] = {clean, linked, round, probe};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) {
            const char *more = k ? "--overwrite" : "--resume";
            const char *told = i == 3 ? "the output is the probing set itself"
                                      : "the output is the baseline itself";
            CHECK(refuses(program_run("noise --baseline %s --type gaussian --std 0.1 -o %s %s",
                                      clean, outs[i], more),
                          told));
            CHECK(refuses(program_run("attack --baseline %s -u 0 -o %s %s", clean, outs[i], more),
                          told));
            if (k) // pages are not resumed
                CHECK(refuses(program_run("report %s -o %s %s", noise, outs[i], more), told));
        }
    CHECK(refuses(program_run("report %s -o %s --overwrite", noise, noise),
                  "the output is the run itself"));
    CHECK(
        refuses(program_run("dissect -m %s -l conv22 -d %s -o %s --overwrite", blob, probe, probe),
                "the output is the probing set itself"));
    CHECK(refuses(program_run("compare %s %s -o %s", clean, kept, in_folder("linked/tally.csv")),
                  "the output is a file of the first run"));
    CHECK(play_same_tree(kept, clean, true, true));
}

static void a_file_is_never_written_over_an_input(void)
{
    NEED_INPUTS();
    char photo[LIMIT_PATH], hard[LIMIT_PATH], saved[LIMIT_PATH];
    snprintf(photo, sizeof photo, "%s", first_photo());
    snprintf(hard, sizeof hard, "%s", in_folder("hard.png"));
    snprintf(saved, sizeof saved, "%s", in_folder("saved"));
    REQUIRE(link(photo, hard) == 0 && play_copy_tree(photo, saved));
    CHECK(refuses(program_run("image %s -o %s", photo, hard), "the output is the input itself"));
    CHECK(refuses(program_run("activations -m %s %s -o %s", blob, photo, hard),
                  "the output is an input itself"));
    CHECK(refuses(program_run("activations -m %s %s -o %s", blob, photo, blob),
                  "the output is the weight blob itself"));
    CHECK(refuses(program_run("activations -m %s %s -o %s --gradient 1 %s", blob, photo,
                              in_folder("x.npy"), in_folder("./x.npy")),
                  "the output is the other output itself"));
    CHECK(refuses(program_run("train -d mini:4:1 -m %s -o %s --overwrite", blob, blob),
                  "the output is the weights to begin with itself"));
    CHECK(same_file(photo, saved));
}

/* ---- sets and pages that replace others ------------------------------------------------------ */

static bool first_image(const char *set, const char *copy)
{
    char path[LIMIT_PATH];
    return path_join(path, set, "images/mini/000000.jpg", NULL) && play_copy_tree(path, copy);
}

static void an_interrupted_set_leaves_the_old_one(void)
{
    NEED_PROGRAM();
    const char *set = in_folder("set"), *before = in_folder("before"), *after = in_folder("after");
    REQUIRE(program_run("mini -o %s --images 3", set)->code == 0 && first_image(set, before));
    const Outcome *o = program_interrupt(2, in_folder("set/.next/images/mini/000001.jpg"),
                                         "mini -o %s --images 5000 -s 9 --overwrite", set);
    CHECK(o->code == 130);
    CHECK(first_image(set, after) && same_file(before, after));
    CHECK(program_run("verify -d %s", set)->code == 0);
    REQUIRE(file_publish(in_folder("set/notes.txt"), "mine", 4, NULL));
    CHECK(program_run("mini -o %s --images 4 -s 9 --overwrite", set)->code == 0);
    CHECK(first_image(set, after) && !same_file(before, after));
    CHECK(program_run("verify -d %s", set)->code == 0);
    CHECK(reads(in_folder("set/notes.txt"), "mine") && !file_exists(in_folder("set/.next")));
}

// Else accuracy would count them as the new run's.
static void stored_images_of_an_unfinished_run_go(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", ""), *run = in_folder("noise");
    const char *line  = "noise %s --type gaussian --std %s --store float --keep-images -q -o %s %s";
    char      **names = NULL;
    int64_t     count = 0;
    REQUIRE(program_run(line, clean, "0.1", run, "")->code == 0);
    unlink(in_folder("noise/run.json")); // as if it had been interrupted
    REQUIRE(program_run(line, clean, "0.2", run, "--overwrite")->code == 0);
    REQUIRE(folder_list(in_folder("noise/poisoned"), &names, &count, NULL));
    CHECK(count == 2 && strstr(names[0], "_0.2_") && strstr(names[1], "_0_")); // and the control
    names_free(names, count);
    CHECK(file_exists(in_folder("noise/poisoned/gaussian_0.2_float/000000.npy")));
}

static void a_swap_that_was_cut_off_is_finished_by_a_reader(void)
{
    NEED_INPUTS();
    const char *run = dissect("run", ""), *new_run = dissect("new", "--limit 9");
    REQUIRE(play_copy_tree(new_run, in_folder("run/.next")));
    unlink(in_folder("run/run.json")); // as a process that was killed just then
    CHECK(program_run("compare %s %s --fail-over 0", run, new_run)->code == 0);
    CHECK(play_same_tree(new_run, run, true, true) && !file_exists(in_folder("run/.next")));
}

SUITE(outputs)
{
    RUN(a_path_has_many_spellings);
    RUN(a_link_is_written_through);
    RUN(what_is_no_file_is_written_to);
    RUN(a_run_is_never_made_over_its_inputs);
    RUN(a_file_is_never_written_over_an_input);
    RUN(an_interrupted_set_leaves_the_old_one);
    RUN(stored_images_of_an_unfinished_run_go);
    RUN(a_swap_that_was_cut_off_is_finished_by_a_reader);
}
