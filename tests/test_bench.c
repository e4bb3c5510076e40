/* tests/test_bench.c - every verb of the benchmark program, in small: rows are JSON objects of the
 * promised keys, and their figures are possible. Runs $BENCH (default build/release/bench). */
#include "test.h"

#include "../base/file.h"
#include "../format/json.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *bench_program(void)
{
    const char *path = getenv("BENCH");
    path             = path && *path ? path : "build/release/bench";
    return access(path, X_OK) == 0 ? path : NULL;
}

typedef struct BenchRun {
    int  code; // exit code, -1 if it did not end by itself
    char out[1 << 14];
} BenchRun;

static const BenchRun *bench_run(const char *arguments)
{
    static BenchRun run;
    char            command[4096];
    snprintf(command, sizeof command, "TMPDIR='%s' '%s' %s 2>&1", test_folder(), bench_program(),
             arguments);
    FILE *pipe = popen(command, "r");
    run.code   = -1;
    if (!CHECK(pipe))
        return &run;
    run.out[fread(run.out, 1, sizeof run.out - 1, pipe)] = 0;
    int status                                           = pclose(pipe);
    run.code = status >= 0 && (status & 127) == 0 ? status >> 8 : -1;
    return &run;
}

static double number(const Json *json, const char *key)
{
    const JsonNode *node = json_member(json, json->nodes, key);
    return node && node->kind == JSON_NUMBER ? strtod(node->text, NULL) : -1;
}

static void check_row(const char *line, size_t length)
{
    Json  json  = {0};
    Error error = {0};
    if (!CHECK(json_read(line, length, "row", &json, &error))) {
        printf("  %s: %.*s\n", error.message, (int)length, line);
        return;
    }
    CHECK(json_member_text(&json, "name") && json_member_text(&json, "verb"));
    CHECK_TEXT(json_member_text(&json, "isa"), "portable");
    double ms = number(&json, "ms_per_image");
    CHECK(ms > 0 && number(&json, "best_ms") > 0 && number(&json, "best_ms") <= ms);
    CHECK(number(&json, "p90_ms") >= number(&json, "best_ms"));
    CHECK(number(&json, "p90_ms") >= ms);
    CHECK(number(&json, "cores_shared") >= 0 && number(&json, "cores_shared") <= 1);
    CHECK_CLOSE(number(&json, "images_per_second") * ms / 1e3, 1, 1e-4);
    CHECK(number(&json, "gflops") >= 0 && number(&json, "peak_gflops") > 0);
    CHECK(number(&json, "threads") == 1);
    if (json_member(&json, json.nodes, "residual"))
        CHECK(number(&json, "residual") >= 0 && number(&json, "residual") < 3e-5);
    json_free(&json);
}

static void check_verb(const char *arguments, int rows)
{
    char text[512];
    snprintf(text, sizeof text, "%s -t 1 --isa portable --runs 1 --json", arguments);
    const BenchRun *run = bench_run(text);
    if (!CHECK(run->code == 0))
        printf("  %s: exit %d: %s\n", text, run->code, run->out);
    for (const char *line = run->out; *line; rows--) {
        size_t length = strcspn(line, "\n");
        check_row(line, length);
        line += length + (line[length] == '\n');
    }
    CHECK(rows == 0);
}

static void every_verb_prints_rows(void)
{
    if (!bench_program())
        SKIP("the benchmark program is not built");
    check_verb("gemm", 4);
    check_verb("conv --arch resnet50 --upto layer1.0.conv2 -b 1", 3);
    check_verb("conv --arch resnet50 --upto layer1.0.conv1 -b 1 --pass input-gradient", 2);
    check_verb("model --arch vgg16 --upto conv1_2 -b 1", 1);
    check_verb("model --arch resnet18 --upto layer1 -b 1 --pass forward --conv winograd", 1);
    check_verb("decode", 3);
    check_verb("dissect --upto conv1_1 --limit 2 -b 2", 1);
    check_verb("attack --upto conv1_1 -b 1", 1);
    check_verb("train --arch lenet -b 2", 1);
    check_verb("--only decode", 1);
    check_verb("--only 3136", 1);
}

static void late_runs_are_no_earlier_than_the_median(void)
{
    static const char *const arguments[] = {"gemm --runs 2 -t 1 --isa portable --json",
                                            "decode --runs 2 -t 1 --isa portable --json",
                                            "decode --runs 3 -t 1 --isa portable --json"};
    if (!bench_program())
        SKIP("the benchmark program is not built");
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        const BenchRun *run = bench_run(arguments[i]);
        CHECK(run->code == 0);
        for (const char *line = run->out; *line;) {
            size_t length = strcspn(line, "\n");
            check_row(line, length);
            line += length + (line[length] == '\n');
        }
    }
}

static void short_table_has_the_rows_people_come_for(void)
{
    if (!bench_program())
        SKIP("the benchmark program is not built");
    const BenchRun *run = bench_run("--list");
    CHECK(run->code == 0);
    CHECK_TEXT(run->out, "VGG16 to conv5_3, forward\n"
                         "VGG16 to conv5_3, with input gradient\n"
                         "ResNet-50, forward\n"
                         "ResNet-50, with input gradient\n"
                         "ViT-B/16, forward\n"
                         "ViT-B/16, with input gradient\n"
                         "attack on a unit of VGG16 conv3_3, 10 steps\n"
                         "dissect VGG16 conv3_3\n"
                         "decode a photo and 3 label maps\n"
                         "product 768 x 768 x 768\n"
                         "product 64 x 3136 x 576\n"
                         "train CIFAR ResNet-20, step of 128 images\n");
}

static void short_table_says_once_what_is_counted(void)
{
    if (!bench_program())
        SKIP("the benchmark program is not built");
    const BenchRun *run   = bench_run("--only 'product' --runs 1 -t 1 --isa portable");
    const char     *count = strstr(run->out, "multiplications of the direct method");
    CHECK(run->code == 0 && strstr(run->out, "product 768 x 768 x 768") &&
          strstr(run->out, "of peak"));
    CHECK(count && !strstr(count + 1, "multiplications of the direct method"));
}

static void tables_are_text_without_json(void)
{
    if (!bench_program())
        SKIP("the benchmark program is not built");
    const BenchRun *run = bench_run("model --upto conv1_1 -b 1 --runs 1");
    CHECK(run->code == 0 && strstr(run->out, "of peak") && strstr(run->out, "conv2d 1x64x224x224"));
    CHECK(strstr(run->out, "vgg16 conv1_1 forward b1"));
}

static void wrong_usage_is_named(void)
{
    static const char *const lines[] = {"frobnicate",
                                        "--batch 0",
                                        "--frob 3",
                                        "model -b",
                                        "--isa sse9",
                                        "--pass sideways",
                                        "gemm conv",
                                        "model --arch none",
                                        "conv --upto layer9",
                                        "--conv magic",
                                        "conv --arch alexnet",
                                        "model --arch resnet18 --upto conv9",
                                        "--only nothing",
                                        "gemm --list",
                                        "gemm --only product",
                                        "--all gemm",
                                        "--against pencil",
                                        "--against torch --all",
                                        "train --arch vgg16",
                                        "--against openblas --only vgg16"};
    if (!bench_program())
        SKIP("the benchmark program is not built");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const BenchRun *run = bench_run(lines[i]);
        if (!CHECK(run->code == ERROR_USAGE && strncmp(run->out, "error: ", 7) == 0))
            printf("  %s: exit %d: %s\n", lines[i], run->code, run->out);
    }
}

static bool publish(const char *name, const char *ms)
{
    char path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    FILE *file = fopen(path, "w");
    return file &&
           fprintf(file,
                   "{\"verb\":\"conv\",\"name\":\"a\",\"ms_per_image\":%s,\"gflops\":5,"
                   "\"peak_gflops\":10,\"threads\":1,\"isa\":\"avx2\"}\n",
                   ms) > 0 &&
           fclose(file) == 0;
}

static void comparison_flags_what_is_slower(void)
{
    static const struct {
        const char *now;
        int         code;
    } cases[] = {{"10.4", 0}, {"10.6", 1}, {"5", 0}};
    if (system("command -v awk >/dev/null 2>&1") != 0)
        SKIP("no awk");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[1024];
        REQUIRE(publish("base", "10") && publish("new", cases[i].now));
        snprintf(command, sizeof command, "awk -f bench/compare.awk '%s/base' '%s/new' >/dev/null",
                 test_folder(), test_folder());
        int status = system(command);
        CHECK(status >> 8 == cases[i].code);
    }
}

/* Writes a file of this test's folder; its path. */
static const char *written(const char *name, const char *text)
{
    static char path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    FILE *file = fopen(path, "w");
    bool  ok   = file && fputs(text, file) >= 0;
    if (file)
        ok = fclose(file) == 0 && ok;
    CHECK(ok);
    return path;
}

#define COMPARED(rest)                                                                             \
    "{\"verb\":\"conv\",\"name\":\"a\",\"isa\":\"avx2\",\"threads\":1,\"ms_per_image\":" rest "}"  \
    "\n"

static int compared(const char *base, const char *now)
{
    char command[3 * LIMIT_PATH];
    written("base", base);
    written("new", now);
    snprintf(command, sizeof command, "awk -f bench/compare.awk '%s/base' '%s/new' >/dev/null 2>&1",
             test_folder(), test_folder());
    return system(command) >> 8;
}

static void comparison_needs_more_than_the_spread(void)
{
    if (system("command -v awk >/dev/null 2>&1") != 0)
        SKIP("no awk");
    const char *base = COMPARED("10,\"best_ms\":9,\"p90_ms\":13");
    CHECK(compared(base, COMPARED("12,\"best_ms\":11,\"p90_ms\":14")) == 0);
    CHECK(compared(base, COMPARED("15,\"best_ms\":13.5,\"p90_ms\":16")) == 1);
    // Two rounds are one row with all runs.
    CHECK(compared(base, COMPARED("15,\"best_ms\":13.5,\"p90_ms\":16")
                             COMPARED("12,\"best_ms\":11,\"p90_ms\":14")) == 0);
    // On a busy machine there is no verdict.
    CHECK(compared(base, COMPARED("15,\"best_ms\":13.5,\"p90_ms\":16,\"cores_shared\":0.5")) == 0);
}

static void comparison_without_a_common_row_is_an_error(void)
{
    if (system("command -v awk >/dev/null 2>&1") != 0)
        SKIP("no awk");
    CHECK(compared(COMPARED("10"), "") == 2);
    CHECK(compared(COMPARED("10"), "{\"verb\":\"conv\",\"name\":\"b\",\"isa\":\"avx2\","
                                   "\"threads\":1,\"ms_per_image\":10}\n") == 2);
}

static void comparison_refuses_its_base_before_measuring(void)
{
    static const struct {
        const char *text, *sentence; // text NULL: there is no file
    } cases[] = {{NULL, "no such file"},
                 {"", "empty"},
                 {"name,ms\na,10\n", "line 1 is not a row"},
                 {COMPARED("10") "{\"verb\":\"conv\"}\n", "line 2 is not a row"},
                 {COMPARED("0"), "line 1 is not a row"}};
    char command[4 * LIMIT_PATH], out[512], measured[LIMIT_PATH], bench[LIMIT_PATH];
    if (system("command -v awk >/dev/null 2>&1") != 0)
        SKIP("no awk");
    snprintf(measured, sizeof measured, "%s/measured", test_folder());
    snprintf(command, sizeof command, "#!/bin/sh\ntouch '%s'\n", measured);
    snprintf(bench, sizeof bench, "%s", written("bench", command));
    REQUIRE(chmod(bench, 0755) == 0);
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) { // the last: no BASE at all
        bool is_named = i < sizeof cases / sizeof *cases;
        char base[LIMIT_PATH];
        snprintf(base, sizeof base, "%s/base%zu", test_folder(), i);
        if (is_named && cases[i].text) {
            snprintf(out, sizeof out, "base%zu", i);
            written(out, cases[i].text);
        }
        snprintf(command, sizeof command, "sh bench/compare.sh '%s' '%s' '%s' 2>&1", bench,
                 test_folder(), is_named ? base : "");
        FILE *pipe = popen(command, "r");
        REQUIRE(pipe);
        out[fread(out, 1, sizeof out - 1, pipe)] = 0;
        CHECK(pclose(pipe) >> 8 == 2);
        if (!CHECK(strstr(out, is_named ? cases[i].sentence : "usage: make bench-compare BASE=")))
            printf("  case %zu: %s\n", i, out);
        CHECK(strlen(out) > 0 && strchr(out, '\n') == out + strlen(out) - 1);
        CHECK(access(measured, F_OK) != 0);
    }
}

static void absent_peer_is_left_out_with_a_sentence(void)
{
    if (!bench_program())
        SKIP("the benchmark program is not built");
    setenv("PEERS", test_folder(), 1);
    const BenchRun *run = bench_run("--against openblas --only 256 --runs 1 -t 1 --isa portable");
    unsetenv("PEERS");
    CHECK(run->code == 0 && strstr(run->out, "OpenBLAS is not installed"));
    CHECK(strchr(run->out, '\n') == run->out + strlen(run->out) - 1);
}

/* A peer that says 3 ms at each turn and leaves zeros. */
static void peer_takes_turns(void)
{
    Json json = {0};
    if (!bench_program())
        SKIP("the benchmark program is not built");
    const char *peer =
        written("openblas_peer", "#!/bin/sh\necho ready a pencil\nwhile read -r repeats; do\n"
                                 "head -c 262144 /dev/zero > \"$1/output.f32\"\necho 3\ndone\n");
    REQUIRE(chmod(peer, 0755) == 0);
    setenv("PEERS", test_folder(), 1);
    const BenchRun *run =
        bench_run("--against openblas --only 256 --runs 2 -t 1 --isa portable --json");
    unsetenv("PEERS");
    CHECK(run->code == 0);
    check_row(run->out, strcspn(run->out, "\n"));
    REQUIRE(json_read(run->out, strcspn(run->out, "\n"), "row", &json, NULL));
    CHECK_TEXT(json_member_text(&json, "name"), "openblas product 256x256x256");
    CHECK(number(&json, "peer_ms") == 3 && number(&json, "peer_best_ms") == 3);
    CHECK_CLOSE(number(&json, "ratio") * number(&json, "ms_per_image"), 3, 1e-3);
    CHECK_CLOSE(number(&json, "ratio_of_bests") * number(&json, "best_ms"), 3, 1e-3);
    json_free(&json);
}

// What stays below the test's folder of a benchmark that is killed as soon as its folder is there.
static void a_killed_benchmark_leaves_no_folder(void)
{
    char    program[PATH_MAX], command[2 * PATH_MAX];
    char  **names = NULL;
    int64_t count = 0;
    if (!bench_program())
        SKIP("there is no bench");
    REQUIRE(realpath(bench_program(), program) != NULL);
    snprintf(command, sizeof command,
             "cd '%s' && TMPDIR=$PWD '%s' train --runs 100000 -t 1 >/dev/null 2>&1 & bench=$!\n"
             "cd '%s' && until ls | grep -q nemesis-bench; do kill -0 $bench || exit; done\n"
             "kill -9 $bench; for i in 1 2 3 4 5 6 7 8 9 10; do\n"
             "ls | grep -q nemesis-bench || exit 0; sleep 0.2; done; exit 1",
             test_folder(), program, test_folder());
    CHECK(system(command) == 0); // NOLINT(cert-env33-c)
    CHECK(folder_list(test_folder(), &names, &count, NULL) && count == 0);
    names_free(names, count);
}

SUITE(bench)
{
    RUN(every_verb_prints_rows);
    RUN(late_runs_are_no_earlier_than_the_median);
    RUN(short_table_has_the_rows_people_come_for);
    RUN(short_table_says_once_what_is_counted);
    RUN(tables_are_text_without_json);
    RUN(wrong_usage_is_named);
    RUN(comparison_flags_what_is_slower);
    RUN(comparison_needs_more_than_the_spread);
    RUN(comparison_without_a_common_row_is_an_error);
    RUN(comparison_refuses_its_base_before_measuring);
    RUN(absent_peer_is_left_out_with_a_sentence);
    RUN(peer_takes_turns);
    RUN(a_killed_benchmark_leaves_no_folder);
}
