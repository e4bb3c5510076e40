/* bench/verb_decode.c - a photo of 224x224 and its three label maps, decoded on one core. */
#include "world.h"

#include <stdio.h>

enum { PICTURES = 8 }; // decoded in turn, so that branches are not learnt by heart

typedef struct DecodeWork {
    WorldImage images[PICTURES];
    bool       photo, maps, ok;
} DecodeWork;

static void decode_file(const WorldFile *file, DecodeWork *work)
{
    Image image = {0};
    work->ok    = image_decode(file->data, file->size, "bench", &image, NULL) && work->ok;
    image_free(&image);
}

static void decode_work(void *data)
{
    DecodeWork *work = data;
    for (int i = 0; i < PICTURES; i++) {
        if (work->photo)
            decode_file(&work->images[i].photo, work);
        for (int m = 0; work->maps && m < WORLD_CATEGORIES; m++)
            decode_file(&work->images[i].maps[m], work);
    }
}

static bool decode_row(const Options *options, DecodeWork *work, const char *name, Error *error)
{
    Row row = {.verb = "decode", .threads = 1};
    snprintf(row.name, sizeof row.name, "%s", name);
    if (!row_wanted(options, name))
        return true;
    work->ok = true;
    if (!row_time(&row, options->runs, decode_work, work, error))
        return false;
    if (!work->ok)
        return fail(error, ERROR_INTERNAL, "%s: a picture of our own cannot be decoded", name);
    row.ms = timing_scaled(row.ms, 1.0 / PICTURES);
    row_print(options, &row);
    return true;
}

bool bench_decode(const Options *options, Error *error)
{
    DecodeWork work = {0};
    bool       ok   = true;
    for (int i = 0; ok && i < PICTURES; i++)
        ok = world_image(&work.images[i], i, error);
    if (ok)
        row_header(options, "decoding");
    work.photo = true;
    ok         = ok && decode_row(options, &work, "jpeg 224x224 420 q90", error);
    work.photo = false;
    work.maps  = true;
    ok         = ok && decode_row(options, &work, "3 label maps 112x112 png", error);
    work.photo = true;
    ok         = ok && decode_row(options, &work, "jpeg and 3 label maps", error);
    for (int i = 0; i < PICTURES; i++)
        world_image_free(&work.images[i]);
    return ok;
}
