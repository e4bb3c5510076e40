/* bench/timing.c - how long something takes, and what the machine could have done meanwhile. */
#include "bench.h"

#include "peak.h"

#include "../engine/kernels.h"
#include "../base/parallel.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- time ------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double clock_cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

Timing timing_of(double *ms, double *cpu, int count)
{
    qsort(ms, (size_t)count, sizeof *ms, by_size);
    qsort(cpu, (size_t)count, sizeof *cpu, by_size);
    double middle = count % 2 ? ms[count / 2] : (ms[count / 2 - 1] + ms[count / 2]) / 2;
    return (Timing){
        .best = ms[0], .median = middle, .p90 = ms[(count * 9 + 9) / 10 - 1], .cpu = cpu[0]};
}

Timing timing_scaled(Timing timing, double factor)
{
    timing.best *= factor;
    timing.median *= factor;
    timing.p90 *= factor;
    timing.cpu *= factor;
    return timing;
}

bool row_time(Row *row, int runs, Work *work, void *data, Error *error)
{
    const double shortest = 2e-3; // seconds of a sample
    double      *ms       = memory_new(2 * (size_t)runs, sizeof *ms, error);
    if (!ms)
        return false;
    double start = clock_seconds();
    work(data);
    double   once    = clock_seconds() - start;
    int      repeats = once < shortest ? (int)(shortest / (once + 1e-7)) + 1 : 1;
    CoreTime before  = core_time(0);
    for (int run = 0; run < runs; run++) {
        double cpu = clock_cpu_seconds();
        start      = clock_seconds();
        for (int i = 0; i < repeats; i++)
            work(data);
        ms[run]        = (clock_seconds() - start) * 1e3 / repeats;
        ms[runs + run] = (clock_cpu_seconds() - cpu) * 1e3 / repeats;
    }
    row->shared       = core_time_shared(before, core_time(0));
    row->knows_shared = row->shared >= 0;
    row->ms           = timing_of(ms, ms + runs, runs);
    memory_free(ms);
    return true;
}

/* ---- cores ----------------------------------------------------------------------------------- */

// Adds the two times of one thread; false if there is no such file.
static bool add_thread(const char *path, CoreTime *time)
{
    char  text[128], *rest = text;
    FILE *file = fopen(path, "r");
    bool  ok   = file && fgets(text, sizeof text, file);
    if (file)
        fclose(file);
    if (!ok)
        return false;
    time->had += (double)strtoull(rest, &rest, 10) * 1e-9;
    time->waited += (double)strtoull(rest, &rest, 10) * 1e-9;
    return true;
}

CoreTime core_time(int64_t process)
{
    CoreTime       time = {0};
    char           path[64], thread[384];
    struct dirent *entry;
    if (process)
        snprintf(path, sizeof path, "/proc/%lld/task", (long long)process);
    else
        snprintf(path, sizeof path, "/proc/self/task");
    DIR *folder  = opendir(path);
    bool is_told = false;
    while (folder && (entry = readdir(folder))) {
        snprintf(thread, sizeof thread, "%s/%s/schedstat", path, entry->d_name);
        if (entry->d_name[0] != '.' && add_thread(thread, &time))
            is_told = true;
    }
    if (folder)
        closedir(folder);
    return is_told ? time : (CoreTime){0, -1};
}

double core_time_shared(CoreTime before, CoreTime after)
{
    double had = after.had - before.had, waited = after.waited - before.waited;
    if (before.waited < 0 || after.waited < 0 || had + waited <= 0)
        return -1;
    return waited > 0 ? waited / (had + waited) : 0;
}

/* ---- peak ------------------------------------------------------------------------------------ */

enum { PEAK_ROUNDS = 1000000, PEAK_SAMPLES = 12 }; // a few milliseconds each

typedef struct PeakRun {
    PeakLoop *loop;
    double    seconds[LIMIT_THREADS]; // of each thread, on its core
} PeakRun;

static double thread_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void peak_thread(void *data, int64_t chunk, int thread)
{
    PeakRun *run = data;
    real     out[TILE_MOST_COLS];
    double   start = thread_seconds();
    (void)thread;
    run->loop(PEAK_ROUNDS, out);
    run->seconds[chunk] = thread_seconds() - start;
}

static PeakLoop *peak_loop(void)
{
#if defined __x86_64__
    if (strcmp(kernels()->isa, "avx512") == 0)
        return peak_avx512;
    if (strcmp(kernels()->isa, "avx2") == 0)
        return peak_avx2;
#elif defined __aarch64__
    if (strcmp(kernels()->isa, "neon") == 0)
        return peak_neon;
#endif
    return peak_portable;
}

static double best_gflops;

void peak_measure(void)
{
    static PeakRun run;
    int            count = parallel_threads();
    double         flops = 2.0 * PEAK_CHAINS * kernels()->lanes * PEAK_ROUNDS;
    run.loop             = peak_loop();
    for (int sample = 0; sample < PEAK_SAMPLES; sample++) {
        double gflops = 0;
        parallel_for(count, peak_thread, &run);
        for (int chunk = 0; chunk < count; chunk++)
            gflops += flops / run.seconds[chunk] / 1e9;
        best_gflops = gflops > best_gflops ? gflops : best_gflops;
    }
}

double peak_gflops(void)
{
    return best_gflops;
}
