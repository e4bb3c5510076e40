/* probe/stream.c - see stream.h. */
#include "stream.h"
#include "../base/parallel.h"

// Whole batches, so that every thread has a photo to load; no more than the set has.
static int64_t images_ahead(const Inputs *inputs)
{
    int64_t batch = inputs->layer.batch, threads = parallel_threads();
    int64_t wanted = (threads + batch - 1) / batch;
    int64_t all    = (inputs->probe->image_count + batch - 1) / batch;
    return batch * (wanted < all ? wanted : all);
}

// What the pixels of an image and the maps of a batch need, in values.
static bool sizes_fit(const Inputs *inputs, size_t *pixels, size_t *maps, Error *error)
{
    const ActivationSource *layer = &inputs->layer;
    const ProbeSet         *probe = inputs->probe;
    if (layer->image_height != probe->image_height || layer->image_width != probe->image_width)
        return fail(error, ERROR_DATA,
                    "%s/index.csv: photos are %lld x %lld, the network takes "
                    "%lld x %lld (width x height)",
                    probe->folder, (long long)probe->image_width, (long long)probe->image_height,
                    (long long)layer->image_width, (long long)layer->image_height);
    *pixels = 3 * (size_t)probe->image_height * (size_t)probe->image_width;
    *maps   = (size_t)layer->height * (size_t)layer->width;
    if (!size_mul(*maps, (size_t)layer->units, maps) ||
        !size_mul(*maps, (size_t)layer->batch, maps))
        return fail(error, ERROR_MEMORY, "a batch of %lld images does not fit into memory",
                    (long long)layer->batch);
    return true;
}

bool stream_open(Stream *out, const Inputs *inputs, const ImageSource *images, const Pass *pass,
                 Error *error)
{
    Stream stream = {.inputs = inputs, .pass = pass, .ahead = images_ahead(inputs)};
    size_t pixels = 0, maps = 0, ahead = (size_t)stream.ahead;
    if (!sizes_fit(inputs, &pixels, &maps, error))
        return false;
    stream.images = memory_new(ahead, sizeof *stream.images, error);
    stream.pixels = memory_new(ahead, pixels * sizeof *stream.pixels, error);
    stream.maps   = memory_new(maps, sizeof *stream.maps, error);
    if (!stream.images || !stream.pixels || !stream.maps ||
        !row_loader_open(&stream.loader, images, pixels, error)) {
        stream_close(&stream);
        return false;
    }
    *out = stream;
    return true;
}

void stream_close(Stream *stream)
{
    memory_free(stream->images);
    memory_free(stream->pixels);
    memory_free(stream->maps);
    row_loader_close(&stream->loader);
    *stream = (Stream){0};
}

// Images from `first` on before `past`, as many as there is room for.
static bool load_ahead(Stream *stream, int64_t first, int64_t past, Error *error)
{
    int64_t count = past - first < stream->ahead ? past - first : stream->ahead;
    for (int64_t i = 0; i < count; i++)
        stream->images[i] = first + i;
    return row_loader_load(&stream->loader, stream->images, count, stream->pixels, error);
}

bool stream_run(Stream *stream, int runs, int64_t start, StreamTake *take, void *take_self,
                StreamPause *pause, void *pause_self, Error *error)
{
    const ActivationSource *layer = &stream->inputs->layer;
    int64_t                 size  = 3 * layer->image_height * layer->image_width;
    int64_t                 begin, past;
    pass_images(stream->pass, stream->inputs->probe->image_count, &begin, &past);
    int64_t total = (past - begin) * runs;
    start         = start < begin ? begin : start;
    stream->done += start - begin;
    pass_progress(stream->pass, stream->done, total);
    for (int64_t first = start; first < past; first += layer->batch) {
        int64_t count = past - first < layer->batch ? past - first : layer->batch;
        int64_t row   = (first - start) % stream->ahead;
        if (row == 0 && !load_ahead(stream, first, past, error))
            return false;
        layer->run(layer->self, stream->pixels + row * size, count, stream->maps);
        if (!take(take_self, stream->maps, first, count, error))
            return false;
        stream->done += count;
        pass_progress(stream->pass, stream->done, total);
        if (!pause(pause_self, first + count, error))
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
