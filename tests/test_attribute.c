/* tests/test_attribute.c - the verbs attribute and patterns: files, refusals, the same bytes. */
#include "../attribution/attribution.h"
#include "../base/file.h"
#include "../base/words.h"
#include "../format/npy.h"
#include "blob_builder.h"
#include "drawn_network.h"
#include "program.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char network[] = "demo/mini.nw";

enum { SIDE = 64, PIXELS = 3 * SIDE * SIDE };

// An array of `count` images of noise in -1..1; `wrong` stands at its place 5.
static const char *images(const char *name, int64_t count, float wrong)
{
    const char *path   = in_folder("%s", name);
    float      *values = memory_new((size_t)(count * PIXELS), sizeof *values, NULL);
    uint64_t    key    = random_key(3, name);
    for (int64_t i = 0; i < count * PIXELS; i++)
        values[i] = 2 * random_unit(random_block(key, 0, (uint64_t)i).word[0]) - 1;
    if (wrong != 0)
        values[5] = wrong;
    CHECK(npy_write(path, values, shape_4d(count, 3, SIDE, SIDE), NULL));
    memory_free(values);
    return path;
}

#define EXISTS(text, name) CHECK(file_exists(in_folder(text, name)))

static void names_of_methods_are_those_of_the_table(void)
{
    size_t      length;
    const char *word;
    int         count = 0;
    for (; (word = word_at(MAP_METHOD_NAMES, count, &length)); count++) {
        const MapMethod *method = map_method_at(count);
        REQUIRE(method && strlen(method->name) == length && !memcmp(method->name, word, length));
        CHECK(method->summary && map_method_named(method->name) == method);
    }
    CHECK(map_method_at(count) == NULL && count > 10);
    CHECK(map_method_named("saliency") == NULL && map_mode_named("corrupt23") == NULL);
}

static void maps_come_as_arrays_pictures_and_rows(void)
{
    const char    *two = images("two.npy", 2, 0), *out = in_folder("maps");
    const Outcome *o = program_run(
        "attribute -m %s %s --method gradient,lrp --raw --class 3 -o %s -q", network, two, out);
    float *map = NULL, *raw = NULL;
    Shape  shape, raw_shape;
    Bytes  rows = {0};
    double sum  = 0;
    REQUIRE(CHECK(o->code == 0));
    EXISTS("maps/%s", "run.json");
    EXISTS("maps/%s", "conservation.csv");
    EXISTS("maps/%s", "two-0001-lrp.png");
    EXISTS("maps/%s", "two-0001-lrp-overlay.png");
    REQUIRE(npy_read(in_folder("maps/two-0001-gradient.npy"), &map, &shape, NULL));
    REQUIRE(npy_read(in_folder("maps/two-0001-gradient-raw.npy"), &raw, &raw_shape, NULL));
    CHECK(shape_equal(shape, shape_2d(SIDE, SIDE)));
    CHECK(shape_equal(raw_shape, shape_3d(3, SIDE, SIDE)));
    for (int i = 0; i < SIDE * SIDE; i++)
        sum += (double)map[i];
    CHECK_CLOSE(sum, 1, 1e-4); // the scale of manipulated19
    REQUIRE(file_read(in_folder("maps/maps.csv"), LIMIT_TEXT_FILE, &rows, NULL));
    CHECK(strstr((const char *)rows.data,
                 "image,method,class,probability,beta,smooth,conv,sum,completeness_error\n"
                 "two-0000,gradient,3,") != NULL);
    bytes_close(&rows);
    memory_free(map);
    memory_free(raw);
    o = program_run("attribute -m %s %s --method gradient,lrp --raw --class 3 -o %s --resume",
                    network, two, out);
    CHECK(o->code == 0 && strstr(o->err, "finished already"));
    o = program_run("attribute -m %s %s --method gradient -o %s", network, two, out);
    CHECK(o->code == 73);
    o = program_run("attribute -m %s %s --method guided --beta 1,10 -o %s --overwrite -q", network,
                    two, out);
    CHECK(o->code == 0 && !file_exists(in_folder("maps/two-0001-lrp.png")));
    EXISTS("maps/%s", "two-0000-guided-beta10.npy");
}

// What maps are called, and what a label says, decides a run as their files do.
static void renamed_images_are_another_run(void)
{
    const char *line = "attribute -m %s %s --method gradient --beta 0.6931471806,1 -q -o %s %s";
    const char *out = in_folder("named"), *one = images("one.npy", 1, 0);
    const char *same = images("same.npy", 1, 0);
    REQUIRE(program_run(line, network, one, out, "")->code == 0);
    EXISTS("named/%s", "one-gradient-beta0.6931471806.npy"); // as maps.csv has it
    CHECK(program_run("report %s -q", out)->code == 0);
    CHECK(program_run(line, network, one, out, "--resume")->code == 0);
    CHECK(program_run(line, network, same, out, "--resume")->code == 73);
}

static void an_option_that_no_method_reads_is_refused(void)
{
    const char    *one = images("one.npy", 1, 0);
    const Outcome *o   = program_run("attribute -m %s %s --method gradient,lrp --steps 5 -o %s",
                                     network, one, in_folder("maps"));
    CHECK(o->code == 2 && strstr(o->err, "--steps is of --method integrated"));
    o = program_run("attribute -m %s %s --method guided --baseline zero -o %s", network, one,
                    in_folder("maps"));
    CHECK(o->code == 2 && strstr(o->err, "--baseline is of --method integrated"));
}

static void neither_batch_nor_threads_nor_neighbours_change_a_map(void)
{
    static const char *const files[] = {"integrated.npy", "integrated-raw.npy", "lrp-raw.npy"};
    const char              *two     = images("pair.npy", 2, 0);
    const char *line = "attribute -m %s %s --method integrated,lrp --smooth 2:0.1 --steps 5 --raw "
                       "-q -o %s %s";
    CHECK(program_run(line, network, two, in_folder("a"), "-b 1 -t 1")->code == 0);
    CHECK(program_run(line, network, two, in_folder("b"), "-b 3 -t 2")->code == 0);
    CHECK(program_run(line, network, two, in_folder("c"), "--limit 1")->code == 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CHECK(same_file(in_folder("a/pair-0000-%s", files[i]),
                        in_folder("b/pair-0000-%s", files[i])));
        CHECK(same_file(in_folder("a/pair-0001-%s", files[i]),
                        in_folder("b/pair-0001-%s", files[i])));
        CHECK(same_file(in_folder("a/pair-0000-%s", files[i]),
                        in_folder("c/pair-0000-%s", files[i])));
    }
    CHECK(!same_file(in_folder("a/pair-0000-lrp-raw.npy"), in_folder("a/pair-0001-lrp-raw.npy")));
}

static void copy(const char *from, const char *to)
{
    Bytes bytes = {0};
    CHECK(file_read(from, LIMIT_IMAGE_FILE, &bytes, NULL) &&
          file_publish(to, bytes.data, bytes.size, NULL));
    bytes_close(&bytes);
}

static void a_label_is_the_place_of_the_folder(void)
{
    Bytes rows = {0};
    REQUIRE(program_run("mini --images 1 -o %s -q", in_folder("world"))->code == 0);
    for (int kind = 0; kind < 3; kind++) {
        REQUIRE(folder_create(in_folder("set/kind%d", kind), NULL));
        copy(in_folder("world/images/mini/000000.jpg"),
             in_folder("set/kind%d/photo%d.png", kind, kind));
    }
    const Outcome *o = program_run("attribute -m %s %s %s --method gradient --class label -o %s -q",
                                   network, in_folder("set/kind2/photo2.png"),
                                   in_folder("set/kind0/photo0.png"), in_folder("labels"));
    CHECK(o->code == 0);
    REQUIRE(file_read(in_folder("labels/maps.csv"), LIMIT_TEXT_FILE, &rows, NULL));
    CHECK(strstr((const char *)rows.data, "\nphoto2,gradient,2,"));
    CHECK(strstr((const char *)rows.data, "\nphoto0,gradient,0,"));
    bytes_close(&rows);
}

static void units_are_explained_as_classes_are(void)
{
    const char    *one = images("unit.npy", 1, 0);
    const Outcome *o =
        program_run("attribute -m %s %s --method gradient,integrated,gradcam,lrp-epsilon --unit "
                    "conv3_1:5 --compat clean -v -o %s",
                    network, one, in_folder("unit"));
    CHECK(o->code == 0 && strstr(o->out, "conv3_1:5"));
    CHECK(strstr(o->err, "lrp-epsilon: features.0: epsilon"));
    EXISTS("unit/%s", "unit-gradcam.npy");
}

// The first layers of a network: no class to explain, but units.
static void units_of_a_network_without_classes_are_explained(void)
{
    const char  *one = images("trunk.npy", 1, 0), *trunk = in_folder("trunk.nw");
    BlobBuilder *builder = blob_builder_new("vgg16", SIDE, SIDE);
    blob_builder_random(builder, "features.0.weight", shape_4d(4, 3, 3, 3), 7, 0, 0.2f);
    blob_builder_constant(builder, "features.0.bias", shape_1d(4), 0.1f);
    REQUIRE(CHECK(blob_builder_save(builder, trunk, NULL)));
    blob_builder_free(builder);
    const Outcome *o = program_run("attribute -m %s %s --method all --unit conv1_1:2 -o %s", trunk,
                                   one, in_folder("trunk"));
    if (!CHECK(o->code == 0 && strstr(o->out, "conv1_1:2")))
        printf("%s", o->err);
    EXISTS("trunk/%s", "trunk-lrp-epsilon.npy");
    o = program_run("attribute -m %s %s --method all -o %s", trunk, one, in_folder("classes"));
    CHECK(o->code == 65 && strstr(o->err, "--unit LAYER:U"));
}

static void patterns_belong_to_their_network(void)
{
    const char *one = images("one.npy", 1, 0), *patterns = in_folder("patterns.nw");
    CHECK(program_run("patterns -m %s -d mini:3:1 -o %s -q", network, patterns)->code == 0);
    CHECK(program_run("patterns -m %s -d mini:3:1 -o %s -q", network, patterns)->code == 73);
    CHECK(program_run("attribute -m %s %s --method pattern --patterns %s -o %s -q", network, one,
                      patterns, in_folder("p"))
              ->code == 0);
    EXISTS("p/%s", "one-pattern.npy");
    REQUIRE(
        program_run("train -d mini:8:1 --epochs 1 -b 4 -o %s -q", in_folder("other.nw"))->code ==
        0);
    const Outcome *o = program_run("attribute -m %s %s --method pattern --patterns %s -o %s -q",
                                   in_folder("other.nw"), one, patterns, in_folder("q"));
    CHECK(o->code == 65 && strstr(o->err, "patterns of other weights"));
    CHECK(!folder_exists(in_folder("q")));
    o = program_run("attribute -m %s %s --method pattern --patterns %s -o %s -q", network, one,
                    network, in_folder("q"));
    CHECK(o->code == 65 && strstr(o->err, "holds no patterns"));
    o = program_run("attribute -m %s %s --method pattern -o %s -q", network, one, in_folder("q"));
    CHECK(o->code == 2 && strstr(o->err, "needs patterns"));
}

static void write_text(const char *path, const char *text)
{
    CHECK(file_publish(path, text, strlen(text), NULL));
}

static void rules_come_from_a_file(void)
{
    const char *one = images("ruled.npy", 1, 0), *rules = in_folder("rules.txt");
    write_text(rules, "# as lrp-epsilon\nfirst none\nconv epsilon\ndense epsilon # all\n\n"
                      "sum proportional\nmean proportional\n");
    CHECK(program_run("attribute -m %s %s --method lrp,lrp-epsilon --rules %s --raw -o %s -q",
                      network, one, rules, in_folder("ruled"))
              ->code == 0);
    CHECK(same_file(in_folder("ruled/ruled-lrp-raw.npy"),
                    in_folder("ruled/ruled-lrp-epsilon-raw.npy")));
    write_text(rules, "conv epsilon\nconv z-minus\n");
    const Outcome *o = program_run("attribute -m %s %s --method lrp --rules %s -o %s -q", network,
                                   one, rules, in_folder("r"));
    CHECK(o->code == 65 && strstr(o->err, "line 2 is 'conv z-minus'"));
}

static void refused(int code, const char *sentence, const char *words)
{
    const Outcome *o =
        program_run("attribute -m %s -o %s -q %s", network, in_folder("refused"), words);
    if (!CHECK(o->code == code && strstr(o->err, sentence) != NULL))
        printf("  %s: exit %d: %s\n", words, o->code, o->err);
    CHECK(!folder_exists(in_folder("refused")));
}

// Linear bottlenecks: gamma's shares grow from block to block, those of gamma for both signs do not.
static void relevance_that_cancels_is_warned_of(void)
{
    const char *model = in_folder("mobile.nw"), *one = images("one.npy", 1, 0);
    const char *out = in_folder("cancels"), *file = in_folder("signed.rules");
    REQUIRE(drawn_network("mobilenet_v2", SIDE, model));
    write_text(file, "conv gamma-signed\n");
    const Outcome *o =
        program_run("attribute -m %s %s --method lrp,lrp-gamma --class 1 -o %s", model, one, out);
    CHECK(o->code == 0 && strstr(o->err, "warning: relevance of lrp-gamma grows to "));
    REQUIRE(program_run("report %s -o %s", out, in_folder("pages"))->code == 0);
    Bytes page = {0};
    REQUIRE(file_read(in_folder("pages/index.html"), LIMIT_TEXT_FILE, &page, NULL));
    CHECK(strstr((const char *)page.data, " times</td>") != NULL);
    bytes_close(&page);
    o = program_run("attribute -m %s %s --method lrp --rules %s --class 1 -o %s --overwrite", model,
                    one, file, out);
    CHECK(o->code == 0 && !strstr(o->err, "warning"));
}

static void bad_input_is_refused_with_a_sentence(void)
{
    char words[3 * LIMIT_PATH], one[LIMIT_PATH]; // in_folder has few slots
    snprintf(one, sizeof one, "%s", images("good.npy", 1, 0));
#define REFUSED(code, sentence, ...)                                                               \
    do {                                                                                           \
        snprintf(words, sizeof words, __VA_ARGS__);                                                \
        refused(code, sentence, words);                                                            \
    } while (0)
    REFUSED(2, "is not predicted, label or a class in 0..", "--method lrp --class 5000 %s", one);
    REFUSED(2, "have no label", "--method lrp --class label %s", one);
    REFUSED(65, "element 5 is nan", "--method lrp %s", images("nan.npy", 1, NAN));
    REFUSED(65, "element 5 is inf", "--method lrp %s", images("inf.npy", 1, INFINITY));
    REFUSED(66, "", "--method lrp %s", in_folder("nothing.jpg"));
    REFUSED(2, "has no layer", "--method gradient --unit conv9_9:1 %s", one);
    REFUSED(2, "has no unit 4000", "--method gradient --unit conv3_1:4000 %s", one);
    REFUSED(2, "is not LAYER:U", "--method gradient --unit conv3_1 %s", one);
    REFUSED(2, "expected one of them", "--method gradient --unit conv3_1:1 --class 2 %s", one);
    REFUSED(2, "is not N:LEVEL", "--method gradient --smooth 10 %s", one);
    REFUSED(2, "is not N:LEVEL", "--method gradient --smooth 10:2 %s", one);
    REFUSED(2, "is not a list of", "--method saliency %s", one);
    REFUSED(2, "maps have the modes", "--method lrp --compat lite %s", one);
    REFUSED(2, "would be named", "--method lrp %s %s", one, one);
    REFUSED(2, "is not a number in", "--method lrp --beta 0 %s", one);
    float six[6] = {0};
    CHECK(npy_write(in_folder("flat.npy"), six, shape_2d(2, 3), NULL));
    REFUSED(65, "expected [n, 3, h, w]", "--method lrp %s", in_folder("flat.npy"));
    float small[3 * 64] = {0};
    CHECK(npy_write(in_folder("small.npy"), small, shape_4d(1, 3, 8, 8), NULL));
    REFUSED(65, "is 8x8", "--method integrated --baseline %s %s", in_folder("small.npy"), one);
    const Outcome *o = program_run("attribute -m %s %s %s --method gradient -o %s -q", network, one,
                                   in_folder("nothing.jpg"), in_folder("skips"));
    CHECK(o->code == 3);
    EXISTS("skips/%s", "good-gradient.npy");
}

SUITE(attribute)
{
    RUN(names_of_methods_are_those_of_the_table);
    RUN(maps_come_as_arrays_pictures_and_rows);
    RUN(an_option_that_no_method_reads_is_refused);
    RUN(renamed_images_are_another_run);
    RUN(neither_batch_nor_threads_nor_neighbours_change_a_map);
    RUN(a_label_is_the_place_of_the_folder);
    RUN(units_are_explained_as_classes_are);
    RUN(units_of_a_network_without_classes_are_explained);
    RUN(patterns_belong_to_their_network);
    RUN(rules_come_from_a_file);
    RUN(relevance_that_cancels_is_warned_of);
    RUN(bad_input_is_refused_with_a_sentence);
}
