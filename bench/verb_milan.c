/* bench/verb_milan.c - captions of units by a captioner of the published sizes: beam search over 15
 * words and the language model's second opinion, from features that are at hand. */
#include "bench.h"

#include "../base/file.h"
#include "../base/parallel.h"
#include "../nem/milan/decode.h"
#include "../tests/blob_builder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    FEATURES  = 3904,
    HIDDEN    = 512,
    EMBEDDING = 128,
    WORDS     = 5000, // special ones included
    SPECIALS  = 4,
    IMAGES    = 15,
    UNITS     = 512 // of the layer that the row's seconds are told for
};

/* ---- material -------------------------------------------------------------------------------- */

static void dense(BlobBuilder *builder, const char *base, int64_t outputs, int64_t inputs)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape_2d(outputs, inputs), 0, 0,
                        sqrtf(3.0f / (float)inputs));
    snprintf(name, sizeof name, "%s.bias", base);
    blob_builder_random(builder, name, shape_1d(outputs), 0, 0, 0.1f);
}

static void lstm(BlobBuilder *builder, const char *base, const char *end, int64_t inputs)
{
    static const struct {
        const char *kind;
        bool        is_hidden;
    } parts[] = {{"ih", false}, {"hh", true}};
    for (int i = 0; i < 2; i++) {
        char    name[96];
        int64_t columns = parts[i].is_hidden ? HIDDEN : inputs;
        snprintf(name, sizeof name, "%s.weight_%s%s", base, parts[i].kind, end);
        blob_builder_random(builder, name, shape_2d(4 * HIDDEN, columns), 0, 0,
                            sqrtf(3.0f / (float)columns));
        snprintf(name, sizeof name, "%s.bias_%s%s", base, parts[i].kind, end);
        blob_builder_random(builder, name, shape_1d(4 * HIDDEN), 0, 0, 0.1f);
    }
}

static bool add_words(BlobBuilder *builder, Error *error)
{
    char *text = memory_new(WORDS, 8, error);
    int   size = 0;
    for (int i = 0; text && i < WORDS - SPECIALS; i++)
        size += snprintf(text + size, 8, "w%d\n", i);
    if (text)
        blob_builder_tensor(builder, "words", BLOB_U8, shape_1d(size), text);
    memory_free(text);
    return text != NULL;
}

static bool captioner_blob(WeightBlob **out, Error *error)
{
    char         folder[LIMIT_PATH], path[LIMIT_PATH];
    BlobBuilder *builder = blob_builder_new("milan", 224, 224);
    Shape        table   = shape_2d(WORDS, EMBEDDING);
    dense(builder, "init_h.0", HIDDEN, FEATURES);
    dense(builder, "init_c.0", HIDDEN, FEATURES);
    blob_builder_random(builder, "embedding.weight", table, 0, 0, 1);
    dense(builder, "attend.query_to_hidden", HIDDEN, HIDDEN);
    dense(builder, "attend.key_to_hidden", HIDDEN, FEATURES);
    dense(builder, "attend.output.0", 1, HIDDEN);
    dense(builder, "feature_gate.0", FEATURES, HIDDEN);
    lstm(builder, "lstm", "", EMBEDDING + FEATURES);
    dense(builder, "output.1", WORDS, HIDDEN);
    blob_builder_random(builder, "lm.embedding.weight", table, 0, 0, 1);
    lstm(builder, "lm.lstm", "_l0", EMBEDDING);
    lstm(builder, "lm.lstm", "_l1", HIDDEN);
    dense(builder, "lm.output.0", WORDS, HIDDEN);
    bool ok = add_words(builder, error) && folder_temporary(folder, error);
    if (ok) {
        ok = path_join(path, folder, "captioner.nw", error) &&
             blob_builder_save(builder, path, error) && blob_open(path, out, error);
        folder_discard(folder);
    }
    blob_builder_free(builder);
    return ok;
}

/* ---- the row --------------------------------------------------------------------------------- */

typedef struct Captions {
    Decoder *decoder;
    real    *features; // [IMAGES, FEATURES]
    Error    error;    // of a caption
} Captions;

static void caption_unit(void *data)
{
    Captions *captions = data;
    char     *text     = NULL;
    double    score    = 0;
    decoder_caption(captions->decoder, captions->features, &text, &score, &captions->error);
    memory_free(text);
}

static bool measure(const Options *options, Captions *captions, Row *row, Error *error)
{
    if (!row_time(row, options->runs, caption_unit, captions, error))
        return false;
    if (captions->error.code)
        return fail(error, captions->error.code, "%s", captions->error.message);
    row->figures[0] = (Figure){"units_512_s", row->ms.median * UNITS / 1e3};
    row->figures[1] = (Figure){"cpu_512_s", row->ms.cpu * UNITS / 1e3};
    row_print(options, row);
    return true;
}

bool bench_milan(const Options *options, Error *error)
{
    static const char name[]   = "caption of a unit, beam 50";
    DecodeRules       rules    = {0};
    WeightBlob       *blob     = NULL;
    Captions          captions = {0};
    Row               row      = {.verb = "milan", .threads = parallel_threads()};
    size_t            count    = (size_t)IMAGES * FEATURES;
    snprintf(row.name, sizeof row.name, "%s", name);
    if (!row_wanted(options, name))
        return true;
    captions.features = memory_new(count, sizeof *captions.features, error);
    bool ok           = captions.features && captioner_blob(&blob, error) &&
              decode_rules(&rules, blob, 0, error) &&
              decoder_open(&captions.decoder, blob, &rules, IMAGES, error);
    if (ok) {
        material_fill(captions.features, count, "features", (real)0.5, (real)0.5);
        row_header(options, "captions of units (an image stands for a unit)");
        ok = measure(options, &captions, &row, error);
    }
    decoder_close(captions.decoder);
    blob_close(blob);
    memory_free(captions.features);
    return ok;
}
