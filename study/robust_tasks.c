/* study/robust_tasks.c - what a study of robustness measures, one after another, and its rows. */
#include "../base/words.h"
#include "robust_parts.h"

#include <stdio.h>
#include <string.h>

typedef struct Listing {
    const RobustStudy *study;
    RobustTasks       *tasks;
    RobustRow         *rows; // NULL: counts alone
} Listing;

static void add_row(Listing *listing, const char *measure, const char *setting,
                    const char *similarity, bool is_share)
{
    RobustTask *task = &listing->tasks->task[listing->tasks->count - 1];
    if (listing->rows) {
        RobustRow *row = &listing->rows[listing->tasks->rows];
        *row =
            (RobustRow){.method   = task->method < 0 ? "none" : listing->study->names[task->method],
                        .is_share = is_share};
        snprintf(row->measure, sizeof row->measure, "%s", measure);
        snprintf(row->setting, sizeof row->setting, "%s", setting);
        snprintf(row->similarity, sizeof row->similarity, "%s", similarity);
    }
    task->row_count++;
    listing->tasks->rows++;
}

// A row for each similarity.
static void add_alike(Listing *listing, const char *measure, const char *setting)
{
    for (int s = 0; s < listing->study->alike_count; s++) {
        Alike alike = listing->study->alike[s];
        char  text[ROBUST_TEXT];
        if (alike.kind == ALIKE_TOP)
            snprintf(text, sizeof text, "topk:%lld", (long long)alike.top);
        else
            snprintf(text, sizeof text, "%s", word_text(ALIKE_NAMES, (int)alike.kind));
        add_row(listing, measure, setting, text, false);
    }
}

static void add_ratios(Listing *listing, const char *measure)
{
    for (int i = 0; i <= ROBUST_RATIOS; i++) {
        char text[ROBUST_TEXT] = "mean";
        if (i < ROBUST_RATIOS)
            snprintf(text, sizeof text, "%.9g", (double)i / ROBUST_RATIOS);
        add_row(listing, measure, text, "probability", false);
    }
}

static void add_gradients(Listing *listing, const char *setting)
{
    static const char *const names[] = {"squared-distance", "cosd",       "gradient-norm",
                                        "hessian-norm",     "ratio",      "limit",
                                        "correct",          "hessian-log"};
    for (int i = 0; i < 7 + listing->study->mode->logs_hessian; i++)
        add_row(listing, "bound", setting, names[i], i == 6 && listing->study->draws == 1);
}

static void add_rows(Listing *listing, const RobustTask *task)
{
    const RobustStudy *study = listing->study;
    char               eps[ROBUST_TEXT];
    snprintf(eps, sizeof eps, "%.9g", task->eps);
    switch (task->measure) {
    case ROBUST_RPS:
        add_alike(listing, "rps", eps);
        break;
    case ROBUST_AAM:
        if (study->measures[ROBUST_AAM]) {
            add_alike(listing, "aam", eps);
            if (study->aam_target == AAM_FRAME)
                add_alike(listing, "aam-target", eps);
            add_row(listing, "aam", eps, "output-distance", false);
            add_row(listing, "accuracy", "aam", "correct", true);
        }
        if (study->measures[ROBUST_ADV_INSERTION])
            add_ratios(listing, "adv-insertion");
        break;
    case ROBUST_BOUND:
        if (task->method < 0)
            add_gradients(listing, eps);
        else
            add_alike(listing, "bound", eps);
        break;
    case ROBUST_ACCURACY:
        add_row(listing, "accuracy", task->eps > 0 ? "pgd" : "clean", "correct", true);
        break;
    default:
        add_ratios(listing, word_text(ROBUST_MEASURE_NAMES, (int)task->measure));
        break;
    }
}

static void add_task(Listing *listing, RobustMeasure measure, int method, double eps,
                     int64_t passes)
{
    RobustTasks *tasks = listing->tasks;
    if (tasks->count == ROBUST_TASKS)
        return;
    tasks->task[tasks->count++] = (RobustTask){.measure   = measure,
                                               .method    = method,
                                               .eps       = eps,
                                               .first_row = tasks->rows,
                                               .passes    = passes};
    tasks->passes += passes;
    add_rows(listing, &tasks->task[tasks->count - 1]);
}

double robust_strength(const RobustStudy *study)
{
    double most = 0;
    for (int i = 0; i < study->eps_count; i++)
        most = study->eps[i] > most ? study->eps[i] : most;
    return most;
}

static void add_method(Listing *listing, int method)
{
    const RobustStudy *study = listing->study;
    const bool        *asked = study->measures;
    const MapMethod   *made  = study->methods[method];
    int64_t            two   = map_method_passes(made, &study->maps, 2),
            draws            = map_method_passes(made, &study->maps, study->draws + 1),
            steps            = map_method_step_passes(made, &study->maps, study->aam_steps);
    if (asked[ROBUST_RPS])
        add_task(listing, ROBUST_RPS, method, 0, two + 1); // the control: nothing moves
    for (int i = 0; i < study->eps_count && asked[ROBUST_RPS]; i++) {
        if (study->eps[i] <= 0)
            continue;
        add_task(listing, ROBUST_RPS, method, study->eps[i], draws + 1);
        if (listing->tasks->count)
            listing->tasks->task[listing->tasks->count - 1].is_strongest =
                study->eps[i] >= robust_strength(study);
    }
    if (asked[ROBUST_AAM] || asked[ROBUST_ADV_INSERTION])
        add_task(listing, ROBUST_AAM, method, study->aam_eps, steps + two);
    if (asked[ROBUST_INSERTION])
        add_task(listing, ROBUST_INSERTION, method, 0, two / 2 + ROBUST_RATIOS);
    if (asked[ROBUST_DELETION])
        add_task(listing, ROBUST_DELETION, method, 0, two / 2 + ROBUST_RATIOS);
    for (int i = 0; i < study->eps_count && asked[ROBUST_BOUND]; i++)
        if (study->eps[i] > 0)
            add_task(listing, ROBUST_BOUND, method, study->eps[i], draws + 1);
}

bool robust_tasks(const RobustStudy *study, RobustTasks *out, RobustRow *rows, Error *error)
{
    *out            = (RobustTasks){0};
    Listing listing = {study, out, rows};
    if (study->measures[ROBUST_ACCURACY]) {
        add_task(&listing, ROBUST_ACCURACY, -1, 0, 1);
        add_task(&listing, ROBUST_ACCURACY, -1, study->aam_eps, 2 * ROBUST_PGD_STEPS);
    }
    for (int i = 0; i < study->eps_count && study->measures[ROBUST_BOUND]; i++)
        if (study->eps[i] > 0)
            add_task(&listing, ROBUST_BOUND, -1, study->eps[i], 8 * study->draws);
    for (int m = 0; m < study->method_count; m++)
        add_method(&listing, m);
    if (study->measures[ROBUST_BOUND] && robust_strength(study) <= 0)
        return fail(error, ERROR_USAGE, "--measures bound needs an --eps above 0");
    return out->count < ROBUST_TASKS ||
           fail(error, ERROR_USAGE, "more than %d measures: methods times settings",
                ROBUST_TASKS - 1);
}
