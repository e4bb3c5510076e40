/* bench/world.c - see world.h. A picture is a Voronoi diagram of random patches: flat labels with
 * edges between them, as segmentations have, under a photo with gradients and grain. */
#include "world.h"

#include "../base/file.h"

#include <stdio.h>
#include <string.h>

static const char *const categories[WORLD_CATEGORIES] = {"color", "part", "object"};

/* ---- pixels ---------------------------------------------------------------------------------- */

enum { PATCHES = 9 };

typedef struct Patch {
    int x, y, tint; // centre in pixels of the photo, 0..WORLD_LABELS-1
} Patch;

static int patch_at(const Patch *patches, int x, int y)
{
    int best = 0, least = 1 << 30;
    for (int i = 0; i < PATCHES; i++) {
        int dx = x - patches[i].x, dy = y - patches[i].y, distance = dx * dx + dy * dy;
        if (distance < least) {
            least = distance;
            best  = i;
        }
    }
    return best;
}

static void paint_photo(const Patch *patches, Random *random, uint8_t *pixels)
{
    for (int y = 0; y < WORLD_PHOTO; y++)
        for (int x = 0; x < WORLD_PHOTO; x++) {
            const Patch *patch = &patches[patch_at(patches, x, y)];
            uint32_t     grain = random_word(random);
            for (int c = 0; c < 3; c++) {
                int base  = 40 + (patch->tint * (37 + 20 * c)) % 150 + (x + (c + 1) * y) / 16;
                int leaf  = (x * patch->tint + y * (c + 2)) % 16;
                *pixels++ = (uint8_t)(base + leaf + (int)(grain >> 8 * c & 7));
            }
        }
}

/* Label 0 where the category has nothing to say: every third patch of parts and objects. */
static void paint_map(const Patch *patches, int category, uint8_t *pixels)
{
    for (int y = 0; y < WORLD_MAP; y++)
        for (int x = 0; x < WORLD_MAP; x++, pixels += 3) {
            int patch = patch_at(patches, 2 * x, 2 * y);
            int label = 1 + category * WORLD_LABELS + patches[patch].tint;
            pixels[0] = (uint8_t)(category > 0 && patch % 3 == category ? 0 : label);
            pixels[1] = pixels[2] = 0;
        }
}

bool world_image(WorldImage *out, int64_t number, Error *error)
{
    WorldImage made   = {0};
    Random     random = random_stream((uint64_t)number, "bench picture");
    Patch      patches[PATCHES];
    Image photo = {.width = WORLD_PHOTO, .height = WORLD_PHOTO, .channels = 3, .orientation = 1};
    Image map   = {.width = WORLD_MAP, .height = WORLD_MAP, .channels = 3, .orientation = 1};
    for (int i = 0; i < PATCHES; i++)
        patches[i] = (Patch){(int)random_below(&random, WORLD_PHOTO),
                             (int)random_below(&random, WORLD_PHOTO),
                             (int)random_below(&random, WORLD_LABELS)};
    photo.pixels = memory_new(3 * WORLD_PHOTO * WORLD_PHOTO, 1, error);
    map.pixels   = memory_new(3 * WORLD_MAP * WORLD_MAP, 1, error);
    bool ok      = photo.pixels && map.pixels;
    if (ok) {
        paint_photo(patches, &random, photo.pixels);
        ok = jpeg_encode(&photo, 90, JPEG_420, &made.photo.data, &made.photo.size, error);
    }
    for (int i = 0; ok && i < WORLD_CATEGORIES; i++) {
        paint_map(patches, i, map.pixels);
        ok = png_encode(&map, &made.maps[i].data, &made.maps[i].size, error);
    }
    memory_free(photo.pixels);
    memory_free(map.pixels);
    if (ok)
        *out = made;
    else
        world_image_free(&made);
    return ok;
}

void world_image_free(WorldImage *image)
{
    memory_free(image->photo.data);
    for (int i = 0; i < WORLD_CATEGORIES; i++)
        memory_free(image->maps[i].data);
    *image = (WorldImage){0};
}

/* ---- files ----------------------------------------------------------------------------------- */

// Not published one by one: a thousand syncs would take longer than what is measured.
static bool write_plain(const char *folder, const char *name, const void *data, size_t size,
                        Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, folder, name, error))
        return false;
    FILE *file = fopen(path, "wb");
    bool  ok   = file && fwrite(data, 1, size, file) == size;
    ok         = file && fclose(file) == 0 && ok;
    return ok || fail(error, ERROR_CREATE, "%s: cannot be written", path);
}

static bool write_pictures(const char *folder, int64_t number, Error *error)
{
    WorldImage image = {0};
    char       name[64];
    bool       ok = world_image(&image, number, error);
    snprintf(name, sizeof name, "images/%lld.jpg", (long long)number);
    ok = ok && write_plain(folder, name, image.photo.data, image.photo.size, error);
    for (int i = 0; ok && i < WORLD_CATEGORIES; i++) {
        snprintf(name, sizeof name, "images/%lld_%s.png", (long long)number, categories[i]);
        ok = write_plain(folder, name, image.maps[i].data, image.maps[i].size, error);
    }
    world_image_free(&image);
    return ok;
}

static bool write_tables(const char *folder, int64_t images, Error *error)
{
    enum { LINE = 160 };
    size_t room = (size_t)(images + WORLD_CATEGORIES * WORLD_LABELS + 2) * LINE, used = 0;
    char  *text = memory_new(room, 1, error);
    if (!text)
        return false;
#define APPEND(...) (used += (size_t)snprintf(text + used, room - used, __VA_ARGS__))
    APPEND("image,split,ih,iw,sh,sw,color,part,object\n");
    for (long long i = 0; i < images; i++)
        APPEND("%lld.jpg,train,%d,%d,%d,%d,%lld_color.png,%lld_part.png,%lld_object.png\n", i,
               WORLD_PHOTO, WORLD_PHOTO, WORLD_MAP, WORLD_MAP, i, i, i);
    bool ok = write_plain(folder, "index.csv", text, used, error);
    used    = 0;
    APPEND("name,first,last,count,frequency\n");
    for (int i = 0; i < WORLD_CATEGORIES; i++)
        APPEND("%s,%d,%d,%d,1\n", categories[i], 1 + i * WORLD_LABELS, (i + 1) * WORLD_LABELS,
               WORLD_LABELS);
    ok   = ok && write_plain(folder, "category.csv", text, used, error);
    used = 0;
    APPEND("number,name,category,frequency,coverage,syns\n");
    for (int i = 1; i <= WORLD_CATEGORIES * WORLD_LABELS; i++)
        APPEND("%d,label%d,,1,1,\n", i, i);
    ok = ok && write_plain(folder, "label.csv", text, used, error);
    for (int category = 0; ok && category < WORLD_CATEGORIES; category++) {
        char name[64];
        used = 0;
        APPEND("code,number,name,frequency,coverage\n");
        for (int i = 1; i <= WORLD_LABELS; i++)
            APPEND("%d,%d,x,1,1\n", i, category * WORLD_LABELS + i);
        snprintf(name, sizeof name, "c_%s.csv", categories[category]);
        ok = write_plain(folder, name, text, used, error);
    }
#undef APPEND
    memory_free(text);
    return ok;
}

bool world_write(const char *folder, int64_t images, Error *error)
{
    char pictures[LIMIT_PATH];
    bool ok = path_join(pictures, folder, "images", error) && folder_create(pictures, error) &&
              write_tables(folder, images, error);
    for (int64_t i = 0; ok && i < images; i++)
        ok = write_pictures(folder, i, error);
    return ok;
}
