/* bench/verb_dissect.c - a whole dissection of one layer: what the forward pass takes, and the
 * rest. */
#include "world.h"

#include "../base/parallel.h"
#include "../nem/dissect/dissect.h"

#include <stdio.h>
#include <string.h>

/* A layer that keeps the time it takes. */
typedef struct TimedLayer {
    LayerRunner runner;
    double      seconds;
    int64_t     images;
} TimedLayer;

static void timed_run(void *self, const real *pixels, int64_t count, real *maps)
{
    TimedLayer *layer = self;
    double      start = clock_seconds();
    layer_runner_run(&layer->runner, pixels, count, maps);
    layer->seconds += clock_seconds() - start;
    layer->images += count;
}

static ActivationSource source_of(TimedLayer *layer)
{
    ActivationSource source = layer_source(&layer->runner);
    source.run              = timed_run;
    source.self             = layer;
    return source;
}

/* The clock runs from the tables to the thresholds, scores and their release: label maps included.
 */
static bool dissect_once(const Options *options, const char *folder, TimedLayer *layer, Row *row,
                         Error *error)
{
    ProbeRequest request    = {.limit = options->limit};
    ProbeSet     probe      = {0};
    PlaneCache  *planes     = NULL;
    Dissection   dissection = {0};
    double       cpu = clock_cpu_seconds(), start = clock_seconds();
    bool         ok = probe_open(&probe, folder, &request, error) &&
              planes_open(&planes, &probe, PLANE_CACHE_BYTES, error);
    double opened = clock_seconds();
    if (ok) {
        Inputs inputs = {&probe, planes, probe_images(&probe), source_of(layer)};
        ok = dissect_layer(&dissection, dissect_rules(NULL), &inputs, &inputs.images, &(Pass){0},
                           error);
    }
    double total = clock_seconds() - start, images = (double)probe.image_count;
    if (ok) {
        double ms       = total * 1e3 / images;
        row->ms         = (Timing){ms, ms, ms, (clock_cpu_seconds() - cpu) * 1e3 / images};
        row->figures[0] = (Figure){"forward_ms", layer->seconds * 1e3 / images};
        row->figures[1] = (Figure){"label_maps_ms", (opened - start) * 1e3 / images};
        row->figures[2] = (Figure){"overhead", total / layer->seconds - 1};
        row->figures[3] = (Figure){"images", images};
        row->figures[4] = (Figure){"passes", dissection.passes};
        row->figures[5] = (Figure){"store_mb", (double)dissection.peak_store_bytes / 1e6};
    }
    dissection_close(&dissection);
    planes_close(planes);
    probe_close(&probe);
    return ok;
}

static bool dissect_folder(const Options *options, const char *folder, Error *error)
{
    WeightBlob    *blob    = NULL;
    TimedLayer     layer   = {0};
    Row            row     = {.verb = "dissect", .threads = parallel_threads()};
    NetworkRequest request = {
        .batch = options->batch, .layer = options->upto, .unit = -1, .conv = options->conv};
    bool ok = material_blob(&blob, options, error) &&
              layer_runner_open(&layer.runner, blob, &request, error);
    if (ok)
        row_header(options,
                   "dissection of a layer (one run; the overhead is all but the forward pass)");
    if (ok && dissect_once(options, folder, &layer, &row, error)) {
        snprintf(row.name, sizeof row.name, "%s %s b%lld", options->arch, options->upto,
                 (long long)options->batch);
        row_print(options, &row);
    } else {
        ok = false;
    }
    layer_runner_close(&layer.runner);
    blob_close(blob);
    return ok;
}

bool bench_dissect(const Options *given, Error *error)
{
    Options options = *given;
    char    folder[LIMIT_PATH];
    if (!options.upto)
        options.upto = strncmp(options.arch, "vgg", 3) == 0 ? "conv3_3" : "layer3";
    if (options.probe)
        return dissect_folder(&options, options.probe, error);
    if (!folder_temporary(folder, error))
        return false;
    bool ok = world_write(folder, options.limit, error) && dissect_folder(&options, folder, error);
    folder_discard(folder);
    return ok;
}
