/* image/limits.h - how much of one file is decoded; private to image/. */
#ifndef IMAGE_LIMITS_H
#define IMAGE_LIMITS_H

#include "image.h"

/* Fails with `code`, naming the limit, unless image_size_is_fine. */
bool image_size_check(const char *name, int64_t width, int64_t height, ErrorCode code,
                      Error *error);

/* The CPU time that is left for the packed data of one file. */
typedef struct DecodeClock {
    double  end;  // seconds of the thread's CPU clock
    int64_t work; // until the clock is looked at again
} DecodeClock;

DecodeClock decode_clock_start(void);

/* After `work` more units of at least some nanoseconds each: false when time is up. */
bool decode_clock_goes_on(DecodeClock *clock, int64_t work);

#endif
