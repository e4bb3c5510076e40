/* report/picture.c - planes in 0..1 as PNG files of the report. */
#include "page.h"
#include "../image/image.h"

#include <math.h>
#include <stdio.h>

static bool publish_png(const Report *report, const char *name, const Image *image, Error *error)
{
    char     path[LIMIT_PATH];
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    bool     done  = path_join(path, report->job->folder, name, error) &&
                png_encode(image, &bytes, &size, error) && file_publish(path, bytes, size, error);
    memory_free(bytes);
    return done;
}

// Rounds value(i) of each sample to 8 bits.
static bool write_samples(const Report *report, const char *name, const float *before,
                          const float *after, float scale, Error *error)
{
    const ActivationSource *layer  = &report->explainer->inputs.layer;
    int64_t                 height = layer->image_height, width = layer->image_width;
    size_t                  plane = (size_t)(height * width);
    Image image  = {.width = (int)width, .height = (int)height, .channels = 3, .orientation = 1};
    image.pixels = memory_new(3 * plane, 1, error);
    if (!image.pixels)
        return false;
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < 3; c++) {
            size_t at    = c * plane + i;
            float  value = before ? 0.5f + 0.5f * (after[at] - before[at]) / scale : after[at];
            value        = value < 0 ? 0 : value > 1 ? 1 : value;
            image.pixels[i * 3 + c] = (uint8_t)lrintf(255 * value);
        }
    bool done = publish_png(report, name, &image, error);
    image_free(&image);
    return done;
}

bool picture_write(const Report *report, const char *name, const float *planes, Error *error)
{
    return write_samples(report, name, NULL, planes, 1, error);
}

bool picture_write_change(const Report *report, const char *name, const float *before,
                          const float *after, float scale, Error *error)
{
    return write_samples(report, name, before, after, scale, error);
}

bool picture_write_photo(Report *report, int64_t image, Error *error)
{
    const ActivationSource *layer  = &report->explainer->inputs.layer;
    const ImageSource      *source = &report->explainer->inputs.images;
    char                    name[64];
    if (report->written[image])
        return true;
    float *planes =
        memory_new((size_t)(3 * layer->image_height * layer->image_width), sizeof *planes, error);
    snprintf(name, sizeof name, "photos/%06lld.png", (long long)image);
    bool done = planes && source->load(source->self, image, planes, error) &&
                picture_write(report, name, planes, error);
    memory_free(planes);
    report->written[image] = done;
    return done;
}
