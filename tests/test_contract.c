/* tests/test_contract.c - the program as others see it: exit codes, streams, files, on a small network
 * and a drawn probing set. */
#include "../cli/commands.h"
#include "../cli/json.h"
#include "../engine/file.h"
#include "../nem/npy.h"
#include "blob_builder.h"
#include "program.h"
#include "test.h"
#include "tiny_world.h"

#include <signal.h>
#include <string.h>

enum { UNITS = 6 };

/* ---- a network and a world --------------------------------------------------------------------- */

static void put_layer(BlobBuilder *builder, const char *base, Shape shape, uint64_t seed)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape, seed, 0, 0.5f);
    snprintf(name, sizeof name, "%s.bias", base);
    blob_builder_random(builder, name, shape_1d(shape.dim[0]), seed, 0, 0.1f);
}

static bool make_blob(const char *path, uint64_t seed)
{
    BlobBuilder *builder = blob_builder_new("lenet", WORLD_SIDE, WORLD_SIDE);
    put_layer(builder, "conv11", shape_4d(UNITS, 3, 3, 3), seed);
    put_layer(builder, "conv12", shape_4d(UNITS, UNITS, 3, 3), seed);
    put_layer(builder, "conv21", shape_4d(4, UNITS, 3, 3), seed);
    put_layer(builder, "conv22", shape_4d(UNITS, 4, 3, 3), seed);
    put_layer(builder, "fc1", shape_2d(8, UNITS * WORLD_SIDE * WORLD_SIDE / 16), seed);
    put_layer(builder, "fc2", shape_2d(10, 8), seed);
    bool ok = blob_builder_save(builder, path, NULL);
    blob_builder_free(builder);
    return ok;
}

static const char *blob, *probe; // of the running test; conv22 has the label maps' size

static bool make_inputs(void)
{
    static char blob_path[LIMIT_PATH], probe_path[LIMIT_PATH];
    World       world = {0};
    bool        ok    = world_open(&world, COMPAT_CORRUPT23, 8);
    snprintf(probe_path, sizeof probe_path, "%s", ok ? world.probe.folder : "");
    world_close(&world);
    snprintf(blob_path, sizeof blob_path, "%s", in_folder("net.nw"));
    blob  = blob_path;
    probe = probe_path;
    return ok && make_blob(blob_path, 1);
}

static const char *dissect(const char *name, const char *more)
{
    const char *run = in_folder("%s", name);
    const Outcome *o = program_run("dissect -m %s -l conv22 -d %s -o %s -q %s", blob, probe, run,
                                   more);
    if (!CHECK(o->code == 0))
        printf("  %s", o->err);
    return run;
}

static const char *photo_path(const ProbeSet *set)
{
    static char path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/images/%s", set->folder, probe_image_path(set, 0));
    return path;
}

static const char *first_photo(void)
{
    ProbeSet    set  = {0};
    const char *path = probe_open(&set, probe, NULL, NULL) ? photo_path(&set) : NULL;
    probe_close(&set);
    return path;
}

#define NEED_PROGRAM()                                                                             \
    do {                                                                                           \
        if (!program_exists())                                                                     \
            SKIP("there is no ./nemesis");                                                         \
    } while (0)

#define NEED_INPUTS()                                                                              \
    do {                                                                                           \
        NEED_PROGRAM();                                                                            \
        REQUIRE(make_inputs());                                                                    \
    } while (0)

static int count_lines(const char *path)
{
    Bytes bytes = {0};
    int   lines = 0;
    if (file_read(path, LIMIT_TEXT_FILE, &bytes, NULL))
        for (size_t i = 0; i < bytes.size; i++)
            lines += bytes.data[i] == '\n';
    bytes_close(&bytes);
    return lines;
}

/* ---- every verb -------------------------------------------------------------------------------- */

static void help_ends_with_an_example(void)
{
    NEED_PROGRAM();
    for (int v = 0; verb_at(v); v++) {
        const Verb    *verb = verb_at(v);
        const Outcome *a    = program_run("%s --help", verb->name);
        const Outcome *b    = program_run("help %s", verb->name);
        char           end[512];
        snprintf(end, sizeof end, "\nexample:\n  %s\n", verb->example);
        size_t length = strlen(a->out), end_length = strlen(end);
        CHECK(a->code == 0 && b->code == 0 && !a->err[0]);
        CHECK(length > end_length && strcmp(a->out + length - end_length, end) == 0);
        CHECK_TEXT(a->out, b->out);
    }
}

static void wrong_usage_is_exit_2(void)
{
    NEED_PROGRAM();
    static const char *const lines[] = {
        "", "nope", "help nope", "version extra", "dissect", "inspect", "inspect a b",
        "verify -d x --nope", "verify -d x -t many", "compare a", "image a.png -o b.gif",
        "attack --baseline x -u 3-1 -o y", "noise --baseline x --type pink --std 1 -o y"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const Outcome *o     = program_run("%s", lines[i]);
        const char    *error = strstr(o->err, "error: ");
        bool           told  = o->code == 2 && !o->out[0] && error &&
                    strchr(error, '\n') == error + strlen(error) - 1;
        if (!CHECK(told))
            printf("  '%s': %d %s\n", lines[i], o->code, o->err);
    }
}

static void missing_inputs_are_exit_66(void)
{
    NEED_INPUTS();
    const char *run = in_folder("run");
    CHECK(program_run("inspect %s", in_folder("none.nw"))->code == 66);
    CHECK(program_run("verify -d %s", in_folder("none"))->code == 66);
    CHECK(program_run("image %s -o %s", in_folder("none.png"), in_folder("x.png"))->code == 66);
    CHECK(program_run("compare %s %s", in_folder("a"), in_folder("b"))->code == 66);
    CHECK(program_run("dissect -m %s -l conv22 -d %s -o %s", in_folder("none.nw"), probe, run)->code
          == 66);
    CHECK(!folder_exists(run));
    CHECK(program_run("noise --baseline %s --type uniform --std 1 -o %s", in_folder("a"), run)->code
          == 66);
    CHECK(!folder_exists(run));
}

static void a_full_disk_is_exit_74(void)
{
    NEED_INPUTS();
    if (!file_exists("/dev/full"))
        SKIP("there is no /dev/full");
    CHECK(program_run_to("/dev/full", "inspect %s", blob)->code == 74);
    CHECK(program_run_to("/dev/full", "version")->code == 74);
}

static void a_closed_stdout_harms_no_result(void)
{
    NEED_INPUTS();
    const char *a = dissect("a", ""), *b = in_folder("b");
    CHECK(program_run_to(NULL, "dissect -m %s -l conv22 -d %s -o %s -q", blob, probe, b)->code == 0);
    CHECK(same_file(a, b, "tally.csv") && same_file(a, b, "quantile.npy"));
}

static void json_is_one_document(void)
{
    NEED_INPUTS();
    const char *run = dissect("run", "");
    char        lines[8][1024];
    int         count = 0;
    snprintf(lines[count++], sizeof *lines, "version --json");
    snprintf(lines[count++], sizeof *lines, "inspect %s --json", blob);
    snprintf(lines[count++], sizeof *lines, "verify -d %s --json", probe);
    snprintf(lines[count++], sizeof *lines, "compare %s %s --json", run, run);
    snprintf(lines[count++], sizeof *lines, "dissect -m %s -l conv11 -d %s -o %s --json", blob, probe,
             in_folder("other"));
    snprintf(lines[count++], sizeof *lines,
             "noise --baseline %s --type uniform --std 0.1 -o %s --json", run, in_folder("noise"));
    snprintf(lines[count++], sizeof *lines, "classify -m %s %s --json", blob, first_photo());
    for (int i = 0; i < count; i++) {
        const Outcome *o    = program_run("%s", lines[i]);
        Json           json = {0};
        Error          told = {0};
        bool           ran  = o->code == 0 || (o->code == 1 && i == 2); // a drawn set has problems
        if (!CHECK(ran && json_read(o->out, strlen(o->out), "stdout", &json, &told)))
            printf("  %s: %s %s\n", lines[i], told.message, o->err);
        json_free(&json);
    }
}

/* ---- inspect, verify --------------------------------------------------------------------------- */

static void inspect_tells_layers_and_tensors(void)
{
    NEED_INPUTS();
    const Outcome *o = program_run("inspect %s", blob);
    CHECK(o->code == 0 && strstr(o->out, "lenet") && strstr(o->out, "conv11 conv12 conv21 conv22"));
    CHECK(strstr(o->out, "conv12.weight  f32   6x6x3x3"));
}

static void a_damaged_blob_is_exit_65(void)
{
    NEED_INPUTS();
    Bytes bytes = {0};
    REQUIRE(file_read(blob, LIMIT_TEXT_FILE, &bytes, NULL));
    uint8_t *copy = memory_new(bytes.size, 1, NULL);
    memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size / 2] ^= 1;
    REQUIRE(file_publish(in_folder("flipped.nw"), copy, bytes.size, NULL));
    REQUIRE(file_publish(in_folder("cut.nw"), copy, bytes.size - 64, NULL));
    CHECK(program_run("inspect %s", in_folder("flipped.nw"))->code == 65);
    CHECK(program_run("inspect %s", in_folder("cut.nw"))->code == 65);
    memory_free(copy);
    bytes_close(&bytes);
}

static void verify_fails_on_a_damaged_picture(void)
{
    NEED_INPUTS();
    // A drawn world does not list true counts, so the damage must add a problem, not make the first.
    const Outcome *before = program_run("verify -d %s", probe);
    CHECK(before->code == 0 || before->code == 1);
    int  problems = 0;
    for (const char *c = before->out; *c; c++)
        problems += *c == '\n';
    ProbeSet set = {0};
    REQUIRE(probe_open(&set, probe, NULL, NULL));
    REQUIRE(file_publish(photo_path(&set), "no picture", 10, NULL));
    probe_close(&set);
    const Outcome *after = program_run("verify -d %s", probe);
    int            found = 0;
    for (const char *c = after->out; *c; c++)
        found += *c == '\n';
    CHECK(after->code == 1 && found > problems && strncmp(after->err, "error: ", 7) == 0);
}

/* ---- dissect ----------------------------------------------------------------------------------- */

static void dissect_writes_a_run_folder(void)
{
    NEED_INPUTS();
    const char    *run = in_folder("run");
    const Outcome *o   = program_run("dissect -m %s -l conv22 -d %s -o %s -s 7", blob, probe, run);
    REQUIRE(o->code == 0);
    CHECK(strncmp(o->out, "conv22 of lenet: 6 units, 70 images", 35) == 0);
    CHECK(count_lines(in_folder("run/tally.csv")) == UNITS + 1);
    float *thresholds = NULL;
    Shape  shape;
    CHECK(npy_read(in_folder("run/quantile.npy"), &thresholds, &shape, NULL) &&
          shape_equal(shape, shape_1d(UNITS)));
    memory_free(thresholds);
    Bytes bytes = {0};
    Json  json  = {0};
    REQUIRE(file_read(in_folder("run/run.json"), JSON_BYTES, &bytes, NULL));
    REQUIRE(json_read(bytes.data, bytes.size, "run.json", &json, NULL));
    CHECK_TEXT(json_member_text(&json, "verb"), "dissect");
    CHECK_TEXT(json_member_text(&json, "state"), "done");
    CHECK_TEXT(json_member(&json, json.nodes, "seed")->text, "7");
    CHECK_TEXT(json_member_text(&json, "weights.path"), blob);
    CHECK_TEXT(json_member_text(&json, "compat.mode"), "corrupt23");
    CHECK(json_member(&json, json.nodes, "command")->count == 12);
    CHECK(json_member_text(&json, "weights.sha256") && json_member_text(&json, "data.index_sha256"));
    CHECK(json_member(&json, json.nodes, "peak_memory_bytes") && json_member_text(&json, "machine.isa"));
    json_free(&json);
    bytes_close(&bytes);
}

static void results_do_not_depend_on_threads_or_batch(void)
{
    NEED_INPUTS();
    const char *a = dissect("a", "-t 1 -b 1"), *b = dissect("b", "-t 2 -b 7");
    CHECK(same_file(a, b, "tally.csv") && same_file(a, b, "quantile.npy"));
}

static void a_run_is_refused_resumed_or_overwritten(void)
{
    NEED_INPUTS();
    const char *run = dissect("run", "");
    char        line[1024];
    snprintf(line, sizeof line, "dissect -m %s -l conv22 -d %s -o %s", blob, probe, run);
    CHECK(program_run("%s", line)->code == 73);
    const Outcome *o = program_run("%s --resume", line);
    CHECK(o->code == 0 && strstr(o->err, "nothing to do"));
    CHECK(program_run("%s --resume --limit 3", line)->code == 73);
    CHECK(count_lines(in_folder("run/tally.csv")) == UNITS + 1);
    CHECK(program_run("%s --overwrite --limit 3", line)->code == 0);
    CHECK(program_run("%s --resume --limit 3", line)->code == 0);
}

static void an_unknown_layer_is_exit_2_and_leaves_nothing(void)
{
    NEED_INPUTS();
    const char    *run = in_folder("run");
    const Outcome *o   = program_run("dissect -m %s -l conv99 -d %s -o %s", blob, probe, run);
    CHECK(o->code == 2 && strstr(o->err, "conv99") && strstr(o->err, "conv12"));
    CHECK(!folder_exists(run));
}

/* ---- noise, attack ----------------------------------------------------------------------------- */

static const char changes_header[] =
    "method,strength,store,unit0,clean_category,clean_label,clean_iou,new_category,new_label,new_iou,"
    "clean_label_iou,target_category,target_label,target_iou,poisoned,fraction,linf_before_store,"
    "linf_after_store,changed,hit\n";

static bool starts_with(const char *path, const char *text)
{
    Bytes bytes = {0};
    bool  ok    = file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) && bytes.size >= strlen(text) &&
              memcmp(bytes.data, text, strlen(text)) == 0;
    bytes_close(&bytes);
    return ok;
}

// Cuts changes.csv of a finished run after `lines` lines and makes the folder unfinished again.
static bool undo(const char *run, int lines)
{
    char  path[LIMIT_PATH];
    Bytes bytes = {0};
    Json  json  = {0};
    bool  ok    = path_join(path, run, "run.json", NULL) &&
              file_read(path, JSON_BYTES, &bytes, NULL) &&
              json_read(bytes.data, bytes.size, path, &json, NULL);
    bytes_close(&bytes);
    JsonWriter writer = {0};
    json_open_object(&writer, NULL);
    json_open_object(&writer, "settings");
    const JsonNode *settings = ok ? json_member(&json, json.nodes, "settings") : NULL;
    for (int i = settings ? settings->first : -1; i >= 0; i = json.nodes[i].next)
        json_text(&writer, json.nodes[i].key, json.nodes[i].text);
    json_close(&writer);
    json_close(&writer);
    ok = ok && file_remove(path, NULL) && json_finish(&writer, NULL) &&
         path_join(path, run, "unfinished.json", NULL) &&
         file_publish(path, writer.text, writer.length, NULL) &&
         path_join(path, run, "summary.csv", NULL) && file_remove(path, NULL) &&
         path_join(path, run, "changes.csv", NULL) &&
         file_read(path, LIMIT_TEXT_FILE, &bytes, NULL);
    size_t size = 0;
    for (; ok && size < bytes.size && lines > 0; size++)
        lines -= bytes.data[size] == '\n';
    ok = ok && file_publish(path, bytes.data, size, NULL);
    bytes_close(&bytes);
    json_free(&json);
    json_discard(&writer);
    return ok;
}

static void noise_writes_a_row_for_each_unit_and_setting(void)
{
    NEED_INPUTS();
    const char    *clean = dissect("clean", "");
    const Outcome *o     = program_run("noise --baseline %s --type gaussian --std 0.05,0.2 --store "
                                       "png8,float -o %s", clean, in_folder("noise"));
    REQUIRE(o->code == 0);
    CHECK(strstr(o->out, "seed 0"));
    CHECK(starts_with(in_folder("noise/changes.csv"), changes_header));
    CHECK(count_lines(in_folder("noise/changes.csv")) == 1 + 2 * 3 * UNITS);
    CHECK(file_exists(in_folder("noise/summary.csv")) && file_exists(in_folder("noise/run.json")));
    CHECK(!file_exists(in_folder("noise/unfinished.json")));
}

static void an_interrupted_sweep_resumes_to_the_same_bytes(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "");
    char        line[1024];
    snprintf(line, sizeof line,
             "noise --baseline %s --type uniform --std 0.05,0.2 --store png8,float -q", clean);
    REQUIRE(program_run("%s -o %s", line, in_folder("a"))->code == 0);
    REQUIRE(program_run("%s -o %s -t 1 -b 3", line, in_folder("b"))->code == 0);
    CHECK(same_file(in_folder("a"), in_folder("b"), "changes.csv"));
    for (int settings = 0; settings <= 6; settings += 2) {
        REQUIRE(undo(in_folder("b"), 1 + settings * UNITS));
        CHECK(program_run("%s -o %s", line, in_folder("b"))->code == 73);
        CHECK(program_run("%s -s 1 -o %s --resume", line, in_folder("b"))->code == 73);
        CHECK(program_run("%s -o %s --resume", line, in_folder("b"))->code == 0);
        CHECK(same_file(in_folder("a"), in_folder("b"), "changes.csv"));
        CHECK(same_file(in_folder("a"), in_folder("b"), "summary.csv"));
    }
}

static void attack_keeps_to_units_and_eps(void)
{
    NEED_INPUTS();
    const char    *clean = dissect("clean", "");
    const Outcome *o = program_run("attack --baseline %s -u 0-2,5 --eps 8/255,0.1 --steps 3 --store "
                                   "float -o %s --keep-images", clean, in_folder("attack"));
    REQUIRE(o->code == 0);
    CHECK(starts_with(in_folder("attack/changes.csv"), changes_header));
    CHECK(count_lines(in_folder("attack/changes.csv")) == 1 + 4 * 3);
    CHECK(folder_exists(in_folder("attack/poisoned")));
    CHECK(program_run("attack --baseline %s -u 6 -o %s", clean, in_folder("x"))->code == 2);
    CHECK(program_run("attack --baseline %s -u 0 --target color:nothing -o %s", clean,
                      in_folder("x"))->code == 2);
    CHECK(!folder_exists(in_folder("x")));
    CHECK(program_run("attack --baseline %s -u 0 --target random --steps 2 --loss soft-iou --masks "
                      "activations --method fgsm -o %s", clean, in_folder("y"))->code == 0);
}

static void an_interrupted_attack_resumes_to_the_same_bytes(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "");
    char        line[1024];
    snprintf(line, sizeof line, "attack --baseline %s -u all --steps 2 --store png8,float -q", clean);
    REQUIRE(program_run("%s -o %s", line, in_folder("a"))->code == 0);
    REQUIRE(program_run("%s -o %s", line, in_folder("b"))->code == 0);
    for (int rows = 0; rows <= 4 * UNITS; rows += 4) {
        REQUIRE(undo(in_folder("b"), 1 + rows));
        CHECK(program_run("%s -o %s --resume", line, in_folder("b"))->code == 0);
        CHECK(same_file(in_folder("a"), in_folder("b"), "changes.csv"));
        CHECK(same_file(in_folder("a"), in_folder("b"), "summary.csv"));
    }
}

static void a_baseline_of_other_weights_is_refused(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "");
    REQUIRE(make_blob(blob, 2));
    const Outcome *o = program_run("noise --baseline %s --type uniform --std 0.1 -o %s", clean,
                                   in_folder("x"));
    CHECK(o->code == 65 && strstr(o->err, "SHA-256"));
    CHECK(!folder_exists(in_folder("x")));
}

static void a_baseline_decides_mode_and_limit(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "--compat clean --limit 9");
    char        line[1024];
    snprintf(line, sizeof line, "noise --baseline %s --type uniform --std 0.1 -q", clean);
    CHECK(program_run("%s --compat lite -o %s", line, in_folder("x"))->code == 2);
    CHECK(program_run("%s --limit 8 -o %s", line, in_folder("x"))->code == 2);
    const Outcome *o = program_run("%s --compat clean --limit 9 -o %s", line, in_folder("x"));
    CHECK(o->code == 0 && strstr(o->out, "noise of conv22: 9 images"));
    o = program_run("noise --baseline %s --type uniform --std 0.1 -q -o %s", in_folder("x"),
                    in_folder("y"));
    CHECK(o->code == 2 && strstr(o->err, "run of 'noise'"));
}

static void a_signal_stops_a_run_after_the_batch(void)
{
    NEED_INPUTS();
    const char *clean = dissect("clean", "");
    static const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        const char    *out = in_folder("out%d", i);
        const Outcome *o   = program_interrupt(
            signals[i], 0.4, "attack --baseline %s -u all --steps 2000 --eps "
            "0.01,0.02,0.03,0.04,0.05,0.06,0.07,0.08,0.09,0.1 -o %s", clean, out);
        if (!CHECK(o->code == 128 + signals[i]))
            printf("  exit %d: %s\n", o->code, o->err);
        char document[LIMIT_PATH];
        CHECK(path_join(document, out, "run.json", NULL) && !file_exists(document));
    }
}

/* ---- compare, image, classify, activations ----------------------------------------------------- */

static void compare_counts_what_changed(void)
{
    NEED_INPUTS();
    const char *a = dissect("a", ""), *b = dissect("b", "");
    REQUIRE(make_blob(blob, 2));
    const char    *c = dissect("c", "");
    const Outcome *o = program_run("compare %s %s --fail-over 0 -o %s", a, b, in_folder("x.csv"));
    CHECK(o->code == 0 && strncmp(o->out, "changed: 0 of 6 units", 21) == 0);
    CHECK(count_lines(in_folder("x.csv")) == UNITS + 1);
    o = program_run("compare %s %s --fail-over 0", a, c);
    CHECK(o->code == 1 && strncmp(o->err, "error: ", 7) == 0);
    CHECK(program_run("compare %s %s", a, c)->code == 0);
}

static void image_keeps_the_pixels_of_a_png(void)
{
    NEED_INPUTS();
    const char *photo = first_photo();
    float      *a = NULL, *b = NULL;
    Shape       shape_a, shape_b;
    REQUIRE(program_run("image %s -o %s", photo, in_folder("a.npy"))->code == 0);
    REQUIRE(program_run("image %s -o %s", photo, in_folder("b.png"))->code == 0);
    REQUIRE(program_run("image %s -o %s", in_folder("b.png"), in_folder("b.npy"))->code == 0);
    REQUIRE(npy_read(in_folder("a.npy"), &a, &shape_a, NULL));
    REQUIRE(npy_read(in_folder("b.npy"), &b, &shape_b, NULL));
    CHECK(shape_equal(shape_a, shape_b) && shape_a.dim[0] == WORLD_SIDE);
    CHECK(memcmp(a, b, (size_t)shape_elements(shape_a) * sizeof *a) == 0);
    memory_free(a);
    memory_free(b);
    CHECK(program_run("image %s -o %s --resize 8 --crop 4", photo, in_folder("c.jpg"))->code == 0);
    const Outcome *o = program_run("image %s -o %s", in_folder("c.jpg"), in_folder("c.png"));
    CHECK(o->code == 0 && strstr(o->out, "4x4 from 4x4"));
    CHECK(program_run("image %s -o %s --crop 17", photo, in_folder("d.png"))->code == 65);
    REQUIRE(file_publish(in_folder("text.png"), "no picture", 10, NULL));
    CHECK(program_run("image %s -o %s", in_folder("text.png"), in_folder("d.png"))->code == 65);
    CHECK(!file_exists(in_folder("d.png")));
}

static void classify_skips_what_it_cannot_read(void)
{
    NEED_INPUTS();
    const char    *photo = first_photo();
    const Outcome *o     = program_run("classify -m %s %s --top 3", blob, photo);
    CHECK(o->code == 0 && strstr(o->out, "probability"));
    o = program_run("classify -m %s %s %s", blob, photo, in_folder("none.png"));
    CHECK(o->code == 3 && strstr(o->err, "none.png") && strstr(o->out, "probability"));
    CHECK(program_run("classify -m %s %s", blob, in_folder("none.png"))->code == 66);
}

static void activations_of_a_photo_and_of_its_pixels_agree(void)
{
    NEED_INPUTS();
    const char *photo = first_photo();
    float      *planes = memory_new(3 * WORLD_SIDE * WORLD_SIDE, sizeof *planes, NULL);
    float      *a = NULL, *b = NULL, *gradient = NULL;
    Shape       shape;
    ProbeSet    set = {0};
    REQUIRE(planes && probe_open(&set, probe, NULL, NULL));
    ImageSource source = probe_images(&set);
    REQUIRE(source.load(source.self, 0, planes, NULL));
    probe_close(&set);
    REQUIRE(npy_write(in_folder("in.npy"), planes, shape_4d(1, 3, WORLD_SIDE, WORLD_SIDE), NULL));
    REQUIRE(program_run("activations -m %s -l conv22 %s -o %s", blob, photo, in_folder("a.npy"))->code
            == 0);
    REQUIRE(program_run("activations -m %s -l conv22 %s -o %s --gradient 3 %s", blob,
                        in_folder("in.npy"), in_folder("b.npy"), in_folder("g.npy"))->code == 0);
    REQUIRE(npy_read(in_folder("a.npy"), &a, &shape, NULL));
    CHECK(shape_equal(shape, shape_4d(1, UNITS, WORLD_SIDE / 2, WORLD_SIDE / 2)));
    REQUIRE(npy_read(in_folder("b.npy"), &b, &shape, NULL));
    CHECK(memcmp(a, b, (size_t)shape_elements(shape) * sizeof *a) == 0);
    REQUIRE(npy_read(in_folder("g.npy"), &gradient, &shape, NULL));
    CHECK(shape_equal(shape, shape_4d(1, 3, WORLD_SIDE, WORLD_SIDE)));
    memory_free(planes);
    memory_free(a);
    memory_free(b);
    memory_free(gradient);
    CHECK(program_run("activations -m %s %s -o %s --gradient 10 %s", blob, photo, in_folder("a.npy"),
                      in_folder("g.npy"))->code == 2);
    CHECK(program_run("activations -m %s %s -o %s --activation relu", blob, photo,
                      in_folder("a.npy"))->code == 2);
    CHECK(program_run("activations -m %s %s -o %s --activation softplus:20", blob, photo,
                      in_folder("a.npy"))->code == 0);
}

SUITE(contract)
{
    RUN(help_ends_with_an_example);
    RUN(wrong_usage_is_exit_2);
    RUN(missing_inputs_are_exit_66);
    RUN(a_full_disk_is_exit_74);
    RUN(a_closed_stdout_harms_no_result);
    RUN(json_is_one_document);
    RUN(inspect_tells_layers_and_tensors);
    RUN(a_damaged_blob_is_exit_65);
    RUN(verify_fails_on_a_damaged_picture);
    RUN(dissect_writes_a_run_folder);
    RUN(results_do_not_depend_on_threads_or_batch);
    RUN(a_run_is_refused_resumed_or_overwritten);
    RUN(an_unknown_layer_is_exit_2_and_leaves_nothing);
    RUN(noise_writes_a_row_for_each_unit_and_setting);
    RUN(an_interrupted_sweep_resumes_to_the_same_bytes);
    RUN(attack_keeps_to_units_and_eps);
    RUN(an_interrupted_attack_resumes_to_the_same_bytes);
    RUN(a_baseline_of_other_weights_is_refused);
    RUN(a_baseline_decides_mode_and_limit);
    RUN(a_signal_stops_a_run_after_the_batch);
    RUN(compare_counts_what_changed);
    RUN(image_keeps_the_pixels_of_a_png);
    RUN(classify_skips_what_it_cannot_read);
    RUN(activations_of_a_photo_and_of_its_pixels_agree);
}
