/* tests/fuzz/fuzz_inflate.c - two bytes of room, then zlib data; and the data there and back. */
#include "../../image/zlib.h"
#include "../../image/image.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t   room   = (size_t)data[0] << 8 | data[1];
    uint8_t *out    = memory_new(room, 1, NULL);
    uint8_t *back   = memory_new(size, 1, NULL);
    uint8_t *packed = NULL;
    size_t   packed_size;
    inflate_zlib(data + 2, size - 2, out, room, "fuzz", NULL);
    if (!deflate_zlib(data, size, &packed, &packed_size, NULL) ||
        !inflate_zlib(packed, packed_size, back, size, "back", NULL) || memcmp(data, back, size))
        __builtin_trap();
    memory_free(packed);
    memory_free(back);
    memory_free(out);
    return 0;
}
