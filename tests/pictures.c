/* tests/pictures.c - see pictures.h. */
#include "pictures.h"
#include "test.h"
#include "../base/digest.h"

#include <string.h>

size_t picture_bytes(const Image *image)
{
    return (size_t)image->width * (size_t)image->height * (size_t)image->channels;
}

uint32_t picture_digest(const Image *image)
{
    return digest_crc32(0, image->pixels, picture_bytes(image));
}

bool pictures_equal(const Image *a, const Image *b)
{
    return a->width == b->width && a->height == b->height && a->channels == b->channels &&
           !memcmp(a->pixels, b->pixels, picture_bytes(a));
}

Image picture_make(int width, int height, int channels)
{
    Image image  = {.width = width, .height = height, .channels = channels, .orientation = 1};
    image.pixels = memory_new(picture_bytes(&image), 1, NULL);
    uint8_t *p   = image.pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                *p++ = (uint8_t)(x * (5 + 3 * c) + y * (7 - 2 * c) + (x * y >> (1 + c)) + 40 * c);
    return image;
}

Image picture_random(Random *random, int width, int height, int channels)
{
    Image    image = picture_make(width, height, channels);
    uint32_t kind = random_below(random, 5), base = random_below(random, 256);
    uint32_t cell  = 1 + random_below(random, 24);
    size_t   bytes = picture_bytes(&image);
    for (size_t i = 0; i < bytes; i++) {
        uint32_t x = (uint32_t)(i / (size_t)channels % (size_t)width), c = (uint32_t)i % 3;
        uint32_t y = (uint32_t)(i / (size_t)channels / (size_t)width);
        if (kind == 0)
            image.pixels[i] = (uint8_t)random_below(random, 256);
        else if (kind == 1)
            image.pixels[i] = (uint8_t)(base + random_below(random, 12));
        else if (kind == 2)
            image.pixels[i] = (uint8_t)((x / cell + y / cell + c) % 2 ? 255 : 0);
        else if (kind == 3)
            image.pixels[i] = (uint8_t)((x * base / 64 + y * (c + 1)) / 2);
    }
    return image;
}

// Decodes from a block that ends where the data ends, so that a checker sees reads beyond it.
static bool decode_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy  = memory_new(size, 1, NULL);
    Image    image = {0};
    Error    error = {0};
    memcpy(copy, data, size);
    bool done = image_decode(copy, size, "copy", &image, &error);
    CHECK(done == (image.pixels != NULL));
    CHECK(error.code == (done ? ERROR_NONE : ERROR_DATA));
    if (done)
        image_free(&image);
    memory_free(copy);
    return done;
}

void picture_damage(const uint8_t *data, size_t size, size_t complete)
{
    int64_t blocks = memory_live_blocks();
    for (size_t length = 0; length <= size; length++)
        CHECK(decode_copy(data, length) == (length >= complete));
    uint8_t *broken = memory_new(size, 1, NULL);
    memcpy(broken, data, size);
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit <= 8; bit++) { // 8: all of them
            broken[at] = (uint8_t)(data[at] ^ (bit < 8 ? 1 << bit : 255));
            decode_copy(broken, size);
        }
        broken[at] = data[at];
    }
    memory_free(broken);
    CHECK(memory_live_blocks() == blocks);
}
