/* bench/rows.c - one row, as text that lines up or as JSON. */
#include "bench.h"

#include <stdio.h>

void row_header(const Options *options, const char *title)
{
    peak_measure();
    if (options->json)
        return;
    printf("\n%s, isa %s, FMA peak %.0f GFLOP/s\n", title, engine_isa(), peak_gflops());
    printf("%-44s %3s %10s %10s %10s %10s %9s %8s %7s\n", "name", "thr", "best ms", "median ms",
           "p90 ms", "cpu ms", "images/s", "GFLOP/s", "of peak");
}

static void print_json(const Row *row, double gflops, double peak)
{
    printf("{\"verb\":\"%s\",\"name\":\"%s\",\"ms_per_image\":%.6g,\"images_per_second\":%.6g,"
           "\"gflops\":%.6g,\"peak_gflops\":%.6g,\"threads\":%d,\"isa\":\"%s\",\"best_ms\":%.6g,"
           "\"p90_ms\":%.6g,\"cpu_ms\":%.6g",
           row->verb, row->name, row->ms.median, 1e3 / row->ms.median, gflops, peak, row->threads,
           engine_isa(), row->ms.best, row->ms.p90, row->ms.cpu);
    for (int i = 0; i < ROW_FIGURES && row->figures[i].name; i++)
        printf(",\"%s\":%.6g", row->figures[i].name, row->figures[i].value);
    printf("}\n");
}

static void print_text(const Row *row, double gflops, double peak)
{
    printf("%-44s %3d %10.4g %10.4g %10.4g %10.4g %9.4g", row->name, row->threads, row->ms.best,
           row->ms.median, row->ms.p90, row->ms.cpu, 1e3 / row->ms.median);
    if (gflops > 0)
        printf(" %8.1f %6.1f%%", gflops, 100 * gflops / peak);
    else
        printf(" %8s %7s", "", "");
    for (int i = 0; i < ROW_FIGURES && row->figures[i].name; i++)
        printf("  %s %.3g", row->figures[i].name, row->figures[i].value);
    printf("\n");
}

void row_print(const Options *options, const Row *row)
{
    double gflops = row->flops / row->ms.median / 1e6, peak = peak_gflops();
    if (options->json)
        print_json(row, gflops, peak);
    else
        print_text(row, gflops, peak);
    fflush(stdout);
}
