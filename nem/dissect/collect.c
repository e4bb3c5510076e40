/* nem/dissect/collect.c - native maps of some units over all images. */
#include "parts.h"

typedef struct Collector {
    const ActivationSource *source;
    const int64_t          *units;
    int64_t                 unit_count, image_count;
    float                  *maps; // [unit_count, image_count, cells]
    const DissectSettings  *settings;
} Collector;

static bool collect_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    const Collector *collector = self;
    int64_t          cells     = collector->source->height * collector->source->width;
    (void)error;
    for (int64_t i = 0; i < collector->unit_count; i++)
        for (int64_t image = 0; image < count; image++) {
            const real *from =
                maps + (image * collector->source->units + collector->units[i]) * cells;
            float *to = collector->maps + (i * collector->image_count + first + image) * cells;
            for (int64_t cell = 0; cell < cells; cell++)
                to[cell] = (float)from[cell];
        }
    return true;
}

/* ---- checkpoints: the maps of the images so far ---------------------------------------------- */

// Parts [1 + unit_count]: how many images are done, and each unit's maps of them.
static SnapshotPart *list_parts(const Collector *collector, int64_t *next, Error *error)
{
    size_t        cells = (size_t)(collector->source->height * collector->source->width);
    SnapshotPart *parts = memory_new((size_t)collector->unit_count + 1, sizeof *parts, error);
    if (!parts)
        return NULL;
    parts[0] = (SnapshotPart){next, sizeof *next};
    for (int64_t i = 0; i < collector->unit_count; i++)
        parts[i + 1] =
            (SnapshotPart){collector->maps + (size_t)(i * collector->image_count) * cells,
                           (size_t)*next * cells * sizeof *collector->maps};
    return parts;
}

static bool collect_pause(void *self, int64_t next, Error *error)
{
    const Collector      *collector = self;
    const PassCheckpoint *keep      = collector->settings->keep;
    bool                  stop      = pass_cancelled(collector->settings);
    if (pass_keeps(collector->settings, stop)) {
        SnapshotPart *parts = list_parts(collector, &next, error);
        bool          ok    = parts && checkpoint_save(keep->checkpoint, keep->name, keep->stage,
                                                       parts, collector->unit_count + 1, error);
        memory_free(parts);
        if (!ok)
            return false;
    }
    return !stop || pass_interrupted(collector->settings, next, collector->image_count, error);
}

static bool collect_load(const Collector *collector, int64_t *next, Error *error)
{
    const PassCheckpoint *keep     = collector->settings->keep;
    Snapshot              snapshot = {0};
    bool                  found    = false;
    *next                          = 0;
    if (!keep)
        return true;
    if (!checkpoint_load(keep->checkpoint, keep->name, keep->stage, &snapshot, &found, error))
        return false;
    if (!found)
        return true;
    bool fits = snapshot_copy(&snapshot, 0, next, sizeof *next) && *next >= 0 &&
                *next <= collector->image_count && snapshot.count == collector->unit_count + 1;
    SnapshotPart *parts = fits ? list_parts(collector, next, error) : NULL;
    bool          ok    = parts || !fits;
    fits                = parts && snapshot_copy_all(&snapshot, 0, parts, snapshot.count);
    memory_free(parts);
    snapshot_close(&snapshot);
    return ok && (fits || checkpoint_refuse(keep->checkpoint, keep->name, error));
}

bool dissect_collect(const DissectSettings *settings, const ProbeSet *probe,
                     const ImageSource *images, const ActivationSource *source,
                     const int64_t *units, int64_t unit_count, float *maps, Error *error)
{
    Stream    stream = {.settings = settings, .probe = probe, .images = images, .source = source};
    Collector collector = {.source      = source,
                           .units       = units,
                           .unit_count  = unit_count,
                           .image_count = probe->image_count,
                           .maps        = maps,
                           .settings    = settings};
    int64_t   next      = 0;
    stream.pause        = collect_pause;
    stream.pause_self   = &collector;
    for (int64_t i = 0; i < unit_count; i++)
        if (units[i] < 0 || units[i] >= source->units)
            return fail(error, ERROR_USAGE, "there is no unit %lld, the layer has 0 to %lld",
                        (long long)units[i], (long long)source->units - 1);
    bool ok = stream_open(&stream, error) && collect_load(&collector, &next, error) &&
              stream_run(&stream, 1, next, collect_batch, &collector, error);
    stream_close(&stream);
    return ok;
}
