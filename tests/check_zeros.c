/* tests/check_zeros.c - a convolution is exactly zero where every product of its sum is, by every
 * method and on every instruction set; what is not finite stays so. */
#include "convolution_shapes.h"
#include "test.h"
#include "../base/digest.h"
#include "../base/parallel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- data with holes ------------------------------------------------------------------------- */

/* What is zero on purpose: pixels, or weights, of [images][channels][h][w]. */
typedef enum Holes {
    HOLES_NONE,
    HOLES_MANY,     // nineteen of twenty numbers
    HOLES_CHANNELS, // two of three channels
    HOLES_ROWS,     // half of the rows of every plane, the same in all channels
    HOLES_SQUARE,   // all but one rectangle, the same in all channels
    HOLES_BUT_ONE,  // all but one number
    HOLES_IMAGES,   // every second image, or whole filter
    HOLES_CROSSED,  // even channels in the left half, odd ones in the right half
    HOLES_ALL,
    HOLES
} Holes;

static bool is_hole(Holes holes, const int64_t at[4], const int64_t size[4], Random *random)
{
    int64_t n = at[0], c = at[1], y = at[2], x = at[3], h = size[2], w = size[3];
    switch (holes) {
    case HOLES_MANY:
        return random_below(random, 20) > 0;
    case HOLES_CHANNELS:
        return c % 3 > 0;
    case HOLES_ROWS:
        return (y + n) % 4 < 2;
    case HOLES_SQUARE:
        return y < h / 3 || y > h / 2 || x < w / 4 || x > w / 2;
    case HOLES_BUT_ONE:
        return n > 0 || c > 0 || y != h / 2 || x != w / 3;
    case HOLES_IMAGES:
        return n % 2 > 0;
    case HOLES_CROSSED:
        return (c % 2 > 0) == (x < w / 2);
    default:
        return holes == HOLES_ALL;
    }
}

static int64_t count_of(const int64_t size[4])
{
    return size[0] * size[1] * size[2] * size[3];
}

/* Random numbers in -1..1 but for the holes, which are zeros of either sign. */
static real *punched(const int64_t size[4], Holes holes, const char *stream)
{
    Random  random = random_stream(test_seed() + (uint64_t)holes, stream);
    real   *data = memory_new((size_t)count_of(size), sizeof *data, NULL), *next = data;
    int64_t at[4];
    for (at[0] = 0; at[0] < size[0]; at[0]++)
        for (at[1] = 0; at[1] < size[1]; at[1]++)
            for (at[2] = 0; at[2] < size[2]; at[2]++)
                for (at[3] = 0; at[3] < size[3]; at[3]++) {
                    real value = (real)random_unit(random_word(&random)) * 2 - 1;
                    *next++ = !is_hole(holes, at, size, &random) ? value : at[3] % 2 ? 0 : -(real)0;
                }
    return data;
}

/* ---- one convolution ------------------------------------------------------------------------- */

typedef struct Case {
    ConvShape shape;
    ConvSide  side;
    int64_t   source[4], target[4], kernel[4];
    real     *from, *weights, *to;
} Case;

static void case_open(Case *test, int index, ConvSide side, Holes pixels, Holes taps)
{
    ConvShape s = completed(shapes[index]);
    *test       = (Case){.shape  = s,
                         .side   = side,
                         .source = {s.n, s.c, s.h, s.w},
                         .target = {s.n, s.k, s.oh, s.ow},
                         .kernel = {s.k, kernel_channels(&s), s.r, s.s}};
    if (side == CONV_INPUT_GRADIENT) {
        memcpy(test->source, (int64_t[]){s.n, s.k, s.oh, s.ow}, sizeof test->source);
        memcpy(test->target, (int64_t[]){s.n, s.c, s.h, s.w}, sizeof test->target);
    }
    test->from    = punched(test->source, pixels, "pixels");
    test->weights = punched(test->kernel, taps, "taps");
    test->to      = memory_new((size_t)count_of(test->target), sizeof(real), NULL);
}

static void case_close(Case *test)
{
    memory_free(test->from);
    memory_free(test->weights);
    memory_free(test->to);
}

/* Scratch and results begin as NaN: nothing of them may be taken for something. */
static void case_run(Case *test, ConvMethod method)
{
    const ConvShape *s        = &test->shape;
    size_t           prepared = conv_prepared_size(s, test->side, method);
    size_t           scratch  = conv_scratch_size(s, test->side, method, parallel_threads());
    real            *memory   = memory_new(prepared + 16 + scratch, sizeof(real), NULL);
    real            *rest     = memory + (prepared + 15) / 16 * 16;
    memset(memory, 0xFF, (prepared + 16 + scratch) * sizeof(real));
    memset(test->to, 0xFF, (size_t)count_of(test->target) * sizeof(real));
    conv_prepare(s, test->side, method, test->weights, memory);
    conv_run(s, test->side, method, memory, test->from, test->to, &(ConvFinish){0}, rest);
    memory_free(memory);
}

/* Whether some product of the sum at `at` of the result is not zero. */
static bool is_reached(const Case *test, const int64_t at[4])
{
    const ConvShape *s       = &test->shape;
    bool             forward = test->side == CONV_FORWARD;
    for (int64_t c = 0; c < test->source[1]; c++)
        for (int64_t r = 0; r < s->r && is_one_group(s, forward ? at[1] : c, forward ? c : at[1]);
             r++)
            for (int64_t q = 0; q < s->s; q++) {
                int64_t y = forward ? at[2] * s->stride - s->pad + r : at[2] + s->pad - r;
                int64_t x = forward ? at[3] * s->stride - s->pad + q : at[3] + s->pad - q;
                if (!forward && (y % s->stride || x % s->stride))
                    continue;
                y = forward ? y : y / s->stride, x = forward ? x : x / s->stride;
                if (y < 0 || x < 0 || y >= test->source[2] || x >= test->source[3])
                    continue;
                int64_t k = forward ? at[1] : c, i = forward ? c : at[1];
                int64_t pixel = ((at[0] * test->source[1] + c) * test->source[2] + y);
                if (test->from[pixel * test->source[3] + x] != 0 &&
                    test->weights[weight_place(s, k, i, r, q)] != 0)
                    return true;
            }
    return false;
}

static bool zeros_are_exact(const Case *test)
{
    const real *next = test->to;
    int64_t     at[4];
    for (at[0] = 0; at[0] < test->target[0]; at[0]++)
        for (at[1] = 0; at[1] < test->target[1]; at[1]++)
            for (at[2] = 0; at[2] < test->target[2]; at[2]++)
                for (at[3] = 0; at[3] < test->target[3]; at[3]++, next++)
                    if (!(*next == 0 && !signbit(*next)) && !is_reached(test, at))
                        return false;
    return true;
}

/* ---- one weight gradient --------------------------------------------------------------------- */

/* Whether some product of the sum at `at` of [k][c][r][s] is not zero. */
static bool is_weight_reached(const ConvShape *s, const real *x, const real *gy,
                              const int64_t at[4])
{
    int64_t c = at[0] / (s->k / s->groups) * kernel_channels(s) + at[1];
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t i = 0; i < s->oh; i++)
            for (int64_t j = 0; j < s->ow; j++) {
                int64_t y = i * s->stride - s->pad + at[2], z = j * s->stride - s->pad + at[3];
                if (y >= 0 && z >= 0 && y < s->h && z < s->w &&
                    x[((n * s->c + c) * s->h + y) * s->w + z] != 0 &&
                    gy[((n * s->k + at[0]) * s->oh + i) * s->ow + j] != 0)
                    return true;
            }
    return false;
}

/* Runs it and adds it to *digest; whether its zeros are those of the sum, +0. */
static bool weight_zeros_are_exact(const ConvShape *s, ConvMethod method, Holes pixels,
                                   Holes gradients, uint32_t *digest)
{
    const int64_t kernel[4] = {s->k, kernel_channels(s), s->r, s->s};
    int64_t       count     = count_of(kernel), at[4];
    real         *x         = punched((int64_t[]){s->n, s->c, s->h, s->w}, pixels, "pixels");
    real         *gy      = punched((int64_t[]){s->n, s->k, s->oh, s->ow}, gradients, "gradients");
    size_t        size    = conv_weight_scratch_size(s, method, parallel_threads());
    real         *scratch = memory_new(size, sizeof(real), NULL);
    real         *grad_w = memory_new((size_t)count, sizeof(real), NULL), *next = grad_w;
    bool          exact = true;
    memset(scratch, 0xFF, size * sizeof(real));
    conv_weight_run(s, method, x, gy, grad_w, scratch);
    for (at[0] = 0; at[0] < kernel[0]; at[0]++)
        for (at[1] = 0; at[1] < kernel[1]; at[1]++)
            for (at[2] = 0; at[2] < kernel[2]; at[2]++)
                for (at[3] = 0; at[3] < kernel[3]; at[3]++, next++)
                    exact = exact &&
                            ((*next == 0 && !signbit(*next)) || is_weight_reached(s, x, gy, at));
    *digest = digest_crc32(*digest, grad_w, (size_t)count * sizeof(real));
    memory_free(x);
    memory_free(gy);
    memory_free(scratch);
    memory_free(grad_w);
    return exact;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static uint32_t results; // of everything run so far, as a digest

/* +0, as the direct sum has it, so that a signed step does not follow rounding noise. */
static void zeros_are_those_of_the_sum(void)
{
    for (int i = 0; i < SHAPES * 2; i++)
        for (ConvMethod method = CONV_DIRECT; method <= CONV_WINOGRAD; method++)
            for (int holes = 0; holes < HOLES * HOLES; holes++) {
                Case test;
                case_open(&test, i / 2, (ConvSide)(i % 2), (Holes)(holes / HOLES),
                          (Holes)(holes % HOLES));
                if (conv_choose(method, &test.shape, test.side) == method) {
                    case_run(&test, method);
                    results = digest_crc32(results, test.to,
                                           (size_t)count_of(test.target) * sizeof(real));
                    if (!CHECK(zeros_are_exact(&test)))
                        printf(
                            "  shape %d, side %d, method %d, holes %d of pixels, %d of weights\n",
                            i / 2, i % 2, (int)method, holes / HOLES, holes % HOLES);
                }
                case_close(&test);
            }
    for (int i = 0; i < SHAPES * 2; i++)
        for (int holes = 0; holes < HOLES * HOLES; holes++) {
            ConvShape  s      = completed(shapes[i / 2]);
            ConvMethod method = i % 2 ? CONV_WINOGRAD : CONV_DIRECT;
            Holes      of_x = (Holes)(holes / HOLES), of_gy = (Holes)(holes % HOLES);
            if (conv_choose(method, &s, CONV_WEIGHT_GRADIENT) == method &&
                !CHECK(weight_zeros_are_exact(&s, method, of_x, of_gy, &results)))
                printf("  shape %d, weights, method %d, holes %d of x, %d of gy\n", i / 2,
                       (int)method, (int)of_x, (int)of_gy);
        }
    printf("  digest of the results: %08x\n", (unsigned)results);
}

/* A zero weight does not hide what is not finite, nor does a dead neighbour: Winograd spreads it
 * over tiles, but loses none that the direct sum has. */
static void what_is_not_finite_stays(void)
{
    static const Holes some[] = {HOLES_NONE, HOLES_MANY, HOLES_BUT_ONE, HOLES_IMAGES, HOLES_ALL};
    enum { SOME = sizeof some / sizeof *some };
    for (int i = 0; i < SHAPES * 2; i++)
        for (int k = 0; k < SOME * SOME * 2; k++) {
            Case test;
            case_open(&test, i / 2, (ConvSide)(i % 2), some[k / 2 / SOME], some[k / 2 % SOME]);
            if (conv_choose(CONV_WINOGRAD, &test.shape, test.side) == CONV_WINOGRAD) {
                size_t count                         = (size_t)count_of(test.target);
                real  *plain                         = test.to;
                bool   stays                         = true;
                test.from[count_of(test.source) / 3] = k % 2 ? (real)NAN : (real)-INFINITY;
                case_run(&test, CONV_DIRECT);
                test.to = memory_new(count, sizeof(real), NULL);
                case_run(&test, CONV_WINOGRAD);
                for (size_t at = 0; at < count; at++)
                    stays = stays && (isfinite(plain[at]) || !isfinite(test.to[at]));
                if (!CHECK(stays))
                    printf("  shape %d, side %d, case %d\n", i / 2, i % 2, k);
                memory_free(plain);
            }
            case_close(&test);
        }
}

/* The claim above in another process, which is capped; *digest: what it prints. */
static bool holds_with(const char *isa, unsigned *digest)
{
    char program[1024] = {0}, command[1200], line[256];
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 1)
        return false;
    snprintf(command, sizeof command, "ENGINE_ISA=%s '%s' --seed %llu zeros_are_those", isa,
             program, (unsigned long long)test_seed());
    FILE *out = popen(command, "r"); // NOLINT(cert-env33-c): this program itself
    if (!out)
        return false;
    while (fgets(line, sizeof line, out))
        sscanf(line, "  digest of the results: %x", digest); // NOLINT(cert-err34-c)
    return pclose(out) == 0;
}

static void instruction_sets_agree(void)
{
    unsigned narrow = 0, own = 0;
    if (getenv("ENGINE_ISA") || !strcmp(engine_isa(), "portable"))
        SKIP("the only instruction set");
    CHECK(holds_with("portable", &narrow)); // its products are rounded before they are added
    CHECK(holds_with(engine_isa(), &own));
    if (!strcmp(engine_isa(), "avx512"))
        CHECK(holds_with("avx2", &narrow) && narrow == own);
}

SUITE(zeros)
{
    RUN(zeros_are_those_of_the_sum);
    RUN(what_is_not_finite_stays);
    RUN(instruction_sets_agree);
}
