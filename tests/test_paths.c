/* tests/test_paths.c - hostile paths in the tables of a probing set: a good picture waits wherever
 * one of them would lead, and none is opened. */
#include "../base/file.h"
#include "../image/image.h"
#include "nem_world.h"
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const hostile_names[] = {".",
                                            "..",
                                            "/",
                                            "//",
                                            "./a.png",
                                            "a/.",
                                            "a/..",
                                            "../a.png",
                                            "../../a.png",
                                            "a/../../a.png",
                                            "sub/../../outside.png",
                                            "../outside.png",
                                            "/etc/passwd",
                                            "//etc/passwd",
                                            "/dev/zero",
                                            "a//b.png",
                                            "a/",
                                            "sub/",
                                            "./",
                                            "../",
                                            "a/./b.png",
                                            "..\\outside.png",
                                            "a\\b.png",
                                            "C:\\a.png",
                                            "\\\\host\\a.png",
                                            "file:///etc/passwd",
                                            "http://host/a.png",
                                            "\001a.png",
                                            "a\x1b[31m.png",
                                            "a\nb.png",
                                            "a\rb.png",
                                            "a\tb.png",
                                            "a\x7f.png",
                                            "\n",
                                            "a.png\n",
                                            "/proc/self/mem",
                                            "../images/../outside.png",
                                            "sub/../0.png",
                                            "....//a.png/..",
                                            "%s/../a.png"};

enum { HOSTILE_NAMES = sizeof hostile_names / sizeof *hostile_names };

/* ---- names ----------------------------------------------------------------------------------- */

typedef enum Column { IN_IMAGE, IN_CATEGORY, IN_NAME } Column; // of index.csv, or of category.csv

static bool put_name(const World *world, Column column, const char *name)
{
    static char text[1 << 14];
    const char *head = "image,ih,iw,sh,sw,color,object,material,texture\n";
    if (column == IN_IMAGE)
        snprintf(text, sizeof text, "%s\"%s\",16,16,8,8,1,,,\n", head, name);
    else if (column == IN_CATEGORY)
        snprintf(text, sizeof text, "%s0.png,16,16,8,8,\"%s\",,,\n", head, name);
    else
        snprintf(text, sizeof text, "name\n\"%s\"\n", name);
    return write_text(world->folder, column == IN_NAME ? "category.csv" : "index.csv", text);
}

static void check_name(Column column, const char *name)
{
    static const char *const messages[] = {
        "not a plain relative path:", "not a plain relative path:", "cannot be a category"};
    World   *world = world_draw(test_seed(), 3, 4, 4);
    ProbeSet probe = {0};
    Error    error = {0};
    REQUIRE(world_write(world, "world") && put_name(world, column, name));
    CHECK(!path_is_plain(name));
    CHECK(!probe_open(&probe, world->folder, NULL, &error));
    CHECK_REFUSED("path", &error, messages[column]);
    for (const char *c = error.message; *c; c++)
        CHECK(*c >= 0x20 && *c != 0x7f);
    world_free(world);
}

static void hostile_names_are_refused(void)
{
    for (int column = IN_IMAGE; column <= IN_NAME; column++)
        for (int i = 0; i < HOSTILE_NAMES; i++)
            check_name((Column)column, hostile_names[i]);
    check_name(IN_IMAGE, "");
    check_name(IN_NAME, "");
}

static void long_names_are_refused(void)
{
    static const size_t lengths[] = {LIMIT_PATH, 5000, 12000};
    char                name[12001];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int column = IN_IMAGE; column <= IN_NAME; column++) {
            memset(name, 'x', lengths[i]);
            name[lengths[i]] = 0;
            check_name((Column)column, name);
            for (size_t k = 1; k < lengths[i]; k += 2)
                name[k] = '/';
            check_name((Column)column, name);
        }
}

static void a_zero_byte_is_refused(void)
{
    static const char *const files[] = {"index.csv", "category.csv", "label.csv"};
    for (int i = 0; i < 3; i++) {
        World   *world = world_draw(test_seed(), 3, 4, 4);
        ProbeSet probe = {0};
        Error    error = {0};
        char     path[600];
        REQUIRE(world_write(world, "world"));
        snprintf(path, sizeof path, "%s/%s", world->folder, files[i]);
        REQUIRE(write_bytes(path, "name,number\na.png\0/../x,1\n", 25));
        CHECK(!probe_open(&probe, world->folder, NULL, &error));
        CHECK_REFUSED("path", &error, "line 2: a zero byte is not text");
        world_free(world);
    }
}

/* ---- what a plain name leads to -------------------------------------------------------------- */

// A good picture outside the folder that pictures come from.
static bool put_outside(const World *world, const char *name)
{
    char    path[600];
    uint8_t pixels[16 * 16 * 3] = {1}, *bytes = NULL;
    size_t  size  = 0;
    Image   image = {.width = 16, .height = 16, .channels = 3, .pixels = pixels};
    snprintf(path, sizeof path, "%s/%s", world->folder, name);
    bool ok = png_encode(&image, &bytes, &size, NULL) && write_bytes(path, bytes, size);
    memory_free(bytes);
    return ok;
}

static void check_place(const char *name, const char *message)
{
    World      *world  = world_draw(test_seed(), 3, 4, 4);
    ProbeSet    probe  = {0};
    PlaneCache *planes = NULL;
    char        path[600], outside[600];
    uint8_t     pixels[3 * WORLD_PHOTO * WORLD_PHOTO];
    REQUIRE(world_write(world, "world") && put_outside(world, "outside.png"));
    snprintf(outside, sizeof outside, "%s/outside.png", world->folder);
    const char *const links[][2] = {{"link.png", outside},    {"relative.png", "../outside.png"},
                                    {"inside.png", "0.png"},  {"away", world->folder},
                                    {"loop.png", "loop.png"}, {"device.png", "/dev/zero"}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(path, sizeof path, "%s/images/%s", world->folder, links[i][0]);
        remove(path);
        REQUIRE(symlink(links[i][1], path) == 0);
    }
    snprintf(path, sizeof path, "%s/images/pipe.png", world->folder);
    remove(path);
    REQUIRE(mkfifo(path, 0600) == 0); // nobody writes: opening it the usual way would wait for ever
    for (int column = IN_IMAGE; column <= IN_CATEGORY; column++) {
        Error error = {0};
        REQUIRE(put_name(world, (Column)column, name));
        REQUIRE(probe_open(&probe, world->folder, NULL, NULL) || column == IN_CATEGORY);
        if (column == IN_IMAGE)
            CHECK(!probe_photo(&probe, 0, pixels, &error));
        else
            CHECK(!planes_open(&planes, &probe, PLANE_CACHE_BYTES, &error) && !planes);
        CHECK(error.code == ERROR_NOT_FOUND && strstr(error.message, name));
        if (!CHECK(strstr(error.message, message) != NULL))
            printf("  %s: %s\n", name, error.message);
        probe_close(&probe);
    }
    world_free(world);
}

static void only_regular_files_below_are_opened(void)
{
    check_place("link.png", "is a symbolic link, and links below");
    check_place("relative.png", "is a symbolic link, and links below");
    check_place("inside.png", "is a symbolic link, and links below");
    check_place("loop.png", "is a symbolic link, and links below");
    check_place("device.png", "is a symbolic link, and links below");
    check_place("away/outside.png", "is a symbolic link, and links below");
    check_place("0.png/x", "cannot open: Not a directory");
    check_place("pipe.png", "is not a regular file");
    check_place("sub", "is not a regular file");
    check_place("nothing.png", "cannot open: No such file or directory");
    check_place("~/outside.png", "cannot open: No such file or directory");
    check_place("$HOME", "cannot open: No such file or directory");
    check_place("|true", "cannot open: No such file or directory");
    check_place("-rf", "cannot open: No such file or directory");
}

static void tables_are_no_links(void)
{
    static const char *const files[] = {"index.csv", "label.csv", "category.csv", "c_color.csv"};
    for (int i = 0; i < 4; i++) {
        World   *world = world_draw(test_seed(), 3, 4, 4);
        ProbeSet probe = {0};
        Error    error = {0};
        char     path[600], moved[608];
        REQUIRE(world_write(world, "world"));
        snprintf(path, sizeof path, "%s/%s", world->folder, files[i]);
        snprintf(moved, sizeof moved, "%s.away", path);
        REQUIRE(rename(path, moved) == 0 && symlink(moved, path) == 0);
        CHECK(!probe_open(&probe, world->folder, NULL, &error));
        CHECK(error.code == ERROR_NOT_FOUND && strstr(error.message, "is a symbolic link"));
        world_free(world);
    }
}

SUITE(paths)
{
    RUN(hostile_names_are_refused);
    RUN(long_names_are_refused);
    RUN(a_zero_byte_is_refused);
    RUN(only_regular_files_below_are_opened);
    RUN(tables_are_no_links);
}
