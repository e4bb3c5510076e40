/* cli/command_inspect.c - what is inside a weight blob. */
#include "../models/models.h"
#include "commands.h"
#include "../format/json.h"
#include "output.h"
#include "run.h"

static const char *type_name(BlobType type)
{
    return type == BLOB_F32 ? "f32" : type == BLOB_F16 ? "f16" : "u8";
}

// What `about` says of a network beside its preparation.
static const char *const about_keys[] = {"heads",      "text_heads",   "activation", "padding",
                                         "bn_epsilon", "norm_epsilon", "source"};
enum { ABOUT_KEYS = sizeof about_keys / sizeof *about_keys };

static void write_json(WeightBlob *blob, JsonWriter *json)
{
    const Preparation *preparation = blob_preparation(blob);
    json_open_object(json, NULL);
    json_text(json, "path", blob_path(blob));
    json_text(json, "architecture", blob_architecture(blob));
    json_text(json, "sha256", blob_sha256(blob));
    if (preparation)
        run_preparation(preparation, json);
    json_open_object(json, "network");
    for (int i = 0; i < ABOUT_KEYS; i++)
        if (blob_about(blob, about_keys[i]))
            json_text(json, about_keys[i], blob_about(blob, about_keys[i]));
    json_close(json);
    json_open_array(json, "layers");
    const char *layer;
    for (int i = 0; (layer = network_layer_name(blob, i)); i++)
        json_text(json, NULL, layer);
    json_close(json);
    json_open_array(json, "tensors");
    for (int i = 0; i < blob_tensor_count(blob); i++) {
        const BlobTensor *tensor = blob_tensor(blob, i);
        char              crc[16];
        snprintf(crc, sizeof crc, "%08x", tensor->crc);
        json_open_object(json, NULL);
        json_text(json, "name", tensor->name);
        json_text(json, "type", type_name(tensor->type));
        json_open_array(json, "shape");
        for (int k = 0; k < tensor->shape.rank; k++)
            json_whole(json, NULL, tensor->shape.dim[k]);
        json_close(json);
        json_whole(json, "bytes", (int64_t)tensor->bytes);
        json_text(json, "crc32", crc);
        json_close(json);
    }
    json_close(json);
    json_close(json);
}

static void print_preparation(const Preparation *p)
{
    printf("input         %lldx%lld RGB, (x * %g - mean) / std, x in 0..1\n", (long long)p->width,
           (long long)p->height, (double)p->scale);
    printf("mean          %.9g %.9g %.9g\n", (double)p->mean[0], (double)p->mean[1],
           (double)p->mean[2]);
    printf("std           %.9g %.9g %.9g\n", (double)p->std[0], (double)p->std[1],
           (double)p->std[2]);
    if (p->resize_short)
        printf("photos        short side to %lld%s, centre crop, geometry %s\n",
               (long long)p->resize_short, p->is_bicubic ? " (bicubic)" : "",
               crop_geometry_name(p->geometry));
}

static bool print_text(WeightBlob *blob, Error *error)
{
    const Preparation *p     = blob_preparation(blob);
    Table              table = {.columns = 5, .alignment = "lllrl"};
    const char        *layer;
    print_clean(stdout, blob_path(blob));
    printf("\narchitecture  ");
    print_clean(stdout, blob_architecture(blob));
    printf("\nsha256        %s\n", blob_sha256(blob));
    if (p)
        print_preparation(p);
    for (int i = 0; i < ABOUT_KEYS; i++)
        if (blob_about(blob, about_keys[i])) {
            printf("%-13s ", about_keys[i]);
            print_clean(stdout, blob_about(blob, about_keys[i]));
            printf("\n");
        }
    printf("layers       ");
    for (int i = 0; (layer = network_layer_name(blob, i)); i++) {
        printf(" ");
        print_clean(stdout, layer);
    }
    printf("\n\n");
    const char *const headers[] = {"tensor", "type", "shape", "bytes", "crc32"};
    for (int i = 0; i < 5; i++)
        table_cell(&table, "%s", headers[i]);
    for (int i = 0; i < blob_tensor_count(blob); i++) {
        const BlobTensor *tensor = blob_tensor(blob, i);
        table_cell(&table, "%s", tensor->name);
        table_cell(&table, "%s", type_name(tensor->type));
        table_cell(&table, "%s", SHAPE_TEXT(tensor->shape));
        table_cell(&table, "%zu", tensor->bytes);
        table_cell(&table, "%08x", tensor->crc);
    }
    return table_print(&table, stdout, error);
}

static bool run(const Settings *settings, Error *error)
{
    WeightBlob *blob = NULL;
    if (!blob_open(settings->inputs[0], &blob, error))
        return false;
    bool ok;
    if (settings->json) {
        JsonWriter json = {0};
        write_json(blob, &json);
        ok = json_print(&json, error);
    } else {
        ok = print_text(blob, error);
    }
    blob_close(blob);
    return ok;
}

static const Option options[] = {OPTION_END};

const Verb verb_inspect = {
    .name        = "inspect",
    .inputs      = "FILE.nw",
    .input_least = 1,
    .input_most  = 1,
    .summary     = "what is inside a weight blob",
    .details     = "Architecture, how an image is prepared, the layers that can be probed, every "
                   "tensor with its shape and checksum, and the SHA-256 of the file.",
    .example     = "nemesis inspect vgg16.nw",
    .options     = options,
    .shared      = SHARED_BY_ALL,
    .run         = run,
};
