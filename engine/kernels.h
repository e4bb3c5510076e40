/* engine/kernels.h - the dispatch table: one text, several widths.
 *
 * Portable fills every entry; each instruction set overwrites what it improves. No kernel reads or
 * writes past the ends its arguments state. Products are summed in order of the depth k, in pieces
 * of a fixed length, so blocking, tails and threads never change a bit. */
#ifndef ENGINE_KERNELS_H
#define ENGINE_KERNELS_H

#include "../base/base.h"

enum { TILE_MOST_ROWS = 16, TILE_MOST_COLS = 64, TILE_MOST_VECTORS = 3, TAP_MOST_ROWS = 16 };

/* c[rows][cols] = sum over k of a[k][rows] * b[k][cols]; a: a packed panel of `tile_rows`; b: a
 * panel of v * lanes columns with row stride `b_step`, packed and zero padded or where it lies; c
 * with row stride `stride`. */
typedef void GemmTile(int64_t k, const real *a, const real *b, int64_t b_step, real *c,
                      int64_t stride);

/* The same where row p of b begins at b + at[p]: columns side by side in an image, a tap further. */
typedef void ShiftTile(int64_t k, const real *a, const real *b, const int32_t *at, real *c,
                       int64_t stride);

/* out[j] = sum over taps t, in order, of weight[t] * x[at[t] + j]; so many whole vectors. */
typedef void Correlate(real *out, const real *x, const int32_t *at, const real *weight,
                       int64_t taps, int64_t vectors);

/* Pixels of one row of an image: where the first is, and how many. */
typedef struct PixelRun {
    int64_t at, count;
} PixelRun;

/* out[r][j] += sum over all pixels p of row[r][at(p)] * gy[p][j]. The pixels of `piece` runs are
 * summed before they are added to out; inside a run `at` grows by `step`. */
typedef struct TapSums {
    const real *const *row; // tap_rows of them
    const real        *gy;
    const PixelRun    *run;
    int64_t            runs, piece, step, gy_step;
    real              *out;
    int64_t            out_step;
} TapSums;

typedef void TapTile(const TapSums *sums);

enum { WINOGRAD_MOST_TILES = 64, WINOGRAD_WORDS = 4 * WINOGRAD_MOST_TILES / 64 };

/* Output tiles of 4x4 side by side in one image, and the 6 rows of 4 count + 2 pixels they read. */
typedef struct TileSpan {
    int64_t image, row, col; // of the first tile
    int64_t tile, count;     // its number in the block; how many
    int64_t left, inside;    // pixels of a row left of the image; in it
    int64_t at[6];           // the first in it, from a channel's plane of image 0; -1: row outside
} TileSpan;

/* out = gate(relu(x + bias + add)) on rows of n; bias (one a row), add and gate may be NULL, relu
 * and gate exclude each other. With `most` > 0 the relu is a clamp and the gate one that is open
 * below it. With `stream` rows go past the caches where they are aligned; the
 * caller fences before others read. */
typedef struct FinishRows {
    real       *out;
    const real *x, *bias, *add, *gate;
    real        most;
    int64_t     rows, n, stride, x_stride; // stride: from row to row of out, add and gate
    bool        relu, stream;
} FinishRows;

/* Of a layer norm: one number a column, one number a row. */
typedef struct NormRows {
    const real *shift, *factor, *gain, *bias;
} NormRows;

typedef struct Kernels {
    const char *isa;
    int         lanes;                            // floats in a vector
    int         tile_rows;                        // rows of the register tile
    int         tile_vectors;                     // column vectors of the full register tile
    GemmTile   *gemm_tile[TILE_MOST_VECTORS + 1]; // [v]: v column vectors; [0] unused
    /* The first few_columns of a vector; the rest of it becomes zero in c. A tile of one vector
     * would take twice as long; 0 and NULL where it would not. */
    int       few_columns;
    GemmTile *gemm_few;

    ShiftTile *shift_tile[TILE_MOST_VECTORS + 1];
    Correlate *correlate;

    int      tap_rows;
    TapTile *tap_tile[TILE_MOST_VECTORS + 1]; // [v]: v vectors of channels; [0] unused

    /* out[i] = ... for i in 0..n-1; out may equal an input. */
    void (*add)(real *out, const real *a, const real *b, int64_t n);
    void (*mul)(real *out, const real *a, const real *b, int64_t n);
    void (*scale_offset)(real *out, const real *x, real factor, real term, int64_t n);
    void (*relu)(real *out, const real *x, int64_t n);
    void (*gate)(real *out, const real *condition, const real *x, int64_t n);
    void (*clamp)(real *out, const real *x, real most, int64_t n);
    void (*gate_below)(real *out, const real *condition, const real *x, real most, int64_t n);
    void (*power)(real *out, const real *x, real exponent, int64_t n); // quick: -1, -2, 2, 1/2
    void (*exp)(real *out, const real *x, int64_t n);
    void (*sigmoid)(real *out, const real *x, real beta, int64_t n);
    void (*softplus)(real *out, const real *x, real beta, int64_t n);
    void (*normal_cdf)(real *out, const real *x, int64_t n);
    /* y += factor[r] * row r of x, for one row after another; rows and their factors are so far
     * apart. */
    void (*add_rows)(real *y, const real *factor, int64_t factor_step, const real *x, int64_t step,
                     int64_t rows, int64_t n);
    /* total[i] += the numbers i of all rows, one row after another. */
    void (*sum_rows)(double *total, const real *x, int64_t step, int64_t rows, int64_t n);
    /* total[i] += (x[i] + shift[i])^2, likewise. */
    void (*sum_squares)(double *total, const real *x, const real *shift, int64_t step, int64_t rows,
                        int64_t n);
    /* Row r: out[i] = (x[i] + shift[i]) * factor[i] * gain[r] + bias[r]; step of out, too. */
    void (*norm_rows)(real *out, const real *x, int64_t step, int64_t rows, const NormRows *norm,
                      int64_t n);
    real (*dot)(const real *a, const real *b, int64_t n); // one tree of 64 partial sums
    real (*sum)(const real *x, int64_t n);

    /* One row: x_i - log sum_j exp x_j, and exp x_i / sum_j exp x_j. */
    void (*log_softmax)(real *out, const real *x, int64_t n);
    void (*softmax)(real *out, const real *x, int64_t n);

    /* Epilogue of a convolution; out may equal add or gate. */
    void (*finish)(const FinishRows *rows);

    /* to[r*to_step + i] = from[r*from_step + i*stride] for r in 0..rows-1, i in 0..n-1. */
    void (*pack)(real *to, int64_t to_step, const real *from, int64_t from_step, int64_t rows,
                 int64_t n, int64_t stride);
    /* to[c*to_step + r] = from[r*from_step + c] for r in 0..rows-1, c in 0..cols-1. */
    void (*transpose)(real *to, int64_t to_step, const real *from, int64_t from_step, int64_t rows,
                      int64_t cols);
    void (*interleave)(real *out, const real *even, const real *odd, int64_t n); // 2n reals out

    /* Maximum of windows two apart: out[i] = first maximum, in row order, of the rows x cols reals
     * at top + 2i, `width` being the distance of rows; index[i] (if not NULL) = at + its distance
     * from top. */
    void (*maxpool)(real *out, int32_t *index, const real *top, int rows, int cols, int32_t at,
                    int32_t width, int64_t n);

    /* Winograd F(4x4,3x3), see conv_winograd.c: columns of spans of tiles, row by row, to
     * `lines`, pixel x of tile t at 4t + x, x < 4; the two pixels after the last tile t of a span,
     * as they are, to ends[2i + j][t].
     * Bit p of seen[span][i][p / 64] is set where pixel p inside the image is not zero; or NULL. */
    void (*winograd_columns)(real *lines, int64_t stride, real *ends, const real *plane,
                             int64_t ahead, const TileSpan *span, int64_t spans, uint64_t *seen);
    /* out[36][stride], a tile an element; bit t of `last`: tile t ends a span. */
    void (*winograd_input)(real *out, int64_t stride, const real *lines, int64_t line_stride,
                           const real *ends, uint64_t last, int64_t tiles);
    /* in[36][stride] products; lines[4][line_stride]: rows of pixels, pixel j of tile t at 4t+j. */
    void (*winograd_output)(real *lines, int64_t line_stride, const real *in, int64_t stride,
                            int64_t tiles);
    /* Zero for pixel p of line i where bit p of kept[i] is not set; NaN and infinity stay. */
    void (*winograd_keep)(real *lines, int64_t line_stride, const uint64_t *kept, int64_t tiles);

    /* The same turned around, for weight gradients; a channel an element, n whole vectors.
     * out[36][stride] from the pixels (i, j) of a tile of gy at gy + i*row_step + j*pixel_step;
     * out[9][out_stride] kernels from in[36][stride] sums of products. */
    void (*winograd_gradient)(real *out, int64_t stride, const real *gy, int64_t row_step,
                              int64_t pixel_step, int64_t n);
    void (*winograd_weights)(real *out, int64_t out_stride, const real *in, int64_t stride,
                             int64_t n);
    void (*nonzero)(uint64_t *bits, const real *x, int64_t n); // bit i: whether x[i] is not zero
} Kernels;

/* The table for this machine (filled once). */
const Kernels *kernels(void);

/* Tests and benches: the table of one level, or NULL if this machine cannot run it. */
const Kernels *kernels_for(const char *isa);

void kernels_fill_portable(Kernels *table);
void kernels_fill_avx2(Kernels *table);
void kernels_fill_avx512(Kernels *table);
void kernels_fill_neon(Kernels *table);

#endif
