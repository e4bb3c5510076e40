/* tests/test_contract.c - the program as others see it: help, exit codes, streams, pictures,
 * arrays. */
#include "../cli/commands.h"
#include "../format/json.h"
#include "../base/file.h"
#include "../format/npy.h"
#include "play.h"
#include "small_inputs.h"

#include <stdio.h>
#include <string.h>

/* ---- every verb ------------------------------------------------------------------------------ */

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

static int widest_line(const char *text)
{
    int widest = 0;
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        widest = (int)length > widest ? (int)length : widest;
    }
    return widest;
}

static void help_fits_a_terminal(void)
{
    NEED_PROGRAM();
    CHECK(widest_line(program_run("help")->out) <= 80);
    for (int v = 0; verb_at(v); v++)
        if (!CHECK(widest_line(program_run("help %s", verb_at(v)->name)->out) <= 80))
            printf("  %s\n", verb_at(v)->name);
}

static void wrong_usage_is_exit_2(void)
{
    NEED_PROGRAM();
    static const char *const lines[] = {"",
                                        "nope",
                                        "help nope",
                                        "version extra",
                                        "dissect",
                                        "inspect",
                                        "inspect a b",
                                        "verify -d x --nope",
                                        "verify -d x -t many",
                                        "compare a",
                                        "image a.png -o b.gif",
                                        "attack --baseline x -u 3-1 -o y",
                                        "noise --baseline x --type pink --std 1 -o y"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const Outcome *o     = program_run("%s", lines[i]);
        const char    *error = strstr(o->err, "error: ");
        bool           told =
            o->code == 2 && !o->out[0] && error && strchr(error, '\n') == error + strlen(error) - 1;
        if (!CHECK(told))
            printf("  '%s': %d %s\n", lines[i], o->code, o->err);
    }
}

static int fail_with(void *error)
{
    return nemesis_exit(false, error);
}

// No input is known to reach these, so the way out is called with them.
static void a_defect_is_exit_70(void)
{
    Error untold = {0}, told = {0};
    CHECK(nemesis_exit(true, &untold) == 0 && !*untold.message);
    const Outcome *o = play_call(fail_with, &untold);
    CHECK(o->code == 70);
    CHECK_TEXT(o->err, "error: a step failed without saying why\n");
    fail(&told, ERROR_INTERNAL, "plan: output 3 is not a node of the graph");
    o = play_call(fail_with, &told);
    CHECK(o->code == 70);
    CHECK_TEXT(o->err, "error: plan: output 3 is not a node of the graph\n");
}

static void missing_inputs_are_exit_66(void)
{
    NEED_INPUTS();
    const char *run = in_folder("run");
    CHECK(program_run("inspect %s", in_folder("none.nw"))->code == 66);
    CHECK(program_run("verify -d %s", in_folder("none"))->code == 66);
    CHECK(program_run("image %s -o %s", in_folder("none.png"), in_folder("x.png"))->code == 66);
    CHECK(program_run("compare %s %s", in_folder("a"), in_folder("b"))->code == 66);
    CHECK(program_run("dissect -m %s -l conv22 -d %s -o %s", in_folder("none.nw"), probe, run)
              ->code == 66);
    CHECK(!folder_exists(run));
    CHECK(program_run("noise --baseline %s --type uniform --std 1 -o %s", in_folder("a"), run)
              ->code == 66);
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
    const char *b = in_folder("b");
    dissect("a", "");
    CHECK(program_run_to(NULL, "dissect -m %s -l conv22 -d %s -o %s -q", blob, probe, b)->code ==
          0);
    CHECK(same_file(in_folder("a/tally.csv"), in_folder("b/tally.csv")) &&
          same_file(in_folder("a/quantile.npy"), in_folder("b/quantile.npy")));
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
    snprintf(lines[count++], sizeof *lines, "dissect -m %s -l conv11 -d %s -o %s --json", blob,
             probe, in_folder("other"));
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

/* ---- inspect, verify ------------------------------------------------------------------------- */

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
    // A drawn world does not list true counts, so the damage must add a problem, not make the
    // first.
    const Outcome *before = program_run("verify -d %s", probe);
    CHECK(before->code == 0 || before->code == 1);
    int problems = 0;
    for (const char *c = before->out; *c; c++)
        problems += *c == '\n';
    ProbeSet set = {0};
    REQUIRE(probe_open(&set, probe, NULL, NULL));
    REQUIRE(file_publish(photo_path(&set, 0), "no picture", 10, NULL));
    probe_close(&set);
    const Outcome *after = program_run("verify -d %s", probe);
    int            found = 0;
    for (const char *c = after->out; *c; c++)
        found += *c == '\n';
    CHECK(after->code == 1 && found > problems && strncmp(after->err, "error: ", 7) == 0);
}

/* ---- compare, image, classify, activations --------------------------------------------------- */

static void compare_counts_what_changed(void)
{
    NEED_INPUTS();
    const char *a = dissect("a", ""), *b = dissect("b", "");
    REQUIRE(make_blob(blob, 2));
    const char *c = dissect("c", "");
    REQUIRE(file_remove(in_folder("c/run.json"), NULL)); // then nothing says that it is another's
    const Outcome *o = program_run("compare %s %s --fail-over 0 -o %s", a, b, in_folder("x.csv"));
    CHECK(o->code == 0 && strncmp(o->out, "changed: 0 of 6 units", 21) == 0);
    CHECK(count_lines(in_folder("x.csv")) == SMALL_UNITS + 1);
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
    CHECK(shape_equal(shape_a, shape_b) && shape_a.dim[0] == SMALL_SIDE);
    CHECK(memcmp(a, b, (size_t)shape_elements(shape_a) * sizeof *a) == 0);
    memory_free(a);
    memory_free(b);
    CHECK(program_run("image %s -o %s --resize 8 --filter bicubic --crop 4", photo,
                      in_folder("c.jpg"))
              ->code == 0);
    const Outcome *o = program_run("image %s -o %s", in_folder("c.jpg"), in_folder("c.png"));
    CHECK(o->code == 0 && strstr(o->out, "4x4 from 4x4"));
    CHECK(program_run("image %s -o %s --crop 17", photo, in_folder("d.png"))->code == 65);
    REQUIRE(file_publish(in_folder("text.png"), "no picture", 10, NULL));
    CHECK(program_run("image %s -o %s", in_folder("text.png"), in_folder("d.png"))->code == 65);
    CHECK(!file_exists(in_folder("d.png")));
}

static void all_inputs_that_are_missing_are_told_at_once(void)
{
    NEED_PROGRAM();
    const char *net = in_folder("a.nw"), *set = in_folder("set"), *photo = in_folder("p.png");
    const char *out = in_folder("out");
    char        line[5][4 * LIMIT_PATH];
    snprintf(line[0], sizeof line[0], "dissect -m %s -l conv22 -d %s -o %s", net, set, out);
    snprintf(line[1], sizeof line[1], "classify -m %s %s", net, photo);
    snprintf(line[2], sizeof line[2], "activations -m %s %s -o %s", net, photo, out);
    snprintf(line[3], sizeof line[3], "explain pixel %s -m %s -l conv22 -u 0 --at 0,0", photo, net);
    snprintf(line[4], sizeof line[4], "compare %s %s", net, set);
    REQUIRE(folder_create(in_folder("empty"), NULL));
    CHECK(strstr(program_run("verify %s", in_folder("empty"))->err, "has no photo in it"));
    CHECK(strstr(program_run("verify %s", set)->err, "there is no such folder"));
    for (int i = 0; i < 5; i++) {
        const Outcome *o = program_run("%s", line[i]);
        CHECK(o->code == 66 && strstr(o->err, "error: not there: ") && strstr(o->err, net));
        CHECK(strstr(o->err, i == 0 || i == 4 ? set : photo));
        CHECK(!file_exists(out));
    }
}

static void classes_have_names_on_request(void)
{
    NEED_INPUTS();
    char           photo[LIMIT_PATH], names[LIMIT_PATH];
    static char    ten[]  = "zero\r\none\n\nthree\nfour\nfive\nsix\nseven\neight\nnine";
    static char    nine[] = "0\n1\n2\n3\n4\n5\n6\n7\n8\n";
    const Outcome *o;
    snprintf(photo, sizeof photo, "%s", first_photo());
    snprintf(names, sizeof names, "%s", in_folder("names.txt"));
    REQUIRE(file_publish(names, ten, strlen(ten), NULL));
    o = program_run("classify -m %s %s --top 10 --names %s", blob, photo, names);
    REQUIRE(o->code == 0);
    static const char *const told[] = {"zero\n", "one\n", "three\n", "nine\n"};
    static const char *const row[]  = {"  0 ", "  1 ", "  3 ", "  9 "};
    for (int i = 0; i < 4; i++) {
        const char *found = strstr(o->out, told[i]), *line = found;
        while (line && line > o->out && line[-1] != '\n')
            line--;
        const char *number = line ? strstr(line, row[i]) : NULL;
        CHECK(number && number < found);
    }
    o = program_run("classify -m %s %s --top 10 --json --names %s", blob, photo, names);
    CHECK(o->code == 0 && strstr(o->out, "\"name\": \"three\"") &&
          strstr(o->out, "\"name\": \"\""));
    REQUIRE(file_publish(names, nine, strlen(nine), NULL));
    o = program_run("classify -m %s %s --names %s", blob, photo, names);
    CHECK(o->code == 65 && strstr(o->err, "names.txt: has 9 lines, ") &&
          strstr(o->err, "net.nw has 10 classes"));
    REQUIRE(file_publish(names, "a\0b", 3, NULL));
    CHECK(program_run("classify -m %s %s --names %s", blob, photo, names)->code == 65);
    CHECK(program_run("classify -m %s %s --names %s", blob, photo, in_folder("none"))->code == 66);
}

static void classify_says_who_takes_many_images_in_a_picture(void)
{
    NEED_INPUTS();
    char        sheet[LIMIT_PATH];
    const char *photo = first_photo();
    snprintf(sheet, sizeof sheet, "%s", in_folder("cifar10_batch_0.png"));
    REQUIRE(program_run("image %s -o %s", photo, sheet)->code == 0);
    CHECK(program_run("classify -m %s %s", blob, sheet)->code == 0); // a photo of that name
    REQUIRE(file_publish(in_folder("cifar10_labels.js"), "var labels=[3]", 14, NULL));
    const Outcome *o = program_run("classify -m %s %s", blob, sheet);
    CHECK(o->code == 65 && strstr(o->err, "`nemesis accuracy -m FILE.nw -d "));
    o = program_run("classify -m %s %s %s", blob, sheet, photo);
    CHECK(o->code == 3 && strstr(o->err, "skipped: "));
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
    const char *photo  = first_photo();
    float      *planes = memory_new(3 * SMALL_SIDE * SMALL_SIDE, sizeof *planes, NULL);
    float      *a = NULL, *b = NULL, *gradient = NULL;
    Shape       shape;
    ProbeSet    set = {0};
    REQUIRE(planes && probe_open(&set, probe, NULL, NULL));
    ImageSource source = probe_images(&set);
    REQUIRE(source.load(source.self, 0, planes, NULL));
    probe_close(&set);
    REQUIRE(npy_write(in_folder("in.npy"), planes, shape_4d(1, 3, SMALL_SIDE, SMALL_SIDE), NULL));
    REQUIRE(program_run("activations -m %s -l conv22 %s -o %s", blob, photo, in_folder("a.npy"))
                ->code == 0);
    REQUIRE(program_run("activations -m %s -l conv22 %s -o %s --gradient 3 %s", blob,
                        in_folder("in.npy"), in_folder("b.npy"), in_folder("g.npy"))
                ->code == 0);
    REQUIRE(npy_read(in_folder("a.npy"), &a, &shape, NULL));
    CHECK(shape_equal(shape, shape_4d(1, SMALL_UNITS, SMALL_SIDE / 2, SMALL_SIDE / 2)));
    REQUIRE(npy_read(in_folder("b.npy"), &b, &shape, NULL));
    CHECK(memcmp(a, b, (size_t)shape_elements(shape) * sizeof *a) == 0);
    REQUIRE(npy_read(in_folder("g.npy"), &gradient, &shape, NULL));
    CHECK(shape_equal(shape, shape_4d(1, 3, SMALL_SIDE, SMALL_SIDE)));
    // Dense layers add in another order when many images run together.
    enum { MANY = 20, VALUES = 3 * SMALL_SIDE * SMALL_SIDE };
    float *many = memory_new(MANY * VALUES, sizeof *many, NULL);
    REQUIRE(many);
    for (int i = 0; i < MANY * VALUES; i++)
        many[i] = planes[i % VALUES] * (float)(1 + i / VALUES);
    REQUIRE(npy_write(in_folder("in.npy"), many, shape_4d(MANY, 3, SMALL_SIDE, SMALL_SIDE), NULL));
    const char *arguments = "activations -m %s %s -o %s -b %d";
    CHECK(program_run(arguments, blob, in_folder("in.npy"), in_folder("a.npy"), 3)->code == 0);
    CHECK(program_run(arguments, blob, in_folder("in.npy"), in_folder("b.npy"), MANY)->code == 0);
    CHECK(same_file(in_folder("a.npy"), in_folder("b.npy")));
    memory_free(many);
    memory_free(planes);
    memory_free(a);
    memory_free(b);
    memory_free(gradient);
    CHECK(program_run("activations -m %s %s -o %s --gradient 10 %s", blob, photo,
                      in_folder("a.npy"), in_folder("g.npy"))
              ->code == 2);
    CHECK(
        program_run("activations -m %s %s -o %s --activation relu", blob, photo, in_folder("a.npy"))
            ->code == 2);
    CHECK(program_run("activations -m %s %s -o %s --activation softplus:20", blob, photo,
                      in_folder("a.npy"))
              ->code == 0);
}

SUITE(contract)
{
    RUN(help_ends_with_an_example);
    RUN(help_fits_a_terminal);
    RUN(wrong_usage_is_exit_2);
    RUN(a_defect_is_exit_70);
    RUN(missing_inputs_are_exit_66);
    RUN(a_full_disk_is_exit_74);
    RUN(a_closed_stdout_harms_no_result);
    RUN(json_is_one_document);
    RUN(inspect_tells_layers_and_tensors);
    RUN(a_damaged_blob_is_exit_65);
    RUN(verify_fails_on_a_damaged_picture);
    RUN(compare_counts_what_changed);
    RUN(image_keeps_the_pixels_of_a_png);
    RUN(all_inputs_that_are_missing_are_told_at_once);
    RUN(classes_have_names_on_request);
    RUN(classify_says_who_takes_many_images_in_a_picture);
    RUN(classify_skips_what_it_cannot_read);
    RUN(activations_of_a_photo_and_of_its_pixels_agree);
}
