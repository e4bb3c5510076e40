/* tests/check_guarded.h - buffers between pages nobody may touch, for kernels of all kinds. */
#ifndef TESTS_CHECK_GUARDED_H
#define TESTS_CHECK_GUARDED_H

#include "test.h"
#include "../engine/kernels.h"

enum { ISA_COUNT = 4, GUARDED_REALS = 8192 };
extern const char *const isas[ISA_COUNT]; // "portable" first

typedef struct Guarded {
    char  *base;
    size_t page, bytes;
} Guarded;

bool guarded_open(Guarded *g);
void guarded_close(Guarded *g);

/* `count` elements touching the upper guard page, or starting at the lower one. */
real *at_end(const Guarded *g, int64_t count);
real *at_start(const Guarded *g);

void   fill(real *to, int64_t count, uint64_t stream); // random numbers in -4..4
double epsilon(void);                                  // of `real`

#endif
