/* tests/test_bugs.c - reports of others, replayed as their folder in bugs/ says. What the converter
 * has to do with is in tests/convert_everyday_test.py; what needs no file of theirs is often shown
 * elsewhere in more ways. */
#include "../base/file.h"
#include "../format/json.h"
#include "program.h"
#include "small_inputs.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char network[] = "demo/mini.nw";
static char       set[LIMIT_PATH];

static bool draw_set(void)
{
    snprintf(set, sizeof set, "%s", in_folder("m"));
    return program_run("mini -o %s --images 24 -q", set)->code == 0;
}

// Exit code and a sentence.
static bool says(const Outcome *o, int code, const char *told)
{
    bool right = o->code == code && (strstr(o->err, told) || strstr(o->out, told));
    if (!right)
        printf("  exit %d, expected %d and '%s': %s%s", o->code, code, told, o->out, o->err);
    return right;
}

// 03: also through another spelling of the path and a link.
static void the_output_is_not_the_baseline(void)
{
    char clean[LIMIT_PATH], linked[LIMIT_PATH], spelled[LIMIT_PATH];
    NEED_PROGRAM();
    REQUIRE(draw_set());
    snprintf(clean, sizeof clean, "%s", in_folder("runs/clean"));
    snprintf(linked, sizeof linked, "%s", in_folder("linked"));
    snprintf(spelled, sizeof spelled, "%s", in_folder("./runs/../runs/clean"));
    REQUIRE(program_run("dissect -m %s -l conv3_2 -d %s -o %s -q", network, set, clean)->code == 0);
    REQUIRE(symlink(clean, linked) == 0);
    const char *const outs[] = {clean, spelled, linked};
    for (int i = 0; i < 3; i++) {
        CHECK(says(program_run("noise --baseline %s --type gaussian --std 0.02 -o %s --overwrite",
                               clean, outs[i]),
                   2, "the output is the baseline itself"));
        CHECK(says(program_run("attack --baseline %s -u 31 -o %s --overwrite", clean, outs[i]), 2,
                   "the output is the baseline itself"));
    }
    CHECK(file_exists(in_folder("runs/clean/run.json")) &&
          file_exists(in_folder("runs/clean/tally.csv")) &&
          file_exists(in_folder("runs/clean/quantile.npy")));
}

// 19: a folder of photos that is a link, and a photo that is one.
static void links_in_a_set_are_called_links(void)
{
    char kept[LIMIT_PATH];
    NEED_PROGRAM();
    REQUIRE(draw_set());
    snprintf(kept, sizeof kept, "%s", in_folder("x.jpg"));
    REQUIRE(rename(in_folder("m/images/mini/000003.jpg"), kept) == 0 &&
            symlink("../../../x.jpg", in_folder("m/images/mini/000003.jpg")) == 0);
    CHECK(says(program_run("verify -d %s", set), 1, "'000003.jpg' is a symbolic link"));
    REQUIRE(unlink(in_folder("m/images/mini/000003.jpg")) == 0 &&
            rename(kept, in_folder("m/images/mini/000003.jpg")) == 0);
    CHECK(program_run("verify -d %s", set)->code == 0);
    REQUIRE(rename(in_folder("m/images/mini"), in_folder("real")) == 0 &&
            symlink("../../real", in_folder("m/images/mini")) == 0);
    CHECK(says(program_run("verify -d %s", set), 1, "symbolic link"));
}

// 21: index.csv lists its first image twice.
static void a_row_that_is_there_twice_is_named(void)
{
    const char *file  = test_data("bugs/21-row-twice/index.csv");
    Bytes       bytes = {0};
    NEED_PROGRAM();
    if (!file)
        SKIP("no bugs/21-row-twice");
    REQUIRE(draw_set() && file_read(file, 1 << 20, &bytes, NULL) &&
            file_publish(in_folder("m/index.csv"), bytes.data, bytes.size, NULL));
    bytes_close(&bytes);
    CHECK(says(program_run("verify -d %s", set), 1, "is in line 2 already"));
    CHECK(says(program_run("dissect -m %s -l conv3_2 -d %s -o %s", network, set, in_folder("run")),
               65, "is in line 2 already"));
}

// 23: taskset -c 0.
static void threads_are_no_more_than_the_cores_one_has(void)
{
    cpu_set_t all, one;
    Bytes     bytes = {0};
    Json      json  = {0};
    NEED_PROGRAM();
    REQUIRE(draw_set() && sched_getaffinity(0, sizeof all, &all) == 0);
    CPU_ZERO(&one);
    for (int core = 0; !CPU_COUNT(&one); core++)
        if (CPU_ISSET(core, &all))
            CPU_SET(core, &one);
    unsetenv("OMP_NUM_THREADS");
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    int code =
        program_run("dissect -m %s -l conv3_2 -d %s -o %s -q", network, set, in_folder("run"))
            ->code;
    REQUIRE(sched_setaffinity(0, sizeof all, &all) == 0 && code == 0);
    REQUIRE(file_read(in_folder("run/run.json"), JSON_BYTES, &bytes, NULL) &&
            json_read(bytes.data, bytes.size, "run.json", &json, NULL));
    const JsonNode *machine = json_member(&json, json.nodes, "machine");
    REQUIRE(machine);
    CHECK_TEXT(json_member(&json, machine, "threads")->text, "1");
    json_free(&json);
    bytes_close(&bytes);
}

// 27: a long answer whose reader has seen enough.
static void a_closed_pipe_is_no_error(void)
{
    int  ends[2];
    char path[64];
    NEED_PROGRAM();
    REQUIRE(draw_set() && pipe(ends) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    close(ends[0]);
    const Outcome *o = program_run_to(path, "explain pixel %s -m %s -l conv4_2 -u 3 --at 2,2",
                                      in_folder("m/images/mini/000000.jpg"), network);
    close(ends[1]);
    CHECK(o->code == 141 && !o->err[0]);
}

// 29: class folders with what Windows and people leave in them.
static void stray_files_are_stepped_over(void)
{
    const char *folder = test_data("bugs/29-stray-files/folder");
    NEED_PROGRAM();
    if (!folder)
        SKIP("no bugs/29-stray-files");
    const Outcome *o = program_run("train -d %s --arch resnet20 --epochs 1 -b 2 -q -o %s", folder,
                                   in_folder("net.nw"));
    CHECK(says(o, 0, "6 images in 2 classes"));
    CHECK(says(program_run("train -d %s/a -o %s", folder, in_folder("flat.nw")), 65,
               "expected a folder of class folders"));
}

SUITE(bugs)
{
    RUN(the_output_is_not_the_baseline);
    RUN(links_in_a_set_are_called_links);
    RUN(a_row_that_is_there_twice_is_named);
    RUN(threads_are_no_more_than_the_cores_one_has);
    RUN(a_closed_pipe_is_no_error);
    RUN(stray_files_are_stepped_over);
}
