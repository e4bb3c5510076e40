/* image/limits.c - see limits.h and image.h. */
#include "limits.h"

#include <time.h>

enum { WORK_BETWEEN_LOOKS = 1 << 12 }; // a look costs a fraction of a microsecond

static ImageLimits limits = {.pixels = LIMIT_IMAGE_PIXELS, .seconds = LIMIT_DECODE_SECONDS};

ImageLimits image_limits(void)
{
    return limits;
}

void image_limits_set(ImageLimits wanted)
{
    limits = wanted;
}

bool image_size_is_fine(int64_t width, int64_t height)
{
    return width >= 1 && height >= 1 && width <= LIMIT_IMAGE_SIDE && height <= LIMIT_IMAGE_SIDE &&
           (size_t)(width * height) <= limits.pixels;
}

bool image_size_check(const char *name, int64_t width, int64_t height, ErrorCode code, Error *error)
{
    return image_size_is_fine(width, height) ||
           fail(error, code, "%s: size %lldx%lld is empty or over the limit of %zu pixels", name,
                (long long)width, (long long)height, limits.pixels);
}

static double cpu_seconds(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

DecodeClock decode_clock_start(void)
{
    return (DecodeClock){.end = cpu_seconds() + limits.seconds, .work = WORK_BETWEEN_LOOKS};
}

bool decode_clock_goes_on(DecodeClock *clock, int64_t work)
{
    clock->work -= work;
    if (clock->work > 0)
        return true;
    clock->work = WORK_BETWEEN_LOOKS;
    return cpu_seconds() < clock->end;
}
