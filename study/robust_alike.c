/* study/robust_alike.c - how alike the maps of two groups are, by every similarity of a study. */
#include "../base/parallel.h"
#include "../base/words.h"
#include "robust_parts.h"

#include <math.h>

/* What one pair of maps needs. */
typedef struct Pairing {
    RobustRun   *run;
    Alike        alike;
    const float *a, *b;
    double       range; // of SSIM; 0: the pair's
} Pairing;

/* The map over the sum of its absolutes + 1e-8, (R3). */
static void sum_normalise(const float *map, int64_t cells, float *out)
{
    double sum = 0;
    for (int64_t i = 0; i < cells; i++)
        sum += fabs((double)map[i]);
    for (int64_t i = 0; i < cells; i++)
        out[i] = (float)((double)map[i] / (sum + 1e-8));
}

static double range_of(const float *maps, int64_t count)
{
    float low = maps[0], high = maps[0];
    for (int64_t i = 0; i < count; i++) {
        low  = fminf(low, maps[i]);
        high = fmaxf(high, maps[i]);
    }
    return (double)high - (double)low;
}

static void compare_one(void *data, int64_t i, int thread)
{
    const Pairing     *pairing = data;
    const RobustStudy *study   = pairing->run->study;
    int64_t            cells   = pairing->run->cells;
    const float       *a = pairing->a + i * cells, *b = pairing->b + i * cells;
    double            *score = &pairing->run->group.scores[i], n = (double)cells;
    SsimRule           rule = ssim_gaussian;
    (void)thread;
    rule.range = pairing->range;
    switch (pairing->alike.kind) {
    case ALIKE_MSE:
    case ALIKE_MSE_SUM:
        *score = similarity_distance(a, b, cells);
        break;
    case ALIKE_COSINE:
        *score = similarity_cosine(a, b, cells);
        break;
    case ALIKE_PCC:
        *score = similarity_pcc(a, b, cells) * (study->mode->pcc_is_biased ? (n - 1) / n : 1);
        break;
    case ALIKE_SSIM:
    case ALIKE_SSIM_SUM:
        *score = similarity_ssim(&rule, a, b, 1, study->height, study->width);
        break;
    case ALIKE_TOP:
        *score =
            similarity_top(a, b, cells, pairing->alike.top, pairing->run->group.sorted + i * cells);
        break;
    }
}

bool robust_alike(RobustRun *run, int64_t row, const float *a, const float *b, bool clean_is_summed,
                  double share, Error *error)
{
    const RobustStudy *study = run->study;
    RobustGroup       *group = &run->group;
    for (int64_t i = 0; i < group->count; i++) {
        sum_normalise(a + i * run->cells, run->cells, group->sum_a + i * run->cells);
        sum_normalise(b + i * run->cells, run->cells, group->sum_b + i * run->cells);
    }
    for (int s = 0; s < study->alike_count; s++) {
        AlikeKind kind    = study->alike[s].kind;
        bool      is_sum  = kind == ALIKE_MSE_SUM || kind == ALIKE_SSIM_SUM;
        Pairing   pairing = {.run   = run,
                             .alike = study->alike[s],
                             .a     = is_sum ? group->sum_a : a,
                             .b     = is_sum || clean_is_summed ? group->sum_b : b};
        if (study->mode->ranges_by_group)
            pairing.range = range_of(pairing.a, group->count * run->cells);
        parallel_for(group->count, compare_one, &pairing);
        double *values = robust_row(run, row + s);
        for (int64_t i = 0; i < group->count; i++) {
            if (isnan(group->scores[i]))
                return fail(error, ERROR_DATA,
                            "image %lld: the similarity %s of two maps is not a number",
                            (long long)(group->first + i), word_text(ALIKE_NAMES, (int)kind));
            values[i] += share * group->scores[i];
        }
    }
    return true;
}
