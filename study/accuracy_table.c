/* study/accuracy_table.c - shares of right and of unchanged answers, and their file. */
#include "../format/csv.h"
#include "accuracy.h"
#include "study.h"

#include <math.h>

static void share(int64_t hits, int64_t count, double *value, double *low, double *high)
{
    *value = count ? (double)hits / (double)count : (double)NAN;
    wilson_interval(hits, count, low, high);
}

AccuracyCount accuracy_count(const AccuracyStudy *study, int32_t *const *answers, int setting,
                             int32_t class)
{
    const AccuracySetting *images = &study->settings[setting];
    AccuracyCount          out = {.accuracy = (double)NAN, .low = (double)NAN, .high = (double)NAN};
    for (int64_t i = 0; i < images->count; i++) {
        int64_t image = images->images ? images->images[i] : i;
        if (class >= 0 && study->labels[image] != class)
            continue;
        out.count++;
        out.correct += study->labels && answers[setting][i] == study->labels[image];
        out.unchanged += answers[setting][i] == answers[0][image];
    }
    if (study->labels)
        share(out.correct, out.count, &out.accuracy, &out.low, &out.high);
    share(out.unchanged, out.count, &out.agreement, &out.agreement_low, &out.agreement_high);
    return out;
}

static void write_name(const AccuracyStudy *study, int32_t class, Writer *writer)
{
    if (class < 0)
        writer_text(writer, "all");
    else if (study->class_name)
        csv_write_text(writer, study->class_name[class]);
    else
        writer_text(writer, "%d", (int)class);
}

static void write_row(const AccuracyStudy *study, int setting, int32_t class,
                      const AccuracyCount *row, Writer *writer)
{
    const AccuracySetting *images = &study->settings[setting];
    writer_text(writer, "%s,%s,", images->text, store_arm_name(images->store));
    write_name(study, class, writer);
    if (study->labels)
        writer_text(writer, ",%lld,%lld,%.9g,%.9g,%.9g,", (long long)row->correct,
                    (long long)row->count, row->accuracy, row->low, row->high);
    else
        writer_text(writer, ",,%lld,,,,", (long long)row->count);
    if (class >= 0)
        writer_text(writer, "%d", (int)class);
    writer_text(writer, ",%lld,%.9g,%.9g,%.9g\n", (long long)row->unchanged, row->agreement,
                row->agreement_low, row->agreement_high);
}

bool accuracy_write(const AccuracyStudy *study, int32_t *const *answers, const char *folder,
                    Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer  = NULL;
    int32_t classes = study->labels ? (int32_t)study->network->units : 0;
    if (!path_join(path, folder, "accuracy.csv", error) || !writer_open(&writer, path, error))
        return false;
    writer_text(writer, "setting,store,class,correct,count,accuracy,low,high,label,unchanged,"
                        "agreement,agreement_low,agreement_high\n");
    for (int i = 0; i < study->count; i++)
        for (int32_t class = -1; class < classes; class ++) {
            AccuracyCount row = accuracy_count(study, answers, i, class);
            if (class < 0 || row.count > 0)
                write_row(study, i, class, &row, writer);
        }
    return writer_publish(writer, error);
}
