/* probe/picture.c - see picture.h. */
#include "picture.h"
#include "../base/file.h"

#include <string.h>
#include <strings.h>

bool picture_open(const char *path, Image *out, Error *error)
{
    Bytes bytes = {0};
    bool  ok    = file_read(path, LIMIT_IMAGE_FILE, &bytes, error) &&
              image_decode(bytes.data, bytes.size, path, out, error);
    bytes_close(&bytes);
    return ok;
}

// Replaces *image by *next when the step that made it succeeded.
static bool replace(Image *image, Image *next, bool ok)
{
    if (ok) {
        image_free(image);
        *image = *next;
    }
    return ok;
}

bool picture_resize_short(Image *image, int length, CropGeometry geometry, ResizeFilter filter,
                          Error *error)
{
    Image   next    = {0};
    bool    wide    = image->width > image->height;
    int64_t shorter = wide ? image->height : image->width;
    int64_t longer  = wide ? image->width : image->height;
    int64_t half    = geometry == CROP_ROUNDED ? shorter / 2 : 0;
    int64_t scaled  = (length * longer + half) / shorter;
    if (scaled > LIMIT_IMAGE_SIDE)
        return fail(error, ERROR_DATA, "a side of %lld pixels after resizing, the limit is %d",
                    (long long)scaled, LIMIT_IMAGE_SIDE);
    int width  = wide ? (int)scaled : length;
    int height = wide ? length : (int)scaled;
    return replace(image, &next, image_resize(image, width, height, filter, &next, error));
}

// (side - wanted) / 2, rounded half to even or down.
static int centre_offset(int side, int wanted, CropGeometry geometry)
{
    int twice = side - wanted, half = twice / 2;
    return half + (geometry == CROP_TORCHVISION && twice % 2 && half % 2);
}

bool picture_crop_centre(Image *image, int width, int height, CropGeometry geometry,
                         const char *name, Error *error)
{
    Image next = {0};
    if (image->width < width || image->height < height)
        return fail(error, ERROR_DATA, "%s: is %dx%d, cannot crop %dx%d from it", name,
                    image->width, image->height, width, height);
    int left = centre_offset(image->width, width, geometry);
    int top  = centre_offset(image->height, height, geometry);
    return replace(image, &next, image_crop(image, left, top, width, height, &next, error));
}

bool picture_is_named(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".bmp",  ".gif",
                                          ".ppm", ".pgm", ".tif",  ".tiff", ".webp"};
    const char              *ending    = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

bool picture_fit(Image *image, const Preparation *preparation, const char *name, Error *error)
{
    Image next = {0};
    if (!replace(image, &next, image_to_rgb(image, &next, error)))
        return false;
    if (!preparation)
        return true;
    ResizeFilter filter = preparation->is_bicubic ? RESIZE_BICUBIC : RESIZE_BILINEAR;
    int          width = (int)preparation->width, height = (int)preparation->height;
    if (preparation->resize_short)
        return picture_resize_short(image, (int)preparation->resize_short, preparation->geometry,
                                    filter, error) &&
               picture_crop_centre(image, width, height, preparation->geometry, name, error);
    return (image->width == width && image->height == height) ||
           replace(image, &next, image_resize(image, width, height, filter, &next, error));
}

bool picture_fitted(const char *path, const Preparation *preparation, Image *out, Error *error)
{
    Image image = {0};
    bool  ok = picture_open(path, &image, error) && picture_fit(&image, preparation, path, error);
    if (ok)
        *out = image;
    else
        image_free(&image);
    return ok;
}

bool picture_planes(const char *path, const Preparation *preparation, float *planes, Error *error)
{
    Image image = {0};
    bool  ok    = picture_fitted(path, preparation, &image, error);
    if (ok)
        image_to_planes(&image, planes);
    image_free(&image);
    return ok;
}

/* ---- pixels of another network --------------------------------------------------------------- */

static bool is_fitting(const Preparation *preparation, int64_t height, int64_t width)
{
    int64_t shorter = height < width ? height : width, wanted = preparation->resize_short;
    return preparation->height == height && preparation->width == width &&
           (wanted == 0 || wanted == shorter);
}

// The nearest of 256 levels; x is in 0..1.
static uint8_t level_of(float x)
{
    return (uint8_t)(x * 255 + 0.5f);
}

bool planes_fit(const float *planes, int64_t height, int64_t width, const Preparation *preparation,
                float *out, Error *error)
{
    size_t plane = (size_t)height * (size_t)width;
    Image  image = {.width = (int)width, .height = (int)height, .channels = 3, .orientation = 1};
    if (is_fitting(preparation, height, width)) {
        memmove(out, planes, 3 * plane * sizeof *out);
        return true;
    }
    image.pixels = memory_new(3 * plane, 1, error);
    bool ok      = image.pixels != NULL;
    for (size_t i = 0; ok && i < 3 * plane; i++)
        image.pixels[i] = level_of(planes[i % 3 * plane + i / 3]);
    ok = ok && picture_fit(&image, preparation, "an image of the probing set", error);
    if (ok)
        image_to_planes(&image, out);
    image_free(&image);
    return ok;
}
