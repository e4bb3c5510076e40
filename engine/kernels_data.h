/* engine/kernels_data.h - part of the kernel text: what happens around products. */

/* ---- epilogue of a convolution --------------------------------------------------------------- */

/* NaN stays NaN behind a ReLU. */
static inline __attribute__((always_inline)) Vec finished(Vec x, Vec bias, Vec extra, Vec condition,
                                                          Vec most, bool add, bool relu, bool gate,
                                                          bool is_bounded)
{
    Vec value = add ? x + bias + extra : x + bias;
    Vec zero  = {0};
    if (relu)
        value = vec_select(value <= zero, zero, value);
    if (relu && is_bounded)
        value = vec_select(value > most, most, value);
    if (gate && is_bounded)
        value = vec_select(condition < most, value, zero);
    return gate ? vec_select(condition > zero, value, zero) : value;
}

static inline __attribute__((always_inline)) void finish_rows(const FinishRows *f, bool add,
                                                              bool relu, bool gate, bool is_bounded)
{
    Vec zero = {0}, most = vec_all(f->most);
    for (int64_t r = 0; r < f->rows; r++) {
        real       *out       = f->out + r * f->stride;
        const real *x         = f->x + r * f->x_stride;
        const real *extra     = add ? f->add + r * f->stride : NULL;
        const real *condition = gate ? f->gate + r * f->stride : NULL;
        Vec         bias      = vec_all(f->bias ? f->bias[r] : 0);
        int64_t     j         = 0;
        bool        stream    = f->stream && (uintptr_t)out % sizeof(Vec) == 0;
        for (; j + LANES <= f->n; j += LANES) {
            Vec value =
                finished(vec_load(x + j), bias, add ? vec_load(extra + j) : zero,
                         gate ? vec_load(condition + j) : zero, most, add, relu, gate, is_bounded);
            if (stream)
                vec_stream(out + j, value);
            else
                vec_store(out + j, value);
        }
        int64_t left = f->n - j;
        if (left > 0)
            vec_store_some(out + j,
                           finished(vec_load_some(x + j, left), bias,
                                    add ? vec_load_some(extra + j, left) : zero,
                                    gate ? vec_load_some(condition + j, left) : zero, most, add,
                                    relu, gate, is_bounded),
                           left);
    }
}

static void finish(const FinishRows *f)
{
    if (f->relu && f->most > 0)
        f->add ? finish_rows(f, true, true, false, true) : finish_rows(f, false, true, false, true);
    else if (f->gate && f->most > 0)
        f->add ? finish_rows(f, true, false, true, true) : finish_rows(f, false, false, true, true);
    else if (f->relu && f->add)
        finish_rows(f, true, true, false, false);
    else if (f->relu)
        finish_rows(f, false, true, false, false);
    else if (f->gate && f->add)
        finish_rows(f, true, false, true, false);
    else if (f->gate)
        finish_rows(f, false, false, true, false);
    else if (f->add)
        finish_rows(f, true, false, false, false);
    else
        finish_rows(f, false, false, false, false);
}

/* ---- packing --------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void copy_row(real *restrict to,
                                                           const real *restrict from, int64_t n)
{
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        vec_store(to + j, vec_load(from + j));
    if (j < n)
        vec_store_some(to + j, vec_load_some(from + j, n - j), n - j);
}

static inline __attribute__((always_inline)) void copy_even(real *restrict to,
                                                            const real *restrict from, int64_t n)
{
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        vec_store(to + j, vec_even(from + 2 * j));
    if (j < n)
        vec_store_some(to + j, vec_even_some(from + 2 * j, n - j), n - j);
}

static void pack(real *restrict to, int64_t to_step, const real *restrict from, int64_t from_step,
                 int64_t rows, int64_t n, int64_t stride)
{
    enum { FULL = TILE_VECTORS * LANES };
    for (int64_t r = 0; r < rows; r++, to += to_step, from += from_step) {
        if (stride == 1 && n == FULL)
            copy_row(to, from, FULL);
        else if (stride == 1 && n == TILE_ROWS) // of a product's first operand
            memcpy(to, from, TILE_ROWS * sizeof(real));
        else if (stride == 1)
            copy_row(to, from, n);
        else if (stride == 2)
            copy_even(to, from, n);
        else
            for (int64_t j = 0; j < n; j++)
                to[j] = from[j * stride];
    }
}

static void interleave(real *restrict out, const real *restrict even, const real *restrict odd,
                       int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vec_weave(out + 2 * i, vec_load(even + i), vec_load(odd + i));
    for (; i < n; i++) {
        out[2 * i]     = even[i];
        out[2 * i + 1] = odd[i];
    }
}

/* ---- pooling --------------------------------------------------------------------------------- */

/* A value and its place travel together; strictly greater replaces, so the first maximum wins. */
static inline __attribute__((always_inline)) void vec_better(Vec *best, VecInt *place, Vec value,
                                                             VecInt at)
{
    VecInt greater = value > *best;
    *best          = vec_select(greater, value, *best);
    *place         = (greater & at) | (~greater & *place);
}

static inline __attribute__((always_inline)) void pool_vector(real *restrict out,
                                                              int32_t *restrict index,
                                                              const real *restrict top, int rows,
                                                              int cols, int32_t at, int32_t width)
{
    VecInt first = {0};
    for (int lane = 0; lane < LANES; lane++)
        first[lane] = at + 2 * lane;
    VecInt place = first;
    Vec    best  = vec_even(top);
    for (int r = 0; r < rows; r++)
        for (int c = r == 0; c < cols; c++)
            vec_better(&best, &place, vec_even(top + r * width + c), first + (r * width + c));
    vec_store(out, best);
    for (int lane = 0; index && lane < LANES; lane++)
        index[lane] = (int32_t)place[lane];
}

static void pool_one(real *out, int32_t *index, const real *top, int rows, int cols, int32_t at,
                     int32_t width)
{
    int32_t best = 0;
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < cols; c++)
            best = top[r * width + c] > top[best] ? r * width + c : best;
    *out = top[best];
    if (index)
        *index = at + best;
}

static void maxpool(real *restrict out, int32_t *restrict index, const real *restrict top, int rows,
                    int cols, int32_t at, int32_t width, int64_t n)
{
    for (int64_t i = 0; i < n; i += n < LANES ? 1 : LANES) {
        int64_t     j     = n >= LANES && i + LANES > n ? n - LANES : i; // the last repeats some
        int32_t    *to    = index ? index + j : NULL;
        const real *from  = top + 2 * j;
        int32_t     place = at + (int32_t)(2 * j);
        if (n < LANES)
            pool_one(out + j, to, from, rows, cols, place, width);
        else if (rows == 2 && cols == 2)
            pool_vector(out + j, to, from, 2, 2, place, width);
        else if (rows == 3 && cols == 3)
            pool_vector(out + j, to, from, 3, 3, place, width);
        else
            pool_vector(out + j, to, from, rows, cols, place, width);
    }
}
