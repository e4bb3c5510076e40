/* tests/fuzz/fuzz_jpeg.c - any bytes as JPEG; what decodes must convert, encode and decode again.
 */
#include "../../image/image.h"
#include "fuzz.h"

// A frame that its bytes could fill and that would take long: many small pictures find more.
static bool is_slow(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 9 <= size; at++)
        if (data[at] == 0xFF && data[at + 1] >= 0xC0 && data[at + 1] <= 0xC2) {
            size_t pixels = (size_t)(data[at + 5] << 8 | data[at + 6]) *
                            (size_t)(data[at + 7] << 8 | data[at + 8]);
            if (pixels > 1 << 14 && pixels / 512 <= size)
                return true;
        }
    return false;
}

void fuzz_jpeg(const uint8_t *data, size_t size)
{
    Image    image = {0}, rgb = {0}, back = {0};
    uint8_t *file      = NULL;
    size_t   file_size = 0;
    if (is_slow(data, size) || !jpeg_decode(data, size, "fuzz.jpg", &image, NULL))
        return;
    FUZZ_CHECK(image.orientation >= 1 && image.orientation <= 8);
    if ((size_t)image.width * (size_t)image.height < 1 << 12) {
        FUZZ_CHECK(image_to_rgb(&image, &rgb, NULL));
        FUZZ_CHECK(jpeg_encode(&rgb, 1 + (int)(size % 100), (JpegSampling)(size % 3), &file,
                               &file_size, NULL));
        FUZZ_CHECK(jpeg_decode(file, file_size, "back.jpg", &back, NULL));
        FUZZ_CHECK(back.width == rgb.width && back.height == rgb.height);
        memory_free(file);
        image_free(&rgb);
        image_free(&back);
    }
    image_free(&image);
}
