/* tests/fuzz/fuzz.h - one entry per parser: any bytes in, no crash, no leak, no time.
 *
 * An entry traps where a promise breaks: what was accepted must survive being written and read
 * again, and numbers that were accepted must be inside their limits. It runs under libFuzzer, under
 * AFL++ and in the suite that replays the committed corpus. A repair puts right the checksums of a
 * damaged file, so that what is mutated is what a checksum guards and not the checksum. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "../../base/base.h"

typedef void FuzzRun(const uint8_t *data, size_t size);
typedef void FuzzRepair(uint8_t *data, size_t size);

FuzzRun fuzz_arguments, fuzz_blob, fuzz_csv, fuzz_inflate, fuzz_jpeg, fuzz_json, fuzz_npy, fuzz_png,
    fuzz_probe, fuzz_text, fuzz_vocabulary;
FuzzRepair repair_blob, repair_inflate, repair_png;

/* Breaks the run unless the claim holds. */
#define FUZZ_CHECK(claim) ((claim) ? (void)0 : fuzz_failed(#claim, __FILE__, __LINE__))

_Noreturn void fuzz_failed(const char *claim, const char *file, int line);

/* zlib data to exactly `size` bytes at `out`. */
bool inflate_into(const uint8_t *data, size_t data_size, uint8_t *out, size_t size, Error *error);

/* Puts right the checksum of zlib data that is all stored blocks; other data stays as it is. */
void zlib_reseal(uint8_t *data, size_t size);

/* The path of a file in memory with this content, until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

#endif
