/* study/robust_tables.c - the files of a run of robustness, and their intervals (R15). */
#include "../format/csv.h"
#include "../format/npy.h"
#include "robustness.h"
#include "study.h"

#include <math.h>
#include <string.h>

bool robust_row_is_main(const char *measure, const char *setting)
{
    size_t length = strlen(measure), ending = strlen("insertion");
    bool   is_curve = strcmp(measure, "deletion") == 0 ||
                    (length >= ending && strcmp(measure + length - ending, "insertion") == 0);
    return !is_curve || strcmp(setting, "mean") == 0;
}

RobustSummary robust_summary(const RobustRow *row, const double *values, int64_t count)
{
    RobustSummary out = {.count = count};
    double        sum = 0, squares = 0, n = (double)count;
    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    out.value = out.low = out.high = sum / n;
    if (row->is_share) {
        wilson_interval((int64_t)sum, count, &out.low, &out.high);
        return out;
    }
    for (int64_t i = 0; i < count; i++)
        squares += (values[i] - out.value) * (values[i] - out.value);
    double spread = count > 1 ? Z_95 * sqrt(squares / (n - 1) / n) : 0;
    out.low -= spread;
    out.high += spread;
    return out;
}

static bool write_rows(const RobustResults *results, const char *folder, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    if (!path_join(path, folder, "robustness.csv", error) || !writer_open(&writer, path, error))
        return false;
    writer_text(writer, "method,measure,setting,similarity,value,low,high,count\n");
    for (int64_t r = 0; r < results->row_count; r++) {
        const RobustRow *row = &results->rows[r];
        RobustSummary    sum =
            robust_summary(row, results->values + r * results->images, results->images);
        csv_write_text(writer, row->method);
        writer_text(writer, ",%s,%s,%s,%.9g,%.9g,%.9g,%lld\n", row->measure, row->setting,
                    row->similarity, sum.value, sum.low, sum.high, (long long)sum.count);
    }
    return writer_publish(writer, error);
}

static bool write_values(const RobustResults *results, const char *folder, Error *error)
{
    char   path[LIMIT_PATH];
    size_t count = (size_t)(results->row_count * results->images);
    float *data  = memory_new(count, sizeof *data, error);
    for (size_t i = 0; data && i < count; i++)
        data[i] = (float)results->values[i];
    bool ok = data && path_join(path, folder, "values.npy", error) &&
              npy_write(path, data, shape_2d(results->row_count, results->images), error);
    memory_free(data);
    return ok;
}

bool robustness_write(const RobustStudy *study, const RobustResults *results, const char *folder,
                      Error *error)
{
    char  path[LIMIT_PATH];
    Shape maps     = shape_4d(study->method_count, results->shown, 3, study->height * study->width);
    Shape photos   = shape_4d(results->shown, 3, study->height, study->width);
    Shape attacked = photos;
    attacked.dim[0] *= study->method_count;
    return write_rows(results, folder, error) && write_values(results, folder, error) &&
           path_join(path, folder, "maps.npy", error) &&
           npy_write(path, results->maps, maps, error) &&
           path_join(path, folder, "photos.npy", error) &&
           npy_write(path, results->photos, photos, error) &&
           path_join(path, folder, "attacked.npy", error) &&
           npy_write(path, results->attacked, attacked, error);
}
