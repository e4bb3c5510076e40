/* probe/collect.c - a layer's own maps of some units over all images. A checkpoint has the parts
 *     images that are done; each unit's maps of them. */
#include "stream.h"
#include "../base/parallel.h"

typedef struct Collector {
    const Inputs  *inputs;
    const int64_t *units;
    int64_t        unit_count;
    const Pass    *pass;
    float         *maps; // [unit_count, images, cells]
} Collector;

static int64_t cells_of(const Collector *collector)
{
    return collector->inputs->layer.height * collector->inputs->layer.width;
}

typedef struct Batch {
    const Collector *collector;
    const real      *maps;
    int64_t          first, count;
} Batch;

static void take_unit(void *data, int64_t i, int thread)
{
    const Batch     *batch     = data;
    const Collector *collector = batch->collector;
    int64_t          cells = cells_of(collector), units = collector->inputs->layer.units;
    (void)thread;
    for (int64_t image = 0; image < batch->count; image++) {
        int64_t     row  = i * collector->inputs->probe->image_count + batch->first + image;
        const real *from = batch->maps + (image * units + collector->units[i]) * cells;
        for (int64_t cell = 0; cell < cells; cell++)
            collector->maps[row * cells + cell] = (float)from[cell];
    }
}

static bool take_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    Batch batch = {self, maps, first, count};
    (void)error;
    parallel_for(batch.collector->unit_count, take_unit, &batch);
    return true;
}

static SnapshotPart *list_parts(const Collector *collector, int64_t *next, Error *error)
{
    size_t        cells = (size_t)cells_of(collector);
    size_t        set   = (size_t)collector->inputs->probe->image_count * cells;
    SnapshotPart *parts = memory_new((size_t)collector->unit_count + 1, sizeof *parts, error);
    if (!parts)
        return NULL;
    parts[0] = (SnapshotPart){next, sizeof *next};
    for (int64_t i = 0; i < collector->unit_count; i++)
        parts[i + 1] = (SnapshotPart){collector->maps + (size_t)i * set,
                                      (size_t)*next * cells * sizeof *collector->maps};
    return parts;
}

static bool save(const Collector *collector, int64_t next, Error *error)
{
    const Pass   *pass  = collector->pass;
    SnapshotPart *parts = list_parts(collector, &next, error);
    bool          ok    = parts && checkpoint_save(pass->checkpoint, pass->file, pass->phase, parts,
                                                   collector->unit_count + 1, error);
    memory_free(parts);
    return ok;
}

static bool pause_collector(void *self, int64_t next, Error *error)
{
    const Collector *collector = self;
    bool             stop      = pass_cancelled(collector->pass);
    if (pass_saves(collector->pass, stop) && !save(collector, next, error))
        return false;
    return !stop ||
           pass_interrupted(collector->pass, next, collector->inputs->probe->image_count, error);
}

static bool load(const Collector *collector, int64_t *next, Error *error)
{
    const Pass *pass     = collector->pass;
    Snapshot    snapshot = {0};
    bool        found    = false;
    *next                = 0;
    if (!pass->checkpoint)
        return true;
    if (!checkpoint_load(pass->checkpoint, pass->file, pass->phase, &snapshot, &found, error))
        return false;
    if (!found)
        return true;
    bool fits = snapshot_copy(&snapshot, 0, next, sizeof *next) && *next >= 0 &&
                *next <= collector->inputs->probe->image_count &&
                snapshot.count == collector->unit_count + 1;
    SnapshotPart *parts = fits ? list_parts(collector, next, error) : NULL;
    bool          ok    = parts || !fits;
    fits                = parts && snapshot_copy_all(&snapshot, 0, parts, snapshot.count);
    memory_free(parts);
    snapshot_close(&snapshot);
    return ok && (fits || checkpoint_refuse(pass->checkpoint, pass->file, error));
}

bool maps_collect(const Inputs *inputs, const int64_t *units, int64_t unit_count, const Pass *pass,
                  float *maps, Error *error)
{
    Collector collector = {inputs, units, unit_count, pass, maps};
    Stream    stream    = {0};
    int64_t   next      = 0;
    for (int64_t i = 0; i < unit_count; i++)
        if (units[i] < 0 || units[i] >= inputs->layer.units)
            return fail(error, ERROR_USAGE, "there is no unit %lld, the layer has 0 to %lld",
                        (long long)units[i], (long long)inputs->layer.units - 1);
    bool ok =
        stream_open(&stream, inputs, &inputs->images, pass, error) &&
        load(&collector, &next, error) &&
        stream_run(&stream, 1, next, take_batch, &collector, pause_collector, &collector, error);
    stream_close(&stream);
    return ok;
}
