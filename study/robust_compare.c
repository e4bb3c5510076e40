/* study/robust_compare.c - two runs of robustness on the same images, image by image (R16). */
#include "../format/csv.h"
#include "../format/npy.h"
#include "robustness.h"
#include "study.h"

#include <math.h>
#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_rows(RobustRecord *out, const char *folder, Error *error)
{
    static const char *const needed[] = {"method", "measure", "setting", "similarity", "value"};
    char                     path[LIMIT_PATH];
    int                      column;
    bool ok = path_join(path, folder, "robustness.csv", error) && csv_read(&out->csv, path, error);
    for (int i = 0; ok && i < 5; i++)
        ok = csv_need(out->csv, needed[i], &column, error);
    return ok;
}

bool robust_record_read(RobustRecord *out, const char *folder, Error *error)
{
    char         path[LIMIT_PATH];
    RobustRecord record = {0};
    Shape        shape  = {0};
    bool ok = read_rows(&record, folder, error) && path_join(path, folder, "values.npy", error) &&
              npy_read(path, &record.values, &shape, error);
    if (ok) {
        record.row_count = csv_row_count(record.csv);
        ok               = (shape.rank == 2 && shape.dim[0] == record.row_count) ||
             fail(error, ERROR_DATA,
                  "%s: is %s, expected a row for each of the %lld of robustness.csv", path,
                  SHAPE_TEXT(shape), (long long)record.row_count);
        record.images = shape.dim[1];
    }
    if (!ok) {
        robust_record_close(&record);
        return false;
    }
    *out = record;
    return true;
}

void robust_record_close(RobustRecord *record)
{
    csv_close(record->csv);
    memory_free(record->values);
    *record = (RobustRecord){0};
}

const char *robust_record_text(const RobustRecord *record, int64_t row, const char *column)
{
    return csv_name(record->csv, row, csv_column(record->csv, column));
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool is_alike(const RobustRecord *a, int64_t row_a, const RobustRecord *b, int64_t row_b)
{
    static const char *const columns[] = {"method", "measure", "setting", "similarity"};
    for (int i = 0; i < 4; i++)
        if (strcmp(robust_record_text(a, row_a, columns[i]),
                   robust_record_text(b, row_b, columns[i])) != 0)
            return false;
    return true;
}

/* Two-sided sign test: the chance that of n fair coins at least as many fall on one side. */
static double sign_test(int64_t above, int64_t below)
{
    int64_t n = above + below, most = above > below ? above : below;
    double  chance = 0;
    for (int64_t k = most; k <= n; k++)
        chance += exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) -
                      (double)n * log(2));
    return 2 * chance < 1 ? 2 * chance : 1;
}

static RobustPair pair_of(const RobustRecord *a, int64_t row_a, const RobustRecord *b,
                          int64_t row_b)
{
    const float *x = a->values + row_a * a->images, *y = b->values + row_b * b->images;
    RobustPair   pair = {.row_a = row_a, .row_b = row_b, .count = a->images};
    double       n = (double)a->images, squares = 0;
    for (int64_t i = 0; i < a->images; i++) {
        pair.value_a += (double)x[i] / n;
        pair.value_b += (double)y[i] / n;
        pair.difference += ((double)y[i] - (double)x[i]) / n;
        pair.above += y[i] > x[i];
        pair.below += y[i] < x[i];
    }
    for (int64_t i = 0; i < a->images; i++)
        squares += pow((double)y[i] - (double)x[i] - pair.difference, 2);
    double spread = a->images > 1 ? Z_95 * sqrt(squares / (n - 1) / n) : 0;
    pair.low      = pair.difference - spread;
    pair.high     = pair.difference + spread;
    pair.p        = sign_test(pair.above, pair.below);
    return pair;
}

bool robust_compare(const RobustRecord *a, const RobustRecord *b, RobustPair **pairs,
                    int64_t *count, Error *error)
{
    if (a->images != b->images)
        return fail(error, ERROR_DATA,
                    "the runs have %lld and %lld images, expected the same images in both",
                    (long long)a->images, (long long)b->images);
    RobustPair *out   = memory_new((size_t)a->row_count, sizeof *out, error);
    int64_t     found = 0;
    if (!out)
        return false;
    for (int64_t i = 0; i < a->row_count; i++)
        for (int64_t k = 0; k < b->row_count; k++)
            if (is_alike(a, i, b, k)) {
                out[found++] = pair_of(a, i, b, k);
                break;
            }
    *pairs = out;
    *count = found;
    return true;
}
