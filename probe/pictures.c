/* probe/pictures.c - the pictures of a probing set: photos and label maps, one file at a time. */
#include "probe.h"

#include "../base/file.h"
#include "picture.h"

#include <stdio.h>
#include <string.h>

bool probe_picture_folder(const ProbeSet *probe, char out[LIMIT_PATH], Error *error)
{
    if (!probe->is_photos)
        return path_join(out, probe->folder, "images", error);
    return snprintf(out, LIMIT_PATH, "%s", probe->folder) < LIMIT_PATH ||
           fail(error, ERROR_NOT_FOUND, "%.60s...: the path is too long", probe->folder);
}

// A file of the set's pictures. `path` receives the name for messages.
static bool picture_read(const ProbeSet *probe, const char *relative, char path[LIMIT_PATH],
                         Bytes *bytes, Error *error)
{
    char folder[LIMIT_PATH];
    return probe_picture_folder(probe, folder, error) && path_join(path, folder, relative, error) &&
           file_read_below(folder, relative, LIMIT_IMAGE_FILE, bytes, error);
}

static bool has_size(const Image *image, int64_t height, int64_t width, const char *path,
                     Error *error)
{
    if (image->height == height && image->width == width)
        return true;
    return fail(error, ERROR_DATA, "%s: is %d x %d pixels, expected %lld x %lld (width x height)",
                path, image->width, image->height, (long long)width, (long long)height);
}

/* ---- photos ---------------------------------------------------------------------------------- */

bool probe_picture(const ProbeSet *probe, int64_t index, Image *rgb, Error *error)
{
    char  path[LIMIT_PATH];
    Bytes bytes = {0};
    Image image = {0};
    if (!picture_read(probe, probe_image_path(probe, index), path, &bytes, error))
        return false;
    bool ok = image_decode(bytes.data, bytes.size, path, &image, error) &&
              (probe->is_photos ||
               has_size(&image, probe->image_height, probe->image_width, path, error)) &&
              picture_fit(&image, probe->fit, path, error);
    bytes_close(&bytes);
    if (ok)
        *rgb = image;
    else
        image_free(&image);
    return ok;
}

bool probe_photo(const ProbeSet *probe, int64_t image, uint8_t *pixels, Error *error)
{
    Image rgb = {0};
    if (!probe_picture(probe, image, &rgb, error))
        return false;
    memcpy(pixels, rgb.pixels, (size_t)rgb.width * (size_t)rgb.height * 3);
    image_free(&rgb);
    return true;
}

static bool photo_load(void *self, int64_t image, float *planes, Error *error)
{
    Image rgb = {0};
    if (!probe_picture(self, image, &rgb, error))
        return false;
    image_to_planes(&rgb, planes);
    image_free(&rgb);
    return true;
}

ImageSource probe_images(const ProbeSet *probe)
{
    return (ImageSource){.load = photo_load, .self = (void *)(uintptr_t)probe};
}

/* ---- label maps ------------------------------------------------------------------------------ */

// The label of a pixel is R + 256 G (D25).
static bool map_cells(const ProbeSet *probe, const Image *image, const char *path, uint16_t *cells,
                      bool *blue, Error *error)
{
    const uint8_t *pixel = image->pixels;
    int64_t        count = (int64_t)image->width * image->height;
    if (image->channels != 3)
        return fail(error, ERROR_DATA, "%s: has %d channels, expected an RGB label map", path,
                    image->channels);
    for (int64_t i = 0; i < count; i++, pixel += 3) {
        int32_t label = pixel[0] + 256 * pixel[1];
        if (label >= probe->label_count)
            return fail(error, ERROR_DATA,
                        "%s: pixel (%lld, %lld) has label %d, label.csv ends at %d", path,
                        (long long)(i % image->width), (long long)(i / image->width), label,
                        probe->label_count - 1);
        cells[i] = (uint16_t)label;
        if (blue)
            *blue |= pixel[2] != 0;
    }
    return true;
}

bool probe_map(const ProbeSet *probe, const ProbeItem *item, uint16_t *cells, bool *blue,
               Error *error)
{
    char  path[LIMIT_PATH];
    Bytes bytes = {0};
    Image image = {0};
    if (!picture_read(probe, probe->text + item->path, path, &bytes, error))
        return false;
    bool ok = png_decode(bytes.data, bytes.size, path, &image, error) &&
              has_size(&image, probe->map_height, probe->map_width, path, error) &&
              map_cells(probe, &image, path, cells, blue, error);
    image_free(&image);
    bytes_close(&bytes);
    return ok;
}
