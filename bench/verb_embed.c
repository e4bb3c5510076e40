/* bench/verb_embed.c - CLIP's towers at the sizes of ViT-B/16: a photo, and a word as the published
 * list of 20,000 has them; what the whole list costs, in photos. */
#include "bench.h"

#include "../base/file.h"
#include "../base/parallel.h"
#include "../models/embed.h"
#include "../models/text.h"
#include "../tests/blob_builder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    IMAGE_WIDTH = 768,
    TEXT_WIDTH  = 512,
    OUTPUTS     = 512,
    DEPTH       = 12,
    SIDE        = 16,
    PLACES      = 197,
    WORDS       = 49408,
    CONTEXT     = 77,
    TEXTS       = 1000, // that are measured
    LIST        = 20000,
    PHOTOS      = 500
};

// Of the list's words so many in twenty thousand have 3, 4, ... tokens, start and end included.
static const int lengths[] = {16871, 2732, 358, 39};
enum { SHORTEST = 3, LENGTHS = sizeof lengths / sizeof *lengths };

/* ---- material -------------------------------------------------------------------------------- */

static void dense(BlobBuilder *builder, const char *base, const char *joint, int64_t outputs,
                  int64_t inputs)
{
    char name[96];
    snprintf(name, sizeof name, "%s%sweight", base, joint);
    blob_builder_random(builder, name, shape_2d(outputs, inputs), 0, 0,
                        sqrtf(3.0f / (float)inputs));
    snprintf(name, sizeof name, "%s%sbias", base, joint);
    blob_builder_random(builder, name, shape_1d(outputs), 0, 0, 0.1f);
}

static void norm(BlobBuilder *builder, const char *base, int64_t width)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape_1d(width), 0, 1, 0.1f);
    snprintf(name, sizeof name, "%s.bias", base);
    blob_builder_random(builder, name, shape_1d(width), 0, 0, 0.1f);
}

static void blocks(BlobBuilder *builder, const char *prefix, int64_t width)
{
    char base[80];
    for (int i = 0; i < DEPTH; i++) {
#define IN_BLOCK(part)                                                                             \
    (snprintf(base, sizeof base, "%stransformer.resblocks.%d." part, prefix, i), base)
        norm(builder, IN_BLOCK("ln_1"), width);
        dense(builder, IN_BLOCK("attn.in_proj"), "_", 3 * width, width);
        dense(builder, IN_BLOCK("attn.out_proj"), ".", width, width);
        norm(builder, IN_BLOCK("ln_2"), width);
        dense(builder, IN_BLOCK("mlp.c_fc"), ".", 4 * width, width);
        dense(builder, IN_BLOCK("mlp.c_proj"), ".", width, 4 * width);
#undef IN_BLOCK
    }
}

static bool clip_blob(WeightBlob **out, Error *error)
{
    static const struct {
        const char *name;
        Shape       shape;
    } tensors[] = {
        {"visual.conv1.weight", {4, {IMAGE_WIDTH, 3, SIDE, SIDE}}},
        {"visual.class_embedding", {1, {IMAGE_WIDTH}}},
        {"visual.positional_embedding", {2, {PLACES, IMAGE_WIDTH}}},
        {"visual.proj", {2, {IMAGE_WIDTH, OUTPUTS}}},
        {"token_embedding.weight", {2, {WORDS, TEXT_WIDTH}}},
        {"positional_embedding", {2, {CONTEXT, TEXT_WIDTH}}},
        {"text_projection", {2, {TEXT_WIDTH, OUTPUTS}}},
    };
    char         folder[LIMIT_PATH], path[LIMIT_PATH];
    BlobBuilder *builder = blob_builder_new("clip_vit", 224, 224);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        blob_builder_random(builder, tensors[i].name, tensors[i].shape, 0, 0, 0.06f);
    norm(builder, "visual.ln_pre", IMAGE_WIDTH);
    blocks(builder, "visual.", IMAGE_WIDTH);
    norm(builder, "visual.ln_post", IMAGE_WIDTH);
    blocks(builder, "", TEXT_WIDTH);
    norm(builder, "ln_final", TEXT_WIDTH);
    blob_builder_about(builder, "heads", "12");
    blob_builder_about(builder, "text_heads", "8");
    bool ok = folder_temporary(folder, error);
    if (ok) {
        ok = path_join(path, folder, "clip.nw", error) && blob_builder_save(builder, path, error) &&
             blob_open(path, out, error);
        folder_discard(folder);
    }
    blob_builder_free(builder);
    return ok;
}

// Start, words, end; the numbers of the words do not matter.
static void fill_texts(int32_t *tokens)
{
    int text = 0;
    for (int l = 0; l < LENGTHS; l++) {
        int count = l == LENGTHS - 1 ? TEXTS - text : lengths[l] * TEXTS / LIST;
        for (int i = 0; i < count; i++, text++) {
            int32_t *row = tokens + (ptrdiff_t)text * CONTEXT;
            row[0]       = WORDS - 2;
            for (int t = 1; t < SHORTEST + l - 1; t++)
                row[t] = (text * 37 + t) % (WORDS - 2);
            row[SHORTEST + l - 1] = WORDS - 1;
        }
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

typedef struct Towers {
    const Options *options;
    WeightBlob    *blob;
    ImageTower     images;
    real          *pixels; // [batch, 3, 224, 224]
    float         *rows;   // [batch, OUTPUTS]
    int32_t       *tokens; // [TEXTS, CONTEXT]
    Error          error;
} Towers;

static void embed_photos(void *data)
{
    Towers *towers = data;
    image_tower_run(&towers->images, towers->pixels, towers->options->batch, towers->rows,
                    &towers->error);
}

static void embed_words(void *data)
{
    Towers *towers  = data;
    real   *out     = NULL;
    int64_t outputs = 0;
    text_embed(towers->blob, towers->tokens, TEXTS, CONTEXT, &out, &outputs, &towers->error);
    memory_free(out);
}

static bool measure(Towers *towers, Row *row, int runs, Work *work, int64_t items, Error *error)
{
    row->threads = parallel_threads();
    if (!row_time(row, runs, work, towers, error))
        return false;
    row->ms = timing_scaled(row->ms, 1.0 / (double)items);
    return !towers->error.code || fail(error, towers->error.code, "%s", towers->error.message);
}

static bool run_rows(Towers *towers, Error *error)
{
    const Options *options = towers->options;
    Row            photo   = {.verb = "embed", .name = "CLIP ViT-B/16, a photo"};
    Row            word    = {.verb = "embed", .name = "CLIP ViT-B/16, a word of 20,000"};
    if (!measure(towers, &photo, options->runs, embed_photos, options->batch, error) ||
        !measure(towers, &word, 1, embed_words, TEXTS, error))
        return false;
    photo.figures[0] = (Figure){"cpu_500_s", photo.ms.cpu * PHOTOS / 1e3};
    word.figures[0]  = (Figure){"cpu_20000_s", word.ms.cpu * LIST / 1e3};
    word.figures[1]  = (Figure){"of_500_photos", word.ms.cpu * LIST / (photo.ms.cpu * PHOTOS)};
    row_print(options, &photo);
    row_print(options, &word);
    return true;
}

bool bench_embed(const Options *options, Error *error)
{
    Towers towers = {.options = options};
    size_t photo  = (size_t)3 * 224 * 224;
    bool   ok     = clip_blob(&towers.blob, error) &&
              image_tower_open(&towers.images, towers.blob, options->batch, error) &&
              (towers.pixels =
                   memory_new((size_t)options->batch * photo, sizeof *towers.pixels, error)) &&
              (towers.rows =
                   memory_new((size_t)(options->batch * OUTPUTS), sizeof *towers.rows, error)) &&
              (towers.tokens = memory_new(TEXTS * CONTEXT, sizeof *towers.tokens, error));
    if (ok) {
        material_fill(towers.pixels, (size_t)options->batch * photo, "pixels", (real)0.5,
                      (real)0.5);
        fill_texts(towers.tokens);
        row_header(options, "embed");
        ok = run_rows(&towers, error);
    }
    image_tower_close(&towers.images);
    memory_free(towers.pixels);
    memory_free(towers.rows);
    memory_free(towers.tokens);
    blob_close(towers.blob);
    return ok;
}
