/* bench/rows.c - one row, as text that lines up or as JSON; what is being measured, meanwhile. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- progress -------------------------------------------------------------------------------- */

static char doing[96];

static void show(const char *text)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s", text);
}

void progress(const char *text)
{
    snprintf(doing, sizeof doing, "%s", text ? text : "");
    show(doing);
}

/* ---- headers --------------------------------------------------------------------------------- */

static CoreTime at_header; // for rows that did not look themselves

void row_header(const Options *options, const char *title)
{
    peak_measure();
    if (!options->title)
        progress(title);
    at_header = core_time(0);
    if (options->json || options->title)
        return;
    show("");
    printf("\n%s, isa %s, FMA peak %.0f GFLOP/s\n", title, engine_isa(), peak_gflops());
    printf("%-44s %3s %10s %10s %10s %10s %9s %8s %7s\n", "name", "thr", "best ms", "median ms",
           "p90 ms", "cpu ms", "images/s", "GFLOP/s", "of peak");
    fflush(stdout);
    show(doing);
}

void table_header(const Options *options)
{
    peak_measure();
    if (options->json)
        return;
    printf(
        "isa %s, FMA peak %.0f GFLOP/s; medians, an image (a product where that is what is done)\n",
        engine_isa(), peak_gflops());
    printf("%-46s %3s %9s %9s %8s %8s\n", "", "thr", "ms", "images/s", "GFLOP/s", "of peak");
    fflush(stdout);
}

void table_footer(const Options *options)
{
    if (!options->json)
        printf("GFLOP/s count the multiplications of the direct method, so Winograd's convolutions "
               "may "
               "pass 100 %% of peak.\n");
}

bool row_wanted(const Options *options, const char *name)
{
    return !options->row || strcmp(options->row, name) == 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* What others had of the cores. Where the system does not tell: what is missing of the processor
 * time. */
static double shared_of(const Row *row)
{
    double shared  = row->knows_shared ? row->shared : core_time_shared(at_header, core_time(0));
    double missing = 1 - row->ms.cpu / (row->ms.median * row->threads);
    return shared >= 0 ? shared : missing > 0 ? missing : 0;
}

static void print_json(const Options *options, const Row *row, double gflops, double peak)
{
    printf("{\"verb\":\"%s\",\"name\":\"%s\",", row->verb, row->name);
    if (options->title)
        printf("\"title\":\"%s\",", options->title);
    printf("\"ms_per_image\":%.6g,\"images_per_second\":%.6g,\"gflops\":%.6g,\"peak_gflops\":%.6g,"
           "\"share_of_peak\":%.4g,\"threads\":%d,\"isa\":\"%s\",\"best_ms\":%.6g,\"p90_ms\":%.6g,"
           "\"cpu_ms\":%.6g,\"cores_shared\":%.3g",
           row->ms.median, 1e3 / row->ms.median, gflops, peak, gflops / peak, row->threads,
           engine_isa(), row->ms.best, row->ms.p90, row->ms.cpu, shared_of(row));
    for (int i = 0; i < ROW_FIGURES && row->figures[i].name; i++)
        printf(",\"%s\":%.6g", row->figures[i].name, row->figures[i].value);
    printf("}\n");
}

static void print_rate(double gflops, double peak, int width)
{
    if (gflops > 0)
        printf(" %8.1f %*.1f%%", gflops, width, 100 * gflops / peak);
    else
        printf(" %8s %*s ", "", width, "");
}

static void print_text(const Options *options, const Row *row, double gflops, double peak)
{
    double shared = shared_of(row);
    if (options->title) {
        printf("%-46s %3d %9.4g %9.4g", options->title, row->threads, row->ms.median,
               1e3 / row->ms.median);
        print_rate(gflops, peak, 7);
    } else {
        printf("%-44s %3d %10.4g %10.4g %10.4g %10.4g %9.4g", row->name, row->threads, row->ms.best,
               row->ms.median, row->ms.p90, row->ms.cpu, 1e3 / row->ms.median);
        print_rate(gflops, peak, 6);
        for (int i = 0; i < ROW_FIGURES && row->figures[i].name; i++)
            printf("  %s %.3g", row->figures[i].name, row->figures[i].value);
    }
    if (shared >= SHARED_LEAST)
        printf("  cores were shared: %.0f %% of the time", 100 * shared);
    if (shared >= SHARED_LEAST && gflops > 0) // of the time that was ours
        printf(" (of peak by processor time: %.0f %%)",
               100 * gflops / peak * row->ms.median * row->threads / row->ms.cpu);
    printf("\n");
}

void row_print(const Options *options, const Row *row)
{
    double flops  = row->flops > 0 ? row->flops : options->flops;
    double gflops = flops / row->ms.median / 1e6, peak = peak_gflops();
    show("");
    if (options->json)
        print_json(options, row, gflops, peak);
    else
        print_text(options, row, gflops, peak);
    fflush(stdout);
    show(doing);
}
