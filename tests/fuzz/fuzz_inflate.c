/* tests/fuzz/fuzz_inflate.c - two bytes of room, then zlib data. */
#include "../../image/zlib.h"
#include "fuzz.h"

#include <string.h>

typedef struct Room {
    uint8_t *at;
    size_t   left;
} Room;

static bool room_fill(void *self, const uint8_t *bytes, size_t size)
{
    Room *room = self;
    FUZZ_CHECK(size <= room->left);
    memcpy(room->at, bytes, size);
    room->at += size;
    room->left -= size;
    return true;
}

bool inflate_into(const uint8_t *data, size_t data_size, uint8_t *out, size_t size, Error *error)
{
    Room room = {.at = out, .left = size};
    bool done = inflate_zlib(data, data_size, size, room_fill, &room, "zlib", error);
    FUZZ_CHECK(!done || room.left == 0);
    return done;
}

void fuzz_inflate(const uint8_t *data, size_t size)
{
    if (size < 2)
        return;
    size_t room = (size_t)data[0] << 8 | data[1];
    if (room >= 1 << 15) // more than the decoder's own buffer
        room = (room - (1 << 15)) * 8;
    uint8_t *out = memory_new(room, 1, NULL);
    if (inflate_into(data + 2, size - 2, out, room, NULL))
        FUZZ_CHECK(zlib_adler32(1, out, room) != 0);
    memory_free(out);
}

void zlib_reseal(uint8_t *data, size_t size)
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

void repair_inflate(uint8_t *data, size_t size)
{
    if (size > 2)
        zlib_reseal(data + 2, size - 2);
}
