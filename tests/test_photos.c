/* tests/test_photos.c - probing sets that are folders of photos without label maps. */
#include "test.h"

#include "../base/file.h"
#include "../image/image.h"
#include "../probe/probe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const Preparation fit = {.width = 6, .height = 4};

static bool write_photo(const char *name, int width, int height, uint8_t level)
{
    uint8_t  pixels[3 * 64];
    char     path[LIMIT_PATH];
    Image    image = {.width = width, .height = height, .channels = 3, .pixels = pixels};
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    memset(pixels, level, sizeof pixels);
    bool ok = path_join(path, test_folder(), name, NULL) &&
              png_encode(&image, &bytes, &size, NULL) && file_publish(path, bytes, size, NULL);
    memory_free(bytes);
    return ok;
}

static bool make_folder(const char *name)
{
    char path[LIMIT_PATH];
    return path_join(path, test_folder(), name, NULL) && folder_create(path, NULL);
}

static bool write_set(void)
{
    return make_folder("b") && make_folder("a/deeper") && write_photo("b/2.png", 6, 4, 20) &&
           write_photo("b/10.png", 8, 8, 10) && write_photo("a/x.PNG", 1, 1, 30) &&
           write_photo("a/deeper/no.png", 6, 4, 99) && write_photo("z.png", 3, 7, 40);
}

static void photos_come_in_the_order_of_their_names(void)
{
    static const char *const paths[]  = {"z.png", "a/x.PNG", "b/10.png", "b/2.png"};
    static const uint8_t     levels[] = {40, 30, 10, 20};
    float                    planes[3 * 24];
    ProbeSet                 set = {0};
    REQUIRE(write_set() && !probe_is_tables(test_folder()));
    REQUIRE(probe_open_photos(&set, test_folder(), &fit, 0, NULL));
    CHECK(set.image_count == 4 && set.image_height == 4 && set.image_width == 6);
    CHECK(set.map_height == 4 && set.map_width == 6); // masks are shown at that size
    CHECK(set.category_count == 0 && set.is_photos);
    ImageSource images = probe_images(&set);
    for (int64_t i = 0; i < 4; i++) {
        CHECK_TEXT(probe_image_path(&set, i), paths[i]);
        REQUIRE(images.load(images.self, i, planes, NULL)); // any size is made to fit
        for (int k = 0; k < 3 * 24; k++)
            CHECK(planes[k] == (float)levels[i] / 255);
    }
    probe_close(&set);
}

static void a_limit_takes_the_first(void)
{
    ProbeSet all = {0}, first = {0};
    char     digest[65];
    REQUIRE(write_set());
    REQUIRE(probe_open_photos(&all, test_folder(), &fit, 0, NULL));
    REQUIRE(probe_open_photos(&first, test_folder(), &fit, 2, NULL));
    CHECK(first.image_count == 2 && strcmp(first.index_sha256, all.index_sha256) != 0);
    REQUIRE(probe_files_sha256(&all, false, digest, NULL));
    CHECK(strlen(digest) == 64);
    probe_close(&first);
    probe_close(&all);
}

static void count_problems(void *self, const char *problem)
{
    int *seen = self;
    *seen += strstr(problem, "broken.png") || strstr(problem, "symbolic link");
}

static void broken_photos_and_links_are_told(void)
{
    ProbeSet set = {0};
    char     path[LIMIT_PATH];
    int      seen     = 0;
    int64_t  problems = 0;
    REQUIRE(write_set() && path_join(path, test_folder(), "b/broken.png", NULL) &&
            file_publish(path, "PNG?", 4, NULL) && path_join(path, test_folder(), "loop", NULL));
    REQUIRE(symlink(".", path) == 0);
    REQUIRE(probe_open_photos(&set, test_folder(), NULL, 0, NULL)); // loop/z.png, once
    CHECK(set.image_count == 6);
    REQUIRE(probe_verify_photos(&set, count_problems, &seen, &problems, NULL));
    CHECK(problems == 2 && seen == 2);
    probe_close(&set);
    CHECK(unlink(path) == 0);
}

static void folders_without_photos_are_refused(void)
{
    ProbeSet set   = {0};
    Error    error = {0};
    char     path[LIMIT_PATH];
    REQUIRE(make_folder("empty/deeper") && path_join(path, test_folder(), "empty", NULL));
    CHECK(!probe_open_photos(&set, path, &fit, 0, &error) && !set.folder);
    CHECK(error.code == ERROR_NOT_FOUND && strstr(error.message, "has no photo in it"));
    REQUIRE(path_join(path, test_folder(), "none", NULL));
    error = (Error){0};
    CHECK(!probe_open_photos(&set, path, &fit, 0, &error) && error.code == ERROR_NOT_FOUND);
}

static void nothing_leaks_when_memory_runs_out(void)
{
    int64_t before = memory_live_blocks(), call = 0;
    REQUIRE(write_set());
    for (bool done = false; !done && call < 200; call++) {
        ProbeSet set   = {0};
        Error    error = {0};
        memory_fail_at(call + 1, false);
        done = probe_open_photos(&set, test_folder(), &fit, 0, &error);
        memory_fail_at(0, false);
        CHECK(done || (error.code == ERROR_MEMORY && !set.folder));
        probe_close(&set);
        CHECK(memory_live_blocks() == before);
    }
    CHECK(call > 5 && call < 200);
}

SUITE(photos)
{
    RUN(photos_come_in_the_order_of_their_names);
    RUN(a_limit_takes_the_first);
    RUN(broken_photos_and_links_are_told);
    RUN(folders_without_photos_are_refused);
    RUN(nothing_leaks_when_memory_runs_out);
}
