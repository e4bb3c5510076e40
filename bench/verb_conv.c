/* bench/verb_conv.c - the convolutions of a network one by one, from the shapes in bench/NAME.txt.
 */
#include "bench.h"

#include "../engine/conv.h"
#include "../base/parallel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct Layer {
    const char *arch, *name;
    int64_t     channels, side, kernels;         // input channels, input side, output channels
    int         kernel_side, stride, pad, count; // count: how often the network has it
} Layer;

#define LAYER(...) {ARCH, __VA_ARGS__},
static const Layer layers[] = {
#define ARCH "vgg16"
#include "vgg16.txt"
#undef ARCH
#define ARCH "resnet50"
#include "resnet50.txt"
#undef ARCH
};
#undef LAYER
enum { LAYERS = sizeof layers / sizeof *layers };

typedef struct ConvWork {
    ConvShape  shape;
    ConvSide   side;
    ConvMethod method;
    ConvFinish finish;
    real      *weights, *prepared, *bias, *from, *to, *scratch;
} ConvWork;

static void conv_work(void *data)
{
    ConvWork *work = data;
    conv_run(&work->shape, work->side, work->method, work->prepared, work->from, work->to,
             &work->finish, work->scratch);
}

/* One output of the forward pass in double. */
static double forward_reference(const ConvWork *work, int64_t n, int64_t k, int64_t y, int64_t x)
{
    const ConvShape *s     = &work->shape;
    double           total = (double)work->bias[k];
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t i = 0; i < s->r; i++)
            for (int64_t j = 0; j < s->s; j++) {
                int64_t row = y * s->stride - s->pad + i, col = x * s->stride - s->pad + j;
                if (row >= 0 && row < s->h && col >= 0 && col < s->w)
                    total += (double)work->from[((n * s->c + c) * s->h + row) * s->w + col] *
                             (double)work->weights[((k * s->c + c) * s->r + i) * s->s + j];
            }
    return total > 0 ? total : 0;
}

/* One element of the input gradient in double. */
static double gradient_reference(const ConvWork *work, int64_t n, int64_t c, int64_t y, int64_t x)
{
    const ConvShape *s     = &work->shape;
    double           total = 0;
    for (int64_t k = 0; k < s->k; k++)
        for (int64_t i = 0; i < s->r; i++)
            for (int64_t j = 0; j < s->s; j++) {
                int64_t row = y + s->pad - i, col = x + s->pad - j;
                if (row < 0 || col < 0 || row % s->stride || col % s->stride)
                    continue;
                row /= s->stride, col /= s->stride;
                if (row < s->oh && col < s->ow)
                    total += (double)work->from[((n * s->k + k) * s->oh + row) * s->ow + col] *
                             (double)work->weights[((k * s->c + c) * s->r + i) * s->s + j];
            }
    return total;
}

/* max |found - reference| / max |reference| over sampled outputs. */
static double conv_residual(const ConvWork *work)
{
    enum { SAMPLES = 96 };
    const ConvShape *s        = &work->shape;
    bool             forward  = work->side == CONV_FORWARD;
    int64_t          channels = forward ? s->k : s->c, height = forward ? s->oh : s->h;
    int64_t          width  = forward ? s->ow : s->w;
    Random           random = random_stream(0, "bench samples");
    double           worst = 0, largest = 1e-30;
    for (int i = 0; i < SAMPLES; i++) {
        int64_t n = random_below(&random, (uint32_t)s->n);
        int64_t c = random_below(&random, (uint32_t)channels);
        int64_t y = random_below(&random, (uint32_t)height),
                x = random_below(&random, (uint32_t)width);
        double want =
            forward ? forward_reference(work, n, c, y, x) : gradient_reference(work, n, c, y, x);
        double found = (double)work->to[((n * channels + c) * height + y) * width + x];
        worst        = fmax(worst, fabs(found - want));
        largest      = fmax(largest, fabs(want));
    }
    return worst / largest;
}

static bool conv_open(ConvWork *work, const Options *options, const Layer *layer, Error *error)
{
    ConvShape *s = &work->shape;
    *s           = (ConvShape){.n      = options->batch,
                               .c      = layer->channels,
                               .h      = layer->side,
                               .w      = layer->side,
                               .k      = layer->kernels,
                               .r      = layer->kernel_side,
                               .s      = layer->kernel_side,
                               .stride = layer->stride,
                               .pad    = layer->pad};
    s->oh = s->ow = (layer->side + 2 * layer->pad - layer->kernel_side) / layer->stride + 1;
    work->side    = options->input_gradient ? CONV_INPUT_GRADIENT : CONV_FORWARD;
    work->method  = conv_choose(options->conv, s, work->side);
    size_t image = (size_t)(s->n * s->c * s->h * s->w), map = (size_t)(s->n * s->k * s->oh * s->ow);
    size_t kernel = (size_t)(s->c * s->r * s->s), from = options->input_gradient ? map : image;
    work->weights = memory_new(kernel * (size_t)s->k, sizeof(real), error);
    work->bias    = memory_new((size_t)s->k, sizeof(real), error);
    work->prepared =
        memory_new(conv_prepared_size(s, work->side, work->method), sizeof(real), error);
    work->from    = memory_new(from, sizeof(real), error);
    work->to      = memory_new(options->input_gradient ? image : map, sizeof(real), error);
    work->scratch = memory_new(conv_scratch_size(s, work->side, work->method, parallel_threads()),
                               sizeof(real), error);
    if (!work->weights || !work->bias || !work->prepared || !work->from || !work->to ||
        !work->scratch)
        return false;
    material_fill(work->weights, kernel * (size_t)s->k, "kernel", 0, 1 / sqrtf((float)kernel));
    material_fill(work->bias, (size_t)s->k, "bias", 0, (real)0.1);
    material_fill(work->from, from, "image", 0, 1);
    conv_prepare(s, work->side, work->method, work->weights, work->prepared);
    if (!options->input_gradient)
        work->finish = (ConvFinish){.bias = work->bias, .relu = true};
    return true;
}

static void conv_close(ConvWork *work)
{
    memory_free(work->weights);
    memory_free(work->bias);
    memory_free(work->prepared);
    memory_free(work->from);
    memory_free(work->to);
    memory_free(work->scratch);
}

static bool bench_layer(const Options *options, const Layer *layer, Error *error)
{
    ConvWork work = {0};
    Row      row  = {.verb = "conv", .threads = parallel_threads()};
    bool     ok   = conv_open(&work, options, layer, error) &&
              row_time(&row, options->runs, conv_work, &work, error);
    if (ok) {
        const ConvShape *s = &work.shape;
        snprintf(row.name, sizeof row.name, "%s %s b%lld %s", layer->name,
                 options->input_gradient ? "gradient" : "forward", (long long)options->batch,
                 work.method == CONV_WINOGRAD ? "winograd" : "direct");
        row.ms         = timing_scaled(row.ms, 1.0 / (double)s->n);
        row.flops      = 2.0 * (double)(s->k * s->oh * s->ow) * (double)(s->c * s->r * s->s);
        row.figures[0] = (Figure){"residual", conv_residual(&work)};
        row.figures[1] = (Figure){"in_network", layer->count};
        row_print(options, &row);
    }
    conv_close(&work);
    return ok;
}

/* Line of the last layer wanted: of the network, or whose name begins with `upto`; -1: there is
 * none. */
static int last_layer(const Options *options)
{
    const char *upto = options->upto ? options->upto : "";
    int         last = -1;
    for (int i = 0; i < LAYERS; i++)
        if (strcmp(layers[i].arch, options->arch) == 0 &&
            strncmp(layers[i].name, upto, strlen(upto)) == 0)
            last = i;
    return last;
}

bool bench_conv(const Options *options, Error *error)
{
    char title[80];
    int  last = last_layer(options);
    if (last < 0)
        return fail(error, ERROR_USAGE,
                    "conv: no shapes of '%s' up to '%s', expected a layer of vgg16 or resnet50",
                    options->arch, options->upto ? options->upto : "the end");
    snprintf(title, sizeof title, "convolutions of %s", options->arch);
    row_header(options, title);
    bool ok = true;
    for (int i = 0; ok && i <= last; i++)
        if (strcmp(layers[i].arch, options->arch) == 0)
            ok = bench_layer(options, &layers[i], error);
    return ok;
}
