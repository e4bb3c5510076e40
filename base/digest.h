/* base/digest.h - checksums: CRC-32 (blob, PNG) and SHA-256 (what a run was made from). */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 with the zlib polynomial. Start with crc = 0; feeding parts in order equals one call. */
uint32_t digest_crc32(uint32_t crc, const void *data, size_t size);

/* SHA-256 (FIPS 180-4), streaming. */
typedef struct Sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t  block[64];
} Sha256;

void sha256_start(Sha256 *sha);
void sha256_add(Sha256 *sha, const void *data, size_t size);
void sha256_text(Sha256 *sha, char out[65]);                 // finishes; 64 hex digits and a zero
void sha256_of(const void *data, size_t size, char out[65]); // of bytes that are at hand

#endif
