/* tests/small_clip.c - see small_clip.h. */
#include "small_clip.h"
#include "test.h"
#include "token_tables.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = SMALL_CLIP_WIDTH };

static uint64_t seed_of_all = 1;

static void put(BlobBuilder *builder, const char *name, Shape shape)
{
    blob_builder_random(builder, name, shape, seed_of_all, 0, 0.5f);
}

static void put_block(BlobBuilder *builder, const char *prefix)
{
    static const struct {
        const char *name;
        int64_t     outputs, inputs; // inputs 0: a vector
    } tensors[] = {{"attn.in_proj_weight", 3 * WIDTH, WIDTH},
                   {"attn.in_proj_bias", 3 * WIDTH, 0},
                   {"attn.out_proj.weight", WIDTH, WIDTH},
                   {"attn.out_proj.bias", WIDTH, 0},
                   {"ln_1.weight", WIDTH, 0},
                   {"ln_1.bias", WIDTH, 0},
                   {"ln_2.weight", WIDTH, 0},
                   {"ln_2.bias", WIDTH, 0},
                   {"mlp.c_fc.weight", 4 * WIDTH, WIDTH},
                   {"mlp.c_fc.bias", 4 * WIDTH, 0},
                   {"mlp.c_proj.weight", WIDTH, 4 * WIDTH},
                   {"mlp.c_proj.bias", WIDTH, 0}};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s.%s", prefix, tensors[i].name);
        put(builder, name,
            tensors[i].inputs ? shape_2d(tensors[i].outputs, tensors[i].inputs)
                              : shape_1d(tensors[i].outputs));
    }
}

void small_text_tower(BlobBuilder *builder, int64_t tokens, int64_t places)
{
    blob_builder_about(builder, "text_heads", "2");
    put(builder, "token_embedding.weight", shape_2d(tokens, WIDTH));
    put(builder, "positional_embedding", shape_2d(places, WIDTH));
    put_block(builder, "transformer.resblocks.0");
    put(builder, "ln_final.weight", shape_1d(WIDTH));
    put(builder, "ln_final.bias", shape_1d(WIDTH));
    put(builder, "text_projection", shape_2d(WIDTH, SMALL_CLIP_OUTPUTS));
}

static void put_image_tower(BlobBuilder *builder, int64_t side)
{
    static const char *const norms[] = {"visual.ln_pre", "visual.ln_post"};
    int64_t                  patches = side / SMALL_CLIP_PATCH * (side / SMALL_CLIP_PATCH);
    blob_builder_about(builder, "heads", "2");
    put(builder, "visual.conv1.weight", shape_4d(WIDTH, 3, SMALL_CLIP_PATCH, SMALL_CLIP_PATCH));
    put(builder, "visual.class_embedding", shape_1d(WIDTH));
    put(builder, "visual.positional_embedding", shape_2d(patches + 1, WIDTH));
    put_block(builder, "visual.transformer.resblocks.0");
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.weight", norms[i]);
        put(builder, name, shape_1d(WIDTH));
        snprintf(name, sizeof name, "%s.bias", norms[i]);
        put(builder, name, shape_1d(WIDTH));
    }
    put(builder, "visual.proj", shape_2d(WIDTH, SMALL_CLIP_OUTPUTS));
}

static int64_t put_vocabulary(BlobBuilder *builder)
{
    static SmallTables tables;
    int64_t            tokens = 0;
    small_tables(&tables, TOKENIZER_CLIP, "r e\nre d</w>\n");
    for (size_t i = 0; i < tables.tables.vocabulary_bytes; i++)
        tokens += tables.vocabulary[i] == '\n';
    blob_builder_tensor(builder, "vocabulary", BLOB_U8,
                        shape_1d((int64_t)tables.tables.vocabulary_bytes), tables.vocabulary);
    blob_builder_tensor(builder, "merges", BLOB_U8, shape_1d((int64_t)tables.tables.merges_bytes),
                        tables.merges);
    return tokens;
}

bool small_clip_save(const char *path, int64_t side, uint64_t seed)
{
    BlobBuilder *builder = blob_builder_new("clip_vit", side, side);
    seed_of_all          = seed;
    small_text_tower(builder, put_vocabulary(builder), SMALL_CLIP_ROW);
    put_image_tower(builder, side);
    blob_builder_about(builder, "filter", "bicubic");
    bool saved  = blob_builder_save(builder, path, NULL);
    seed_of_all = 1;
    blob_builder_free(builder);
    return CHECK(saved);
}
