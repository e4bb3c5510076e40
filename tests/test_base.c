/* tests/test_base.c - errors, sizes, memory, random numbers, digests, publishing. */
#include "faults.h"
#include "nem_world.h"
#include "program.h"
#include "test.h"
#include "../base/digest.h"
#include "../base/file.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void first_cause_is_kept(void)
{
    Error error = {0};
    CHECK(!fail(&error, ERROR_DATA, "a.png: found %d, expected %d", 1, 2));
    fail(&error, ERROR_IO, "later");
    CHECK(error.code == ERROR_DATA);
    CHECK_TEXT(error.message, "a.png: found 1, expected 2");
    Error control = {0};
    fail(&control, ERROR_DATA, "\x1b[2Jx\n");
    CHECK_TEXT(control.message, "?[2Jx?");
}

static void sizes_refuse_overflow(void)
{
    size_t out = 7;
    CHECK(!size_mul(SIZE_MAX / 2, 3, &out) && out == 7);
    CHECK(!size_add(SIZE_MAX, 1, &out) && out == 7);
    CHECK(size_mul(6, 7, &out) && out == 42);
    Error error = {0};
    CHECK(!memory_new(SIZE_MAX, 2, &error) && error.code == ERROR_MEMORY);
}

static void memory_fails_when_told(void)
{
    int64_t before = memory_live_blocks();
    memory_fail_at(2, false);
    void *a = memory_new(1, 8, NULL), *b = memory_new(1, 8, NULL), *c = memory_new(1, 8, NULL);
    CHECK(a && !b && c);
    memory_free(a);
    memory_free(c);
    CHECK(memory_live_blocks() == before);
}

// Published known answers of Philox 4x32-10 (Random123, kat_vectors).
static void philox_known_answers(void)
{
    RandomBlock zero = random_block(0, 0, 0);
    CHECK(zero.word[0] == 0x6627e8d5 && zero.word[1] == 0xe169c58d && zero.word[2] == 0xbc57ac4c &&
          zero.word[3] == 0x9b00dbd8);
    RandomBlock ones = random_block(UINT64_MAX, UINT64_MAX, UINT64_MAX);
    CHECK(ones.word[0] == 0x408f276d && ones.word[1] == 0x41c83b0e && ones.word[2] == 0xa20bc7c6 &&
          ones.word[3] == 0x6d5451fd);
    RandomBlock pi = random_block(0x299f31d0a4093822u, 0x0370734413198a2eu, 0x85a308d3243f6a88u);
    CHECK(pi.word[0] == 0xd16cfe09 && pi.word[1] == 0x94fdcceb && pi.word[2] == 0x5001e420 &&
          pi.word[3] == 0x24126ea1);
}

static void gaussian_moments(void)
{
    double sum = 0, square = 0, fourth = 0;
    int    n = 100000;
    for (int i = 0; i < n; i++) {
        RandomBlock block = random_block(5, 1, (uint64_t)i);
        double      a, b;
        random_gaussian(block.word[0], block.word[1], &a, &b);
        sum += a + b;
        square += a * a + b * b;
        fourth += a * a * a * a + b * b * b * b;
    }
    // Standard errors: mean 1/sqrt(2n), variance sqrt(2/2n), fourth moment sqrt(96/2n); five of
    // each.
    CHECK_CLOSE(sum / (2 * n), 0, 5 * sqrt(1.0 / (2 * n)));
    CHECK_CLOSE(square / (2 * n), 1, 5 * sqrt(2.0 / (2 * n)));
    CHECK_CLOSE(fourth / (2 * n), 3, 5 * sqrt(96.0 / (2 * n)));
}

static void digests_known_answers(void)
{
    CHECK(digest_crc32(0, "123456789", 9) == 0xCBF43926);
    CHECK(digest_crc32(digest_crc32(0, "12345", 5), "6789", 4) == 0xCBF43926);
    char   text[65];
    Sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, "abc", 3);
    sha256_text(&sha, text);
    CHECK_TEXT(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_start(&sha);
    for (int i = 0; i < 1000; i++)
        sha256_add(&sha,
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                   "aaaaaaaaaaaaaaaaaaaaaaaaaa",
                   100);
    sha256_add(&sha, "", 0);
    sha256_text(&sha, text);
    CHECK_TEXT(text, "6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee");
}

static void plain_paths(void)
{
    CHECK(path_is_plain("a/b.png") && path_is_plain("a..b/.c"));
    const char *bad[] = {"",    "/etc/passwd", "../x", "a/../b", "a//b",
                         "./a", "a/",          "a\nb", "a\\b",   ".."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!path_is_plain(bad[i]));
}

// Whatever operation fails, the earlier result stays and no temporary is left behind as a result.
static void publishing_survives_every_failure(void)
{
    char path[LIMIT_PATH];
    REQUIRE(path_join(path, test_folder(), "result.csv", NULL));
    REQUIRE(file_publish(path, "old", 3, NULL));
    bool done = false;
    for (int n = 1; n < 50 && !done; n++) {
        Error error = {0};
        Bytes bytes = {0};
        fail_file_at(n, ENOSPC);
        done = file_publish(path, "new and longer", 14, &error);
        fail_file_at(0, 0);
        CHECK(done || error.code == ERROR_IO || error.code == ERROR_CREATE);
        REQUIRE(file_read(path, 100, &bytes, NULL));
        CHECK(bytes.size == 3 || bytes.size == 14);
        CHECK(!done || bytes.size == 14);
        bytes_close(&bytes);
    }
    CHECK(done);
}

static void the_first_failure_of_a_writer_is_told(void)
{
    static const char zeros[1 << 17];
    Writer           *writer = NULL;
    Error             error  = {0};
    REQUIRE(writer_open(&writer, in_folder("result"), NULL));
    fail_file_at(1, ENOSPC);
    writer_bytes(writer, zeros, sizeof zeros);
    fail_file_at(0, 0);
    memory_fail_at(1, false);
    writer_text(writer, "%2000d", 1);
    memory_fail_at(0, false);
    CHECK(!writer_publish(writer, &error) && error.code == ERROR_IO);
}

// The next two names are taken, as by killed processes of this number.
static void temporaries_of_the_dead_are_left_alone(void)
{
    Writer     *writer = NULL;
    Bytes       bytes  = {0};
    char      **names  = NULL;
    const char *dead[2];
    int64_t     count = 0;
    long        process;
    unsigned    serial;
    REQUIRE(writer_open(&writer, in_folder("result"), NULL));
    REQUIRE(folder_list(test_folder(), &names, &count, NULL) && count == 1);
    REQUIRE(sscanf(names[0], "result.tmp-%ld-%u", &process, &serial) == 2);
    names_free(names, count);
    writer_discard(writer);
    for (unsigned i = 0; i < 2; i++) {
        dead[i] = in_folder("result.tmp-%ld-%u", process, serial + 1 + i);
        REQUIRE(write_bytes(dead[i], "old", 3));
    }
    CHECK(file_publish(in_folder("result"), "new", 3, NULL));
    for (int i = 0; i < 3; i++) {
        REQUIRE(file_read(i < 2 ? dead[i] : in_folder("result"), 3, &bytes, NULL));
        CHECK(memcmp(bytes.data, i < 2 ? "old" : "new", 3) == 0);
        bytes_close(&bytes);
    }
}

typedef struct Told { // how often, by operation
    int before[FILE_SHOW + 1], after[FILE_SHOW + 1];
} Told;

static int told_before(void *self, FileOperation operation, size_t *size)
{
    (void)size;
    ((Told *)self)->before[operation]++;
    return 0;
}

static void told_after(void *self, FileOperation operation)
{
    ((Told *)self)->after[operation]++;
}

static void a_hook_is_told_of_every_end(void)
{
    Told     told  = {0};
    FileHook hook  = {told_before, told_after, &told};
    FileLock lock  = {0};
    Bytes    bytes = {0};
    file_hook(&hook);
    CHECK(folder_create(in_folder("made"), NULL) && file_lock(&lock, in_folder("lock"), NULL));
    CHECK(file_publish(in_folder("made/file"), "x", 1, NULL));
    CHECK(file_show(in_folder("made/file"), "y", 1, NULL));
    CHECK(file_read(in_folder("made/file"), 1, &bytes, NULL));
    CHECK(temporaries_remove(in_folder("made"), NULL) && file_remove(in_folder("made/file"), NULL));
    file_unlock(&lock);
    file_hook(NULL);
    bytes_close(&bytes);
    for (int kind = 0; kind <= FILE_SHOW; kind++)
        CHECK(told.before[kind] > 0 && told.before[kind] == told.after[kind]);
}

// Removes the file as often as it is locked, `tells` times.
static void lock_removed(void *self, FileOperation operation)
{
    int *tells = self;
    if (operation == FILE_LOCK && --*tells >= 0)
        unlink(in_folder("lock"));
}

static void a_lock_that_is_always_gone_is_given_up(void)
{
    int      tells = 3;
    FileHook hook  = {.after = lock_removed, .self = &tells};
    FileLock lock  = {0};
    Error    error = {0};
    file_hook(&hook);
    CHECK(file_lock(&lock, in_folder("lock"), NULL) && tells == -1);
    file_unlock(&lock);
    tells = 10000;
    CHECK(!file_lock(&lock, in_folder("lock"), &error) && tells > 0);
    CHECK(error.code == ERROR_CREATE && strstr(error.message, "lock: is gone each of 1000 times"));
    file_unlock(&lock);
    file_hook(NULL);
}

static void reading_stays_below_its_folder(void)
{
    char        path[LIMIT_PATH];
    const char *folder = test_folder();
    Error       error  = {0};
    Bytes       bytes  = {0};
    REQUIRE(path_join(path, folder, "in/side", NULL) && folder_create(path, NULL));
    REQUIRE(path_join(path, folder, "in/side/a", NULL) && file_publish(path, "x", 1, NULL));
    REQUIRE(path_join(path, folder, "in", NULL));
    CHECK(file_read_below(path, "side/a", 10, &bytes, &error) && bytes.size == 1);
    bytes_close(&bytes);
    CHECK(!file_read_below(path, "../in/side/a", 10, &bytes, &error) && error.code == ERROR_DATA);
    error = (Error){0};
    CHECK(!file_read_below(path, "side/b", 10, &bytes, &error) && error.code == ERROR_NOT_FOUND);
    error = (Error){0};
    CHECK(!file_read("/dev/null", 10, &bytes, &error) && error.code == ERROR_NOT_FOUND);
}

SUITE(base)
{
    RUN(first_cause_is_kept);
    RUN(sizes_refuse_overflow);
    RUN(memory_fails_when_told);
    RUN(philox_known_answers);
    RUN(gaussian_moments);
    RUN(digests_known_answers);
    RUN(plain_paths);
    RUN(publishing_survives_every_failure);
    RUN(the_first_failure_of_a_writer_is_told);
    RUN(temporaries_of_the_dead_are_left_alone);
    RUN(a_hook_is_told_of_every_end);
    RUN(a_lock_that_is_always_gone_is_given_up);
    RUN(reading_stays_below_its_folder);
}
