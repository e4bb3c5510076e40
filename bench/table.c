/* bench/table.c - the short table: the rows people come for, in plain names; and all rows of all
 * verbs. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

/* Where a verb does not know how many operations its row takes, they are those of this network. */
typedef enum Counted { COUNTED_BY_VERB, COUNTED_FORWARD, COUNTED_ATTACK } Counted;

typedef struct TableRow {
    const char *title;
    Verb       *verb;
    const char *arch, *upto, *row;
    int64_t     batch;
    int         runs;
    bool        input_gradient;
    Counted     counted;
} TableRow;

static const TableRow table[] = {
    {"VGG16 to conv5_3, forward", bench_model, "vgg16", "conv5_3", NULL, 8, 5, false, 0},
    {"VGG16 to conv5_3, with input gradient", bench_model, "vgg16", "conv5_3", NULL, 8, 5, true, 0},
    {"ResNet-50, forward", bench_model, "resnet50", NULL, NULL, 8, 7, false, 0},
    {"ResNet-50, with input gradient", bench_model, "resnet50", NULL, NULL, 8, 5, true, 0},
    {"ViT-B/16, forward", bench_model, "vit_b_16", NULL, NULL, 8, 5, false, 0},
    {"ViT-B/16, with input gradient", bench_model, "vit_b_16", NULL, NULL, 8, 3, true, 0},
    {"attack on a unit of VGG16 conv3_3, 10 steps", bench_attack, "vgg16", "conv3_3", NULL, 8, 3,
     false, COUNTED_ATTACK},
    {"dissect VGG16 conv3_3", bench_dissect, "vgg16", "conv3_3", NULL, 8, 1, false,
     COUNTED_FORWARD},
    {"decode a photo and 3 label maps", bench_decode, NULL, NULL, "jpeg and 3 label maps", 8, 7,
     false, 0},
    {"product 768 x 768 x 768", bench_gemm, NULL, NULL, "product 768x768x768", 8, 15, false, 0},
    {"product 64 x 3136 x 576", bench_gemm, NULL, NULL, "product 64x3136x576", 8, 15, false, 0},
    {"train CIFAR ResNet-20, step of 128 images", bench_train, "resnet20", NULL, NULL, 128, 5,
     false, 0},
};
enum { TABLE_ROWS = sizeof table / sizeof *table, ATTACK_STEPS = 10 };

/* Operations an image: of a forward pass, or of an attack's passes forward and back. */
static bool count_flops(const TableRow *row, const Options *options, double *out, Error *error)
{
    WeightBlob *blob      = NULL;
    Model       model     = {0};
    Options     one       = *options;
    bool        is_attack = row->counted == COUNTED_ATTACK;
    one.input_gradient    = is_attack;
    one.unit              = is_attack ? 0 : -1;
    bool ok =
        material_blob(&blob, &one, error) && model_open(&model, blob, &one, 1, CONV_AUTO, error);
    if (ok)
        *out = model_flops(&model) * (is_attack ? ATTACK_STEPS : 1);
    model_close(&model);
    blob_close(blob);
    return ok;
}

static bool measure(const TableRow *row, const Options *options, Error *error)
{
    Options one        = *options;
    one.arch           = row->arch;
    one.upto           = row->upto;
    one.row            = row->row;
    one.title          = row->title;
    one.batch          = options->batch ? options->batch : row->batch;
    one.runs           = options->runs ? options->runs : row->runs;
    one.input_gradient = row->input_gradient;
    return (row->counted == COUNTED_BY_VERB || count_flops(row, &one, &one.flops, error)) &&
           row->verb(&one, error);
}

bool bench_table(const Options *options, Error *error)
{
    int wanted = 0, done = 0;
    for (int i = 0; i < TABLE_ROWS; i++)
        wanted += !options->only || strstr(table[i].title, options->only);
    if (!wanted)
        return fail(error, ERROR_USAGE, "--only: no row's name holds '%s' (--list has them)",
                    options->only);
    if (!options->list)
        table_header(options);
    for (int i = 0; i < TABLE_ROWS; i++) {
        char text[96];
        if (options->only && !strstr(table[i].title, options->only))
            continue;
        if (options->list) {
            puts(table[i].title);
            continue;
        }
        snprintf(text, sizeof text, "%d of %d: %s", ++done, wanted, table[i].title);
        progress(text);
        if (!measure(&table[i], options, error))
            return false;
    }
    progress(NULL);
    if (!options->list)
        table_footer(options);
    return true;
}

bool bench_all(const Options *options, Error *error)
{
    static const struct {
        const char *arch, *upto;
        int64_t     batch;
        bool        input_gradient;
    } models[] = {
        {"vgg16", "conv5_3", 8, false}, {"vgg16", "conv5_3", 8, true},
        {"vgg16", "conv5_3", 1, false}, {"resnet50", NULL, 8, false},
        {"resnet50", NULL, 8, true},    {"vit_b_16", NULL, 8, false},
        {"vit_b_16", NULL, 8, true},    {"vit_b_16", NULL, 1, false},
        {"vit_b_16", NULL, 1, true},
    };
    Options usual = *options, train = *options, attack;
    usual.arch  = options->arch ? options->arch : "vgg16";
    usual.batch = options->batch ? options->batch : 8;
    usual.runs  = options->runs ? options->runs : 7;
    train.batch = options->batch ? options->batch : 128;
    train.runs  = options->runs ? options->runs : 5;
    attack      = usual;
    attack.runs = options->runs ? options->runs : 3;
    bool ok     = bench_gemm(&usual, error) && bench_conv(&usual, error);
    for (size_t i = 0; ok && i < sizeof models / sizeof *models; i++) {
        Options one        = usual;
        one.arch           = models[i].arch;
        one.upto           = models[i].upto;
        one.batch          = models[i].batch;
        one.input_gradient = models[i].input_gradient;
        ok                 = bench_model(&one, error);
    }
    ok = ok && bench_decode(&usual, error) && bench_dissect(&usual, error) &&
         bench_attack(&attack, error) && bench_train(&train, error) &&
         bench_milan(&attack, error) && bench_embed(&attack, error);
    progress(NULL);
    if (ok)
        table_footer(options);
    return ok;
}
