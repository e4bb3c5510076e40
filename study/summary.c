/* study/summary.c - summary.csv: how many units changed under each setting, and how sure that is
 * (C23).
 *
 * The interval is Wilson's score interval (C24):
 *     (p + z^2 / 2n  -+  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n),   p = hits / n.
 * Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
 * J. American Statistical Association 22 (1927), 209-212. */
#include "changes.h"
#include "../format/csv.h"

#include <math.h>
#include <stdlib.h>

void wilson_interval(int64_t hits, int64_t count, double *low, double *high)
{
    if (count == 0) {
        *low  = 0;
        *high = 1;
        return;
    }
    double n      = (double)count;
    double p      = (double)hits / n;
    double z2     = Z_95 * Z_95;
    double centre = p + z2 / (2 * n);
    double spread = Z_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    double scale  = 1 + z2 / n;
    // The ends are exact where all or none were hit; rounding must not move them.
    *low  = hits == 0 ? 0 : (centre - spread) / scale;
    *high = hits == count ? 1 : (centre + spread) / scale;
}

/* ---- groups ---------------------------------------------------------------------------------- */

ChangeGroup group_all(void)
{
    return (ChangeGroup){.category = -1};
}

ChangeGroup group_detectors(const Method *method)
{
    return (ChangeGroup){
        .only_detectors = true, .detector_score = method->detector_score, .category = -1};
}

ChangeGroup group_category(int category)
{
    return (ChangeGroup){.category = category};
}

bool group_holds(ChangeGroup group, const Concept *clean)
{
    return (!group.only_detectors || (clean->label && clean->score >= group.detector_score)) &&
           (group.category < 0 || (clean->label && clean->category == group.category));
}

ChangeShare changes_share(const Changes *changes, const ChangeRow *setting, ChangeGroup group)
{
    ChangeShare share    = {0};
    double      fraction = 0;
    for (int64_t i = 0; i < changes->count; i++) {
        const ChangeRow *row = &changes->rows[i];
        if (!setting_equal(row, setting) || !group_holds(group, &row->clean))
            continue;
        share.units++;
        share.changed += row->changed;
        share.untouched += row->poisoned == 0;
        share.hits += row->hit;
        share.targeted += row->target != 0;
        fraction += row->fraction;
    }
    if (share.units) {
        share.share    = (double)share.changed / (double)share.units;
        share.fraction = fraction / (double)share.units;
    }
    if (share.targeted)
        share.hit_share = (double)share.hits / (double)share.targeted;
    wilson_interval(share.changed, share.units, &share.low, &share.high);
    wilson_interval(share.hits, share.targeted, &share.hit_low, &share.hit_high);
    return share;
}

static int by_setting(const void *a, const void *b)
{
    const ChangeRow *first = *(const ChangeRow *const *)a, *second = *(const ChangeRow *const *)b;
    if (first->store != second->store)
        return first->store < second->store ? -1 : 1; // the lossiest first
    return first->strength < second->strength ? -1 : first->strength > second->strength;
}

bool setting_list_open(SettingList *out, const Changes *changes, Error *error)
{
    SettingList list = {0};
    list.rows        = memory_new((size_t)changes->count, sizeof *list.rows, error);
    if (!list.rows)
        return false;
    for (int64_t i = 0; i < changes->count; i++) {
        const ChangeRow *row   = &changes->rows[i];
        bool             known = false;
        for (int k = 0; k < list.count && !known; k++)
            known = setting_equal(list.rows[k], row);
        if (!known)
            list.rows[list.count++] = row;
    }
    qsort(list.rows, (size_t)list.count, sizeof *list.rows, by_setting);
    *out = list;
    return true;
}

void setting_list_close(SettingList *list)
{
    memory_free(list->rows);
    *list = (SettingList){0};
}

bool is_first_of_setting(const Changes *changes, int64_t index)
{
    const ChangeRow *rows = changes->rows;
    if (index > 0 && setting_equal(&rows[index - 1], &rows[index]))
        return false;
    for (int64_t i = 0; i < index; i++) {
        if (setting_equal(&rows[i], &rows[index]))
            return false;
    }
    return true;
}

// What became of the group's detectors (C26); their part of the clean score is nothing without any.
static void write_outcomes(Writer *writer, const OutcomeCount *count)
{
    for (int i = 0; i < OUTCOMES; i++)
        writer_text(writer, ",%lld", (long long)count->of[i]);
    if (count->detectors && !isnan(count->kept))
        writer_text(writer, ",%.9g", count->kept);
    else
        writer_text(writer, ",");
}

static void write_share(Writer *writer, const Changes *changes, const ChangeRow *setting,
                        const Explainer *explainer, const char *name, ChangeGroup group)
{
    const Method *method   = explainer->method;
    ChangeShare   share    = changes_share(changes, setting, group);
    OutcomeCount  outcomes = outcomes_count(changes, setting, method, group.category);
    if (group.category >= 0 && !share.units)
        return;
    writer_text(writer, "%s,%.9g,%s,", setting->perturbation, setting->strength,
                store_arm_name(setting->store));
    csv_write_text(writer, name);
    writer_text(writer, ",%lld,%lld,%.9g,%.9g,%.9g,%.9g,", (long long)share.units,
                (long long)share.changed, share.share, share.low, share.high, share.fraction);
    if (share.targeted)
        writer_text(writer, "%lld,%lld,%.9g,%.9g,%.9g", (long long)share.targeted,
                    (long long)share.hits, share.hit_share, share.hit_low, share.hit_high);
    else
        writer_text(writer, ",,,,");
    write_outcomes(writer, &outcomes);
    writer_text(writer, "\n");
}

bool summary_write(const Changes *changes, const Explainer *explainer, const char *folder,
                   Error *error)
{
    const Labels *labels = explainer->labels;
    const Method *method = explainer->method;
    char          path[LIMIT_PATH];
    Writer       *writer = NULL;
    if (!path_join(path, folder, "summary.csv", error) || !writer_open(&writer, path, error))
        return false;
    writer_text(writer, "method,strength,store,group,units,changed,share,low,high,mean_fraction,"
                        "targeted,hits,hit_share,hit_low,hit_high,other,none,tie,same,kept_iou\n");
    for (int64_t i = 0; i < changes->count; i++) {
        const ChangeRow *setting = &changes->rows[i];
        if (!is_first_of_setting(changes, i))
            continue;
        write_share(writer, changes, setting, explainer, "all", group_all());
        write_share(writer, changes, setting, explainer, "detectors", group_detectors(method));
        for (int category = 0; category < labels->category_count; category++)
            write_share(writer, changes, setting, explainer, labels->category[category],
                        group_category(category));
    }
    return writer_publish(writer, error);
}
