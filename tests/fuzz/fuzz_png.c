/* tests/fuzz/fuzz_png.c - any bytes as PNG; what decodes must survive encoding unchanged. */
#include "../../base/digest.h"
#include "../../image/image.h"
#include "fuzz.h"

#include <string.h>

static size_t load_be32(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

// A picture that its bytes could fill and that would take long: many small ones find more.
static bool is_slow(const uint8_t *data, size_t size)
{
    size_t pixels = size < 24 ? 0 : load_be32(data + 16) * load_be32(data + 20);
    return pixels > 1 << 14 && pixels / 8256 <= size;
}

void fuzz_png(const uint8_t *data, size_t size)
{
    Image    image = {0}, back = {0};
    uint8_t *file      = NULL;
    size_t   file_size = 0;
    if (is_slow(data, size) || !png_decode(data, size, "fuzz.png", &image, NULL))
        return;
    size_t bytes = (size_t)image.width * (size_t)image.height * (size_t)image.channels;
    if (bytes < 1 << 16) {
        FUZZ_CHECK(png_encode(&image, &file, &file_size, NULL));
        FUZZ_CHECK(png_decode(file, file_size, "back.png", &back, NULL));
        FUZZ_CHECK(!memcmp(image.pixels, back.pixels, bytes));
        memory_free(file);
        image_free(&back);
    }
    image_free(&image);
}

/* The checksum of the rows in an IDAT, where they are not compressed, and the CRC of every chunk.
 */
void repair_png(uint8_t *data, size_t size)
{
    for (size_t at = 8; at + 12 <= size;) {
        size_t content = load_be32(data + at);
        if (content > size - at - 12)
            return;
        if (!memcmp(data + at + 4, "IDAT", 4))
            zlib_reseal(data + at + 8, content);
        uint32_t crc = digest_crc32(0, data + at + 4, content + 4);
        for (size_t i = 0; i < 4; i++)
            data[at + 8 + content + i] = (uint8_t)(crc >> (24 - 8 * i));
        at += content + 12;
    }
}
