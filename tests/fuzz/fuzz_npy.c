/* tests/fuzz/fuzz_npy.c - any bytes as .npy; the array that is read has the size of its shape. */
#include "../../nem/npy.h"
#include "fuzz.h"

#include <string.h>

void fuzz_npy(const uint8_t *data, size_t size)
{
    float *values = NULL;
    Shape  shape  = {0};
    if (!npy_parse(data, size, "fuzz.npy", &values, &shape, NULL))
        return;
    size_t bytes = (size_t)shape_elements(shape) * sizeof *values;
    FUZZ_CHECK(bytes < size && !memcmp(values, data + size - bytes, bytes));
    memory_free(values);
}
