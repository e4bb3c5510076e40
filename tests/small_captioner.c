/* tests/small_captioner.c - see small_captioner.h. */
#include "small_captioner.h"

#include <stdio.h>
#include <string.h>

enum { HIDDEN = 6, EMBEDDING = 4, ATTENTION = 5, ALL = SMALL_WORDS + 4, SEED = 3 };

/* A builder, and a tensor that gets another shape. */
typedef struct Drawn {
    BlobBuilder *builder;
    const char  *changed; // NULL: none
    Shape        shape;
} Drawn;

static void add(const Drawn *drawn, const char *name, Shape shape, float centre, float spread)
{
    bool is_changed = drawn->changed && strcmp(drawn->changed, name) == 0;
    blob_builder_random(drawn->builder, name, is_changed ? drawn->shape : shape, SEED, centre,
                        spread);
}

static void dense(const Drawn *builder, const char *base, int64_t outputs, int64_t inputs)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", base);
    add(builder, name, shape_2d(outputs, inputs), 0, 1);
    snprintf(name, sizeof name, "%s.bias", base);
    add(builder, name, shape_1d(outputs), 0, 0.5f);
}

static void lstm(const Drawn *builder, const char *base, const char *end, int64_t inputs)
{
    static const char *const kinds[2] = {"ih", "hh"};
    for (int i = 0; i < 2; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s.weight_%s%s", base, kinds[i], end);
        add(builder, name, shape_2d((int64_t)4 * HIDDEN, i ? HIDDEN : inputs), 0, 1);
        snprintf(name, sizeof name, "%s.bias_%s%s", base, kinds[i], end);
        add(builder, name, shape_1d((int64_t)4 * HIDDEN), 0, 0.5f);
    }
}

static void encoder(const Drawn *builder)
{
    static const int places[8] = {0, 2, 5, 7, 10, 12, 15, 17};
    for (int i = 0; i < 8; i++) {
        char    name[96];
        int64_t outputs = 2 + i / 2, inputs = i == 0 ? 3 : 2 + (i - 1) / 2;
        snprintf(name, sizeof name, "encoder.encoder.model.features.%d.weight", places[i]);
        add(builder, name, shape_4d(outputs, inputs, 3, 3), 0.05f, 0.5f);
        snprintf(name, sizeof name, "encoder.encoder.model.features.%d.bias", places[i]);
        add(builder, name, shape_1d(outputs), 0.1f, 0.1f);
    }
}

BlobBuilder *small_captioner_with(const char *name, Shape shape)
{
    BlobBuilder *builder = blob_builder_new("milan", 32, 32);
    const Drawn  drawn   = {builder, name, shape};
    char         words[8 * SMALL_WORDS];
    int          size = 0;
    for (int i = 0; i < SMALL_WORDS; i++)
        size += snprintf(words + size, sizeof words - (size_t)size, "w%c\n", 'a' + i);
    blob_builder_about(builder, "encoder", "mini");
    blob_builder_about(builder, "length", "6");
    blob_builder_about(builder, "beam_size", "5");
    if (!name || strcmp(name, "words") != 0)
        blob_builder_tensor(builder, "words", BLOB_U8, shape_1d(size), words);
    encoder(&drawn);
    dense(&drawn, "init_h.0", HIDDEN, SMALL_FEATURES);
    dense(&drawn, "init_c.0", HIDDEN, SMALL_FEATURES);
    add(&drawn, "embedding.weight", shape_2d(ALL, EMBEDDING), 0, 1);
    dense(&drawn, "attend.query_to_hidden", ATTENTION, HIDDEN);
    dense(&drawn, "attend.key_to_hidden", ATTENTION, SMALL_FEATURES);
    dense(&drawn, "attend.output.0", 1, ATTENTION);
    dense(&drawn, "feature_gate.0", SMALL_FEATURES, HIDDEN);
    lstm(&drawn, "lstm", "", EMBEDDING + SMALL_FEATURES);
    dense(&drawn, "output.1", ALL, HIDDEN);
    add(&drawn, "lm.embedding.weight", shape_2d(ALL, EMBEDDING), 0, 1);
    lstm(&drawn, "lm.lstm", "_l0", EMBEDDING);
    dense(&drawn, "lm.output.0", ALL, HIDDEN);
    return builder;
}

BlobBuilder *small_captioner(void)
{
    return small_captioner_with(NULL, (Shape){0});
}
