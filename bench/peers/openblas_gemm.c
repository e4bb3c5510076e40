/* bench/peers/openblas_gemm.c - OPENBLAS_GEMM M N K: best ms of a single-precision product. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(int count, char **arguments)
{
    enum { RUNS = 15 };
    if (count != 4)
        return 2;
    int m = (int)strtol(arguments[1], NULL, 10), n = (int)strtol(arguments[2], NULL, 10);
    int k = (int)strtol(arguments[3], NULL, 10);
    float *a = malloc((size_t)m * (size_t)k * sizeof *a);
    float *b = malloc((size_t)k * (size_t)n * sizeof *b);
    float *c = malloc((size_t)m * (size_t)n * sizeof *c);
    if (!a || !b || !c) {
        free(a);
        free(b);
        free(c);
        return 1;
    }
    for (int i = 0; i < m * k; i++)
        a[i] = (float)(i % 17) / 17;
    for (int i = 0; i < k * n; i++)
        b[i] = (float)(i % 13) / 13;
    double best = 1e9;
    for (int run = 0; run <= RUNS; run++) {
        double start = now();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
        double seconds = now() - start;
        if (run > 0 && seconds < best)
            best = seconds;
    }
    printf("%.6f\n", best * 1e3);
    free(a);
    free(b);
    free(c);
    return 0;
}
