/* tests/test_show.c - `nemesis show`: numbers, grids and pictures of arrays, and what it refuses. */
#include "../base/file.h"
#include "../format/json.h"
#include "../format/npy.h"
#include "../image/image.h"
#include "small_inputs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// An array of 0, 1, 2, ... times `step`, as a file of the test's folder.
static const char *array_file(const char *name, Shape shape, float step)
{
    float       values[256];
    const char *path = in_folder("%s", name);
    for (int i = 0; i < 256; i++)
        values[i] = (float)i * step;
    return CHECK(npy_write(path, values, shape, NULL)) ? path : "";
}

static void one_number_has_all_its_digits(void)
{
    NEED_PROGRAM();
    const char    *path = array_file("a.npy", shape_3d(2, 3, 4), 1.0f / 7);
    const Outcome *o    = program_run("show %s 1,2,3", path);
    CHECK(o->code == 0 && !o->err[0]);
    CHECK_TEXT(o->out, "3.2857144\n"); // 23 / 7 as a float
    CHECK_TEXT(program_run("show %s 0,0,0", path)->out, "0\n");
}

static void an_index_fixes_axes(void)
{
    NEED_PROGRAM();
    const char *path = array_file("a.npy", shape_3d(2, 3, 4), 1);
    char        wanted[1024];
    snprintf(wanted, sizeof wanted,
             "%s [1,:,:]: 3x4 of 2x3x4 float32\nsmallest 12, largest 23, mean 17.5\n"
             "12 13 14 15\n16 17 18 19\n20 21 22 23\n",
             path);
    CHECK_TEXT(program_run("show %s 1", path)->out, wanted);
    CHECK_TEXT(program_run("show %s 1,:", path)->out, wanted);
    snprintf(wanted, sizeof wanted,
             "%s [:,1,2]: 2 of 2x3x4 float32\nsmallest 6, largest 18, mean 12\n     0:  6 18\n",
             path);
    CHECK_TEXT(program_run("show %s :,1,2", path)->out, wanted);
}

static void what_does_not_fit_is_left_out(void)
{
    NEED_PROGRAM();
    const char    *path = array_file("a.npy", shape_2d(4, 60), 1);
    const Outcome *o    = program_run("show %s", path);
    CHECK(strstr(o->out, "\n 60  61  62 ") && strstr(o->out, " 78 ...\n"));
    path = array_file("b.npy", shape_4d(2, 3, 5, 7), 1);
    o    = program_run("show %s", path);
    CHECK(strstr(o->out, "\n 21  22  23  24  25  26  27\n...\n") && !strstr(o->out, "\n 28 "));
}

static void numbers_that_are_not_finite_are_counted(void)
{
    NEED_PROGRAM();
    float       values[4] = {1, NAN, -INFINITY, 5};
    const char *path      = in_folder("a.npy");
    REQUIRE(npy_write(path, values, shape_1d(4), NULL));
    const Outcome *o = program_run("show %s", path);
    CHECK(o->code == 0 && strstr(o->out, "smallest 1, largest 5, mean 3, not finite 2\n"));
    CHECK(strstr(program_run("show %s --json", path)->out, "null"));
    CHECK(program_run("show %s -o %s", path, in_folder("a.png"))->code == 2); // one axis
}

static void json_has_the_same(void)
{
    NEED_PROGRAM();
    Json           json = {0};
    const Outcome *o = program_run("show %s 1,: --json", array_file("a.npy", shape_3d(2, 3, 4), 1));
    REQUIRE(o->code == 0 && json_read(o->out, strlen(o->out), "show", &json, NULL));
    const JsonNode *shape  = json_member(&json, json.nodes, "shape"),
                   *slice  = json_member(&json, json.nodes, "slice"),
                   *index  = json_member(&json, json.nodes, "index"),
                   *values = json_member(&json, json.nodes, "first_values"),
                   *mean   = json_member(&json, json.nodes, "mean");
    REQUIRE(shape && slice && index && values && mean);
    CHECK(shape->count == 3 && slice->count == 2 && index->count == 3 && values->count == 12);
    CHECK(json.nodes[index->first].kind == JSON_NUMBER);
    CHECK_TEXT(json.nodes[values->first].text, "12");
    CHECK_TEXT(mean->text, "17.5");
    json_free(&json);
}

static void wrong_indices_are_told_with_the_shape(void)
{
    NEED_PROGRAM();
    static const struct {
        const char *index, *told;
    } cases[]        = {{"2", "axis 0 of"},
                        {"2", "counts from 0 to 1, so there is no 2; the shape is 2x3x4"},
                        {"0,:,4", "axis 2 of"},
                        {"0,0,0,0", "the shape is 2x3x4"},
                        {"x", "'x' is not a number"},
                        {"1,,2", "'' is not a number"},
                        {"1,", "'' is not a number"},
                        {"1.5", "'1.5' is not a number"},
                        {"99999999999999999999999999999", "is not a number"}};
    const char *path = array_file("a.npy", shape_3d(2, 3, 4), 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Outcome *o = program_run("show %s %s", path, cases[i].index);
        if (!CHECK(o->code == 2 && !o->out[0] && strstr(o->err, cases[i].told)))
            printf("  %s: %s\n", cases[i].index, o->err);
    }
    CHECK(program_run("show %s", in_folder("none.npy"))->code == 66);
    CHECK(program_run("show %s %s", path, "0 1")->code == 2);
}

static bool picture_read(const char *path, Image *out)
{
    Bytes bytes = {0};
    bool  ok    = CHECK(file_read(path, LIMIT_IMAGE_FILE, &bytes, NULL)) &&
              CHECK(png_decode(bytes.data, bytes.size, path, out, NULL));
    bytes_close(&bytes);
    return ok;
}

static bool has_colour(const Image *image, int x, int y, int red, int green, int blue)
{
    const uint8_t *p = image->pixels + (y * image->width + x) * 3;
    return p[0] == red && p[1] == green && p[2] == blue;
}

static void a_plane_is_painted_by_heat_or_by_sign(void)
{
    NEED_PROGRAM();
    Image          image = {0};
    const char    *path  = in_folder("a.png");
    const Outcome *o = program_run("show %s -o %s", array_file("a.npy", shape_2d(2, 2), 1), path);
    CHECK(o->code == 0 && strstr(o->out, "2x2 numbers, 128x128 pixels each; black 0, white 3\n"));
    REQUIRE(picture_read(path, &image));
    CHECK(image.width == 256 && image.height == 256 && image.channels == 3);
    CHECK(has_colour(&image, 0, 0, 0, 0, 0) && has_colour(&image, 128, 127, 255, 0, 0));
    CHECK(has_colour(&image, 0, 128, 255, 255, 0) && has_colour(&image, 255, 255, 255, 255, 255));
    image_free(&image);
    float signs[3] = {-1, 0, 2};
    REQUIRE(npy_write(in_folder("s.npy"), signs, shape_2d(1, 3), NULL));
    o = program_run("show %s -o %s", in_folder("s.npy"), path);
    CHECK(o->code == 0 && strstr(o->out, "blue -2, white 0, red 2\n"));
    REQUIRE(picture_read(path, &image));
    CHECK(image.width == 255 && image.height == 85);
    CHECK(has_colour(&image, 0, 0, 128, 128, 255) && has_colour(&image, 85, 0, 255, 255, 255) &&
          has_colour(&image, 254, 84, 255, 0, 0));
    image_free(&image);
}

static void three_channels_are_colours_in_either_order(void)
{
    NEED_PROGRAM();
    Image       image        = {0};
    const char *path         = in_folder("a.png");
    float       last[2][3]   = {{255, 0, 7}, {1, 2, 3}};
    float       first[3 * 2] = {255, 1, 0, 2, 7, 3};
    REQUIRE(npy_write(in_folder("l.npy"), last[0], shape_3d(1, 2, 3), NULL));
    REQUIRE(npy_write(in_folder("f.npy"), first, shape_3d(3, 1, 2), NULL));
    for (int i = 0; i < 2; i++) {
        CHECK(program_run("show %s -o %s", in_folder(i ? "f.npy" : "l.npy"), path)->code == 0);
        REQUIRE(picture_read(path, &image));
        CHECK(has_colour(&image, 0, 0, 255, 0, 7) && has_colour(&image, 255, 0, 1, 2, 3));
        image_free(&image);
    }
    float change[3] = {-0.5f, 0, 0.5f}; // around gray
    REQUIRE(npy_write(in_folder("c.npy"), change, shape_3d(1, 1, 3), NULL));
    CHECK(program_run("show %s -o %s", in_folder("c.npy"), path)->code == 0);
    REQUIRE(picture_read(path, &image));
    CHECK(has_colour(&image, 0, 0, 0, 128, 255));
    image_free(&image);
}

static void what_is_no_picture_is_refused(void)
{
    NEED_PROGRAM();
    const char    *path = array_file("a.npy", shape_3d(2, 3, 4), 1);
    const Outcome *o    = program_run("show %s -o %s", path, in_folder("a.png"));
    CHECK(o->code == 2 && strstr(o->err, "2x3x4 of ") && strstr(o->err, "expected [h, w]"));
    CHECK(!file_exists(in_folder("a.png")));
    o = program_run("show %s 0 -o %s", path, in_folder("a.gif"));
    CHECK(o->code == 2 && strstr(o->err, "does not end in .png"));
    path = array_file("long.npy", shape_2d(1, 256), 1);
    o    = program_run("show %s -o %s --max-pixels 255", path, in_folder("b.png"));
    CHECK(o->code == 65 && strstr(o->err, "256x1 is too large"));
}

SUITE(show)
{
    RUN(one_number_has_all_its_digits);
    RUN(an_index_fixes_axes);
    RUN(what_does_not_fit_is_left_out);
    RUN(numbers_that_are_not_finite_are_counted);
    RUN(json_has_the_same);
    RUN(wrong_indices_are_told_with_the_shape);
    RUN(a_plane_is_painted_by_heat_or_by_sign);
    RUN(three_channels_are_colours_in_either_order);
    RUN(what_is_no_picture_is_refused);
}
