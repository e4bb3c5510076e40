/* probe/picture.h - picture files as networks and people want them. */
#ifndef PROBE_PICTURE_H
#define PROBE_PICTURE_H

#include "../engine/blob.h"
#include "../image/image.h"

/* Reads and decodes a file. Errors: ERROR_NOT_FOUND, ERROR_DATA. */
bool picture_open(const char *path, Image *out, Error *error);

/* Short side to `length`; the long side as the geometry rounds it. */
bool picture_resize_short(Image *image, int length, CropGeometry geometry, ResizeFilter filter,
                          Error *error);

/* Centre crop, placed as the geometry rounds. Errors: ERROR_DATA if the picture is smaller. */
bool picture_crop_centre(Image *image, int width, int height, CropGeometry geometry,
                         const char *name, Error *error);

/* Whether a file is called as pictures are, in a format that is read here or not. */
bool picture_is_named(const char *name);

/* Makes a picture as large as the blob wants it, RGB; preparation NULL: RGB alone. `name` is the
 * file in messages. */
bool picture_fit(Image *image, const Preparation *preparation, const char *name, Error *error);

/* A photo as large as the blob wants it, RGB: resized, or resized by its short side and cropped. */
bool picture_fitted(const char *path, const Preparation *preparation, Image *out, Error *error);

/* The same as RGB planes [3, height, width] in 0..1. */
bool picture_planes(const char *path, const Preparation *preparation, float *planes, Error *error);

/* Pixels [3, height, width] in 0..1 that one network takes as another one is to see them: as they
 * are where they have its size already, else rounded to 8 bits and fitted as a picture is. `out`
 * may be `planes`. */
bool planes_fit(const float *planes, int64_t height, int64_t width, const Preparation *preparation,
                float *out, Error *error);

#endif
