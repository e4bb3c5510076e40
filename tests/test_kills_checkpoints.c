/* tests/test_kills_checkpoints.c - what is kept is not done again, and a checkpoint that is damaged or
 * contradicts itself is told. */
#include "../study/study.h"
#include "../base/digest.h"
#include "kills.h"
#include "nem_world.h"
#include "test.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static void what_is_kept_is_not_done_again(void)
{
    FaultPlan count = {0};
    REQUIRE(kills_open(1));
    play_remove(kills_out(0));
    REQUIRE(kills_run(0, &count, "")->code == 0);
    int64_t   all  = play_operations();
    FaultPlan plan = {.kind = FAULT_SIGNAL, .reason = SIGTERM, .changes_only = true, .at = 8};
    play_remove(kills_out(0));
    REQUIRE(kills_run(0, &plan, "")->code == 128 + SIGTERM);
    CHECK(kills_goes_on(0, &count, "after a signal", 0));
    CHECK(play_operations() < all);
}

// Thresholds of some photos and counts of others would be those of no set.
static void what_was_kept_of_other_photos_is_done_again(void)
{
    FaultPlan none  = {0};
    Bytes     other = {0};
    char      photo[LIMIT_PATH];
    REQUIRE(kills_open(1) && kills_interrupt(0));
    snprintf(photo, sizeof photo, "%s", play_photo(0));
    REQUIRE(file_read(play_photo(1), LIMIT_IMAGE_FILE, &other, NULL) &&
            write_bytes(photo, other.data, other.size));
    bytes_close(&other);
    CHECK(kills_run(0, &none, "--resume")->code == 0);
    REQUIRE(play_copy_tree(kills_out(0), in_folder("resumed")));
    play_remove(kills_out(0));
    CHECK(kills_run(0, &none, "")->code == 0);
    CHECK(same_file(in_folder("resumed/units.csv"), in_folder("out/dissect/units.csv")) &&
          same_file(in_folder("resumed/tally.csv"), in_folder("out/dissect/tally.csv")));
    CHECK(!kills_is_as_wanted(0)); // the photo counts
}

// A map whose file somebody replaced after it was done stays as it is.
static void maps_that_are_done_are_not_made_again(void)
{
    enum { ATTRIBUTE = 5 };
    FaultPlan none  = {0};
    Bytes     bytes = {0};
    REQUIRE(kills_open(ATTRIBUTE + 1) && kills_interrupt(ATTRIBUTE));
    const char *map = in_folder("out/attribute/1-gradient-beta1.npy");
    REQUIRE(file_exists(map) && write_bytes(map, "mine", 4));
    CHECK(kills_run(ATTRIBUTE, &none, "--resume")->code == 0);
    CHECK(file_read(map, LIMIT_TEXT_FILE, &bytes, NULL) && bytes.size == 4);
    bytes_close(&bytes);
    static const char *const tables[] = {"maps.csv", "conservation.csv", "1-lrp-beta10.npy"};
    for (int i = 0; i < 3; i++)
        CHECK(same_file(in_folder("out/attribute/%s", tables[i]),
                        in_folder("wanted/attribute/%s", tables[i])));
}

static void a_damaged_checkpoint_is_told_and_done_without(void)
{
    static const char *const files[] = {"dissect.checkpoint",  "rows.checkpoint",
                                        "clean.checkpoint",    "part.checkpoint",
                                        "controls.checkpoint", "unfinished.json"};
    FaultPlan                none    = {0};
    int                      damaged = 0;
    REQUIRE(kills_open(3));
    for (int verb = 0; verb < 3; verb++)
        for (int i = 0; i < 6 * 3; i++) {
            char  path[LIMIT_PATH];
            Bytes bytes = {0};
            REQUIRE(kills_interrupt(verb));
            if (!path_join(path, kills_out(verb), files[i / 3], NULL) || !file_exists(path))
                continue;
            REQUIRE(file_read(path, LIMIT_TEXT_FILE, &bytes, NULL));
            uint8_t *copy = memory_new(bytes.size, 1, NULL);
            REQUIRE(copy != NULL);
            memcpy(copy, bytes.data, bytes.size);
            copy[i % 3 == 1 ? 0 : bytes.size / 2] ^= 0x80; // no text has this bit
            REQUIRE(write_bytes(path, copy, i % 3 == 2 ? bytes.size / 3 : bytes.size));
            memory_free(copy);
            bytes_close(&bytes);
            const Outcome *o = kills_run(verb, &none, "--resume");
            CHECK(o->code == 0 && kills_is_as_wanted(verb));
            if (!CHECK(strstr(o->err, files[i / 3]) && strstr(o->err, "starts over")))
                printf("  %s, %s: %d %s\n", kills_verb[verb], files[i / 3], o->code, o->err);
            damaged++;
        }
    CHECK(damaged >= 20);
}

enum { COUNT_AT = 80, SIZES_AT = 88 }; // number of parts; their sizes, before the parts

// To be changed and freed by the caller; NULL if it cannot be read.
static uint8_t *read_copy(const char *path, size_t *size)
{
    Bytes    bytes = {0};
    uint8_t *copy  = NULL;
    if (file_read(path, LIMIT_TEXT_FILE, &bytes, NULL) && (copy = memory_new(bytes.size, 1, NULL)))
        memcpy(copy, bytes.data, bytes.size);
    *size = bytes.size;
    bytes_close(&bytes);
    return copy;
}

static bool write_sealed(const char *path, uint8_t *bytes, size_t end)
{
    uint32_t crc = digest_crc32(0, bytes, end);
    memcpy(bytes + end, &crc, sizeof crc);
    return write_bytes(path, bytes, end + sizeof crc);
}

// Its checksum is right, but it says that one more image was taken in than its parts have.
static void a_checkpoint_that_contradicts_itself_is_refused(void)
{
    FaultPlan none = {0};
    FaultPlan plan = {.kind = FAULT_SIGNAL, .reason = SIGTERM, .changes_only = true, .at = 8};
    size_t    size;
    int64_t   parts, place[2]; // of the first part: phase, images done
    REQUIRE(kills_open(1));
    play_remove(kills_out(0));
    REQUIRE(kills_run(0, &plan, "")->code == 128 + SIGTERM);
    const char *path = in_folder("out/dissect/dissect.checkpoint");
    uint8_t    *copy = read_copy(path, &size);
    REQUIRE(copy != NULL);
    memcpy(&parts, copy + COUNT_AT, sizeof parts);
    memcpy(place, copy + SIZES_AT + 8 * parts, sizeof place);
    CHECK(place[0] == 0 && place[1] > 0 && place[1] < KILLS_IMAGES);
    place[1]++;
    memcpy(copy + SIZES_AT + 8 * parts, place, sizeof place);
    REQUIRE(write_sealed(path, copy, size - 4));
    memory_free(copy);
    const Outcome *o = kills_run(0, &none, "--resume");
    CHECK(o->code == ERROR_DATA && strstr(o->err, "does not fit this run"));
}

// The first row of a file of rows is to reach a label that is not there.
static bool break_row(const char *path)
{
    int32_t  label = 1 << 30;
    size_t   size;
    uint8_t *copy = read_copy(path, &size);
    if (!copy)
        return false;
    memcpy(copy + SIZES_AT + 8 + offsetof(ChangeRow, clean.label), &label, sizeof label);
    bool done = write_sealed(path, copy, size - 4);
    memory_free(copy);
    return done;
}

// Takes the last part away.
static bool drop_part(const char *path)
{
    uint64_t parts, part_size;
    size_t   size;
    uint8_t *copy = read_copy(path, &size);
    if (!copy)
        return false;
    memcpy(&parts, copy + COUNT_AT, sizeof parts);
    size_t last = SIZES_AT + 8 * ((size_t)parts - 1);
    memcpy(&part_size, copy + last, sizeof part_size);
    size_t kept = size - 4 - (last + 8) - (size_t)(part_size + 7) / 8 * 8, end = last + kept;
    memmove(copy + last, copy + last + 8, kept);
    parts--;
    memcpy(copy + COUNT_AT, &parts, sizeof parts);
    bool done = write_sealed(path, copy, end);
    memory_free(copy);
    return done;
}

// Each file of each run, wherever it is what the run would go on from; its checksum is right.
static void a_checkpoint_that_lacks_a_part_or_label_is_refused(void)
{
    enum { FILES = 8, MOMENTS = 6, BROKEN_ROWS = 6 };
    static const char *const files[FILES] = {
        "dissect.checkpoint",  "rows.checkpoint",  "clean.checkpoint", "part.checkpoint",
        "controls.checkpoint", "masks.checkpoint", "rows.checkpoint",  "controls.checkpoint"};
    FaultPlan none           = {0};
    int       refused[FILES] = {0};
    REQUIRE(kills_open(4));
    for (int i = 0; i < 4 * FILES * MOMENTS; i++) {
        int         verb = i / FILES / MOMENTS, file = i % FILES;
        FaultPlan   plan = {.kind         = FAULT_SIGNAL,
                            .reason       = SIGTERM,
                            .changes_only = true,
                            .at = kills_changes[verb] * (i / FILES % MOMENTS + 1) / (MOMENTS + 1)};
        const char *path = in_folder("out/%s/%s", kills_verb[verb], files[file]);
        if (refused[file])
            continue;
        play_remove(kills_out(verb));
        kills_run(verb, &plan, "");
        if (!file_exists(path))
            continue;
        REQUIRE(file < BROKEN_ROWS ? drop_part(path) : break_row(path));
        const Outcome *o = kills_run(verb, &none, "--resume");
        refused[file]    = o->code == ERROR_DATA && strstr(o->err, files[file]) &&
                        strstr(o->err, "does not fit this run");
        if (!CHECK(refused[file] || (o->code == 0 && kills_is_as_wanted(verb))))
            printf("  %s, %s: exit %d: %s\n", kills_verb[verb], files[file], o->code, o->err);
    }
    for (int file = 0; file < FILES; file++)
        if (!CHECK(refused[file]))
            printf("  %s\n", files[file]);
}

static void a_checkpoint_of_other_settings_is_refused(void)
{
    FaultPlan none = {0};
    REQUIRE(kills_open(2));
    REQUIRE(kills_interrupt(1));
    CHECK(kills_run(1, &none, "--resume -s 1")->code == 73);
    CHECK(kills_run(1, &none, "")->code == 73);
    CHECK(kills_goes_on(1, &none, "after refusals", 0));
}

// Of the verbs that write one file: train, patterns.
static void unfinished_work_is_thrown_away_on_request_only(void)
{
    FaultPlan none = {0};
    REQUIRE(kills_open(KILLS_VERBS));
    for (int verb = KILLS_BLOBS; verb < KILLS_VERBS; verb++) {
        REQUIRE(kills_interrupt(verb));
        const Outcome *o = kills_run(verb, &none, "");
        CHECK(o->code == 73 && strstr(o->err, "--resume goes on with it"));
        CHECK(kills_goes_on(verb, &none, "after a refusal", 0));
    }
    REQUIRE(kills_interrupt(KILLS_BLOBS));
    const Outcome *o = kills_run(KILLS_BLOBS, &none, "--resume -s 1");
    CHECK(o->code == 2 && strstr(o->err, "'seed 0' there, 'seed 1' here"));
    CHECK(kills_run(KILLS_BLOBS, &none, "--overwrite")->code == 0);
    CHECK(kills_is_as_wanted(KILLS_BLOBS));
}

SUITE(kills_checkpoints)
{
    RUN(what_is_kept_is_not_done_again);
    RUN(what_was_kept_of_other_photos_is_done_again);
    RUN(maps_that_are_done_are_not_made_again);
    RUN(a_damaged_checkpoint_is_told_and_done_without);
    RUN(a_checkpoint_that_contradicts_itself_is_refused);
    RUN(a_checkpoint_that_lacks_a_part_or_label_is_refused);
    RUN(a_checkpoint_of_other_settings_is_refused);
    RUN(unfinished_work_is_thrown_away_on_request_only);
}
