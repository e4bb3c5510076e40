/* tests/test_fuzz.c - what fuzzing has collected, once more: every file of tests/fuzz/corpus, every
 * one with its checksums put right, every one cut short. Accepted or refused, nothing may be left.
 */
#include "fuzz/fuzz.h"
#include "../base/file.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static void run_copy(FuzzRun *run, const uint8_t *data, size_t size)
{
    uint8_t *copy = memory_new(size, 1, NULL); // its own block: an over-read is seen
    if (size)
        memcpy(copy, data, size);
    run(copy, size);
    memory_free(copy);
}

static void replay(const char *target, FuzzRun *run, FuzzRepair *repair)
{
    char    folder[LIMIT_PATH], path[LIMIT_PATH];
    char  **names = NULL;
    int64_t count = 0, blocks = 0;
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", target);
    REQUIRE(folder_list(folder, &names, &count, NULL));
    CHECK(count >= 10);
    for (int64_t i = 0; i < count; i++) {
        Bytes bytes = {0};
        REQUIRE(path_join(path, folder, names[i], NULL) && file_read(path, 1 << 20, &bytes, NULL));
        blocks = memory_live_blocks();
        run_copy(run, bytes.data, bytes.size);
        run_copy(run, bytes.data, bytes.size * 2 / 3);
        if (repair) {
            uint8_t *repaired = memory_new(bytes.size, 1, NULL);
            memcpy(repaired, bytes.data, bytes.size);
            repair(repaired, bytes.size);
            run(repaired, bytes.size);
            memory_free(repaired);
        }
        if (!CHECK(memory_live_blocks() == blocks))
            printf("  %s\n", path);
        bytes_close(&bytes);
    }
    names_free(names, count);
}

// What a mutation leaves: two bytes of room, a stored block, and a checksum that is not its own.
static void a_repair_reaches_behind_the_room(void)
{
    uint8_t data[] = {0, 3, 0x78, 0x01, 1, 3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0}, out[3];
    CHECK(!inflate_into(data + 2, sizeof data - 2, out, sizeof out, NULL));
    repair_inflate(data, sizeof data);
    CHECK(inflate_into(data + 2, sizeof data - 2, out, sizeof out, NULL));
}

static void arguments_corpus(void)
{
    replay("arguments", fuzz_arguments, NULL);
}
static void blob_corpus(void)
{
    replay("blob", fuzz_blob, repair_blob);
}
static void csv_corpus(void)
{
    replay("csv", fuzz_csv, NULL);
}
static void inflate_corpus(void)
{
    replay("inflate", fuzz_inflate, repair_inflate);
}
static void jpeg_corpus(void)
{
    replay("jpeg", fuzz_jpeg, NULL);
}
static void json_corpus(void)
{
    replay("json", fuzz_json, NULL);
}
static void npy_corpus(void)
{
    replay("npy", fuzz_npy, NULL);
}
static void png_corpus(void)
{
    replay("png", fuzz_png, repair_png);
}
static void probe_corpus(void)
{
    replay("probe", fuzz_probe, NULL);
}
static void text_corpus(void)
{
    for (uint8_t kind = 0; kind < 4; kind++)
        fuzz_text(&kind, 1); // makes tokenizers that stay
    replay("text", fuzz_text, NULL);
}
static void vocabulary_corpus(void)
{
    replay("vocabulary", fuzz_vocabulary, NULL);
}

SUITE(fuzz)
{
    RUN(a_repair_reaches_behind_the_room);
    RUN(arguments_corpus);
    RUN(blob_corpus);
    RUN(csv_corpus);
    RUN(inflate_corpus);
    RUN(jpeg_corpus);
    RUN(json_corpus);
    RUN(npy_corpus);
    RUN(png_corpus);
    RUN(probe_corpus);
    RUN(text_corpus);
    RUN(vocabulary_corpus);
}
