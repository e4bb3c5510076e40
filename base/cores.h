/* base/cores.h - how many cores this process may use, and what they have of caches. */
#ifndef BASE_CORES_H
#define BASE_CORES_H

#include <stdbool.h>
#include <stdint.h>

/* The number of threads that are worth starting, at least 1: the cores that the process may run on
 * (taskset, a cpuset), but no more than its control groups (version 2 or 1) give time for. A quota
 * of two and a half cores counts as three. */
int64_t cores_available(void);

/* Reads the quota of one control group from the text of its cpu.max, in cores, rounded up ("150000
 * 100000" is 2). False where it has none ("max 100000") or the text is something else. */
bool quota_parse(const char *text, int64_t *cores);

/* Bytes of the second cache of a core, and of the last one that cores share. */
typedef struct CacheSizes {
    int64_t own, shared;
} CacheSizes;

/* As the kernel says, read once; 1 MiB and 32 MiB where it does not. They decide in which order
 * work is done, never a result. */
CacheSizes cores_caches(void);
void       cores_set_caches(CacheSizes sizes); // tests: of another machine; none must be running

#endif
