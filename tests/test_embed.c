/* tests/test_embed.c - pictures and texts as points of one space. */
#include "../cli/caption_data.h"
#include "../mini/mini.h"
#include "../models/embed.h"
#include "../probe/picture.h"
#include "program.h"
#include "published.h"
#include "small_clip.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 8, IMAGES = 5, SIZE = 3 * SIDE * SIDE, OUTPUTS = SMALL_CLIP_OUTPUTS };

static WeightBlob *small_clip(void)
{
    WeightBlob *blob = NULL;
    CHECK(small_clip_save(in_folder("clip.nw"), SIDE, 1) &&
          blob_open(in_folder("clip.nw"), &blob, NULL));
    return blob;
}

static void draw_pixels(real *pixels)
{
    Random random = random_stream(test_seed(), "pixels");
    for (int i = 0; i < IMAGES * SIZE; i++)
        pixels[i] = (real)random_unit(random_word(&random));
}

static double length_of(const float *vector, int64_t width)
{
    double squares = 0;
    for (int64_t i = 0; i < width; i++)
        squares += (double)vector[i] * (double)vector[i];
    return sqrt(squares);
}

static void images_become_unit_vectors_one_by_one(void)
{
    WeightBlob *blob = small_clip();
    ImageTower  all = {0}, one = {0};
    static real pixels[IMAGES * SIZE];
    float       together[IMAGES * OUTPUTS], alone[OUTPUTS];
    draw_pixels(pixels);
    REQUIRE(blob && image_tower_open(&all, blob, IMAGES, NULL) &&
            image_tower_open(&one, blob, 1, NULL));
    REQUIRE(all.width == OUTPUTS && image_tower_run(&all, pixels, IMAGES, together, NULL));
    for (int i = 0; i < IMAGES; i++) {
        CHECK_CLOSE(length_of(together + i * OUTPUTS, OUTPUTS), 1, 1e-6);
        REQUIRE(image_tower_run(&one, pixels + i * SIZE, 1, alone, NULL));
        CHECK(memcmp(alone, together + i * OUTPUTS, sizeof alone) == 0);
    }
    image_tower_close(&all);
    image_tower_close(&one);
    blob_close(blob);
}

// Whatever list they stand in.
static void texts_become_unit_vectors(void)
{
    static const char *const texts[] = {"red", "blue", "Red", "a red one", "  red ", ""};
    enum { TEXTS = sizeof texts / sizeof *texts };
    WeightBlob *blob = small_clip();
    float      *all = NULL, *one = NULL;
    int64_t     width = 0;
    REQUIRE(blob && texts_embed(blob, texts, TEXTS, &all, &width, NULL) && width == OUTPUTS);
    for (int i = 0; i < TEXTS; i++) {
        CHECK_CLOSE(length_of(all + i * OUTPUTS, OUTPUTS), 1, 1e-6);
        REQUIRE(texts_embed(blob, texts + i, 1, &one, &width, NULL));
        for (int k = 0; k < OUTPUTS; k++)
            CHECK_CLOSE((double)one[k], (double)all[i * OUTPUTS + k], 1e-6);
        memory_free(one);
    }
    CHECK(memcmp(all, all + 2 * OUTPUTS, OUTPUTS * sizeof *all) == 0);
    CHECK(memcmp(all, all + OUTPUTS, OUTPUTS * sizeof *all) != 0);
    memory_free(all);
    blob_close(blob);
}

static void what_cannot_be_embedded_is_said(void)
{
    static const char *const texts[] = {"red", "a line that is too long"};
    WeightBlob              *blob = small_clip(), *plain = NULL;
    float                   *out   = NULL;
    int64_t                  width = 0;
    Error                    error = {0};
    ImageTower               tower = {0};
    REQUIRE(blob != NULL);
    CHECK(!texts_embed(blob, texts, 2, &out, &width, &error) && error.code == ERROR_DATA);
    CHECK(strstr(error.message, "'a line that is too long': ") && strstr(error.message, "12"));
    blob_close(blob);
    BlobBuilder *builder = blob_builder_new("mini", 32, 32);
    REQUIRE(blob_builder_save(builder, in_folder("plain.nw"), NULL) &&
            blob_open(in_folder("plain.nw"), &plain, NULL));
    blob_builder_free(builder);
    error = (Error){0};
    CHECK(!texts_embed(plain, texts, 1, &out, &width, &error) && error.code == ERROR_USAGE);
    CHECK(strstr(error.message, "mini has no tower of texts") != NULL);
    error = (Error){0};
    CHECK(!image_tower_open(&tower, plain, 1, &error) && error.message[0]);
    blob_close(plain);
}

// A pair whose tokens are whole words, before any training.
static void whole_words_are_embedded_or_refused(void)
{
    static const char *const texts[]  = {"red house", "House, red!", "a red hous", "...",
                                         "red red red red red red red red red red red"};
    static const char *const errors[] = {"it does not know the word 'hous'",
                                         "'...' has 0 words, expected 1 to 10",
                                         "has 11 words, expected 1 to 10"};
    TrainingSet              set      = {0};
    WeightBlob              *blob     = NULL;
    ImageTower               tower    = {0};
    float                   *out      = NULL;
    int64_t                  width    = 0;
    const char              *path     = in_folder("pair.nw");
    REQUIRE(caption_data_open(&set, "mini:40:1", "mini", NULL, NULL));
    REQUIRE(training_begin(path, "clip_mini", "relu", &set, MINI_SIDE, 1, NULL));
    training_set_free(&set);
    REQUIRE(blob_open(path, &blob, NULL) && image_tower_open(&tower, blob, 2, NULL));
    REQUIRE(texts_embed(blob, texts, 1, &out, &width, NULL) && width == tower.width);
    CHECK_CLOSE(length_of(out, width), 1, 1e-6);
    memory_free(out);
    for (int i = 0; i < 3; i++) {
        Error error = {0};
        CHECK(!texts_embed(blob, texts + 2 + i, 1, &out, &width, &error));
        if (!CHECK(error.code == ERROR_DATA && strstr(error.message, errors[i]) != NULL))
            printf("  %s\n", error.message);
    }
    image_tower_close(&tower);
    blob_close(blob);
}

static void words_without_rows_are_refused(void)
{
    static const char *const texts[] = {"red"};
    BlobBuilder             *builder = blob_builder_new("clip_mini", SIDE, SIDE);
    WeightBlob              *blob    = NULL;
    float                   *rows    = NULL;
    int64_t                  width   = 0;
    Error                    error   = {0};
    small_text_tower(builder, 4, 12); // of two words and three special tokens
    blob_builder_tensor(builder, "words", BLOB_U8, shape_1d(9), "red\nblue\n");
    REQUIRE(blob_builder_save(builder, in_folder("words.nw"), NULL));
    blob_builder_free(builder);
    REQUIRE(blob_open(in_folder("words.nw"), &blob, NULL));
    int64_t before = memory_live_blocks();
    CHECK(!texts_embed(blob, texts, 1, &rows, &width, &error) && !rows);
    CHECK(error.code == ERROR_DATA && strstr(error.message, "has 5 tokens") != NULL);
    CHECK(memory_live_blocks() == before);
    blob_close(blob);
}

static void no_memory_for_embeddings_is_clean(void)
{
    static const char *const texts[] = {"red", "blue"};
    static real              pixels[IMAGES * SIZE];
    int64_t                  before;
    draw_pixels(pixels);
    blob_close(small_clip());
    before = memory_live_blocks();
    for (int64_t call = 1;; call++) {
        WeightBlob *blob  = NULL;
        ImageTower  tower = {0};
        float      *out   = NULL, images[IMAGES * OUTPUTS];
        int64_t     width = 0;
        Error       error = {0};
        memory_fail_at(call, false);
        bool ok = blob_open(in_folder("clip.nw"), &blob, &error) &&
                  texts_embed(blob, texts, 2, &out, &width, &error) &&
                  image_tower_open(&tower, blob, IMAGES, &error) &&
                  image_tower_run(&tower, pixels, IMAGES, images, &error);
        memory_fail_at(0, false);
        memory_free(out);
        image_tower_close(&tower);
        blob_close(blob);
        CHECK(memory_live_blocks() == before);
        if (ok)
            break;
        CHECK(error.code == ERROR_MEMORY && error.message[0]);
    }
}

static void pictures_are_embedded_as_published(void)
{
    enum { PICTURES = 3, PUBLISHED_SIDE = 64, PUBLISHED = 48 };
    WeightBlob *blob = published_network("reference/clip_thin.pth", "");
    if (!blob)
        SKIP("no published numbers, no python3, or the double build");
    static const char numbers[] = "reference/clip_thin.npz";
    int64_t           count     = (int64_t)PICTURES * 3 * PUBLISHED_SIDE * PUBLISHED_SIDE;
    double           *given     = published_numbers(numbers, "pixels", count);
    double    *want   = published_numbers(numbers, "image_embedding_double", PICTURES * PUBLISHED);
    real      *pixels = memory_new((size_t)count, sizeof *pixels, NULL);
    float      found[PICTURES * PUBLISHED];
    ImageTower tower = {0};
    REQUIRE(given && want && pixels && image_tower_open(&tower, blob, PICTURES, NULL));
    for (int64_t i = 0; i < count; i++)
        pixels[i] = (real)given[i];
    REQUIRE(image_tower_run(&tower, pixels, PICTURES, found, NULL));
    for (int i = 0; i < PICTURES; i++) {
        double length = 0;
        for (int k = 0; k < PUBLISHED; k++)
            length += want[i * PUBLISHED + k] * want[i * PUBLISHED + k];
        for (int k = 0; k < PUBLISHED; k++)
            CHECK_CLOSE((double)found[i * PUBLISHED + k], want[i * PUBLISHED + k] / sqrt(length),
                        1e-5);
    }
    image_tower_close(&tower);
    memory_free(given);
    memory_free(want);
    memory_free(pixels);
    blob_close(blob);
}

SUITE(embed)
{
    RUN(images_become_unit_vectors_one_by_one);
    RUN(texts_become_unit_vectors);
    RUN(what_cannot_be_embedded_is_said);
    RUN(whole_words_are_embedded_or_refused);
    RUN(words_without_rows_are_refused);
    RUN(no_memory_for_embeddings_is_clean);
    RUN(pictures_are_embedded_as_published);
}
