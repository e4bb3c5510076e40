/* base/digest.c - see digest.h. */
#include "digest.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

/* ---- CRC-32, eight bytes a step -------------------------------------------------------------- */

static uint32_t    crc_table[8][256];
static atomic_bool crc_ready;

// Filling the table twice from two threads writes the same values, so no lock is needed.
static void crc_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        crc_table[0][i] = c;
    }
    for (int slice = 1; slice < 8; slice++)
        for (uint32_t i = 0; i < 256; i++)
            crc_table[slice][i] =
                crc_table[0][crc_table[slice - 1][i] & 255] ^ (crc_table[slice - 1][i] >> 8);
    atomic_store(&crc_ready, true);
}

uint32_t digest_crc32(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *p = data;
    if (!atomic_load(&crc_ready))
        crc_fill();
    uint32_t c = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t low = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                            (uint32_t)p[3] << 24);
        c            = crc_table[7][low & 255] ^ crc_table[6][(low >> 8) & 255] ^
            crc_table[5][(low >> 16) & 255] ^ crc_table[4][low >> 24] ^ crc_table[3][p[4]] ^
            crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
    }
    for (; size > 0; size--, p++)
        c = crc_table[0][(c ^ *p) & 255] ^ (c >> 8);
    return ~c;
}

/* ---- SHA-256 --------------------------------------------------------------------------------- */

static const uint32_t round_constant[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void sha256_portable(uint32_t state[8], const uint8_t *p, size_t blocks)
{
    for (; blocks > 0; blocks--, p += 64) {
        uint32_t w[64], s[8];
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
                   (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
        for (int i = 16; i < 64; i++) {
            uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i]       = w[i - 16] + a + w[i - 7] + b;
        }
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t e1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
            uint32_t t1 = s[7] + e1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + round_constant[i] + w[i];
            uint32_t e0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
            uint32_t t2 = e0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++)
            state[i] += s[i];
    }
}

#ifdef __x86_64__

/* The processor's own rounds: state as (a b e f) and (c d g h), highest first; w is a ring of four
 * vectors of four words. Source: Intel 64 and IA-32 manual, volume 2, SHA256RNDS2, SHA256MSG1 and
 * SHA256MSG2. */
__attribute__((target("sha,sse4.1"))) static void sha256_x86(uint32_t state[8], const uint8_t *p,
                                                             size_t blocks)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i       abcd  = _mm_loadu_si128((const __m128i *)state);
    __m128i       efgh  = _mm_loadu_si128((const __m128i *)(state + 4));
    __m128i       badc = _mm_shuffle_epi32(abcd, 0xb1), hgfe = _mm_shuffle_epi32(efgh, 0x1b);
    __m128i       abef = _mm_alignr_epi8(badc, hgfe, 8), cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
    for (; blocks > 0; blocks--, p += 64) {
        __m128i w[4], abef_before = abef, cdgh_before = cdgh;
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), order);
        for (int i = 0; i < 16; i++) {
            __m128i *now = &w[i % 4], newest = w[(i + 3) % 4];
            if (i >= 4) {
                __m128i seven = _mm_alignr_epi8(newest, w[(i + 2) % 4], 4);
                *now          = _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(i + 1) % 4]), seven);
                *now          = _mm_sha256msg2_epu32(*now, newest);
            }
            __m128i sum =
                _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(round_constant + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

// Asked once: a virtual machine takes long to answer.
static bool has_sha(void)
{
    enum { UNKNOWN, NO, YES };
    static atomic_int answer;
    if (atomic_load(&answer) == UNKNOWN) {
        unsigned a, b = 0, c = 0, d;
        bool     fits = __get_cpuid(1, &a, &b, &c, &d) && c >> 19 & 1 && // SSE4.1
                    __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> 29 & 1;
        atomic_store(&answer, fits ? YES : NO);
    }
    return atomic_load(&answer) == YES;
}

#endif

static void sha256_blocks(uint32_t state[8], const uint8_t *p, size_t blocks)
{
#ifdef __x86_64__
    if (has_sha()) {
        sha256_x86(state, p, blocks);
        return;
    }
#endif
    sha256_portable(state, p, blocks);
}

void sha256_start(Sha256 *sha)
{
    *sha = (Sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                              0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(Sha256 *sha, const void *data, size_t size)
{
    const uint8_t *p = data;
    while (size > 0) {
        size_t at   = (size_t)(sha->length % 64);
        size_t part = size < 64 - at ? size : 64 - at;
        if (at == 0 && size >= 64) {
            part = size - size % 64;
            sha256_blocks(sha->state, p, part / 64);
        } else {
            memcpy(sha->block + at, p, part);
            if (at + part == 64)
                sha256_blocks(sha->state, sha->block, 1);
        }
        sha->length += part;
        p += part;
        size -= part;
    }
}

void sha256_text(Sha256 *sha, char out[65])
{
    uint64_t bits = sha->length * 8;
    sha256_add(sha, (const uint8_t[]){0x80}, 1);
    while (sha->length % 64 != 56)
        sha256_add(sha, (const uint8_t[]){0}, 1);
    uint8_t tail[8];
    for (int i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(sha, tail, 8);
    for (int i = 0; i < 8; i++)
        snprintf(out + 8 * i, 9, "%08x", sha->state[i]);
}

void sha256_of(const void *data, size_t size, char out[65])
{
    Sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, data, size);
    sha256_text(&sha, out);
}
