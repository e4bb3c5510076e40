/* base/cores.h - how many cores this process may use. */
#ifndef BASE_CORES_H
#define BASE_CORES_H

#include <stdbool.h>
#include <stdint.h>

/* At least 1: the cores of the process's affinity mask (taskset, a cpuset), and no more than the
 * quota of its control groups (version 2 or 1) gives time for, a part of a core counting as one. */
int64_t cores_available(void);

/* The quota of one group in cores, rounded up, from the text of its cpu.max ("150000 100000" is 2);
 * false where it has none ("max 100000") or the text is something else. */
bool quota_parse(const char *text, int64_t *cores);

#endif
