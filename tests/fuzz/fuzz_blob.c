/* tests/fuzz/fuzz_blob.c - any bytes as a weight blob; what opens has every tensor where it says.
 */
#include "../../engine/blob.h"
#include "../blob_builder.h"
#include "fuzz.h"

#include <math.h>
#include <string.h>

static void check_numbers(WeightBlob *blob, const BlobTensor *tensor)
{
    const real *data = NULL;
    FUZZ_CHECK(!blob_find(blob, tensor->name, shape_4d(7, 7, 7, 7), &data, NULL));
    if (tensor->type == BLOB_U8 || tensor->bytes > 1 << 16)
        return;
    FUZZ_CHECK(blob_find(blob, tensor->name, tensor->shape, &data, NULL));
    for (int64_t i = 0; i < shape_elements(tensor->shape); i++)
        FUZZ_CHECK(isfinite(data[i]));
}

void fuzz_blob(const uint8_t *data, size_t size)
{
    WeightBlob *blob = NULL;
    if (!blob_open(fuzz_file(data, size), &blob, NULL))
        return;
    const Preparation *preparation = blob_preparation(blob);
    FUZZ_CHECK(blob_architecture(blob));
    FUZZ_CHECK(!preparation == !blob_about(blob, "width"));
    if (preparation) {
        FUZZ_CHECK(preparation->width >= 1 && preparation->width <= LIMIT_IMAGE_SIDE);
        FUZZ_CHECK(preparation->height >= 1 && preparation->height <= LIMIT_IMAGE_SIDE);
        FUZZ_CHECK(preparation->scale > 0 && preparation->std[0] > 0);
    }
    FUZZ_CHECK(strlen(blob_sha256(blob)) == 64);
    for (int i = 0; i < blob_tensor_count(blob); i++) {
        const BlobTensor *tensor = blob_tensor(blob, i);
        FUZZ_CHECK(blob_lookup(blob, tensor->name) == tensor);
        check_numbers(blob, tensor);
    }
    real       *mine = NULL, *again = NULL;
    const real *none   = NULL;
    bool        is_new = false;
    FUZZ_CHECK(!blob_lookup(blob, "no such tensor") && blob_path(blob));
    FUZZ_CHECK(!blob_find(blob, "no such tensor", shape_1d(1), &none, NULL));
    FUZZ_CHECK(blob_derived(blob, "mine", 3, &mine, &is_new, NULL) && is_new);
    FUZZ_CHECK(blob_derived(blob, "mine", 3, &again, &is_new, NULL) && !is_new && again == mine);
    blob_close(blob);
}

void repair_blob(uint8_t *data, size_t size)
{
    if (size >= 64)
        blob_reseal(data, size);
}
