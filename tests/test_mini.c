/* tests/test_mini.c - the mini world: same bytes everywhere, a valid set, labels that are where
 * they say. */
#include "test.h"

#include "../base/digest.h"
#include "../base/file.h"
#include "../mini/labels.h"
#include "../probe/probe.h"

#include <stdio.h>
#include <string.h>

/* ---- bytes ----------------------------------------------------------------------------------- */

static void add_file(Sha256 *sha, const char *folder, const char *name)
{
    Bytes file = {0};
    CHECK(file_read_below(folder, name, LIMIT_TEXT_FILE, &file, NULL));
    sha256_add(sha, name, strlen(name) + 1);
    sha256_add(sha, file.data, file.size);
    bytes_close(&file);
}

// Of every file: tables, then pictures in the order of their names.
static void world_digest(const char *folder, char out[65])
{
    char    pictures[LIMIT_PATH];
    char  **names[2]  = {NULL, NULL};
    int64_t counts[2] = {0, 0};
    Sha256  sha;
    sha256_start(&sha);
    REQUIRE(folder_list(folder, &names[0], &counts[0], NULL));
    for (int64_t i = 0; i < counts[0]; i++)
        if (strcmp(names[0][i], "images") != 0)
            add_file(&sha, folder, names[0][i]);
    REQUIRE(path_join(pictures, folder, "images/mini", NULL));
    REQUIRE(folder_list(pictures, &names[1], &counts[1], NULL));
    for (int64_t i = 0; i < counts[1]; i++)
        add_file(&sha, pictures, names[1][i]);
    sha256_text(&sha, out);
    names_free(names[0], counts[0]);
    names_free(names[1], counts[1]);
}

static void every_byte_follows_from_the_seed(void)
{
    char digest[65] = "", other[65] = "", folder[LIMIT_PATH];
    snprintf(folder, sizeof folder, "%s/a", test_folder());
    REQUIRE(mini_write(folder, 0, 24, NULL, NULL, NULL));
    world_digest(folder, digest);
    CHECK_TEXT(digest, "90bb1ed933f54681749e0d1a1350608602ec7d6a21f54e0cfbeacd1d86b10ec7");
    snprintf(folder, sizeof folder, "%s/b", test_folder());
    REQUIRE(mini_write(folder, 1, 24, NULL, NULL, NULL));
    world_digest(folder, other);
    CHECK(strcmp(digest, other) != 0);
}

static void an_image_does_not_depend_on_its_set(void)
{
    char  small[LIMIT_PATH], large[LIMIT_PATH];
    Bytes a = {0}, b = {0};
    snprintf(small, sizeof small, "%s/small", test_folder());
    snprintf(large, sizeof large, "%s/large", test_folder());
    REQUIRE(mini_write(small, 5, 3, NULL, NULL, NULL) && mini_write(large, 5, 6, NULL, NULL, NULL));
    REQUIRE(file_read_below(small, "images/mini/000002.jpg", LIMIT_IMAGE_FILE, &a, NULL));
    REQUIRE(file_read_below(large, "images/mini/000002.jpg", LIMIT_IMAGE_FILE, &b, NULL));
    CHECK(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
    bytes_close(&a);
    bytes_close(&b);
}

/* ---- the set --------------------------------------------------------------------------------- */

static void print_problem(void *self, const char *problem)
{
    (void)self;
    printf("  %s\n", problem);
}

static void a_written_world_verifies(void)
{
    ProbeSet probe    = {0};
    int64_t  problems = -1;
    REQUIRE(mini_write(test_folder(), 3, 60, NULL, NULL, NULL));
    REQUIRE(probe_open(&probe, test_folder(), NULL, NULL));
    CHECK(probe.image_count == 60 && probe.category_count == MINI_CATEGORIES);
    CHECK(probe.label_count == mini_label_count());
    CHECK(probe_verify(&probe, print_problem, NULL, &problems, NULL, NULL));
    CHECK(problems == 0);
    probe_close(&probe);
}

static bool stop_at_three(void *self, int64_t done, int64_t total)
{
    (void)self;
    (void)total;
    return done < 3;
}

static void a_stopped_world_has_no_index(void)
{
    Error error = {0};
    char  index[LIMIT_PATH];
    CHECK(!mini_write(test_folder(), 0, 10, stop_at_three, NULL, &error) &&
          error.code == ERROR_AGAIN);
    CHECK(path_join(index, test_folder(), "index.csv", NULL) && !file_exists(index));
}

/* ---- what is drawn --------------------------------------------------------------------------- */

enum { DRAWN = 400 };

// Cells of each label in each map over DRAWN images, and what occurs only as a whole.
typedef struct Census {
    int64_t cells[MINI_MAPS][LABEL_COUNT];
    int     scenes[LABEL_COUNT], textures[LABEL_COUNT];
    int     dropped, backdrops, boards, double_boards, kinds[64];
} Census;

static void take_census(Census *census)
{
    static MiniImage image;
    memset(census, 0, sizeof *census);
    for (int64_t i = 0; i < DRAWN; i++) {
        mini_draw(9, i, &image);
        for (int map = 0; map < MINI_MAPS; map++)
            for (int cell = 0; cell < MINI_CELLS; cell++)
                census->cells[map][image.maps[map][cell]]++;
        census->scenes[image.scene] += !image.is_board;
        census->textures[image.textures[0]] += image.is_board;
        census->dropped += !image.is_board && image.scene == 0;
        census->backdrops += image.backdrop > 0;
        census->boards += image.is_board;
        census->double_boards += image.textures[1] > 0;
        census->kinds[image.kind]++;
    }
}

static void every_label_and_awkward_case_occurs(void)
{
    static Census census;
    take_census(&census);
    for (int label = LABEL_BLACK; label < LABEL_BALL; label++)
        CHECK(census.cells[MINI_MAP_COLOR][label] > 0);
    for (int label = LABEL_BALL; label < LABEL_ARM; label++)
        CHECK(census.cells[MINI_MAP_OBJECT][label] > 0);
    for (int label = LABEL_ARM; label < LABEL_ASPHALT; label++)
        CHECK(census.cells[MINI_MAP_PART][label] + census.cells[MINI_MAP_SUBPART][label] > 0);
    for (int label = LABEL_ASPHALT; label < LABEL_BEACH; label++)
        CHECK(census.cells[MINI_MAP_MATERIAL][label] > 0);
    for (int label = LABEL_BEACH; label < LABEL_BANDED; label++)
        CHECK(census.scenes[label] > 0);
    for (int label = LABEL_BANDED; label < LABEL_COUNT; label++)
        CHECK(census.textures[label] > 0);
    for (int kind = 0; kind < mini_kind_count(); kind++)
        CHECK(census.kinds[kind] > 0);
    CHECK(census.cells[MINI_MAP_COLOR][0] == 0); // every pixel has a colour
    CHECK(census.cells[MINI_MAP_OBJECT][LABEL_WALL] > 0 &&
          census.cells[MINI_MAP_PART][LABEL_WALL] > 0);
    CHECK(census.dropped > 0 && census.backdrops > 0 && census.double_boards > 0);
    CHECK(census.boards > DRAWN / 5 && census.boards < DRAWN * 2 / 5);
}

// The mean colour of cells called red is red; a red pixel is not called blue.
static void colours_are_what_they_are_called(void)
{
    static MiniImage image;
    int64_t          sum[LABEL_BALL][3] = {{0}}, count[LABEL_BALL] = {0};
    for (int64_t i = 0; i < 60; i++) {
        mini_draw(2, i, &image);
        for (int cell = 0; cell < MINI_CELLS; cell++) {
            int at   = cell / MINI_MAP * 2 * MINI_SIDE + cell % MINI_MAP * 2,
                name = image.maps[0][cell];
            count[name]++;
            for (int c = 0; c < 3; c++)
                sum[name][c] += image.pixels[3 * at + c];
        }
    }
    const int64_t *red = sum[LABEL_RED], *blue = sum[LABEL_BLUE], *yellow = sum[LABEL_YELLOW];
    CHECK(red[0] > 3 * red[1] && red[0] > 3 * red[2]);
    CHECK(blue[2] > blue[0] && blue[2] > blue[1]);
    CHECK(yellow[0] > 2 * yellow[2] && yellow[1] > 2 * yellow[2]);
    CHECK(sum[LABEL_WHITE][1] > 200 * count[LABEL_WHITE]);
    CHECK(sum[LABEL_BLACK][1] < 56 * count[LABEL_BLACK]);
}

// A part belongs to an object, a part of a part to a part.
static void planes_are_nested(void)
{
    static MiniImage image;
    bool             ok = true;
    for (int64_t i = 0; i < 100; i++) {
        mini_draw(4, i, &image);
        for (int cell = 0; cell < MINI_CELLS; cell++) {
            ok = ok && (!image.maps[MINI_MAP_PART][cell] || image.maps[MINI_MAP_OBJECT][cell]);
            ok = ok && (!image.maps[MINI_MAP_SUBPART][cell] || image.maps[MINI_MAP_PART][cell]);
        }
    }
    CHECK(ok);
}

static void kinds_have_names(void)
{
    CHECK(mini_kind_count() == 34);
    CHECK_TEXT(mini_kind_name(0), "boat beach");
    CHECK_TEXT(mini_kind_name(21), "car street");
    CHECK_TEXT(mini_kind_name(31), "striped");
}

SUITE(mini)
{
    RUN(every_byte_follows_from_the_seed);
    RUN(an_image_does_not_depend_on_its_set);
    RUN(a_written_world_verifies);
    RUN(a_stopped_world_has_no_index);
    RUN(every_label_and_awkward_case_occurs);
    RUN(colours_are_what_they_are_called);
    RUN(planes_are_nested);
    RUN(kinds_have_names);
}
