/* study/map_tables.c - measures.csv, smoothing.csv, steps.csv. */
#include "map_study.h"
#include "../format/csv.h"

static void number(Writer *writer, double value)
{
    writer_text(writer, ",%.9g", value);
}

static void alike(Writer *writer, Similarity similarity)
{
    number(writer, similarity.mse);
    number(writer, similarity.ssim);
    number(writer, similarity.pcc);
}

// "10:0.05", or nothing without SmoothGrad.
static void smooth(Writer *writer, int64_t copies, double level)
{
    if (copies)
        writer_text(writer, ",%lld:%.9g", (long long)copies, level);
    else
        writer_text(writer, ",");
}

// beta, or nothing for ReLU.
static void beta_of(Writer *writer, double beta)
{
    if (beta > 0)
        number(writer, beta);
    else
        writer_text(writer, ",");
}

static bool open_table(Writer **out, const char *folder, const char *name, const char *head,
                       Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, folder, name, error) || !writer_open(out, path, error))
        return false;
    writer_text(*out, "%s\n", head);
    return true;
}

/* ---- measures -------------------------------------------------------------------------------- */

static void write_measure(Writer *writer, const MapStudy *study, const MapMeasure *row)
{
    writer_text(writer, "%d,%s,%s", row->pair, study->methods[row->method]->name,
                row->is_softplus ? "softplus" : "relu");
    beta_of(writer, row->beta);
    smooth(writer, study->copies, study->level);
    writer_text(writer, ",%s", store_arm_name(row->store));
    alike(writer, row->target);
    alike(writer, row->original);
    alike(writer, row->image);
    number(writer, row->linf);
    writer_text(writer, ",%lld,%lld", (long long)row->class_before, (long long)row->class_after);
    number(writer, row->probability_before);
    number(writer, row->probability_after);
    number(writer, row->output_change);
    writer_text(writer, ",%d\n", row->is_control);
}

static bool write_measures(const MapStudy *study, const MapResults *results, const char *folder,
                           Error *error)
{
    Writer *writer = NULL;
    if (!open_table(
            &writer, folder, "measures.csv",
            "pair,method,network,beta,smooth,store,map_mse_target,map_ssim_target,map_pcc_target,"
            "map_mse_original,map_ssim_original,map_pcc_original,image_mse,image_ssim,image_pcc,"
            "linf,class_before,class_after,probability_before,probability_after,output_change,"
            "control",
            error))
        return false;
    for (int64_t i = 0; i < results->measure_count; i++)
        write_measure(writer, study, &results->measures[i]);
    return writer_publish(writer, error);
}

/* ---- explained again, and steps -------------------------------------------------------------- */

static bool write_smoothings(const MapStudy *study, const MapResults *results, const char *folder,
                             Error *error)
{
    Writer *writer = NULL;
    if (!open_table(&writer, folder, "smoothing.csv",
                    "pair,method,beta,smooth,map_pcc_target,map_pcc_original,map_ssim_target,"
                    "map_ssim_original",
                    error))
        return false;
    for (int64_t i = 0; i < results->smoothing_count; i++) {
        const MapSmoothing *row = &results->smoothings[i];
        writer_text(writer, "%d,%s", row->pair, study->methods[row->method]->name);
        beta_of(writer, row->beta);
        smooth(writer, row->copies, row->level);
        number(writer, row->target.pcc);
        number(writer, row->original.pcc);
        number(writer, row->target.ssim);
        number(writer, row->original.ssim);
        writer_text(writer, "\n");
    }
    return writer_publish(writer, error);
}

static bool write_steps(const MapStudy *study, const MapResults *results, const char *folder,
                        Error *error)
{
    Writer *writer = NULL;
    if (!open_table(&writer, folder, "steps.csv", "pair,method,step,loss,map_term,output_term,beta",
                    error))
        return false;
    for (int64_t i = 0; i < results->step_count; i++) {
        const MapStep *row = &results->steps[i];
        writer_text(writer, "%d,%s,%d", row->pair, study->methods[row->method]->name, row->step);
        number(writer, row->loss.loss);
        number(writer, row->loss.map_term);
        number(writer, row->loss.output_term);
        beta_of(writer, row->loss.beta);
        writer_text(writer, "\n");
    }
    return writer_publish(writer, error);
}

bool map_results_write(const MapStudy *study, const MapResults *results, const char *folder,
                       Error *error)
{
    return write_measures(study, results, folder, error) &&
           write_smoothings(study, results, folder, error) &&
           write_steps(study, results, folder, error);
}
