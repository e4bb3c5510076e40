/* tests/test_embedded.c - the blobs that are part of the program: whole, and as good as said. */
#include "program.h"
#include "test.h"

#include "../base/file.h"
#include "../cli/caption_data.h"
#include "../cli/unit_data.h"
#include "../mini/mini.h"
#include "../models/embed.h"
#include "../models/embedded.h"
#include "../nem/milan/decode.h"
#include "../training/trainer.h"

#include <stdio.h>
#include <string.h>

static void blobs_of_the_program_are_the_files(void)
{
    static const struct {
        const char *name, *file;
    } cases[]  = {{"clip", "models/zoo/towers.nw"}, {"captioner", "models/zoo/captioner.nw"}};
    size_t all = 0, size = 0;
    Bytes  page = {0};
    REQUIRE(file_read("models/zoo/README.md", LIMIT_TEXT_FILE, &page, NULL));
    for (int i = 0; i < 2; i++) {
        Bytes       file = {0};
        const void *data = embedded_blob(cases[i].name, &size);
        REQUIRE(data && file_read(cases[i].file, LIMIT_ARRAY_FILE, &file, NULL));
        CHECK(size == file.size && memcmp(data, file.data, size) == 0);
        CHECK((uintptr_t)data % 64 == 0);
        all += size;
        bytes_close(&file);
        WeightBlob *blob = NULL;
        CHECK(embedded_open(cases[i].name, &blob, NULL) &&
              strstr((const char *)page.data, blob_sha256(blob)));
        blob_close(blob);
    }
    bytes_close(&page);
    CHECK(all <= 1500000);
    CHECK(embedded_blob("bert", &size) == NULL);
}

static void a_blob_opens_in_memory_as_from_its_file(void)
{
    WeightBlob *lent = NULL, *again = NULL, *file = NULL;
    Error       error = {0};
    size_t      size  = 0;
    const void *data  = embedded_blob("clip", &size);
    REQUIRE(embedded_open("clip", &lent, NULL));
    REQUIRE(blob_open("models/zoo/towers.nw", &file, NULL));
    CHECK_TEXT(blob_path(lent), "built-in clip");
    CHECK_TEXT(blob_sha256(lent), blob_sha256(file));
    CHECK_TEXT(blob_architecture(lent), "clip_mini");
    CHECK(blob_tensor_count(lent) == blob_tensor_count(file));
    CHECK(blob_tensor(lent, 1)->data != blob_tensor(file, 1)->data);
    blob_close(file);
    blob_close(lent);
    CHECK(blob_open_or_embedded(NULL, "clip", &again, NULL)); // what is lent outlives a blob
    blob_close(again);
    CHECK(!blob_open_memory("cut", data, size - 64, &again, &error) && error.code == ERROR_DATA);
    error = (Error){0};
    CHECK(!embedded_open("bert", &again, &error) && error.code == ERROR_USAGE);
}

static void built_in_towers_find_what_is_true(void)
{
    TrainingSet    set  = {0};
    WeightBlob    *blob = NULL;
    RetrievalScore all = {0}, kept = {0};
    REQUIRE(caption_data_open(&set, "mini:120:12", "mini", NULL, NULL));
    REQUIRE(embedded_open("clip", &blob, NULL));
    REQUIRE(training_retrieval(blob, &set, &all, &kept, NULL));
    printf("  of %lld images %.1f %% right, by chance %.1f %%; of held-out compounds %.1f and "
           "%.1f %%\n",
           (long long)all.images, 100 * all.accuracy, 100 * all.chance, 100 * kept.accuracy,
           100 * kept.chance);
    CHECK(all.images == 120 && all.texts > 100);
    CHECK(all.accuracy > 0.85 && all.chance < 0.25);
    CHECK(kept.accuracy > 1.5 * kept.chance);
    blob_close(blob);
    training_set_free(&set);
}

// What embed.h gives of a text, and that it refuses words it does not know.
static void built_in_towers_know_their_words_alone(void)
{
    static const char *const        texts[]   = {"a red car", "something red", "car"};
    static const char *const        unknown[] = {"a red zebra"},
                             *const much[]    = {
                                    "a photo of a red car with a wheel of a car of a car"};
    WeightBlob *blob  = NULL;
    float      *rows  = NULL;
    int64_t     width = 0;
    Error       error = {0};
    REQUIRE(embedded_open("clip", &blob, NULL));
    REQUIRE(texts_embed(blob, texts, 3, &rows, &width, NULL));
    CHECK(width == 64);
    double alike[2] = {0};
    for (int64_t i = 0; i < width; i++) {
        alike[0] += (double)rows[i] * (double)rows[2 * width + i];
        alike[1] += (double)rows[width + i] * (double)rows[2 * width + i];
    }
    CHECK(alike[0] > alike[1]); // a red car is more of a car than something red
    memory_free(rows);
    CHECK(!texts_embed(blob, unknown, 1, &rows, &width, &error) && error.code == ERROR_DATA &&
          strstr(error.message, "zebra"));
    error = (Error){0};
    CHECK(!texts_embed(blob, much, 1, &rows, &width, &error) && error.code == ERROR_DATA);
    blob_close(blob);
}

/* Made-up units through MILAN's decoder; the training's own graph says the same words. */
static void the_built_in_captioner_names_units(void)
{
    TrainingSet   set     = {0};
    WeightBlob   *blob    = NULL;
    Decoder      *decoder = NULL;
    DescribeScore all = {0}, kept = {0};
    DecodeRules   rules;
    int64_t       named = 0, right = 0;
    REQUIRE(embedded_open("captioner", &blob, NULL));
    REQUIRE(unit_data_open(&set, "mini:500:22", 60, blob, true, NULL));
    REQUIRE(training_describe(blob, &set, &all, &kept, NULL));
    printf("  %.1f %% of %lld units named, under random masks %.1f %%; of held-out compounds "
           "%.1f %%\n",
           100 * all.named, (long long)all.units, 100 * all.chance, 100 * kept.named);
    CHECK(all.units == 30 && all.named > 0.6 && all.named > 2 * all.chance);
    REQUIRE(decode_rules(&rules, blob, 0, NULL) && rules.beam == 50);
    Error error = {0};
    if (!CHECK(decoder_open(&decoder, blob, &rules, set.units->exemplars, &error)))
        printf("  %s\n", error.message), fflush(stdout);
    REQUIRE(decoder);
    int64_t size = set.units->exemplars * set.units->features;
    for (int64_t i = 0; i < set.count; i += 2) {
        const Sentences *said = decoder_greedy(decoder, set.units->values + i * size, 0);
        named += training_names(set.captions, said->tokens, set.units->claims[i]);
        said = decoder_beam(decoder, set.units->values + i * size, 0);
        right += training_names(set.captions, said->tokens, set.units->claims[i]);
    }
    CHECK(named == (int64_t)(all.named * 30 + 0.5));
    CHECK(right > 18);
    decoder_close(decoder);
    blob_close(blob);
    training_set_free(&set);
}

SUITE(embedded)
{
    RUN(blobs_of_the_program_are_the_files);
    RUN(a_blob_opens_in_memory_as_from_its_file);
    RUN(built_in_towers_find_what_is_true);
    RUN(built_in_towers_know_their_words_alone);
    RUN(the_built_in_captioner_names_units);
}
