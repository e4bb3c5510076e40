/* study/map_summary.c - summary.csv of a study of maps: quantiles over the pairs, and how sure the
 * median is (M10). */
#include "map_study.h"
#include "../format/csv.h"
#include "quantile.h"

enum { DRAWS = 2000 };

/* ---- how sure a median is -------------------------------------------------------------------- */

/* Medians of samples drawn with replacement; the interval is from their 2.5 to their 97.5 % point.
 * Source: Efron, "Bootstrap methods: another look at the jackknife", 1979. */
static bool bootstrap_median(const double *sorted, int64_t count, uint64_t seed, double *low,
                             double *high, Error *error)
{
    double *drawn   = memory_new((size_t)count, sizeof *drawn, error);
    double *medians = memory_new(DRAWS, sizeof *medians, error);
    Random  random  = random_stream(seed, "bootstrap");
    bool    ok      = drawn && medians;
    for (int i = 0; ok && i < DRAWS; i++) {
        for (int64_t k = 0; k < count; k++)
            drawn[k] = sorted[random_below(&random, (uint32_t)count)];
        sort_numbers(drawn, count);
        medians[i] = sorted_quantile(drawn, count, 0.5);
    }
    if (ok)
        middle_of(medians, DRAWS, low, high);
    memory_free(drawn);
    memory_free(medians);
    return ok;
}

/* ---- measures by number ---------------------------------------------------------------------- */

static const char *const names[] = {"map_mse_target",     "map_ssim_target",
                                    "map_pcc_target",     "map_mse_original",
                                    "map_ssim_original",  "map_pcc_original",
                                    "image_mse",          "image_ssim",
                                    "image_pcc",          "linf",
                                    "probability_before", "probability_after",
                                    "output_change",      "class_kept"};

const char *map_measure_name(int index)
{
    return index < (int)(sizeof names / sizeof *names) ? names[index] : NULL;
}

double map_measure_value(const MapMeasure *row, int index)
{
    const double values[] = {row->target.mse,         row->target.ssim,
                             row->target.pcc,         row->original.mse,
                             row->original.ssim,      row->original.pcc,
                             row->image.mse,          row->image.ssim,
                             row->image.pcc,          row->linf,
                             row->probability_before, row->probability_after,
                             row->output_change,      row->class_before == row->class_after};
    return values[index];
}

/* ---- the file -------------------------------------------------------------------------------- */

bool map_measures_are_alike(const MapMeasure *a, const MapMeasure *b)
{
    return a->method == b->method && a->is_softplus == b->is_softplus && a->store == b->store &&
           a->is_control == b->is_control;
}

int64_t map_results_sorted(const MapResults *results, const MapMeasure *like, int column,
                           double *values)
{
    int64_t count = 0;
    for (int64_t i = 0; i < results->measure_count; i++)
        if (map_measures_are_alike(&results->measures[i], like))
            values[count++] = map_measure_value(&results->measures[i], column);
    sort_numbers(values, count);
    return count;
}

double map_results_median(const MapResults *results, const MapMeasure *like, int column,
                          double *values)
{
    return sorted_quantile(values, map_results_sorted(results, like, column, values), 0.5);
}

static bool write_group(Writer *writer, const MapStudy *study, const MapResults *results,
                        const MapMeasure *group, int index, double *values, Error *error)
{
    static const double quantiles[] = {0.1, 0.25, 0.5, 0.75, 0.9};
    int64_t             count       = map_results_sorted(results, group, index, values);
    double              low, high;
    if (!bootstrap_median(values, count, study->seed, &low, &high, error))
        return false;
    writer_text(writer, "%s,%s,%s,%d,%s,%lld", study->methods[group->method]->name,
                group->is_softplus ? "softplus" : "relu", store_arm_name(group->store),
                group->is_control, map_measure_name(index), (long long)count);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        writer_text(writer, ",%.9g", sorted_quantile(values, count, quantiles[i]));
    writer_text(writer, ",%.9g,%.9g", low, high);
    double mean = 0;
    for (int64_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    writer_text(writer, ",%.9g\n", mean);
    return true;
}

bool map_summary_write(const MapStudy *study, const MapResults *results, const char *folder,
                       Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    double *values = memory_new((size_t)study->pairs, sizeof *values, error);
    bool    ok     = values && path_join(path, folder, "summary.csv", error) &&
              writer_open(&writer, path, error);
    if (ok)
        writer_text(writer, "method,network,store,control,measure,pairs,p10,q25,median,q75,p90,"
                            "median_low,median_high,mean\n");
    for (int64_t i = 0; ok && i < results->measure_count; i++) {
        bool is_first = true;
        for (int64_t k = 0; k < i && is_first; k++)
            is_first = !map_measures_are_alike(&results->measures[k], &results->measures[i]);
        for (int m = 0; ok && is_first && map_measure_name(m); m++)
            ok = write_group(writer, study, results, &results->measures[i], m, values, error);
    }
    memory_free(values);
    if (ok)
        return writer_publish(writer, error);
    writer_discard(writer);
    return false;
}
