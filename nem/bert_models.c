/* nem/bert_models.c - see bert_models.h. */
#include "bert_models.h"

#include "../format/csv.h"
#include "../models/text.h"

#include <string.h>

/* A blob may lack the blocks behind the layer. Sources: bert_score, utils.py (layers) and
 * rescale_baseline/en (baselines, the row of that layer). */
typedef struct Published {
    const char *name;
    int64_t     width;
    int         layer, depth;
    BertValues  baseline;
} Published;

static const Published published[] = {
    {"roberta-large", 1024, 17, 24, {0.83150584, 0.8314941, 0.83122575}},
    {"roberta-base", 768, 10, 12, {0.8146725, 0.8146619, 0.814463}},
    {"distilroberta-base", 768, 5, 6, {0.84732, 0.84759504, 0.8473319}}};

static BertModel model_of_shape(int64_t width, int depth)
{
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const Published *row = &published[i];
        if (width == row->width && depth >= row->layer && depth <= row->depth)
            return (BertModel){row->name, row->layer, true, row->baseline};
    }
    return (BertModel){.name = "", .layer = (17 * depth + 12) / 24}; // as deep as roberta-large's
}

static bool baseline_row(const Csv *csv, int64_t row, BertValues *out, Error *error)
{
    static const char *const names[] = {"P", "R", "F"};
    double                  *to[]    = {&out->precision, &out->recall, &out->f1};
    for (int i = 0; i < 3; i++) {
        int column = 0;
        if (!csv_need(csv, names[i], &column, error) || !csv_number(csv, row, column, to[i], error))
            return false;
        if (!(*to[i] < 1))
            return fail(error, ERROR_DATA, "line %lld: the baseline %s is %g, expected below 1",
                        (long long)csv_line(csv, row), names[i], *to[i]);
    }
    return true;
}

static bool baseline_find(const Csv *csv, const char *path, BertModel *model, Error *error)
{
    int column = 0;
    if (!csv_need(csv, "LAYER", &column, error))
        return false;
    for (int64_t row = 0; row < csv_row_count(csv); row++) {
        int64_t layer = 0;
        if (!csv_whole(csv, row, column, 0, LIMIT_UNITS, &layer, error))
            return false;
        if (layer == model->layer) {
            model->has_baseline = true;
            return baseline_row(csv, row, &model->baseline, error);
        }
    }
    return fail(error, ERROR_DATA, "%s: has no baseline of layer %d, which is read here", path,
                model->layer);
}

static bool baseline_read(const char *path, BertModel *model, Error *error)
{
    Csv *csv = NULL;
    bool ok  = csv_read(&csv, path, error) && baseline_find(csv, path, model, error);
    csv_close(csv);
    return ok;
}

bool bert_model_of(const WeightBlob *blob, const BertOptions *options, BertModel *out, Error *error)
{
    const BlobTensor *words = blob_lookup(blob, "embeddings.word_embeddings.weight");
    int               depth = roberta_depth(blob);
    if (strcmp(blob_architecture(blob), "roberta") != 0 || !words || words->shape.rank != 2)
        return fail(error, ERROR_DATA,
                    "%s: architecture is '%s', BERTScore takes an encoder of "
                    "roberta",
                    blob_path(blob), blob_architecture(blob));
    BertModel model = model_of_shape(words->shape.dim[1], depth);
    if (options->layer && options->layer != model.layer)
        model = (BertModel){.name = model.name, .layer = options->layer};
    if (model.layer > depth)
        return fail(error, ERROR_DATA, "%s: has %d blocks, BERTScore is to read behind block %d",
                    blob_path(blob), depth, model.layer);
    if (options->baseline && !baseline_read(options->baseline, &model, error))
        return false;
    *out = model;
    return true;
}
