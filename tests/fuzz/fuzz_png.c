/* tests/fuzz/fuzz_png.c - any bytes as PNG; what decodes must survive encoding unchanged. */
#include "../../image/image.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Image    image = {0}, back = {0};
    uint8_t *file      = NULL;
    size_t   file_size = 0;
    if (!png_decode(data, size, "fuzz.png", &image, NULL))
        return 0;
    size_t bytes = (size_t)image.width * (size_t)image.height * (size_t)image.channels;
    if (bytes < 1 << 20) {
        if (!png_encode(&image, &file, &file_size, NULL) ||
            !png_decode(file, file_size, "back.png", &back, NULL) ||
            memcmp(image.pixels, back.pixels, bytes))
            __builtin_trap();
        memory_free(file);
        image_free(&back);
    }
    image_free(&image);
    return 0;
}
