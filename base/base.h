/* base/base.h - what every folder uses: errors, sizes, memory, random numbers, clock.
 *
 * Conventions: a function that can fail returns bool, takes `Error *error` last (NULL allowed) and
 * writes its outputs only on success. Sizes that come from outside pass through size_add/size_mul
 * before anything is allocated or looped over. Everything here is safe to call from any thread
 * except memory_fail_at(), which tests use. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef REAL_IS_DOUBLE
typedef double real; // the gradient-check build: portable kernels in double
#else
typedef float real;
#endif

/* ---- errors ---------------------------------------------------------------------------------- */

/* The number is also the exit code of the command, so one table serves library, tests and users. */
typedef enum ErrorCode {
    ERROR_NONE      = 0,
    ERROR_CHECK     = 1,  // a check ran and failed (verify, compare --fail-over)
    ERROR_USAGE     = 2,  // the caller asked for something that cannot be: flag, layer, unit
    ERROR_SKIPPED   = 3,  // done, but some inputs were skipped (listed)
    ERROR_PIECES    = 4,  // pieces of a plan are missing (listed)
    ERROR_DATA      = 65, // an input is malformed or over a limit
    ERROR_NOT_FOUND = 66, // an input does not exist or cannot be read
    ERROR_INTERNAL  = 70, // a defect of this program
    ERROR_MEMORY    = 71, // out of memory
    ERROR_CREATE    = 73, // an output cannot be created
    ERROR_IO        = 74, // reading or writing failed midway, disk full
    ERROR_AGAIN     = 75  // interrupted after a checkpoint: the same command again makes progress
} ErrorCode;

typedef struct Error {
    ErrorCode code;
    char      message[512]; // one sentence, no newline: where, what was found, what was expected
} Error;

/* Records the first cause in `error` (later calls keep it) and returns false. */
bool fail(Error *error, ErrorCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ // reads one file at a time, so it must be told what fail() returns
#define fail(...) ((void)fail(__VA_ARGS__), false)
#endif

/* ---- limits on what comes from outside ------------------------------------------------------- */

enum {
    LIMIT_PATH           = 4096,    // bytes of a path
    LIMIT_TENSORS        = 4096,    // tensors in a weight blob
    LIMIT_IMAGE_SIDE     = 65535,   // pixels
    LIMIT_DECODE_SECONDS = 30,      // of CPU, for the packed data of one picture
    LIMIT_CSV_LINE       = 1 << 20, // bytes of one record
    LIMIT_CSV_FIELDS     = 4096,    // fields of one record
    LIMIT_CSV_ROWS       = 10000000,
    LIMIT_THREADS        = 1024,
    LIMIT_BATCH          = 4096, // images of one run of a network
    LIMIT_TOKENS         = 4096, // of one text
    LIMIT_UNITS          = 1 << 20
};
#define LIMIT_TENSOR_BYTES (UINT64_C(4) << 30) // bytes
#define LIMIT_IMAGE_PIXELS ((size_t)64 << 20)  // 64 Mpixel, unless --max-pixels says otherwise
#define LIMIT_IMAGE_FILE   ((size_t)256 << 20) // bytes
#define LIMIT_TEXT_FILE    ((size_t)1 << 30)   // bytes of a CSV or JSON file
#define LIMIT_ARRAY_FILE   ((size_t)4 << 30)   // bytes of a weight blob or an .npy file

/* ---- sizes ----------------------------------------------------------------------------------- */

/* *out = a * b (a + b); false and *out untouched if that does not fit. */
bool size_mul(size_t a, size_t b, size_t *out);
bool size_add(size_t a, size_t b, size_t *out);

/* ---- memory: nothing else allocates, so tests can make any allocation fail ------------------- */

/* New memory: `count` elements of `size` bytes, zeroed, aligned to 64 bytes. NULL and ERROR_MEMORY
 * on failure or overflow. A count of zero gives a valid pointer. Release with memory_free (NULL
 * allowed). */
void *memory_new(size_t count, size_t size, Error *error);
void  memory_free(void *memory);

/* A larger copy of `memory` (old_count elements kept, the rest zeroed); frees the old block on
 * success and leaves it alone on failure. */
void *memory_grow(void *memory, size_t old_count, size_t new_count, size_t size, Error *error);

/* A copy of a zero-terminated text. */
char *memory_text(const char *text, Error *error);

/* Bytes in use of what was ever asked for, touched or not; 0 where the C library cannot tell. */
size_t memory_in_use(void);

/* Tests only: the n-th call from now (1-based) of memory_new fails, once or from then on; 0 ends
 * it. memory_calls() counts all calls, memory_live_blocks() what has not been freed. */
void    memory_fail_at(int64_t call, bool from_then_on);
int64_t memory_calls(void);
int64_t memory_live_blocks(void);

/* ---- text ------------------------------------------------------------------------------------ */

/* Length 1..4 of the UTF-8 sequence at `text` (size bytes left), 0 if it is not one. */
int utf8_length(const unsigned char *text, size_t size);

/* The same for text that is shown to a person: 0 also for control characters, separators of lines
 * and characters that turn the direction of writing, with which a name could pose as another. */
int utf8_shown(const unsigned char *text, size_t size);

/* ---- random numbers: counter based, so a draw depends on nothing but its address ------------- */

/* Philox 4x32-10. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 * The same (key, counter) gives the same four words on every machine. */
typedef struct RandomBlock {
    uint32_t word[4];
} RandomBlock;

RandomBlock random_block(uint64_t key, uint64_t counter_high, uint64_t counter_low);

/* A word as a uniform number: in [0, 1) with 24 bits; in (0, 1] with 32 bits. */
float  random_unit(uint32_t word);
double random_unit_open(uint32_t word);

/* Two independent standard normal numbers from two words (Box-Muller). */
void random_gaussian(uint32_t word0, uint32_t word1, double *a, double *b);

/* A stream of words for places where one draw follows another (shuffles, draws without
 * replacement), so that a draw depends on its place in the stream. */
typedef struct Random {
    uint64_t key;
    uint64_t next;
} Random;

Random   random_stream(uint64_t seed, const char *purpose); // purpose: keeps streams apart
uint32_t random_word(Random *random);
uint32_t random_below(Random *random, uint32_t bound); // uniform in 0..bound-1, unbiased

/* The key for one purpose (one kind of noise, one shuffle), mixed from it and the seed: draws for
 * different purposes have nothing to do with each other. */
uint64_t random_key(uint64_t seed, const char *purpose);

/* ---- clock ----------------------------------------------------------------------------------- */

double clock_seconds(void); // monotonic, arbitrary origin

#endif
