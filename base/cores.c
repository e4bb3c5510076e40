/* base/cores.c - see cores.h.
 *
 * A group lies below a mount point, and every group above it may have a quota of its own; the
 * smallest counts. Version 2 has "QUOTA PERIOD" in cpu.max, version 1 the two numbers in two files.
 * Where the files cannot be read there is no quota. */
#include "cores.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GROUP_PATH = 1024, FILE_TEXT = 8192 };

// The start of a file of the kernel, which has no size; not through the file seam, as it is none of
// the user's.
static bool kernel_text(const char *path, char text[FILE_TEXT])
{
    size_t size = 0;
    int    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    for (ssize_t count; size < FILE_TEXT - 1; size += (size_t)count) {
        count = read(file, text + size, FILE_TEXT - 1 - size);
        if (count <= 0)
            break;
    }
    close(file);
    text[size] = 0;
    return size > 0;
}

bool quota_parse(const char *text, int64_t *cores)
{
    char     *end;
    long long quota = strtoll(text, &end, 10), period;
    if (end == text || *end != ' ' || quota <= 0)
        return false;
    period = strtoll(end, NULL, 10);
    if (period <= 0 || quota > INT64_MAX - period)
        return false;
    *cores = (quota + period - 1) / period;
    return true;
}

// The quota of the group at `folder`; false where it has none.
static bool group_quota(const char *folder, bool version_1, int64_t *cores)
{
    char path[2 * GROUP_PATH], text[FILE_TEXT], period[FILE_TEXT], both[64];
    snprintf(path, sizeof path, "%s/%s", folder, version_1 ? "cpu.cfs_quota_us" : "cpu.max");
    if (!kernel_text(path, text))
        return false;
    if (!version_1)
        return quota_parse(text, cores);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!kernel_text(path, period))
        return false;
    snprintf(both, sizeof both, "%lld %lld", strtoll(text, NULL, 10), strtoll(period, NULL, 10));
    return quota_parse(both, cores);
}

// From the group itself up to its mount point.
static int64_t least_quota(const char *mount, const char *group, bool version_1, int64_t cores)
{
    char   folder[GROUP_PATH];
    size_t root  = strlen(mount);
    int    wrote = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (wrote < 0 || wrote >= (int)sizeof folder)
        return cores;
    for (;;) {
        int64_t quota;
        char   *slash = strrchr(folder + root, '/');
        if (group_quota(folder, version_1, &quota) && quota < cores)
            cores = quota;
        if (!slash)
            return cores;
        *slash = 0;
    }
}

/* Lines "ID:CONTROLLERS:PATH"; version 2 is "0::PATH". */
static int64_t within_quotas(int64_t cores)
{
    char text[FILE_TEXT], *rest = NULL;
    if (!kernel_text("/proc/self/cgroup", text))
        return cores;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':'), *path;
        if (!controllers || !(path = strchr(controllers + 1, ':')))
            continue;
        *path++ = 0;
        if (!controllers[1])
            cores = least_quota("/sys/fs/cgroup", path, false, cores);
        else if (strstr(controllers, "cpu") && !strstr(controllers, "cpuset"))
            cores = least_quota("/sys/fs/cgroup/cpu", path, true, cores);
    }
    return cores;
}

static int64_t affinity_cores(void)
{
    enum { MOST_CORES = 1 << 16 }; // the kernel refuses a mask shorter than its own
    unsigned long mask[MOST_CORES / (8 * sizeof(unsigned long))] = {0};
    int64_t       count                                          = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof mask, (cpu_set_t *)(void *)mask) == 0)
        count = CPU_COUNT_S(sizeof mask, (cpu_set_t *)(void *)mask);
    return count < 1 ? 1 : count;
}

int64_t cores_available(void)
{
    return within_quotas(affinity_cores());
}

/* ---- caches ---------------------------------------------------------------------------------- */

static CacheSizes     caches    = {1 << 20, 32 << 20};
static pthread_once_t is_looked = PTHREAD_ONCE_INIT;

static bool cache_text(int index, const char *what, char text[FILE_TEXT])
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, what);
    return kernel_text(path, text);
}

/* Not by sysconf, which tells the sum of all last caches of a package. */
static void look_at_caches(void)
{
    char    text[FILE_TEXT];
    int64_t last = 2;
    for (int index = 0; cache_text(index, "level", text); index++) {
        int64_t level = strtoll(text, NULL, 10);
        if (level < 2 || !cache_text(index, "type", text) ||
            strncmp(text, "Instruction", 11) == 0 || !cache_text(index, "size", text))
            continue;
        char   *unit  = text;
        int64_t bytes = strtoll(text, &unit, 10);
        if (bytes < 64 || bytes > 1 << 20 || *unit != 'K') // the kernel writes KiB
            continue;
        bytes <<= 10;
        if (level == 2)
            caches.own = bytes;
        if (level >= last) {
            caches.shared = bytes;
            last          = level;
        }
    }
}

CacheSizes cores_caches(void)
{
    pthread_once(&is_looked, look_at_caches);
    return caches;
}

void cores_set_caches(CacheSizes sizes)
{
    pthread_once(&is_looked, look_at_caches);
    caches = sizes;
}
