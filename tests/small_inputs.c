/* tests/small_inputs.c - see small_inputs.h. */
#include "small_inputs.h"

#include "../base/file.h"
#include "../image/image.h"
#include "blob_builder.h"
#include "tiny_world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_layer(BlobBuilder *builder, const char *base, Shape shape, uint64_t seed)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", base);
    blob_builder_random(builder, name, shape, seed, 0, 0.5f);
    snprintf(name, sizeof name, "%s.bias", base);
    blob_builder_random(builder, name, shape_1d(shape.dim[0]), seed, 0, 0.1f);
}

bool make_cropping_blob(const char *path, uint64_t seed, const char *resize_short)
{
    BlobBuilder *builder = blob_builder_new("lenet", SMALL_SIDE, SMALL_SIDE);
    blob_builder_about(builder, "resize_short", resize_short);
    put_layer(builder, "conv11", shape_4d(SMALL_UNITS, 3, 3, 3), seed);
    put_layer(builder, "conv12", shape_4d(SMALL_UNITS, SMALL_UNITS, 3, 3), seed);
    put_layer(builder, "conv21", shape_4d(4, SMALL_UNITS, 3, 3), seed);
    put_layer(builder, "conv22", shape_4d(SMALL_UNITS, 4, 3, 3), seed);
    put_layer(builder, "fc1", shape_2d(8, SMALL_UNITS * SMALL_SIDE * SMALL_SIDE / 16), seed);
    put_layer(builder, "fc2", shape_2d(10, 8), seed);
    bool ok = blob_builder_save(builder, path, NULL);
    blob_builder_free(builder);
    return ok;
}

bool make_blob(const char *path, uint64_t seed)
{
    return make_cropping_blob(path, seed, "0");
}

const char *blob, *probe;

const char *photo_path(const ProbeSet *set, int64_t image)
{
    static char path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/images/%s", set->folder, probe_image_path(set, image));
    return path;
}

// The tiny world's photos are in memory; a program needs them as files.
static bool write_photos(const World *world)
{
    static float   planes[3 * SMALL_SIDE * SMALL_SIDE];
    static uint8_t pixels[SMALL_SIDE * SMALL_SIDE * 3];
    Image image = {.width = SMALL_SIDE, .height = SMALL_SIDE, .channels = 3, .pixels = pixels};
    bool  ok    = folder_create(in_folder("images"), NULL);
    for (int64_t i = 0; ok && i < world->probe.image_count; i++) {
        uint8_t *bytes = NULL;
        size_t   size  = 0;
        ok             = world->inputs.images.load(world->inputs.images.self, i, planes, NULL);
        for (int k = 0; k < SMALL_SIDE * SMALL_SIDE * 3; k++)
            pixels[k] = (uint8_t)lrintf(planes[k % 3 * SMALL_SIDE * SMALL_SIDE + k / 3] * 255);
        ok = ok && png_encode(&image, &bytes, &size, NULL) &&
             file_publish(photo_path(&world->probe, i), bytes, size, NULL);
        memory_free(bytes);
    }
    return ok;
}

bool make_inputs(void)
{
    static char blob_path[LIMIT_PATH], probe_path[LIMIT_PATH];
    World       world = {0};
    bool        ok    = world_open(&world, "corrupt23", 8) && write_photos(&world);
    snprintf(probe_path, sizeof probe_path, "%s", ok ? world.probe.folder : "");
    world_close(&world);
    snprintf(blob_path, sizeof blob_path, "%s", in_folder("net.nw"));
    blob  = blob_path;
    probe = probe_path;
    return ok && make_blob(blob_path, 1);
}

const char *dissect(const char *name, const char *more)
{
    const char    *run = in_folder("%s", name);
    const Outcome *o =
        program_run("dissect -m %s -l conv22 -d %s -o %s -q %s", blob, probe, run, more);
    if (!CHECK(o->code == 0))
        printf("  %s", o->err);
    return run;
}

const char *first_photo(void)
{
    ProbeSet    set  = {0};
    const char *path = probe_open(&set, probe, NULL, NULL) ? photo_path(&set, 0) : NULL;
    probe_close(&set);
    return path;
}

int count_lines(const char *path)
{
    Bytes bytes = {0};
    int   lines = 0;
    if (file_read(path, LIMIT_TEXT_FILE, &bytes, NULL))
        for (size_t i = 0; i < bytes.size; i++)
            lines += bytes.data[i] == '\n';
    bytes_close(&bytes);
    return lines;
}
