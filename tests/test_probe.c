/* tests/test_probe.c - probing sets: what is in the files comes out, what is wrong with them is
 * said. */
#include "../base/file.h"
#include "../image/image.h"
#include "../format/csv.h"
#include "nem_world.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static World *world_on_disk(int images)
{
    World *world = world_draw(test_seed(), images, 4, 4);
    CHECK(world_write(world, "world"));
    return world;
}

/* ---- what comes out -------------------------------------------------------------------------- */

static void tables_come_out(void)
{
    World   *world = world_on_disk(12);
    ProbeSet probe = {0};
    Error    error = {0};
    REQUIRE(probe_open(&probe, world->folder, NULL, &error));
    CHECK(probe.image_count == 12 && probe.label_count == WORLD_LABELS && probe.is_whole);
    CHECK(probe.image_height == WORLD_PHOTO && probe.map_width == WORLD_SIDE);
    CHECK(probe.category_count == WORLD_CATEGORIES);
    for (int i = 0; i < WORLD_CATEGORIES; i++)
        CHECK_TEXT(probe.category[i], world_categories[i]);
    CHECK_TEXT(probe_image_path(&probe, 7), "7.png");
    CHECK_TEXT(probe.labels[0].name, "");
    CHECK_TEXT(probe.labels[3].name, "name \"3\", x");
    CHECK_TEXT(probe.labels[5].name, "#5"); // a gap
    CHECK(!probe.labels[5].is_listed && probe.labels[4].is_listed);
    CHECK(probe_label_named(&probe, "name \"13\", x", -1) == 13);
    CHECK(probe_label_named(&probe, "name \"13\", x", probe.labels[13].category) == 13);
    CHECK(probe_label_named(&probe, "name \"13\", x", (probe.labels[13].category + 1) % 4) == 0);
    CHECK(probe_label_named(&probe, "", -1) == 0 && probe_label_named(&probe, "y", -1) == 0);
    CHECK(strlen(probe.index_sha256) == 64);
    probe_close(&probe);
    world_free(world);
}

static void planes_come_out(void)
{
    World       *world   = world_on_disk(20);
    ProbeSet     probe   = {0};
    PlaneCache  *planes  = NULL;
    PlaneScratch scratch = {0};
    REQUIRE(probe_open(&probe, world->folder, NULL, NULL));
    for (int pass = 0; pass < 2; pass++) { // all kept, then some decoded when asked for
        REQUIRE(planes_open(&planes, &probe, pass ? 2000 : PLANE_CACHE_BYTES, NULL));
        for (int image = 0; image < 20; image++) {
            ImagePlanes view;
            int         map = 0, whole = 0, label_count;
            uint32_t    pixels[WORLD_LABELS] = {0};
            REQUIRE(planes_get(planes, image, &scratch, &view, NULL));
            for (int category = 0; category < WORLD_CATEGORIES; category++) {
                const WorldCell *cell = &world->cells[image][category];
                for (int i = 0; i < cell->plane_count; i++, map++) {
                    CHECK(memcmp(view.maps + map * 64, cell->planes[i], 128) == 0);
                    for (int j = 0; j < 64; j++)
                        pixels[cell->planes[i][j]]++;
                }
                for (int i = 0; i < cell->whole_count; i++, whole++) {
                    CHECK(view.whole[whole] == cell->whole[i]);
                    pixels[cell->whole[i]] += 64;
                }
            }
            CHECK(view.map_count == map && view.whole_count == whole);
            const LabelPixels *labels = planes_labels(planes, image, &label_count);
            for (int label = 1, at = 0; label < WORLD_LABELS; label++)
                if (pixels[label] > 0) {
                    CHECK(at < label_count && labels[at].label == label);
                    CHECK(labels[at++].pixels == pixels[label]);
                }
        }
        planes_close(planes);
    }
    plane_scratch_free(&scratch);
    probe_close(&probe);
    world_free(world);
}

static void masks_are_unions(void)
{
    World       *world   = world_on_disk(20);
    ProbeSet     probe   = {0};
    PlaneCache  *planes  = NULL;
    PlaneScratch scratch = {0};
    int64_t      list[20];
    REQUIRE(probe_open(&probe, world->folder, NULL, NULL) &&
            planes_open(&planes, &probe, PLANE_CACHE_BYTES, NULL));
    for (int label = 0; label < WORLD_LABELS; label++) {
        int64_t listed = planes_images_with(planes, label, list), at = 0;
        for (int image = 0; image < 20; image++) {
            uint8_t mask[64], wanted[64] = {0};
            int64_t pixels = -1, sum = 0;
            for (int i = 0; i < WORLD_CATEGORIES * 64 && label > 0; i++) {
                const WorldCell *cell = &world->cells[image][i / 64];
                for (int j = 0; j < cell->plane_count; j++)
                    wanted[i % 64] |= cell->planes[j][i % 64] == label;
                for (int j = 0; j < cell->whole_count; j++)
                    wanted[i % 64] |= cell->whole[j] == label;
            }
            REQUIRE(planes_mask(planes, image, label, &scratch, mask, &pixels, NULL));
            CHECK(memcmp(mask, wanted, 64) == 0);
            for (int i = 0; i < 64; i++)
                sum += wanted[i];
            CHECK(pixels == sum);
            if (sum > 0)
                CHECK(at < listed && list[at++] == image);
        }
        CHECK(at == listed);
    }
    planes_close(planes);
    plane_scratch_free(&scratch);
    probe_close(&probe);
    world_free(world);
}

static void photos_come_out(void)
{
    World   *world = world_on_disk(6);
    ProbeSet probe = {0};
    float    planes[3 * WORLD_PHOTO * WORLD_PHOTO];
    uint8_t  pixels[3 * WORLD_PHOTO * WORLD_PHOTO];
    REQUIRE(probe_open(&probe, world->folder, NULL, NULL));
    ImageSource source = probe_images(&probe);
    for (int image = 0; image < 6; image++) {
        REQUIRE(source.load(source.self, image, planes, NULL));
        REQUIRE(probe_photo(&probe, image, pixels, NULL));
        for (int i = 0; i < WORLD_PHOTO * WORLD_PHOTO; i++)
            for (int c = 0; c < 3; c++) {
                int wanted = image % 3 == 2 ? (i == 0 ? image : i * 7 + image) & 255 // gray
                                            : (i == 0 ? image : (3 * i + c) * 7 + image) & 255;
                CHECK(pixels[3 * i + c] == wanted);
                CHECK(planes[c * WORLD_PHOTO * WORLD_PHOTO + i] == (float)wanted / 255.0f);
            }
    }
    probe_close(&probe);
    world_free(world);
}

static void requests_select(void)
{
    World            *world      = world_on_disk(12);
    const char *const wanted[2]  = {"texture", "object"};
    const char *const unknown[1] = {"sound"};
    ProbeRequest      some       = {.categories = wanted, .category_count = 2};
    ProbeRequest      without    = {.without = "material", .limit = 5};
    ProbeRequest      none       = {.categories = unknown, .category_count = 1};
    ProbeSet          probe      = {0};
    Error             error      = {0};
    memset(world->cells[4], 0, sizeof world->cells[4]); // no label but 0 in the wanted categories
    world->cells[4][3].whole_count = 1;
    world->cells[4][0].plane_count = 1;
    REQUIRE(world_write_tables(world) && probe_open(&probe, world->folder, &some, NULL));
    CHECK(probe.category_count == 2 && !probe.is_whole);
    CHECK_TEXT(probe.category[0], "object"); // in the order of category.csv
    for (int64_t i = 0; i < probe.image_count; i++)
        CHECK(strcmp(probe_image_path(&probe, i), "4.png") != 0);
    probe_close(&probe);
    REQUIRE(probe_open(&probe, world->folder, &without, NULL));
    CHECK(probe.category_count == 3 && probe.image_count == 5);
    CHECK_TEXT(probe_image_path(&probe, 4), "4.png");
    probe_close(&probe);
    CHECK(!probe_open(&probe, world->folder, &none, &error) && error.code == ERROR_USAGE);
    CHECK(strstr(error.message, "has no category 'sound'") != NULL);
    world_free(world);
}

static void primary_categories(void) // the largest coverage, the later of equals, else the last
{
    World   *world = world_on_disk(3);
    ProbeSet probe = {0};
    memset(world->listed, 1, sizeof world->listed);
    memset(world->coverage, 0, sizeof world->coverage);
    world->coverage[0][1] = 2.5e-05;
    world->coverage[1][1] = 2e-05;
    world->coverage[0][2] = world->coverage[2][2] = 1;
    world->listed[3][4]                           = false;
    REQUIRE(world_write_tables(world) && probe_open(&probe, world->folder, NULL, NULL));
    CHECK(probe.labels[1].category == 0 && probe.labels[2].category == 2);
    CHECK(probe.labels[3].category == 3 && probe.labels[4].category == 3 &&
          probe.labels[0].category == 3);
    probe_close(&probe);
    world_free(world);
}

/* ---- what is wrong is said ------------------------------------------------------------------- */

static void broken_tables_are_refused(void)
{
    static const struct {
        const char *file, *text, *message; // text NULL: the file is missing
    } cases[] = {
        {"index.csv", NULL, "index.csv: cannot open"},
        {"index.csv", "image,ih,iw,sh,sw,color,object,material\n", "no column 'texture'"},
        {"index.csv", "image,ih,iw,sh,sw,color,object,material,texture\n",
         "has no image with a label"},
        {"index.csv", "image,ih,iw,sh,sw,color,object,material,texture\na.png,8,8,4,4,1,,\n",
         "line 2: has 8 fields, the header has 9"},
        {"index.csv", "image,ih,iw,sh,sw,color,object,material,texture\na.png,8,8,4,0,1,,,\n",
         "line 2: sw is 0, expected 1 to 65535"},
        {"index.csv",
         "image,ih,iw,sh,sw,color,object,material,texture\na.png,8,8,4,4,1,,,\n"
         "b.png,8,8,4,5,1,,,\n",
         "line 3: sw is 5, expected 4 as in the rows above"},
        {"index.csv", "image,ih,iw,sh,sw,color,object,material,texture\na.png,8,8,4,4,14,,,\n",
         "line 2: a label number beyond label.csv: '14'"},
        {"index.csv",
         "image,ih,iw,sh,sw,color,object,material,texture\na.png,8,8,4,4,1;"
         "99999999999999999999999999,,,\n",
         "line 2: a label number beyond label.csv"},
        {"index.csv",
         "image,ih,iw,sh,sw,color,object,material,texture\na.png,8,8,4,4,../m.png,,,\n",
         "line 2: not a plain relative path: '../m.png'"},
        {"index.csv", "image,ih,iw,sh,sw,color,object,material,texture\n/etc/passwd,8,8,4,4,1,,,\n",
         "line 2: not a plain relative path: '/etc/passwd'"},
        {"label.csv", "number,name,frequency,coverage\n", "label.csv: lists no label"},
        {"label.csv", "number,name,frequency,coverage\n0,a,1,1\n",
         "number is 0, expected 1 to 65535"},
        {"label.csv", "number,name,frequency,coverage\n70000,a,1,1\n", "number is 70000, expected"},
        {"label.csv", "number,name,frequency,coverage\n13,a,1,1\n13,b,1,1\n",
         "number 13 appears twice"},
        {"label.csv", "number,name,frequency,coverage\n13,a,1,\n",
         "coverage is '', expected a number"},
        {"category.csv", "name\n", "lists no category"},
        {"category.csv", "name\ncolor\ncolor\n", "category 'color' appears twice"},
        {"category.csv", "name\n../color\n", "'../color' cannot be a category"},
        {"category.csv", "name\ncolor\nsound\n", "c_sound.csv: cannot open"},
        {"c_object.csv", "number,coverage\n14,1\n", "number is 14, expected 0 to 13"},
        {"c_object.csv", "number,coverage\n\"1", "a quoted field does not end"},
    };
    int64_t blocks = memory_live_blocks();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        World   *world = world_on_disk(3);
        ProbeSet probe = {0};
        Error    error = {0};
        char     path[600];
        snprintf(path, sizeof path, "%s/%s", world->folder, cases[i].file);
        if (cases[i].text)
            REQUIRE(write_text(world->folder, cases[i].file, cases[i].text));
        else
            remove(path);
        CHECK(!probe_open(&probe, world->folder, NULL, &error) && !probe.folder);
        CHECK(strstr(error.message, world->folder) == error.message);
        if (strstr(cases[i].message, "cannot open"))
            CHECK(error.code == ERROR_NOT_FOUND && strstr(error.message, cases[i].message));
        else
            CHECK_REFUSED("index", &error, cases[i].message);
        world_free(world);
    }
    CHECK(memory_live_blocks() == blocks);
}

static bool put_png(const World *world, const char *name, int width, int height, int channels,
                    int fill)
{
    uint8_t pixels[32 * 32 * 4], *bytes = NULL;
    char    path[600];
    size_t  size  = 0;
    Image   image = {.width = width, .height = height, .channels = channels, .pixels = pixels};
    memset(pixels, fill, sizeof pixels);
    snprintf(path, sizeof path, "%s/images/%s", world->folder, name);
    bool ok = png_encode(&image, &bytes, &size, NULL) && write_bytes(path, bytes, size);
    memory_free(bytes);
    return ok;
}

static void broken_pictures_are_refused(void)
{
    World      *world  = world_on_disk(5);
    ProbeSet    probe  = {0};
    PlaneCache *planes = NULL;
    Error       error  = {0};
    char        images[600];
    uint8_t     pixels[3 * WORLD_PHOTO * WORLD_PHOTO];
    snprintf(images, sizeof images, "%s/images", world->folder);
    REQUIRE(probe_open(&probe, world->folder, NULL, NULL));

    REQUIRE(put_png(world, "3.png", 15, 16, 3, 1));
    CHECK(!probe_photo(&probe, 3, pixels, &error));
    CHECK_REFUSED("index", &error, "images/3.png: is 15 x 16 pixels, expected 16 x 16");
    error = (Error){0};
    REQUIRE(write_text(images, "3.png", "\x89PNG\r\n\x1a\nnothing"));
    CHECK(!probe_photo(&probe, 3, pixels, &error) && error.code == ERROR_DATA);
    CHECK(strstr(error.message, "3.png") != NULL);

    const char *map = "sub/2_color_0.png"; // the lowest broken image is the one that is named
    REQUIRE(put_png(world, "sub/4_color_0.png", 8, 8, 1, 1) && put_png(world, map, 8, 9, 3, 0));
    error = (Error){0};
    CHECK(!planes_open(&planes, &probe, PLANE_CACHE_BYTES, &error) && !planes);
    CHECK_REFUSED("index", &error, "sub/2_color_0.png: is 8 x 9 pixels, expected 8 x 8");
    REQUIRE(put_png(world, map, 8, 8, 3, 1)); // 1 + 256
    error = (Error){0};
    CHECK(!planes_open(&planes, &probe, PLANE_CACHE_BYTES, &error));
    CHECK_REFUSED("index", &error, "pixel (0, 0) has label 257, label.csv ends at 13");
    REQUIRE(put_png(world, map, 8, 8, 3, 0));
    error = (Error){0};
    CHECK(!planes_open(&planes, &probe, PLANE_CACHE_BYTES, &error));
    CHECK_REFUSED("index", &error, "4_color_0.png: has 1 channels, expected an RGB label map");
    probe_close(&probe);
    world_free(world);
}

/* ---- verify ---------------------------------------------------------------------------------- */

typedef struct Problems {
    int  count;
    char text[8192];
} Problems;

static void note_problem(void *self, const char *text)
{
    Problems *problems = self;
    size_t    used     = strlen(problems->text);
    problems->count++;
    snprintf(problems->text + used, sizeof problems->text - used, "%s\n", text);
}

// Tables whose counts are right: the truth of the world, written out.
static bool write_counts(const World *world, int wrong_label)
{
    char   text[4096], name[64];
    double frequency[WORLD_LABELS] = {0};
    bool   ok                      = true;
    for (int category = 0; category < WORLD_CATEGORIES; category++) {
        size_t used = (size_t)snprintf(text, sizeof text, "number,name,frequency,coverage\n");
        for (int label = 1; label < WORLD_LABELS; label++) {
            int images = 0, pixels = 0;
            for (int image = 0; image < world->image_count; image++) {
                const WorldCell *cell   = &world->cells[image][category];
                int              before = pixels;
                for (int i = 0; i < cell->plane_count * 64; i++)
                    pixels += cell->planes[i / 64][i % 64] == label;
                for (int i = 0; i < cell->whole_count; i++)
                    pixels += cell->whole[i] == label ? 64 : 0;
                images += pixels > before;
            }
            frequency[label] += images;
            pixels += category == 0 && label == wrong_label;
            used += (size_t)snprintf(text + used, sizeof text - used, "%d,n%d,%d,%.17g\n", label,
                                     label, images, pixels / 64.0);
        }
        snprintf(name, sizeof name, "c_%s.csv", world_categories[category]);
        ok = ok && write_text(world->folder, name, text);
    }
    size_t used = (size_t)snprintf(text, sizeof text, "number,name,frequency,coverage\n");
    for (int label = 1; label < WORLD_LABELS; label++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,n%d,%.0f,0\n", label, label,
                                 frequency[label]);
    return ok && write_text(world->folder, "label.csv", text);
}

static int verify(const World *world, Problems *problems, uint64_t *pixels)
{
    ProbeSet probe = {0};
    int64_t  count = -1;
    *problems      = (Problems){0};
    CHECK(probe_open(&probe, world->folder, NULL, NULL) &&
          probe_verify(&probe, note_problem, problems, &count, pixels, NULL));
    CHECK(count == problems->count);
    probe_close(&probe);
    return problems->count;
}

static void verify_finds_each_problem(void)
{
    World   *world = world_on_disk(12);
    Problems problems;
    uint64_t pixels[WORLD_LABELS];
    Truth    truth;
    REQUIRE(write_counts(world, 0));
    CHECK(verify(world, &problems, pixels) == 0);
    world_truth(world, "corrupt23", &truth);
    CHECK(memcmp(pixels, truth.truth, sizeof pixels) == 0);
    REQUIRE(write_counts(world, 2)); // a pixel too many
    CHECK(verify(world, &problems, NULL) == 1);
    CHECK(strstr(problems.text, "label 2 'n2' (color) covers") != NULL);
    REQUIRE(write_counts(world, 0) && put_png(world, "11.png", 16, 15, 3, 0) &&
            put_png(world, "sub/0_color_0.png", 8, 8, 3, 255) &&
            put_png(world, "2.png", 3, 3, 3, 0));
    CHECK(verify(world, &problems, NULL) >= 4);
    const char *map  = strstr(problems.text, "sub/0_color_0.png"),
               *last = strstr(problems.text, "11.png");
    CHECK(map && last && map < strstr(problems.text, "/2.png") &&
          strstr(problems.text, "/2.png") < last);
    CHECK(strstr(last, "(color) covers") != NULL); // labels of the broken map are missing
    world_free(world);
}

static void verify_wants_names(void)
{
    World   *world = world_on_disk(6);
    Problems problems;
    verify(world, &problems, NULL); // drawn tables: label 5 is not in label.csv, counts are made up
    CHECK(strstr(problems.text, "lacks label 5, which has") != NULL);
    CHECK(strstr(problems.text, "is called 'x', in label.csv 'name \"1\", x'") != NULL);
    world_free(world);
}

/* ---- real data ------------------------------------------------------------------------------- */

// Pixels per label, counted from the files by this loop alone.
static bool count_files(const char *folder, uint64_t *pixels)
{
    Bytes bytes = {0};
    Csv  *csv   = NULL;
    char  path[2 * LIMIT_PATH], item[LIMIT_PATH];
    bool  ok = path_join(path, folder, "index.csv", NULL) &&
              file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) &&
              csv_open(&csv, bytes.data, bytes.size, path, NULL);
    for (int64_t row = 0; ok && row < csv_row_count(csv); row++)
        for (int column = 6; ok && column < csv_column_count(csv); column++) {
            const char *text = csv_text(csv, row, column);
            for (; ok && *text; text += strcspn(text, ";"), text += *text == ';') {
                int   label = 0, length = 0;
                Image map  = {0};
                Bytes file = {0};
                if (sscanf(text, "%d%n", &label, &length) == 1 &&
                    (!text[length] || text[length] == ';')) {
                    pixels[label] += 112 * 112;
                    continue;
                }
                snprintf(item, sizeof item, "%.*s", (int)strcspn(text, ";"), text);
                snprintf(path, sizeof path, "%s/images/%s", folder, item);
                ok = file_read(path, LIMIT_IMAGE_FILE, &file, NULL) &&
                     png_decode(file.data, file.size, path, &map, NULL) && map.channels == 3;
                for (int i = 0; ok && i < map.width * map.height; i++)
                    pixels[map.pixels[3 * i] + 256 * map.pixels[3 * i + 1]]++;
                image_free(&map);
                bytes_close(&file);
            }
        }
    csv_close(csv);
    bytes_close(&bytes);
    return ok;
}

static void broden_mini_is_what_it_says(void)
{
    const char *folder = test_data("broden_mini");
    if (!folder)
        SKIP("broden_mini is not there");
    ProbeSet    probe    = {0};
    PlaneCache *planes   = NULL;
    Problems    problems = {0};
    Error       error    = {0};
    int64_t     count    = -1, list[1000];
    uint64_t    pixels[83], wanted[65536] = {0}, sums[83] = {0};
    REQUIRE(probe_open(&probe, folder, NULL, &error));
    CHECK(probe.image_count == 715 && probe.label_count == 83 && probe.category_count == 5);
    CHECK(probe_verify(&probe, note_problem, &problems, &count, pixels, &error));
    CHECK(count == 0);
    CHECK_TEXT(problems.text, "");
    REQUIRE(count_files(folder, wanted));
    REQUIRE(planes_open(&planes, &probe, PLANE_CACHE_BYTES, &error));
    for (int64_t image = 0; image < probe.image_count; image++) {
        int                labels;
        const LabelPixels *of_image = planes_labels(planes, image, &labels);
        for (int i = 0; i < labels; i++)
            sums[of_image[i].label] += of_image[i].pixels;
    }
    for (int32_t label = 1; label < probe.label_count; label++) {
        CHECK(pixels[label] == wanted[label] && sums[label] == wanted[label]);
        CHECK_CLOSE((double)wanted[label] / 12544, probe.labels[label].coverage, 1e-6);
        CHECK((double)planes_images_with(planes, label, list) == probe.labels[label].frequency);
    }
    CHECK(wanted[1] > 0 && probe.labels[26].category == probe_category_named(&probe, "scene"));
    planes_close(planes);
    probe_close(&probe);
}

SUITE(probe)
{
    RUN(tables_come_out);
    RUN(planes_come_out);
    RUN(masks_are_unions);
    RUN(photos_come_out);
    RUN(requests_select);
    RUN(primary_categories);
    RUN(broken_tables_are_refused);
    RUN(broken_pictures_are_refused);
    RUN(verify_finds_each_problem);
    RUN(verify_wants_names);
    RUN(broden_mini_is_what_it_says);
}
