/* study/similarity.c - how alike descriptions stayed: similarity.csv, and its intervals (B12, B16).
 */
#include "../format/csv.h"
#include "changes.h"
#include "quantile.h"

bool similarity_counts(const Explainer *explainer)
{
    return explainer->likeness || explainer->method->compare;
}

const double similarity_cuts[SIMILARITY_CUTS] = {0.3, 0.4, 0.5, 0.6, 0.7};

bool changes_similarity(const Changes *changes, const ChangeRow *setting, ChangeGroup group,
                        SimilarityShare *out, Error *error)
{
    double         *values = memory_new((size_t)changes->count, sizeof *values, error);
    SimilarityShare share  = {0};
    if (!values)
        return false;
    for (int64_t i = 0; i < changes->count; i++) {
        const ChangeRow *row = &changes->rows[i];
        if (!setting_equal(row, setting) || !group_holds(group, &row->clean))
            continue;
        values[share.units++] = row->similarity;
        share.mean += row->similarity;
        for (int cut = 0; cut < SIMILARITY_CUTS; cut++)
            share.below[cut] += row->similarity < similarity_cuts[cut];
    }
    if (share.units) {
        share.mean /= (double)share.units;
        bootstrap_mean(values, share.units, 0, &share.low, &share.high);
    }
    memory_free(values);
    *out = share;
    return true;
}

static bool write_group(Writer *writer, const Changes *changes, const ChangeRow *setting,
                        const char *name, ChangeGroup group, Error *error)
{
    SimilarityShare share;
    if (!changes_similarity(changes, setting, group, &share, error))
        return false;
    if (share.units == 0)
        return true;
    writer_text(writer, "%s,%.9g,%s,%s,%lld,%.9g,%.9g,%.9g", setting->perturbation,
                setting->strength, store_arm_name(setting->store), name, (long long)share.units,
                share.mean, share.low, share.high);
    for (int cut = 0; cut < SIMILARITY_CUTS; cut++) {
        double low, high;
        wilson_interval(share.below[cut], share.units, &low, &high);
        writer_text(writer, ",%.9g,%.9g,%.9g", (double)share.below[cut] / (double)share.units, low,
                    high);
    }
    writer_text(writer, "\n");
    return true;
}

static bool write_rows(Writer *writer, const Changes *changes, const Explainer *explainer,
                       Error *error)
{
    writer_text(writer, "method,strength,store,group,units,mean,low,high");
    for (int cut = 0; cut < SIMILARITY_CUTS; cut++)
        writer_text(writer, ",below_%g,low_%g,high_%g", similarity_cuts[cut], similarity_cuts[cut],
                    similarity_cuts[cut]);
    writer_text(writer, "\n");
    for (int64_t i = 0; i < changes->count; i++)
        if (is_first_of_setting(changes, i) &&
            (!write_group(writer, changes, &changes->rows[i], "all", group_all(), error) ||
             !write_group(writer, changes, &changes->rows[i], "detectors",
                          group_detectors(explainer->method), error)))
            return false;
    return true;
}

bool similarity_write(const Changes *changes, const Explainer *explainer, const char *folder,
                      Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    if (!path_join(path, folder, "similarity.csv", error) || !writer_open(&writer, path, error))
        return false;
    if (!write_rows(writer, changes, explainer, error)) {
        writer_discard(writer);
        return false;
    }
    return writer_publish(writer, error);
}
