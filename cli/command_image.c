/* cli/command_image.c - what the decoder, resizer and encoder make of a picture. */
#include "../base/file.h"
#include "../format/npy.h"
#include "commands.h"
#include "../format/json.h"
#include "../probe/picture.h"
#include "output.h"
#include "outputs.h"

#include <string.h>

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

// As numpy.asarray of a picture: [height, width] or [height, width, channels], values 0..255.
static bool write_npy(const Image *image, const char *path, Error *error)
{
    size_t count  = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    float *values = memory_new(count, sizeof *values, error);
    if (!values)
        return false;
    for (size_t i = 0; i < count; i++)
        values[i] = (float)image->pixels[i];
    Shape shape = image->channels == 1 ? shape_2d(image->height, image->width)
                                       : shape_3d(image->height, image->width, image->channels);
    bool  ok    = npy_write(path, values, shape, error);
    memory_free(values);
    return ok;
}

static bool to_rgb(Image *image, Error *error)
{
    Image rgb = {0};
    if (!image_to_rgb(image, &rgb, error))
        return false;
    image_free(image);
    *image = rgb;
    return true;
}

static bool write_picture(Image *image, const Settings *settings, Error *error)
{
    const char *path    = settings->out;
    bool        is_jpeg = ends_with(path, ".jpg") || ends_with(path, ".jpeg");
    uint8_t    *bytes   = NULL;
    size_t      size    = 0;
    if (npy_is_name(path))
        return write_npy(image, path, error);
    if (is_jpeg && (image->channels == 2 || image->channels == 4) && !to_rgb(image, error))
        return false;
    bool ok = (is_jpeg ? jpeg_encode(image, (int)settings->quality,
                                     (JpegSampling)settings->sampling, &bytes, &size, error)
                       : png_encode(image, &bytes, &size, error)) &&
              file_publish(path, bytes, size, error);
    memory_free(bytes);
    return ok;
}

static bool run(const Settings *settings, Error *error)
{
    const char *path  = settings->inputs[0];
    Image       image = {0};
    if (!ends_with(settings->out, ".png") && !ends_with(settings->out, ".jpg") &&
        !ends_with(settings->out, ".jpeg") && !npy_is_name(settings->out))
        return fail(error, ERROR_USAGE, "--out: '%s' does not end in .png, .jpg or .npy",
                    settings->out);
    if (!output_file_check(settings->out, &(UsedPath){"the input", path}, 1, error) ||
        !picture_open(path, &image, error))
        return false;
    int  width = image.width, height = image.height, channels = image.channels;
    bool ok = !image.is_cmyk || to_rgb(&image, error);
    if (ok && settings->resize)
        ok = picture_resize_short(&image, (int)settings->resize, CROP_TORCHVISION,
                                  (ResizeFilter)settings->filter, error);
    if (ok && settings->crop)
        ok = picture_crop_centre(&image, (int)settings->crop, (int)settings->crop, CROP_TORCHVISION,
                                 path, error);
    int new_width = image.width, new_height = image.height;
    ok = ok && write_picture(&image, settings, error);
    if (ok && settings->json) {
        JsonWriter json = {0};
        json_open_object(&json, NULL);
        json_text(&json, "input", path);
        json_whole(&json, "width", width);
        json_whole(&json, "height", height);
        json_whole(&json, "channels", channels);
        json_whole(&json, "orientation", image.orientation);
        json_text(&json, "output", settings->out);
        json_whole(&json, "output_width", new_width);
        json_whole(&json, "output_height", new_height);
        json_close(&json);
        ok = json_print(&json, error);
    } else if (ok) {
        print_clean(stdout, settings->out);
        printf(": %dx%d from %dx%d, %d channels\n", new_width, new_height, width, height, channels);
    }
    image_free(&image);
    return ok;
}

static const Option options[] = {OPTION_OUT("FILE", "file to make: .png, .jpg or .npy"),
                                 {.name    = "quality",
                                  .kind    = ARGUMENT_WHOLE,
                                  .offset  = offsetof(Settings, quality),
                                  .value   = "Q",
                                  .initial = "75",
                                  .help    = "quality of a .jpg",
                                  .least   = 1,
                                  .most    = 100},
                                 {.name    = "sampling",
                                  .kind    = ARGUMENT_CHOICE,
                                  .offset  = offsetof(Settings, sampling),
                                  .value   = "420|422|444",
                                  .initial = "420",
                                  .help    = "chroma sampling of a .jpg"},
                                 {.name   = "resize",
                                  .kind   = ARGUMENT_WHOLE,
                                  .offset = offsetof(Settings, resize),
                                  .value  = "SHORT",
                                  .help   = "short side in pixels, with antialiasing",
                                  .least  = 1,
                                  .most   = LIMIT_IMAGE_SIDE},
                                 {.name    = "filter",
                                  .kind    = ARGUMENT_CHOICE,
                                  .offset  = offsetof(Settings, filter),
                                  .value   = "bilinear|bicubic",
                                  .initial = "bilinear",
                                  .help    = "how it is resized"},
                                 {.name   = "crop",
                                  .kind   = ARGUMENT_WHOLE,
                                  .offset = offsetof(Settings, crop),
                                  .value  = "SIDE",
                                  .help   = "centre square of this side",
                                  .least  = 1,
                                  .most   = LIMIT_IMAGE_SIDE},
                                 OPTION_END};

const Verb verb_image = {
    .name        = "image",
    .inputs      = "INPUT",
    .input_least = 1,
    .input_most  = 1,
    .summary     = "decode, resize, crop and encode a picture",
    .details     = "Reads PNG and JPEG. A .npy holds float32 values 0..255 as [height, width] or "
                   "[height, width, channels].",
    .example     = "nemesis image photo.jpg --resize 256 --crop 224 -o photo.png",
    .options     = options,
    .shared      = "max-pixels|" SHARED_BY_ALL,
    .run         = run,
};
