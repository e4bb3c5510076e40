/* tests/test_bench.c - every verb of the benchmark program, in small: rows are JSON objects of the
 * promised keys, and their figures are possible. Runs $BENCH (default build/release/bench). */
#include "test.h"

#include "../format/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    int status = pclose(pipe);
    run.code   = status >= 0 && (status & 127) == 0 ? status >> 8 : -1;
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
    static const char *const lines[] = {"frobnicate",    "--batch 0",          "--frob 3",
                                        "model -b",      "--isa sse9",         "--pass sideways",
                                        "gemm conv",     "model --arch none",  "conv --upto layer9",
                                        "--conv magic",  "conv --arch alexnet",
                                        "model --arch resnet18 --upto conv9"};
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
           fprintf(file, "{\"verb\":\"conv\",\"name\":\"a\",\"ms_per_image\":%s,\"gflops\":5,"
                         "\"peak_gflops\":10,\"threads\":1,\"isa\":\"avx2\"}\n", ms) > 0 &&
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

SUITE(bench)
{
    RUN(every_verb_prints_rows);
    RUN(tables_are_text_without_json);
    RUN(wrong_usage_is_named);
    RUN(comparison_flags_what_is_slower);
}
