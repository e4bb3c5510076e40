/* tests/fuzz/file.c - see fuzz.h: a file that lives in memory, and the end of a run. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int  handle;
    static char path[32];
    if (!handle) {
        handle = memfd_create("fuzz", 0);
        if (handle < 0)
            abort();
        snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
    }
    if (pwrite(handle, data, size, 0) != (ssize_t)size || ftruncate(handle, (off_t)size) != 0)
        abort();
    return path;
}

void fuzz_failed(const char *claim, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, claim);
    abort();
}
