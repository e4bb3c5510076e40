/* nem/dissect/stream.c - the images of a probing set through a layer, batch by batch. */
#include "parts.h"

#include "../../base/parallel.h"

bool stream_open(Stream *stream, Error *error)
{
    const ActivationSource *source = stream->source;
    const ProbeSet         *probe  = stream->probe;
    size_t                  pixels = 0, maps = 0;
    if (source->image_height != probe->image_height || source->image_width != probe->image_width)
        return fail(error, ERROR_DATA,
                    "%s/index.csv: photos are %lld x %lld, the network takes "
                    "%lld x %lld (width x height)",
                    probe->folder, (long long)probe->image_width, (long long)probe->image_height,
                    (long long)source->image_width, (long long)source->image_height);
    stream->pixel_count = 3 * (size_t)probe->image_height * (size_t)probe->image_width;
    if (!size_mul(stream->pixel_count, (size_t)source->batch, &pixels) ||
        !size_mul((size_t)source->height * (size_t)source->width, (size_t)source->units, &maps) ||
        !size_mul(maps, (size_t)source->batch, &maps))
        return fail(error, ERROR_MEMORY, "a batch of %lld images does not fit into memory",
                    (long long)source->batch);
    stream->planes = memory_new(sizeof(real) == sizeof(float) ? 0 : pixels, sizeof(float), error);
    stream->pixels = memory_new(pixels, sizeof(real), error);
    stream->maps   = memory_new(maps, sizeof(real), error);
    return stream->planes && stream->pixels && stream->maps &&
           loop_errors_open(&stream->errors, error);
}

void stream_close(Stream *stream)
{
    memory_free(stream->planes);
    memory_free(stream->pixels);
    memory_free(stream->maps);
    loop_errors_close(&stream->errors);
}

static void stream_load(void *data, int64_t slot, int thread)
{
    Stream *stream = data;
    Error   error  = {0};
    real   *pixels = stream->pixels + (size_t)slot * stream->pixel_count;
    float  *planes = sizeof(real) == sizeof(float)
                         ? (float *)(void *)pixels
                         : stream->planes + (size_t)slot * stream->pixel_count;
    if (!stream->images->load(stream->images->self, stream->first + slot, planes, &error))
        loop_errors_add(&stream->errors, slot, thread, &error);
    else if (planes != (float *)(void *)pixels)
        for (size_t i = 0; i < stream->pixel_count; i++)
            pixels[i] = (real)planes[i];
}

bool stream_run(Stream *stream, int passes, int64_t start, Consume *consume, void *self,
                Error *error)
{
    const DissectSettings *settings = stream->settings;
    int64_t                total    = stream->probe->image_count;
    stream->done += start;
    for (int64_t first = start; first < total; first += stream->source->batch) {
        int64_t left = total - first, batch = stream->source->batch;
        int64_t count = left < batch ? left : batch;
        stream->first = first;
        parallel_for(count, stream_load, stream);
        if (!loop_errors_check(&stream->errors, error))
            return false;
        stream->source->run(stream->source->self, stream->pixels, count, stream->maps);
        if (!consume(self, stream->maps, first, count, error))
            return false;
        stream->done += count;
        if (settings->progress)
            settings->progress(settings->progress_self, stream->done, total * passes);
        if (!stream->pause(stream->pause_self, first + count, error))
            return false;
    }
    return true;
}

const float *map_floats(const real *map, int64_t count, float *room)
{
    if (sizeof(real) == sizeof(float))
        return (const float *)(const void *)map;
    for (int64_t i = 0; i < count; i++)
        room[i] = (float)map[i];
    return room;
}

bool map_check(const ProbeSet *probe, int64_t image, int64_t unit, bool finite, Error *error)
{
    return finite || fail(error, ERROR_DATA,
                          "image '%s': unit %lld has an activation that is not a "
                          "finite number",
                          probe_image_path(probe, image), (long long)unit);
}
