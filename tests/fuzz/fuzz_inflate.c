/* tests/fuzz/fuzz_inflate.c - two bytes of room, then zlib data. */
#include "../../image/image.h"
#include "../../image/zlib.h"
#include "fuzz.h"

void fuzz_inflate(const uint8_t *data, size_t size)
{
    if (size < 2)
        return;
    size_t   room = (size_t)data[0] << 8 | data[1];
    uint8_t *out  = memory_new(room, 1, NULL);
    if (inflate_zlib(data + 2, size - 2, out, room, "fuzz", NULL))
        FUZZ_CHECK(zlib_adler32(out, room) != 0);
    memory_free(out);
}

/* The checksum of zlib data that consists of stored blocks; other data stays as it is. */
void repair_inflate(uint8_t *data, size_t size)
{
    uint32_t a = 1, b = 0;
    for (size_t at = 2; at + 5 <= size;) {
        size_t length = data[at + 1] | (size_t)data[at + 2] << 8;
        bool   last   = data[at] & 1;
        if (data[at] > 1 || length > size - at - 5)
            return;
        data[at + 3] = data[at + 1] ^ 0xFF;
        data[at + 4] = data[at + 2] ^ 0xFF;
        at += 5;
        for (size_t i = 0; i < length; i++) {
            a = (a + data[at + i]) % 65521;
            b = (b + a) % 65521;
        }
        at += length;
        if (!last)
            continue;
        for (size_t i = 0; i < 4 && at + i < size; i++)
            data[at + i] = (uint8_t)((b << 16 | a) >> (24 - 8 * i));
        return;
    }
}
