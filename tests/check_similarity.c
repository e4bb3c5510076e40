/* tests/check_similarity.c - similarities of maps against the published code's values, and the bound
 * that holds between any two gradients. */
#include "../attribution/similarity.h"
#include "test.h"

#include <math.h>
#include <string.h>

enum { SIDE = 8, CELLS = SIDE * SIDE };

// Two maps [8, 8], each over its largest value + 1e-8.
static void golden_maps(float *a, float *b)
{
    double x[CELLS], y[CELLS], most_x = 0, most_y = 0;
    for (int i = 0; i < CELLS; i++) {
        x[i]   = fabs(sin(i));
        y[i]   = fabs(sin(i) + 0.3 * cos(2 * i));
        most_x = fmax(most_x, x[i]);
        most_y = fmax(most_y, y[i]);
    }
    for (int i = 0; i < CELLS; i++) {
        a[i] = (float)(x[i] / (most_x + 1e-8));
        b[i] = (float)(y[i] / (most_y + 1e-8));
    }
}

static double range_of(const float *map)
{
    float low = map[0], high = map[0];
    for (int i = 0; i < CELLS; i++) {
        low  = fminf(low, map[i]);
        high = fmaxf(high, map[i]);
    }
    return (double)high - (double)low;
}

// Values of the published code, run in double. Maps here are float: about 1e-7 of each cell.
static void similarities_are_those_of_the_published_code(void)
{
    float    a[CELLS], b[CELLS];
    SsimRule rule = ssim_gaussian;
    golden_maps(a, b);
    CHECK_CLOSE(similarity_distance(a, b, CELLS), 3.2580087122, 4e-7);
    CHECK_CLOSE(similarity_pcc(a, b, CELLS), 0.7949552242, 1e-7);
    CHECK_CLOSE(similarity_pcc(a, b, CELLS) * (CELLS - 1) / CELLS, 0.7825340488, 1e-7);
    CHECK_CLOSE(similarity_cosine(a, b, CELLS), 0.9593765003, 1e-7);
    rule.range = range_of(a);
    CHECK_CLOSE(similarity_ssim(&rule, a, b, 1, SIDE, SIDE), 0.8437393719, 1e-7);
    rule.range = range_of(b);
    CHECK_CLOSE(similarity_ssim(&rule, b, a, 1, SIDE, SIDE), 0.8437360782, 1e-7);
}

static void a_map_is_exactly_like_itself(void)
{
    float a[CELLS], b[CELLS], room[CELLS];
    golden_maps(a, b);
    CHECK(similarity_distance(a, a, CELLS) == 0);
    CHECK(similarity_cosine(a, a, CELLS) == 1 && similarity_pcc(a, a, CELLS) == 1);
    CHECK(similarity_ssim(&ssim_gaussian, a, a, 1, SIDE, SIDE) == 1);
    CHECK(similarity_top(a, a, CELLS, 6, room) == 1);
}

static void largest_cells_are_counted_once(void)
{
    const float a[8] = {5, 4, 3, 3, 3, 1, 0, 0}, b[8] = {0, 4, 3, 3, 5, 5, 0, 9};
    float       room[8];
    CHECK(similarity_top(a, b, 8, 1, room) == 0);      // 0 and 7
    CHECK(similarity_top(a, b, 8, 2, room) == 0);      // 0 1 and 7 4
    CHECK(similarity_top(a, b, 8, 3, room) == 0);      // 0 1 2 and 7 4 5
    CHECK(similarity_top(a, b, 8, 4, room) == 0.25);   // 0 1 2 3 and 7 4 5 1
    CHECK(similarity_top(a, b, 8, 5, room) == 3. / 5); // 0 1 2 3 4 and 7 4 5 1 2
    CHECK(similarity_top(a, b, 8, 8, room) == 1);
    CHECK(similarity_top(a, b, 8, 100, room) == 1);
}

// Cells that come before cell i, the largest first, of equal ones the first.
static int rank_of(const float *map, int count, int i)
{
    int rank = 0;
    for (int k = 0; k < count; k++)
        rank += map[k] > map[i] || (k < i && map[k] == map[i]);
    return rank;
}

static void largest_cells_are_those_of_a_ranking(void)
{
    enum { MOST = 70, TRIES = 300 };
    Random random = random_stream(test_seed(), "largest");
    for (int t = 0; t < TRIES; t++) {
        float    a[MOST], b[MOST], room[MOST];
        int      count = 1 + (int)random_below(&random, MOST), both = 0;
        int      top    = 1 + (int)random_below(&random, (uint32_t)count);
        uint32_t values = t % 2 ? 5 : 1000; // many equal cells, or few
        for (int i = 0; i < count; i++) {
            a[i] = (float)random_below(&random, values);
            b[i] = (float)random_below(&random, values);
        }
        for (int i = 0; i < count; i++)
            both += rank_of(a, count, i) < top && rank_of(b, count, i) < top;
        CHECK(similarity_top(a, b, count, top, room) == (double)both / top);
    }
}

static void a_distance_of_directions_stays_below_its_bound(void)
{
    enum { COUNT = 24, TRIES = 400 };
    Random random   = random_stream(test_seed(), "alignment");
    double tightest = 0;
    for (int i = 0; i < TRIES; i++) {
        double a[COUNT], b[COUNT], apart = pow(10, 1 - i % 9);
        for (int k = 0; k < COUNT; k++) {
            a[k] = (double)random_unit(random_word(&random)) - 0.5;
            b[k] = a[k] + apart * ((double)random_unit(random_word(&random)) - 0.5);
        }
        Alignment found = alignment_of(a, b, COUNT);
        CHECK(found.cosd >= 0 && found.cosd <= 1 && found.cosd <= found.bound);
        tightest = fmax(tightest, found.cosd / found.bound);
        for (int k = 0; k < COUNT; k++)
            b[k] *= 10; // another size, the same direction
        CHECK_CLOSE(alignment_of(a, b, COUNT).cosd, found.cosd, 1e-14);
    }
    CHECK(tightest > 0.05); // the bound says something
}

// Where 1 - cosine has no digits left in double, the distance of unit vectors still has.
static void small_angles_are_exact(void)
{
    const double angle = 1e-9;
    const double a[2] = {3, 0}, b[2] = {cos(angle), sin(angle)}, zero[2] = {0, 0};
    CHECK_CLOSE(alignment_of(a, b, 2).cosd / (angle * angle / 4), 1, 1e-6);
    CHECK(alignment_of(a, zero, 2).cosd == 0.5 && alignment_of(a, zero, 2).bound == 1);
    CHECK(alignment_of(zero, zero, 2).cosd == 0 && alignment_of(zero, zero, 2).bound == 0);
}

// By the formulas with sums of raw moments, in another order than the library's.
static double plain_ssim(const float *a, const float *b, int h, int w, int side, double range)
{
    double sum = 0, n = side * side, c1 = pow(0.01 * range, 2), c2 = pow(0.03 * range, 2);
    for (int y = 0; y + side <= h; y++)
        for (int x = 0; x + side <= w; x++) {
            double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
            for (int i = 0; i < side * side; i++) {
                int    at = (y + i / side) * w + x + i % side;
                double p = (double)a[at], q = (double)b[at];
                sa += p, sb += q, saa += p * p, sbb += q * q, sab += p * q;
            }
            double ma = sa / n, mb = sb / n, s = n / (n - 1);
            double va = s * (saa / n - ma * ma), vb = s * (sbb / n - mb * mb),
                   ab = s * (sab / n - ma * mb);
            sum += (2 * ma * mb + c1) * (2 * ab + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
        }
    return sum / ((h - side + 1) * (w - side + 1));
}

// Windows are computed several side by side: of any width, with zeros around the arrays or without.
static void windows_of_any_width_follow_the_formula(void)
{
    enum { H = 9, MOST = 40, EDGE = 3, HIGH = H + 2 * EDGE, WIDE = MOST + 2 * EDGE };
    for (int w = 7; w <= MOST; w++) {
        float    a[H * MOST], b[H * MOST], around_a[HIGH * WIDE] = {0}, around_b[HIGH * WIDE] = {0};
        SsimRule rule = ssim_default, padded = ssim_default;
        rule.range = padded.range = 2;
        padded.pads               = true;
        for (int i = 0; i < H * w; i++) {
            int at       = (i / w + EDGE) * (w + 2 * EDGE) + i % w + EDGE;
            around_a[at] = a[i] = (float)sin(0.3 * i);
            around_b[at] = b[i] = (float)(0.5 * sin(0.3 * i + 0.4) + 0.1 * cos(i));
        }
        CHECK_CLOSE(similarity_ssim(&rule, a, b, 1, H, w), plain_ssim(a, b, H, w, 7, 2), 1e-12);
        CHECK_CLOSE(similarity_ssim(&padded, a, b, 1, H, w),
                    plain_ssim(around_a, around_b, HIGH, w + 2 * EDGE, 7, 2), 1e-12);
    }
}

static void similarities_follow_their_formulas(void)
{
    enum { H = 11, W = 9 };
    float  a[H * W], b[H * W];
    double mse = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0, n = H * W, least = 9, most = -9;
    for (int i = 0; i < H * W; i++) {
        a[i] = (float)sin(0.3 * i);
        b[i] = (float)(0.5 * sin(0.3 * i + 0.4) + 0.1 * cos(i));
        mse += pow((double)a[i] - (double)b[i], 2) / n;
        sa += (double)a[i], sb += (double)b[i];
        saa += (double)a[i] * (double)a[i], sbb += (double)b[i] * (double)b[i];
        sab += (double)a[i] * (double)b[i];
        least = fmin(least, fmin((double)a[i], (double)b[i]));
        most  = fmax(most, fmax((double)a[i], (double)b[i]));
    }
    Similarity found = similarity(&ssim_default, a, b, 1, H, W);
    CHECK_CLOSE(found.mse, mse, 1e-12);
    CHECK_CLOSE(found.pcc, (n * sab - sa * sb) / sqrt((n * saa - sa * sa) * (n * sbb - sb * sb)),
                1e-12);
    CHECK_CLOSE(found.ssim, plain_ssim(a, b, H, W, 7, most - least), 1e-12);
    SsimRule five = {.window = 5, .range = 2, .k1 = 0.01, .k2 = 0.03};
    CHECK_CLOSE(similarity(&five, a, b, 1, H, W).ssim, plain_ssim(a, b, H, W, 5, 2), 1e-12);
    found = similarity(&ssim_default, a, a, 1, H, W);
    CHECK(found.mse == 0 && fabs(found.pcc - 1) < 1e-15 && fabs(found.ssim - 1) < 1e-15);
}

static void similarity_does_not_depend_on_the_scale(void)
{
    float a[64], b[64], c[64], d[64];
    for (int i = 0; i < 64; i++) {
        a[i] = (float)(1 + i % 7), b[i] = (float)(1 + i % 5);
        c[i] = a[i] / 65536, d[i] = b[i] / 65536;
    }
    Similarity large = similarity(&ssim_default, a, b, 1, 8, 8),
               small = similarity(&ssim_default, c, d, 1, 8, 8);
    CHECK_CLOSE(small.ssim, large.ssim, 1e-12);
    CHECK_CLOSE(small.pcc, large.pcc, 1e-12);
    CHECK_CLOSE(small.mse * 65536 * 65536, large.mse, 1e-9);
    memset(a, 0, sizeof a);
    CHECK(similarity(&ssim_default, a, b, 1, 8, 8).pcc == 0);
    CHECK(similarity(&ssim_default, a, a, 4, 4, 4).ssim == 1);
    CHECK(similarity(&ssim_default, b, b, 1, 2, 2).ssim == 1); // smaller than a window
}

SUITE(similarity)
{
    RUN(similarities_are_those_of_the_published_code);
    RUN(a_map_is_exactly_like_itself);
    RUN(largest_cells_are_counted_once);
    RUN(largest_cells_are_those_of_a_ranking);
    RUN(a_distance_of_directions_stays_below_its_bound);
    RUN(small_angles_are_exact);
    RUN(similarities_follow_their_formulas);
    RUN(windows_of_any_width_follow_the_formula);
    RUN(similarity_does_not_depend_on_the_scale);
}
