/* image/resize.c - crop, resize, and the steps from a decoded file to network input.
 *
 * The resize equals Pillow's for 8-bit pictures: a filter that widens when shrinking (antialias),
 * weights rounded to 22 fractional bits, and two passes, rows first, each rounded to 8 bits.
 * Channels are independent: alpha does not weight the colours.
 * Source: Pillow, Resample.c; Keys, "Cubic convolution interpolation", IEEE TASSP 1981 (a = -1/2).
 */
#include "limits.h"

#include <math.h>
#include <string.h>

enum { WEIGHT_BITS = 32 - 8 - 2 }; // of the weights: room for 8 bits of sample and a sum near 1

typedef struct Span {
    int first, count; // source samples that one output sample is made of
} Span;

typedef struct Weights {
    int      width; // room per output sample
    Span    *spans;
    int32_t *values;
} Weights;

static double filter_bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double filter_bicubic(double x)
{
    const double a = -0.5;
    x              = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static void weights_free(Weights *weights)
{
    memory_free(weights->spans);
    memory_free(weights->values);
}

// The caller frees the weights, on failure too.
static bool weights_make(Weights *weights, int from, int to, ResizeFilter filter, Error *error)
{
    double (*value)(double) = filter == RESIZE_BILINEAR ? filter_bilinear : filter_bicubic;
    double scale            = (double)from / to;
    double stretch          = scale < 1 ? 1 : scale;
    double support          = (filter == RESIZE_BILINEAR ? 1.0 : 2.0) * stretch;
    weights->width          = (int)ceil(support) * 2 + 1;
    weights->spans          = memory_new((size_t)to, sizeof(Span), error);
    weights->values         = NULL;
    size_t  count           = 0;
    double *exact           = memory_new((size_t)weights->width, sizeof(double), error);
    if (!size_mul((size_t)to, (size_t)weights->width, &count))
        fail(error, ERROR_MEMORY, "resize: %d weights for %d samples do not fit", weights->width,
             to);
    else
        weights->values = memory_new(count, sizeof(int32_t), error);
    if (!weights->spans || !weights->values || !exact) {
        memory_free(exact);
        return false;
    }
    for (int i = 0; i < to; i++) {
        double center = (i + 0.5) * scale, inverse = 1 / stretch, sum = 0;
        int    first = (int)(center - support + 0.5);
        int    end   = (int)(center + support + 0.5);
        first        = first < 0 ? 0 : first;
        end          = end > from ? from : end;
        for (int k = 0; k < end - first; k++) {
            exact[k] = value((k + first - center + 0.5) * inverse);
            sum += exact[k];
        }
        int32_t *rounded = weights->values + (size_t)i * (size_t)weights->width;
        for (int k = 0; k < end - first; k++) {
            double weight = (sum != 0 ? exact[k] / sum : exact[k]) * (1 << WEIGHT_BITS);
            rounded[k]    = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        weights->spans[i] = (Span){first, end - first};
    }
    memory_free(exact);
    return true;
}

static inline uint8_t to_byte(int32_t sum)
{
    int32_t value = sum >> WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

// Every row of `in` from its own width to out->width; the heights are equal.
static void resize_rows(const Image *in, const Weights *weights, Image *out)
{
    size_t channels = (size_t)in->channels;
    for (int y = 0; y < out->height; y++) {
        const uint8_t *row    = in->pixels + (size_t)y * (size_t)in->width * channels;
        uint8_t       *target = out->pixels + (size_t)y * (size_t)out->width * channels;
        for (int x = 0; x < out->width; x++) {
            Span           span = weights->spans[x];
            const int32_t *w    = weights->values + (size_t)x * (size_t)weights->width;
            for (size_t c = 0; c < channels; c++) {
                const uint8_t *source = row + (size_t)span.first * channels + c;
                int32_t        sum    = 1 << (WEIGHT_BITS - 1);
                for (int k = 0; k < span.count; k++)
                    sum += w[k] * source[(size_t)k * channels];
                *target++ = to_byte(sum);
            }
        }
    }
}

// Every column of `in` from its own height to out->height; the widths are equal.
static void resize_columns(const Image *in, const Weights *weights, Image *out, int32_t *sums)
{
    size_t row_size = (size_t)in->width * (size_t)in->channels;
    for (int y = 0; y < out->height; y++) {
        Span           span   = weights->spans[y];
        const int32_t *w      = weights->values + (size_t)y * (size_t)weights->width;
        uint8_t       *target = out->pixels + (size_t)y * row_size;
        for (size_t i = 0; i < row_size; i++)
            sums[i] = 1 << (WEIGHT_BITS - 1);
        for (int k = 0; k < span.count; k++) {
            const uint8_t *row = in->pixels + ((size_t)span.first + (size_t)k) * row_size;
            for (size_t i = 0; i < row_size; i++)
                sums[i] += w[k] * row[i];
        }
        for (size_t i = 0; i < row_size; i++)
            target[i] = to_byte(sums[i]);
    }
}

// A picture like `like`, of another size and number of channels, with pixels to be filled.
static bool image_make(const Image *like, int width, int height, int channels, Image *out,
                       Error *error)
{
    if (!image_size_check("image", width, height, ERROR_USAGE, error))
        return false;
    uint8_t *pixels = memory_new((size_t)width * (size_t)height, (size_t)channels, error);
    if (!pixels)
        return false;
    *out          = *like;
    out->width    = width;
    out->height   = height;
    out->channels = channels;
    out->pixels   = pixels;
    return true;
}

bool image_resize(const Image *image, int width, int height, ResizeFilter filter, Image *out,
                  Error *error)
{
    Image   wide = {0}, result = {0};
    Weights across = {0}, down = {0};
    bool    done = false;
    if (!image_make(image, width, height, image->channels, &result, error))
        return false;
    const Image *source = image;
    if (width != image->width) {
        bool two_passes = height != image->height;
        if (two_passes && !image_make(image, width, image->height, image->channels, &wide, error))
            goto done;
        if (!weights_make(&across, image->width, width, filter, error))
            goto done;
        resize_rows(image, &across, two_passes ? &wide : &result);
        source = &wide;
    }
    if (height != image->height) {
        size_t   row_size = (size_t)width * (size_t)image->channels;
        int32_t *sums     = memory_new(row_size, sizeof(int32_t), error);
        if (!sums || !weights_make(&down, image->height, height, filter, error)) {
            memory_free(sums);
            goto done;
        }
        resize_columns(source, &down, &result, sums);
        memory_free(sums);
    } else if (width == image->width) {
        memcpy(result.pixels, image->pixels,
               (size_t)width * (size_t)height * (size_t)image->channels);
    }
    done = true;
done:
    weights_free(&across);
    weights_free(&down);
    image_free(&wide);
    if (done)
        *out = result;
    else
        image_free(&result);
    return done;
}

bool image_crop(const Image *image, int left, int top, int width, int height, Image *out,
                Error *error)
{
    if (left < 0 || top < 0 || width < 1 || height < 1 || width > image->width - left ||
        height > image->height - top)
        return fail(error, ERROR_USAGE, "image: no %dx%d pixels at (%d, %d) of %dx%d", width,
                    height, left, top, image->width, image->height);
    size_t channels = (size_t)image->channels;
    Image  result;
    if (!image_make(image, width, height, image->channels, &result, error))
        return false;
    for (int y = 0; y < height; y++) {
        size_t from = (size_t)(top + y) * (size_t)image->width + (size_t)left;
        memcpy(result.pixels + (size_t)y * (size_t)width * channels,
               image->pixels + from * channels, (size_t)width * channels);
    }
    *out = result;
    return true;
}

// round(a * b / 255), as Pillow rounds it
static inline int multiply_255(int a, int b)
{
    int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

bool image_to_rgb(const Image *image, Image *out, Error *error)
{
    Image result;
    if (!image_make(image, image->width, image->height, 3, &result, error))
        return false;
    result.is_cmyk          = false;
    const uint8_t *in       = image->pixels;
    uint8_t       *rgb      = result.pixels;
    int            channels = image->channels;
    for (size_t left = (size_t)image->width * (size_t)image->height; left > 0; left--) {
        for (int c = 0; c < 3; c++)
            rgb[c] = channels < 3 ? in[0] : in[c];
        if (image->is_cmyk) {
            int light = 255 - in[3]; // what black ink lets through
            for (int c = 0; c < 3; c++)
                rgb[c] = (uint8_t)(light - multiply_255(in[c], light));
        }
        in += channels;
        rgb += 3;
    }
    *out = result;
    return true;
}

void image_to_planes(const Image *rgb, float *planes)
{
    size_t count = (size_t)rgb->width * (size_t)rgb->height;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++)
            planes[c * count + i] = (float)rgb->pixels[3 * i + c] / 255.0f;
}

void image_free(Image *image)
{
    memory_free(image->pixels);
    *image = (Image){0};
}

bool image_decode(const uint8_t *data, size_t size, const char *name, Image *out, Error *error)
{
    if (size >= 4 && !memcmp(data, "\x89PNG", 4))
        return png_decode(data, size, name, out, error);
    if (size >= 2 && data[0] == 0xFF && data[1] == 0xD8)
        return jpeg_decode(data, size, name, out, error);
    return fail(error, ERROR_DATA, "%s: is neither a PNG nor a JPEG file", name);
}
