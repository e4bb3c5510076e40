/* bench/timing.c - how long something takes, and what the machine could have done meanwhile. */
#include "bench.h"

#include "peak.h"

#include "../engine/kernels.h"
#include "../base/parallel.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- time --------------------------------------------------------------------------------------- */

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
    return (Timing){ms[0], middle, ms[(count - 1) * 9 / 10], cpu[0]};
}

Timing timing_scaled(Timing timing, double factor)
{
    return (Timing){timing.best * factor, timing.median * factor, timing.p90 * factor,
                    timing.cpu * factor};
}

bool timing_measure(Timing *out, int runs, Work *work, void *data, Error *error)
{
    const double shortest = 2e-3; // seconds of a sample
    double      *ms       = memory_new(2 * (size_t)runs, sizeof *ms, error);
    if (!ms)
        return false;
    double start = clock_seconds();
    work(data);
    double once    = clock_seconds() - start;
    int    repeats = once < shortest ? (int)(shortest / (once + 1e-7)) + 1 : 1;
    for (int run = 0; run < runs; run++) {
        double cpu = clock_cpu_seconds();
        start      = clock_seconds();
        for (int i = 0; i < repeats; i++)
            work(data);
        ms[run]        = (clock_seconds() - start) * 1e3 / repeats;
        ms[runs + run] = (clock_cpu_seconds() - cpu) * 1e3 / repeats;
    }
    *out = timing_of(ms, ms + runs, runs);
    memory_free(ms);
    return true;
}

/* ---- peak --------------------------------------------------------------------------------------- */

enum { PEAK_ROUNDS = 1000000, PEAK_SAMPLES = 12 }; // a few milliseconds each

static void peak_thread(void *data, int64_t chunk, int thread)
{
    real out[TILE_MOST_COLS];
    (void)chunk;
    (void)thread;
    (*(PeakLoop **)data)(PEAK_ROUNDS, out);
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
    PeakLoop     *loop  = peak_loop();
    int           count = parallel_threads();
    double        flops = 2.0 * PEAK_CHAINS * kernels()->lanes * PEAK_ROUNDS * count;
    for (int sample = 0; sample < PEAK_SAMPLES; sample++) {
        double start = clock_seconds();
        parallel_for(count, peak_thread, &loop);
        double gflops = flops / (clock_seconds() - start) / 1e9;
        best_gflops   = gflops > best_gflops ? gflops : best_gflops;
    }
}

double peak_gflops(void)
{
    return best_gflops;
}
