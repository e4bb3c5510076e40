/* base/base.c - see base.h. The only file that calls the allocator. */
#include "base.h"
#include "parallel.h"

#include <malloc.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* ---- errors ---------------------------------------------------------------------------------- */

#undef fail
bool fail(Error *error, ErrorCode code, const char *format, ...)
{
    if (error && error->code == ERROR_NONE) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        // File names and labels come from outside: nothing in a message may steer a terminal.
        for (unsigned char *c = (unsigned char *)error->message; *c; c++)
            if (*c < 0x20 || *c == 0x7f)
                *c = '?';
        error->code = code;
    }
    return false;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

bool size_mul(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool size_add(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { ALIGNMENT = 64, LARGE_PAGE = 2 << 20, LARGE = 4 * LARGE_PAGE };

#ifdef __has_feature
#define HAS_ADDRESS_CHECK __has_feature(address_sanitizer)
#elif defined __SANITIZE_ADDRESS__
#define HAS_ADDRESS_CHECK 1
#else
#define HAS_ADDRESS_CHECK 0
#endif

#if HAS_ADDRESS_CHECK // a block ends where it was asked to end, not where its alignment does
#include <sanitizer/asan_interface.h>
#define CLOSE_AFTER(block, used, size) ASAN_POISON_MEMORY_REGION((block) + (used), (size) - (used))
#else
#define CLOSE_AFTER(block, used, size) ((void)0)
#endif

static atomic_int_least64_t live_blocks, calls, fails_at; // fails_at 0: nothing fails
static atomic_bool          fail_forever;

void memory_fail_at(int64_t call, bool from_then_on)
{
    atomic_store(&fail_forever, from_then_on);
    atomic_store(&fails_at, call ? atomic_load(&calls) + call : 0);
}

int64_t memory_calls(void)
{
    return atomic_load(&calls);
}

int64_t memory_live_blocks(void)
{
    return atomic_load(&live_blocks);
}

static bool planned_failure(void)
{
    int64_t call = atomic_fetch_add(&calls, 1) + 1, at = atomic_load(&fails_at);
    return at && (atomic_load(&fail_forever) ? call >= at : call == at);
}

/* A block of at least `bytes`; *padded: how many it has. A large one lies in large pages where the
 * system has them: planes of many images are read at half the speed if each is its own page. */
static char *block_new(size_t bytes, size_t *padded)
{
    size_t alignment = bytes < LARGE ? ALIGNMENT : LARGE_PAGE;
    if (!size_add(bytes, alignment, padded))
        return NULL;
    *padded      = *padded / alignment * alignment;
    char *memory = aligned_alloc(alignment, *padded);
#ifdef MADV_HUGEPAGE
    if (memory && alignment == LARGE_PAGE)
        (void)madvise(memory, *padded, MADV_HUGEPAGE); // no harm where it is refused
#endif
    return memory;
}

typedef struct Clearing {
    char  *memory;
    size_t bytes;
} Clearing;

static void clear_piece(void *data, int64_t piece, int thread)
{
    const Clearing *clearing = data;
    size_t          first = (size_t)piece * LARGE_PAGE, left = clearing->bytes - first;
    (void)thread;
    memset(clearing->memory + first, 0, left < LARGE_PAGE ? left : LARGE_PAGE);
}

// The system hands out a page when it is first written, which takes longer than to clear it.
static void clear(char *memory, size_t bytes)
{
    Clearing clearing = {memory, bytes};
    if (bytes < LARGE)
        memset(memory, 0, bytes);
    else
        parallel_for((int64_t)((bytes + LARGE_PAGE - 1) / LARGE_PAGE), clear_piece, &clearing);
}

void *memory_new(size_t count, size_t size, Error *error)
{
    size_t bytes = 0, padded = 0;
    char  *memory = NULL;
    if (size_mul(count, size, &bytes) && !planned_failure())
        memory = block_new(bytes, &padded);
    if (!memory) {
        fail(error, ERROR_MEMORY, "out of memory: %zu elements of %zu bytes were asked for", count,
             size);
        return NULL;
    }
    clear(memory, padded);
    CLOSE_AFTER(memory, bytes, padded);
    atomic_fetch_add(&live_blocks, 1);
    return memory;
}

void memory_free(void *memory)
{
    if (memory)
        atomic_fetch_sub(&live_blocks, 1);
    free(memory);
}

void *memory_grow(void *memory, size_t old_count, size_t new_count, size_t size, Error *error)
{
    void *larger = memory_new(new_count, size, error);
    if (!larger)
        return NULL;
    if (memory)
        memcpy(larger, memory, (old_count < new_count ? old_count : new_count) * size);
    memory_free(memory);
    return larger;
}

size_t memory_in_use(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

char *memory_text(const char *text, Error *error)
{
    size_t length = strlen(text);
    char  *copy   = memory_new(length + 1, 1, error);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

/* ---- text ------------------------------------------------------------------------------------ */

int utf8_length(const unsigned char *text, size_t size)
{
    if (size == 0)
        return 0;
    unsigned c = text[0];
    int      n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (n == 0 || (size_t)n > size)
        return 0;
    for (int i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) || // overlong, surrogates
        (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f))   // overlong, > U+10FFFF
        return 0;
    return n;
}

int utf8_shown(const unsigned char *text, size_t size)
{
    int n = utf8_length(text, size);
    if (n == 1)
        return *text >= 0x20 && *text != 0x7f;
    if (n == 2 && ((text[0] == 0xc2 && text[1] < 0xa0) || (text[0] == 0xd8 && text[1] == 0x9c)))
        return 0; // U+0080..9F, U+061C
    if (n != 3 || text[0] != 0xe2)
        return n;
    bool is_hidden = text[1] == 0x80 ? text[2] == 0x8e || text[2] == 0x8f ||    // U+200E, 200F
                                           (text[2] >= 0xa8 && text[2] <= 0xae) // U+2028..202E
                                     : text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9;
    return is_hidden ? 0 : n; // U+2066..2069
}

/* ---- random numbers -------------------------------------------------------------------------- */

RandomBlock random_block(uint64_t key, uint64_t counter_high, uint64_t counter_low)
{
    uint32_t c0 = (uint32_t)counter_low, c1 = (uint32_t)(counter_low >> 32);
    uint32_t c2 = (uint32_t)counter_high, c3 = (uint32_t)(counter_high >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1          = (uint32_t)p1;
        c3          = (uint32_t)p0;
        c0          = n0;
        c2          = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (RandomBlock){{c0, c1, c2, c3}};
}

float random_unit(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

double random_unit_open(uint32_t word)
{
    return ((double)word + 1.0) * 0x1p-32;
}

void random_gaussian(uint32_t word0, uint32_t word1, double *a, double *b)
{
    double radius = sqrt(-2.0 * log(random_unit_open(word0)));
    double angle  = 6.283185307179586476925 * ((double)word1 * 0x1p-32);
    *a            = radius * cos(angle);
    *b            = radius * sin(angle);
}

uint64_t random_key(uint64_t seed, const char *purpose)
{
    uint64_t hash = 0xcbf29ce484222325u; // FNV-1a of the purpose
    for (const unsigned char *c = (const unsigned char *)purpose; *c; c++)
        hash = (hash ^ *c) * 0x100000001b3u;
    RandomBlock block = random_block(seed, hash, 0);
    return (uint64_t)block.word[1] << 32 | block.word[0];
}

Random random_stream(uint64_t seed, const char *purpose)
{
    return (Random){.key = random_key(seed, purpose), .next = 0};
}

uint32_t random_word(Random *random)
{
    uint64_t at = random->next++;
    return random_block(random->key, 0, at / 4).word[at % 4];
}

uint32_t random_below(Random *random, uint32_t bound)
{
    uint32_t reject = (uint32_t)(-bound) % bound; // the lowest words would favour small numbers
    uint32_t word;
    do
        word = random_word(random);
    while (word < reject);
    return word % bound;
}

/* ---- clock ----------------------------------------------------------------------------------- */

double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
