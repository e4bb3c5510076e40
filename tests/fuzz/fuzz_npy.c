/* tests/fuzz/fuzz_npy.c - any bytes as .npy; the array that is read has the size of its shape, and
 * comes back from our own writer. */
#include "../../base/file.h"
#include "../../format/npy.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void check_written(const float *values, Shape shape, size_t bytes)
{
    char   path[64];
    float *back  = NULL;
    Shape  found = {0};
    snprintf(path, sizeof path, "/dev/shm/nemesis-fuzz-%ld.npy", (long)getpid());
    FUZZ_CHECK(npy_write(path, values, shape, NULL));
    FUZZ_CHECK(npy_read(path, &back, &found, NULL));
    FUZZ_CHECK(shape_equal(found, shape) && !memcmp(values, back, bytes));
    FUZZ_CHECK(file_remove(path, NULL));
    memory_free(back);
}

void fuzz_npy(const uint8_t *data, size_t size)
{
    float *values = NULL;
    Shape  shape  = {0};
    if (!npy_parse(data, size, "fuzz.npy", &values, &shape, NULL))
        return;
    size_t bytes = (size_t)shape_elements(shape) * sizeof *values;
    FUZZ_CHECK(bytes < size && !memcmp(values, data + size - bytes, bytes));
    if (size % 8 == 0) // the file system is slow
        check_written(values, shape, bytes);
    memory_free(values);
}
