/* attribution/similarity.c - see similarity.h. */
#include "similarity.h"

#include <math.h>

const SsimRule ssim_default = {.window = 7, .k1 = 0.01, .k2 = 0.03};

typedef struct Moments {
    double mean_a, mean_b, aa, bb, ab; // sums of squares and products about the means
} Moments;

// Of a square of `side` cells, or of any row of cells: stride is what lies between two rows.
static Moments moments_of(const float *a, const float *b, int64_t rows, int64_t columns,
                          int64_t stride)
{
    Moments m = {0};
    double  n = (double)(rows * columns);
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            m.mean_a += (double)a[y * stride + x];
            m.mean_b += (double)b[y * stride + x];
        }
    m.mean_a /= n;
    m.mean_b /= n;
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            double da = (double)a[y * stride + x] - m.mean_a,
                   db = (double)b[y * stride + x] - m.mean_b;
            m.aa += da * da;
            m.bb += db * db;
            m.ab += da * db;
        }
    return m;
}

static double range_of(const float *a, const float *b, int64_t count)
{
    float least = a[0], most = a[0];
    for (int64_t i = 0; i < count; i++) {
        least = fminf(least, fminf(a[i], b[i]));
        most  = fmaxf(most, fmaxf(a[i], b[i]));
    }
    return (double)most - (double)least;
}

// (M3) of one window.
static double window_ssim(const SsimRule *rule, double range, const float *a, const float *b,
                          int64_t side, int64_t stride)
{
    Moments m = moments_of(a, b, side, side, stride);
    double  n = (double)(side * side), divisor = rule->divides_by_n || n < 2 ? n : n - 1;
    double  c1 = rule->k1 * range * rule->k1 * range, c2 = rule->k2 * range * rule->k2 * range;
    double  above = (2 * m.mean_a * m.mean_b + c1) * (2 * m.ab / divisor + c2);
    double  below =
        (m.mean_a * m.mean_a + m.mean_b * m.mean_b + c1) * (m.aa / divisor + m.bb / divisor + c2);
    return below > 0 ? above / below : 1;
}

static double mean_ssim(const SsimRule *rule, const float *a, const float *b, int64_t channels,
                        int64_t height, int64_t width)
{
    double  range = rule->range > 0 ? rule->range : range_of(a, b, channels * height * width);
    double  sum   = 0;
    int64_t least = height < width ? height : width, side = rule->window;
    if (side > least)
        side = least - (least % 2 == 0);
    int64_t rows = height - side + 1, columns = width - side + 1;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t y = 0; y < rows; y++)
            for (int64_t x = 0; x < columns; x++) {
                int64_t at = (c * height + y) * width + x;
                sum += window_ssim(rule, range, a + at, b + at, side, width);
            }
    return sum / (double)(channels * rows * columns);
}

Similarity similarity(const SsimRule *rule, const float *a, const float *b, int64_t channels,
                      int64_t height, int64_t width)
{
    int64_t    count = channels * height * width;
    Moments    m     = moments_of(a, b, 1, count, count);
    Similarity out   = {.ssim = mean_ssim(rule, a, b, channels, height, width)};
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)a[i] - (double)b[i];
        out.mse += difference * difference / (double)count;
    }
    if (m.aa > 0 && m.bb > 0)
        out.pcc = m.ab / sqrt(m.aa * m.bb);
    return out;
}
