/* bench/profile.c - which kinds of steps a plan spends its time in. */
#include "bench.h"

#include "../engine/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_KINDS = 48, KIND = 32 };

/* All steps of the plan of one kind, in one run. */
typedef struct Kind {
    char   name[KIND];
    int    steps;
    double seconds, cpu, flops;
} Kind;

static Kind *kind_of(Kind *kinds, int *count, const char *text)
{
    char name[KIND];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, " "), text);
    for (int i = 0; i < *count; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    Kind *kind = &kinds[*count < MOST_KINDS - 1 ? (*count)++ : MOST_KINDS - 1];
    memcpy(kind->name, name, sizeof name);
    return kind;
}

static int most_first(const void *a, const void *b)
{
    double x = ((const Kind *)a)->cpu, y = ((const Kind *)b)->cpu;
    return (x < y) - (x > y);
}

/* By processor time, which a busy machine distorts less; rates are of a thread. Sorts. */
static void print_kinds(Kind *kinds, int count, int runs)
{
    double total = 0;
    qsort(kinds, (size_t)count, sizeof *kinds, most_first);
    for (int i = 0; i < count; i++)
        total += kinds[i].cpu;
    printf("  %-26s %6s %10s %10s %7s %18s\n", "steps of the plan by kind", "steps", "ms", "cpu ms",
           "of cpu", "GFLOP/s a thread");
    for (int i = 0; i < count; i++) {
        const Kind *kind = &kinds[i];
        printf("  %-26s %6d %10.2f %10.2f %6.1f%%", kind->name, kind->steps,
               kind->seconds * 1e3 / runs, kind->cpu * 1e3 / runs, 100 * kind->cpu / total);
        if (kind->flops > 0)
            printf(" %18.1f", kind->flops / kind->cpu / 1e9);
        printf("\n");
    }
}

void profile_plan(const Plan *plan, int runs)
{
    Kind kinds[MOST_KINDS] = {0};
    int  count             = 0;
    for (int run = 0; run < runs; run++)
        for (int32_t step = 0; step < plan_step_count(plan); step++) {
            StepReport report = plan_step_report(plan, step);
            double     cpu = clock_cpu_seconds(), start = clock_seconds();
            plan_run_step(plan, step);
            double seconds = clock_seconds() - start;
            Kind  *kind    = kind_of(kinds, &count, report.text);
            kind->steps += run == 0;
            kind->seconds += seconds;
            kind->cpu += clock_cpu_seconds() - cpu;
            kind->flops += report.flops;
        }
    print_kinds(kinds, count, runs);
}
