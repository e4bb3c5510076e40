/* tests/drawn_roberta.c - see drawn_roberta.h. */
#include "drawn_roberta.h"

#include "token_tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DrawnRoberta drawn_roberta_small(void)
{
    return (DrawnRoberta){.width  = 16,
                          .heads  = 2,
                          .hidden = 24,
                          .blocks = 3,
                          .words  = 280,
                          .places = 20,
                          .type   = BLOB_F32};
}

// As a half; what is below its normal numbers becomes zero. For numbers below 2^15.
static uint16_t half_of(float value)
{
    int      exponent = 0;
    float    fraction = frexpf(fabsf(value), &exponent); // 0.5 .. 1
    uint32_t sign     = value < 0 ? 0x8000 : 0;
    if (fraction == 0 || exponent < -13)
        return (uint16_t)sign;
    return (uint16_t)(sign | ((uint32_t)(exponent + 14) << 10) |
                      ((uint32_t)(fraction * 2048) - 1024));
}

static void draw(BlobBuilder *builder, const DrawnRoberta *shape, const char *name, Shape size,
                 float centre, float spread)
{
    if (shape->type == BLOB_F32) {
        blob_builder_random(builder, name, size, 1, centre, spread);
        return;
    }
    size_t    count  = (size_t)shape_elements(size);
    uint16_t *halves = malloc(count * sizeof *halves);
    uint64_t  key    = random_key(1, name);
    if (!halves)
        abort();
    for (size_t i = 0; i < count; i += 4) {
        RandomBlock block = random_block(key, 0, i / 4);
        for (size_t k = i; k < count && k < i + 4; k++)
            halves[k] = half_of(centre + spread * (2 * random_unit(block.word[k - i]) - 1));
    }
    blob_builder_tensor(builder, name, BLOB_F16, size, halves);
    free(halves);
}

static void dense(BlobBuilder *builder, const DrawnRoberta *shape, const char *base,
                  int64_t outputs, int64_t inputs)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", base);
    draw(builder, shape, name, shape_2d(outputs, inputs), 0, sqrtf(3 / (float)inputs));
    snprintf(name, sizeof name, "%s.bias", base);
    draw(builder, shape, name, shape_1d(outputs), 0, 0.1f);
}

static void norm(BlobBuilder *builder, const DrawnRoberta *shape, const char *base)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", base);
    draw(builder, shape, name, shape_1d(shape->width), 1, 0.1f);
    snprintf(name, sizeof name, "%s.bias", base);
    draw(builder, shape, name, shape_1d(shape->width), 0, 0.1f);
}

static void block(BlobBuilder *builder, const DrawnRoberta *shape, int64_t number)
{
    static const char *const square[] = {"attention.self.query", "attention.self.key",
                                         "attention.self.value", "attention.output.dense"};
    char                     base[80];
    for (int i = 0; i < 4; i++) {
        snprintf(base, sizeof base, "encoder.layer.%lld.%s", (long long)number, square[i]);
        dense(builder, shape, base, shape->width, shape->width);
    }
    snprintf(base, sizeof base, "encoder.layer.%lld.intermediate.dense", (long long)number);
    dense(builder, shape, base, shape->hidden, shape->width);
    snprintf(base, sizeof base, "encoder.layer.%lld.output.dense", (long long)number);
    dense(builder, shape, base, shape->width, shape->hidden);
    snprintf(base, sizeof base, "encoder.layer.%lld.attention.output.LayerNorm", (long long)number);
    norm(builder, shape, base);
    snprintf(base, sizeof base, "encoder.layer.%lld.output.LayerNorm", (long long)number);
    norm(builder, shape, base);
}

BlobBuilder *drawn_roberta_builder(const DrawnRoberta *shape)
{
    static SmallTables tables;
    BlobBuilder       *builder = blob_builder_new("roberta", 32, 32);
    char               heads[24];
    snprintf(heads, sizeof heads, "%lld", (long long)shape->heads);
    blob_builder_about(builder, "heads", heads);
    small_tables(&tables, TOKENIZER_ROBERTA, "a n\ne d\n\xC4\xA0 d\n");
    blob_builder_tensor(builder, "vocabulary", BLOB_U8,
                        shape_1d((int64_t)tables.tables.vocabulary_bytes), tables.vocabulary);
    blob_builder_tensor(builder, "merges", BLOB_U8, shape_1d((int64_t)tables.tables.merges_bytes),
                        tables.merges);
    draw(builder, shape, "embeddings.word_embeddings.weight", shape_2d(shape->words, shape->width),
         0, 1);
    draw(builder, shape, "embeddings.position_embeddings.weight",
         shape_2d(shape->places, shape->width), 0, 0.3f);
    draw(builder, shape, "embeddings.token_type_embeddings.weight", shape_2d(1, shape->width), 0,
         0.3f);
    norm(builder, shape, "embeddings.LayerNorm");
    for (int64_t i = 0; i < shape->blocks; i++)
        block(builder, shape, i);
    return builder;
}

bool drawn_roberta_save(const DrawnRoberta *shape, const char *path, Error *error)
{
    BlobBuilder *builder = drawn_roberta_builder(shape);
    bool         ok      = blob_builder_save(builder, path, error);
    blob_builder_free(builder);
    return ok;
}
