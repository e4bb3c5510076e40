/* tests/fuzz/fuzz_jpeg.c - any bytes as JPEG; what decodes must convert, encode and decode again.
 */
#include "../../image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Image    image = {0}, rgb = {0}, back = {0};
    uint8_t *file      = NULL;
    size_t   file_size = 0;
    if (!jpeg_decode(data, size, "fuzz.jpg", &image, NULL))
        return 0;
    if ((size_t)image.width * (size_t)image.height < 1 << 16) {
        if (!image_to_rgb(&image, &rgb, NULL) ||
            !jpeg_encode(&rgb, 1 + (int)(size % 100), (JpegSampling)(size % 3), &file, &file_size,
                         NULL) ||
            !jpeg_decode(file, file_size, "back.jpg", &back, NULL) || back.width != rgb.width)
            __builtin_trap();
        memory_free(file);
        image_free(&rgb);
        image_free(&back);
    }
    image_free(&image);
    return 0;
}
