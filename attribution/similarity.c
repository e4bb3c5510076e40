/* attribution/similarity.c - see similarity.h. */
#include "similarity.h"

#include <math.h>
#include <string.h>

const SsimRule ssim_default  = {.window = 7, .k1 = 0.01, .k2 = 0.03};
const SsimRule ssim_gaussian = {
    .window = 7, .sigma = 1.5, .pads = true, .k1 = 0.01, .k2 = 0.03, .divides_by_n = true};

typedef struct Moments {
    double mean_a, mean_b, aa, bb, ab; // sums of squares and products about the means
    double n;                          // the sum of weights
} Moments;

/* ---- all cells ------------------------------------------------------------------------------- */

static Moments moments_of(const float *a, const float *b, int64_t count)
{
    Moments m = {.n = (double)count};
    for (int64_t i = 0; i < count; i++) {
        m.mean_a += (double)a[i];
        m.mean_b += (double)b[i];
    }
    m.mean_a /= m.n;
    m.mean_b /= m.n;
    for (int64_t i = 0; i < count; i++) {
        double da = (double)a[i] - m.mean_a, db = (double)b[i] - m.mean_b;
        m.aa += da * da;
        m.bb += db * db;
        m.ab += da * db;
    }
    return m;
}

double similarity_pcc(const float *a, const float *b, int64_t count)
{
    Moments m = moments_of(a, b, count);
    return m.aa > 0 && m.bb > 0 ? m.ab / sqrt(m.aa * m.bb) : 0;
}

double similarity_distance(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sum;
}

double similarity_cosine(const float *a, const float *b, int64_t count)
{
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < count; i++) {
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* ---- windows --------------------------------------------------------------------------------- */

typedef struct Window {
    const SsimRule *rule;
    int64_t         height, width; // of the arrays
    int64_t         side;
    double          weight[SSIM_WINDOW]; // of rows and of columns
    double          c1, c2;
} Window;

/* Windows side by side, computed together. Cell x of window i stands in column i + x of the
 * strip. */
enum { LANES = 16, STRIP = LANES + SSIM_WINDOW - 1 };

typedef struct Strip {
    double a[SSIM_WINDOW][STRIP], b[SSIM_WINDOW][STRIP];
} Strip;

// Zero outside the array.
static void strip_row(const float *array, const Window *window, int64_t y, int64_t left,
                      double *out)
{
    int64_t first = left < 0 ? -left : 0, end = window->width - left;
    bool    is_inside = y >= 0 && y < window->height;
    end               = !is_inside ? first : end < STRIP ? end : STRIP;
    memset(out, 0, STRIP * sizeof *out);
    for (int64_t x = first; x < end; x++)
        out[x] = (double)array[y * window->width + left + x];
}

// Of the windows whose first cells are at row `top`, columns left, left + 1, ...
static void strip_fill(Strip *strip, const Window *window, const float *a, const float *b,
                       int64_t top, int64_t left)
{
    for (int64_t y = 0; y < window->side; y++) {
        strip_row(a, window, top + y, left, strip->a[y]);
        strip_row(b, window, top + y, left, strip->b[y]);
    }
}

static void strip_moments(const Window *window, const Strip *strip, Moments *out)
{
    double mean_a[LANES] = {0}, mean_b[LANES] = {0}, n = 0;
    double aa[LANES] = {0}, bb[LANES] = {0}, ab[LANES] = {0};
    for (int64_t y = 0; y < window->side; y++)
        for (int64_t x = 0; x < window->side; x++) {
            double weight = window->weight[y] * window->weight[x];
            n += weight;
            for (int64_t i = 0; i < LANES; i++) {
                mean_a[i] += weight * strip->a[y][x + i];
                mean_b[i] += weight * strip->b[y][x + i];
            }
        }
    for (int64_t i = 0; i < LANES; i++) {
        mean_a[i] /= n;
        mean_b[i] /= n;
    }
    for (int64_t y = 0; y < window->side; y++)
        for (int64_t x = 0; x < window->side; x++) {
            double weight = window->weight[y] * window->weight[x];
            for (int64_t i = 0; i < LANES; i++) {
                double da = strip->a[y][x + i] - mean_a[i], db = strip->b[y][x + i] - mean_b[i];
                aa[i] += weight * da * da;
                bb[i] += weight * db * db;
                ab[i] += weight * da * db;
            }
        }
    for (int64_t i = 0; i < LANES; i++)
        out[i] = (Moments){mean_a[i], mean_b[i], aa[i], bb[i], ab[i], n};
}

// (M3), (R4) of one window.
static double window_ssim(const Window *window, Moments m)
{
    double divisor = window->rule->divides_by_n || m.n < 2 ? m.n : m.n - 1;
    double above   = (2 * m.mean_a * m.mean_b + window->c1) * (2 * m.ab / divisor + window->c2);
    double below   = (m.mean_a * m.mean_a + m.mean_b * m.mean_b + window->c1) *
                   (m.aa / divisor + m.bb / divisor + window->c2);
    return below > 0 ? above / below : 1;
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

static Window window_of(const SsimRule *rule, double range, int64_t height, int64_t width)
{
    int64_t least = height < width ? height : width, side = rule->window;
    if (side > least && !rule->pads)
        side = least - (least % 2 == 0);
    Window window = {.rule   = rule,
                     .height = height,
                     .width  = width,
                     .side   = side,
                     .c1     = rule->k1 * range * rule->k1 * range,
                     .c2     = rule->k2 * range * rule->k2 * range};
    for (int64_t i = 0; i < side; i++) {
        double from = (double)i - (double)(side - 1) / 2;
        window.weight[i] =
            rule->sigma > 0 ? exp(-from * from / (2 * rule->sigma * rule->sigma)) : 1;
    }
    return window;
}

double similarity_ssim(const SsimRule *rule, const float *a, const float *b, int64_t channels,
                       int64_t height, int64_t width)
{
    int64_t cells = height * width;
    double  range = rule->range > 0 ? rule->range : range_of(a, b, channels * cells), sum = 0;
    Window  window  = window_of(rule, range, height, width);
    int64_t edge    = rule->pads ? window.side / 2 : 0;
    int64_t rows    = height - window.side + 1 + 2 * edge,
            columns = width - window.side + 1 + 2 * edge;
    Strip   strip;
    Moments moments[LANES];
    for (int64_t c = 0; c < channels; c++)
        for (int64_t y = 0; y < rows; y++)
            for (int64_t x = 0; x < columns; x += LANES) {
                strip_fill(&strip, &window, a + c * cells, b + c * cells, y - edge, x - edge);
                strip_moments(&window, &strip, moments);
                for (int64_t i = 0; i < LANES && x + i < columns; i++)
                    sum += window_ssim(&window, moments[i]);
            }
    return sum / (double)(channels * rows * columns);
}

Similarity similarity(const SsimRule *rule, const float *a, const float *b, int64_t channels,
                      int64_t height, int64_t width)
{
    int64_t count = channels * height * width;
    return (Similarity){.mse  = similarity_distance(a, b, count) / (double)count,
                        .pcc  = similarity_pcc(a, b, count),
                        .ssim = similarity_ssim(rule, a, b, channels, height, width)};
}

/* ---- the largest cells ----------------------------------------------------------------------- */

/* The value that would stand at `place` if the largest came first; values change their places.
 * Source: Hoare, "Algorithm 65: find", Communications of the ACM 4, 1961. */
static float select_largest(float *values, int64_t count, int64_t place)
{
    int64_t first = 0, last = count - 1;
    while (first < last) {
        float   pivot = values[first + (last - first) / 2];
        int64_t i = first, k = last;
        while (i <= k) {
            while (values[i] > pivot)
                i++;
            while (values[k] < pivot)
                k--;
            if (i <= k) {
                float kept  = values[i];
                values[i++] = values[k];
                values[k--] = kept;
            }
        }
        if (place <= k)
            last = k;
        else if (place >= i)
            first = i;
        else
            break;
    }
    return values[place];
}

/* Which cells are the `top` largest: those above the last of them, and the first `equal` that are
 * as large. */
typedef struct Top {
    float   last;
    int64_t equal;
} Top;

static Top top_of(const float *map, int64_t count, int64_t top, float *room)
{
    Top found = {.equal = top};
    memcpy(room, map, (size_t)count * sizeof *room);
    found.last = select_largest(room, count, top - 1);
    for (int64_t i = 0; i < count; i++)
        found.equal -= map[i] > found.last;
    return found;
}

static bool takes(Top *top, float value)
{
    return value > top->last || (value == top->last && top->equal-- > 0);
}

double similarity_top(const float *a, const float *b, int64_t count, int64_t top, float *room)
{
    top          = top < count ? top : count;
    Top     of_a = top_of(a, count, top, room), of_b = top_of(b, count, top, room);
    int64_t both = 0;
    for (int64_t i = 0; i < count; i++) {
        bool in_a = takes(&of_a, a[i]), in_b = takes(&of_b, b[i]);
        both += in_a && in_b;
    }
    return (double)both / (double)top;
}

/* ---- gradients ------------------------------------------------------------------------------- */

Alignment alignment_of(const double *a, const double *b, int64_t count)
{
    double    aa = 0, bb = 0, apart = 0;
    Alignment out = {0};
    for (int64_t i = 0; i < count; i++) {
        double difference = a[i] - b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        out.distance += difference * difference;
    }
    out.size_a  = sqrt(aa);
    out.size_b  = sqrt(bb);
    double most = aa > bb ? aa : bb;
    for (int64_t i = 0; i < count && most > 0; i++) {
        double unit_a = out.size_a > 0 ? a[i] / out.size_a : 0,
               unit_b = out.size_b > 0 ? b[i] / out.size_b : 0;
        apart += (unit_a - unit_b) * (unit_a - unit_b);
    }
    bool one_is_zero = (aa > 0) != (bb > 0); // a cosine of 0
    out.cosd         = one_is_zero ? 0.5 : apart / 4;
    out.bound        = most > 0 ? out.distance / most : 0;
    return out;
}
