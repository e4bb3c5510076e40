/* bench/world.h - pictures of coloured patches with matching label maps, and a probing set of them.
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include "bench.h"

#include "../image/image.h"

enum {
    WORLD_PHOTO      = 224,
    WORLD_MAP        = 112,
    WORLD_CATEGORIES = 3,
    WORLD_LABELS     = 12
}; // labels of each

/* A photo as a JPEG, and its maps (R + 256 G is the label) as PNGs; memory_free each. */
typedef struct WorldFile {
    uint8_t *data;
    size_t   size;
} WorldFile;

typedef struct WorldImage {
    WorldFile photo, maps[WORLD_CATEGORIES];
} WorldImage;

bool world_image(WorldImage *out, int64_t number, Error *error);
void world_image_free(WorldImage *image); // accepts a zeroed object

/* A probing set of `images` such pictures in Broden's layout, in an existing empty folder. */
bool world_write(const char *folder, int64_t images, Error *error);

#endif
