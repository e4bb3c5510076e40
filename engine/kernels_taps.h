/* engine/kernels_taps.h - part of the kernel text: weight gradients without copies of patches. */

/* TAP_ROWS places times some vectors of channels. A column of gy is loaded, a number of the image
 * is spread over a vector from where it lies. A piece of the depth is summed in registers. */
static inline __attribute__((always_inline)) void tap_tile(const TapSums *t, int vectors)
{
    const real *row[TAP_ROWS], *gy = t->gy;
    UNROLL for (int r = 0; r < TAP_ROWS; r++) row[r] = t->row[r];
    for (int64_t first = 0; first < t->runs; first += t->piece) {
        int64_t end = t->runs - first < t->piece ? t->runs : first + t->piece;
        Vec     sum[TAP_ROWS][TILE_MOST_VECTORS];
        UNROLL for (int r = 0; r < TAP_ROWS; r++) UNROLL for (int v = 0; v < vectors; v++)
            sum[r][v] = (Vec){0};
        for (const PixelRun *run = t->run + first; run < t->run + end; run++) {
            int64_t at = run->at;
            for (int64_t i = 0; i < run->count; i++, at += t->step, gy += t->gy_step) {
                Vec column[TILE_MOST_VECTORS];
                UNROLL for (int v = 0; v < vectors; v++) column[v] = vec_load(gy + v * LANES);
                UNROLL for (int r = 0; r < TAP_ROWS; r++)
                {
                    Vec pixel = vec_all(row[r][at]);
                    UNROLL for (int v = 0; v < vectors; v++) sum[r][v] =
                        vec_fma(pixel, column[v], sum[r][v]);
                }
            }
        }
        UNROLL for (int r = 0; r < TAP_ROWS; r++) UNROLL for (int v = 0; v < vectors; v++)
        {
            real *to = t->out + r * t->out_step + v * LANES;
            vec_store(to, vec_load(to) + sum[r][v]);
        }
    }
}

static void tap_tile1(const TapSums *sums)
{
    tap_tile(sums, 1);
}

static void tap_tile2(const TapSums *sums)
{
    tap_tile(sums, 2);
}

static void tap_tile3(const TapSums *sums)
{
    tap_tile(sums, 3);
}

/* Eight columns of LANES / 2 rows. */
static inline void transpose_half(real *restrict to, int64_t to_step, const real *restrict from,
                                  int64_t from_step)
{
    Vec in[4], out[4];
    UNROLL for (int q = 0; q < 4; q++) in[q] =
        vec_fours(from + q % 2 * (LANES / 4) * from_step + q / 2 * 4, from_step);
    vec_spread4(in, out);
    UNROLL for (int j = 0; j < 4; j++)
    {
        memcpy(to + j * to_step, &out[j], sizeof(Vec) / 2);
        memcpy(to + (j + 4) * to_step, (const char *)&out[j] + sizeof(Vec) / 2, sizeof(Vec) / 2);
    }
}

/* Four columns of LANES rows at a time, then eight of half as many rows. */
static void transpose(real *restrict to, int64_t to_step, const real *restrict from,
                      int64_t from_step, int64_t rows, int64_t cols)
{
    int64_t whole_rows = rows / LANES * LANES, whole_cols = cols / 4 * 4;
    for (int64_t r = 0; r < whole_rows; r += LANES)
        for (int64_t c = 0; c < whole_cols; c += 4) {
            Vec in[4], out[4];
            UNROLL for (int q = 0; q < 4; q++) in[q] =
                vec_fours(from + (r + q * (LANES / 4)) * from_step + c, from_step);
            vec_spread4(in, out);
            UNROLL for (int j = 0; j < 4; j++) vec_store(to + (c + j) * to_step + r, out[j]);
        }
    int64_t half_rows = whole_rows, half_cols = cols / 8 * 8;
    for (; half_rows + LANES / 2 <= rows; half_rows += LANES / 2)
        for (int64_t c = 0; c < half_cols; c += 8)
            transpose_half(to + c * to_step + half_rows, to_step, from + half_rows * from_step + c,
                           from_step);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = r < whole_rows ? whole_cols : r < half_rows ? half_cols : 0; c < cols; c++)
            to[c * to_step + r] = from[r * from_step + c];
}
