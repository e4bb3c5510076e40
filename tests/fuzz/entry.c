/* tests/fuzz/entry.c - the doors of libFuzzer and AFL++; -DTARGET=png chooses the parser and
 * -DREPAIR=png, where its format has checksums, what puts them right after a mutation. */
#include "../../base/parallel.h"
#include "fuzz.h"

#include <string.h>

#define JOIN(a, b)   a##b
#define NAMED(a, b)  JOIN(a, b)
#define ENTRY        NAMED(fuzz_, TARGET)
#define REPAIR_ENTRY NAMED(repair_, REPAIR)

// A library of its own that AFL++ loads, which shows these three and nothing else.
#ifdef AFL_MUTATOR

#pragma GCC visibility push(default)
void                  *afl_custom_init(void *afl, unsigned seed);
size_t afl_custom_post_process(void *self, uint8_t *data, size_t size, uint8_t **out);
void   afl_custom_deinit(void *self);
#pragma GCC visibility pop

static uint8_t copy[1 << 20];

void *afl_custom_init(void *afl, unsigned seed)
{
    (void)afl, (void)seed;
    return copy;
}

size_t afl_custom_post_process(void *self, uint8_t *data, size_t size, uint8_t **out)
{
    (void)self;
    *out = data;
    if (size > sizeof copy || size % 16 == 0) // some stay wrong: a refusal is a path as well
        return size;
    memcpy(copy, data, size);
    REPAIR_ENTRY(copy, size);
    *out = copy;
    return size;
}

void afl_custom_deinit(void *self)
{
    (void)self;
}

#else

int    LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parallel_set_threads(1); // the same path for the same bytes
    ENTRY(data, size);
    return 0;
}

#if defined REPAIR && !defined __AFL_COMPILER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, room);
    if (seed % 16 != 0) // some stay wrong: a refusal is a path as well
        REPAIR_ENTRY(data, size);
    return size;
}
#endif

#endif
