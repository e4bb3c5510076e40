/* bench/peers/openblas_peer.c - OpenBLAS in turns with the bench (see start.sh): openblas_peer
 * FOLDER M N K computes the product of FOLDER/a.f32 and FOLDER/b.f32. */
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

static FILE *file_of(const char *folder, const char *name, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, mode);
}

static float *read_reals(const char *folder, const char *name, size_t count)
{
    FILE  *file   = file_of(folder, name, "rb");
    float *values = malloc(count * sizeof *values);
    if (!file || !values || fread(values, sizeof *values, count, file) != count)
        exit(1);
    fclose(file);
    return values;
}

int main(int count, char **arguments)
{
    if (count != 5)
        return 2;
    const char *folder = arguments[1];
    int         m = atoi(arguments[2]), n = atoi(arguments[3]), k = atoi(arguments[4]);
    float      *a = read_reals(folder, "a.f32", (size_t)m * (size_t)k);
    float      *b = read_reals(folder, "b.f32", (size_t)k * (size_t)n);
    float      *c = calloc((size_t)m * (size_t)n, sizeof *c);
    char        line[64];
    int         is_first = 1;
    printf("ready %s\n", openblas_get_config());
    fflush(stdout);
    while (c && fgets(line, sizeof line, stdin)) {
        int    repeats = atoi(line);
        double start   = now();
        for (int i = 0; i < repeats; i++)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
        double ms  = (now() - start) * 1e3 / repeats;
        FILE  *out = is_first ? file_of(folder, "output.f32", "wb") : NULL;
        if (out) {
            fwrite(c, sizeof *c, (size_t)m * (size_t)n, out);
            fclose(out);
        }
        is_first = 0;
        printf("%.6f\n", ms);
        fflush(stdout);
    }
    free(a);
    free(b);
    free(c);
    return 0;
}
