/* tests/check_tiles.c - Winograd's transforms of every instruction set this machine has, against
 * plain arithmetic in double: tiles of every width of image, what was seen of them, what is kept. */
#include "test.h"
#include "../engine/conv_tiles.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
enum { ISA_COUNT = 4 };

static void fill(real *to, int64_t count)
{
    Random random = random_stream(test_seed(), "tiles");
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)((double)random_unit(random_word(&random)) * 8 - 4);
}

/* One dimension of the transforms of F(4x4,3x3), from the polynomial's points. */
static void tile_input(const double d[6], double out[6])
{
    const double a = sqrt(0.5), b = sqrt(2);
    out[0] = d[0] - 2.5 * d[2] + d[4];
    out[1] = d[4] - 2 * d[2] + a * (d[3] - 2 * d[1]);
    out[2] = d[4] - 2 * d[2] - a * (d[3] - 2 * d[1]);
    out[3] = d[4] - d[2] / 2 + b * (d[3] - d[1] / 2);
    out[4] = d[4] - d[2] / 2 - b * (d[3] - d[1] / 2);
    out[5] = d[1] - 2.5 * d[3] + d[5];
}

static void tile_output(const double m[6], double out[4])
{
    const double point[6] = {0, sqrt(0.5), -sqrt(0.5), sqrt(2), -sqrt(2), 0};
    for (int i = 0; i < 4; i++) {
        out[i] = i == 3 ? m[5] : 0;
        for (int p = 0; p < 5; p++)
            out[i] += m[p] * pow(point[p], i);
    }
}

static void tile_both(void transform(const double *in, double *out), int rows, const double in[36],
                      double out[36])
{
    double middle[6][6];
    for (int j = 0; j < 6; j++) {
        double column[6], result[6];
        for (int i = 0; i < 6; i++)
            column[i] = in[6 * i + j];
        transform(column, result);
        for (int i = 0; i < rows; i++)
            middle[i][j] = result[i];
    }
    for (int i = 0; i < rows; i++)
        transform(middle[i], out + rows * i);
}

enum { LINE = 4 * WINOGRAD_MOST_TILES + 32 };

/* The transformed tiles of a block, and which of their pixels were seen, against the image. */
static bool is_block_transformed(const Kernels *k, const Grid *g, int64_t block, const real *image)
{
    static real lines[6 * LINE], ends[12 * WINOGRAD_MOST_TILES], v[36][WINOGRAD_MOST_TILES];
    TileSpan    span[WINOGRAD_MOST_TILES];
    uint64_t    seen[6 * WINOGRAD_MOST_TILES] = {0}, places[REACH_PLACES], inside[REACH_PLACES];
    int         spans                         = tiles_cut(g, block, span);
    bool        good = true, all = true;
    memset(lines, 0, sizeof lines);
    k->winograd_columns(lines, LINE, ends, image, 0, span, spans, seen);
    k->winograd_input(v[0], WINOGRAD_MOST_TILES, lines, LINE, ends, tiles_last(span, spans),
                      g->block);
    tiles_places(span, spans, seen, places);
    tiles_inside(g, span, spans, inside);
    for (int64_t t = 0; t < g->block && block * g->block + t < g->tiles; t++) {
        int64_t at = block * g->block + t, row = at / g->tile_cols, col = at % g->tile_cols;
        int64_t top = 4 * (row % g->tile_rows) - g->pad, left = 4 * col - g->pad;
        double  d[36], out[36];
        for (int e = 0; e < 36; e++) {
            int64_t y = top + e / 6, x = left + e % 6;
            bool    is_in = y >= 0 && y < g->source_h && x >= 0 && x < g->source_w;
            d[e] =
                is_in ? (double)image[(row / g->tile_rows * g->source_h + y) * g->source_w + x] : 0;
            good = good && (places[e] >> t & 1) == (d[e] != 0) && (inside[e] >> t & 1) == is_in;
            all  = all && (d[e] != 0 || !is_in);
        }
        tile_both(tile_input, 6, d, out);
        for (int e = 0; e < 36; e++)
            good = good && fabs((double)v[e][t] - out[e]) < 1e-4;
    }
    return good && tiles_all_seen(span, spans, seen) == all;
}

static void tiles_are_transformed_where_they_lie(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t w = 1; k && w <= 70; w++)
            for (int pad = 0; pad < 3; pad++)
                for (int zeros = 0; zeros < 2; zeros++) { // some pixels, or none
                    Grid g = {.n = 2, .source_channels = 1, .source_h = 5 + w % 9, .source_w = w};
                    g.pad  = pad;
                    g.target_h  = g.source_h + 2 * pad - 2;
                    g.target_w  = w + 2 * pad - 2;
                    g.tile_rows = (g.target_h + 3) / 4;
                    g.tile_cols = g.target_w < 1 ? 1 : (g.target_w + 3) / 4;
                    g.tiles     = g.n * g.tile_rows * g.tile_cols;
                    g.block     = w % 2 ? WINOGRAD_MOST_TILES : WINOGRAD_MOST_TILES - 16;
                    // On the heap, where a sanitizer sees a read past its end.
                    real *image = calloc((size_t)(g.n * g.source_h * w), sizeof *image);
                    REQUIRE(image);
                    fill(image, g.n * g.source_h * w);
                    for (int64_t i = 0; i < g.n * g.source_h * w; i++)
                        image[i] = zeros && i % 3 ? 0 : image[i] == 0 ? 1 : image[i];
                    bool good = true;
                    for (int64_t block = 0; block * g.block < g.tiles; block++)
                        good = good && is_block_transformed(k, &g, block, image);
                    free(image);
                    if (!CHECK(good))
                        printf("  %s, width %lld, pad %d, zeros %d\n", k->isa, (long long)w, pad,
                               zeros);
                }
    }
}

static void products_become_rows_of_pixels(void)
{
    static real m[36 * WINOGRAD_MOST_TILES], lines[4 * LINE];
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t tiles = k ? k->lanes : 99; tiles <= WINOGRAD_MOST_TILES; tiles += k->lanes) {
            uint64_t kept[REACH_OUTPUTS], outputs[REACH_OUTPUTS];
            Random   random = random_stream(test_seed(), "kept");
            bool     good   = true;
            fill(m, 36 * WINOGRAD_MOST_TILES);
            for (int e = 0; e < REACH_OUTPUTS; e++)
                outputs[e] = random_word(&random);
            k->winograd_output(lines, LINE, m, WINOGRAD_MOST_TILES, tiles);
            lines[0]             = (real)NAN; // stays, whether it is kept or not
            lines[4 * tiles - 1] = (real)INFINITY;
            outputs[0] &= ~(uint64_t)1;
            reach_pixels(outputs, kept);
            k->winograd_keep(lines, LINE, kept, tiles);
            for (int64_t t = 0; t < tiles; t++) {
                double in[36], out[36];
                for (int e = 0; e < 36; e++)
                    in[e] = (double)m[e * WINOGRAD_MOST_TILES + t];
                tile_both(tile_output, 4, in, out);
                for (int e = 0; e < 16; e++) {
                    real value   = lines[e / 4 * LINE + 4 * t + e % 4];
                    bool is_kept = outputs[e] >> t & 1;
                    if ((e == 0 && t == 0) || (e == 3 && t == tiles - 1))
                        good = good && !isfinite((double)value);
                    else
                        good = good && fabs((double)value - (is_kept ? out[e] : 0)) < 1e-3;
                }
            }
            if (!CHECK(good))
                printf("  %s, %lld tiles\n", k->isa, (long long)tiles);
        }
    }
}

SUITE(tiles)
{
    RUN(tiles_are_transformed_where_they_lie);
    RUN(products_become_rows_of_pixels);
}
