/* cli/data_images.c - see data_images.h. */
#include "data_images.h"
#include "../attribution/attribution.h"
#include "../probe/picture.h"
#include "../probe/probe.h"

#include <math.h>

static bool load_photo(TrainingSet *set, const ProbeSet *probe, const Preparation *p, int64_t i,
                       float *planes, Error *error)
{
    int64_t values = 3 * p->height * p->width;
    char    folder[LIMIT_PATH], path[LIMIT_PATH];
    if (!path_join(folder, probe->folder, "images", error) ||
        !path_join(path, folder, probe_image_path(probe, i), error) ||
        !picture_planes(path, p, planes, error))
        return false;
    for (int64_t k = 0; k < values; k++)
        set->pixels[i * values + k] = (uint8_t)lrintf(255 * planes[k]);
    return true;
}

// The photos of a probing set, prepared as the blob says.
static bool open_probing_set(TrainingSet *set, const char *data, const Preparation *p, Error *error)
{
    ProbeSet probe  = {0};
    float   *planes = memory_new(3 * (size_t)(p->height * p->width), sizeof *planes, error);
    bool     ok     = planes && probe_open(&probe, data, NULL, error) &&
              training_set_new(set, probe.image_count, p->height, p->width, 1, error);
    for (int64_t i = 0; ok && i < probe.image_count; i++)
        ok = load_photo(set, &probe, p, i, planes, error);
    probe_close(&probe);
    memory_free(planes);
    return ok;
}

bool data_images_open(TrainingSet *out, const char *data, WeightBlob *blob, Error *error)
{
    const Preparation *p   = blob_preparation(blob);
    TrainingSet        set = {0};
    bool               ok  = probe_is_tables(data) ? open_probing_set(&set, data, p, error)
                                                   : training_data_open(&set, data, p, error);
    if (!ok) {
        training_set_free(&set);
        return false;
    }
    *out = set;
    return true;
}

void data_images_prepare(const TrainingSet *set, int64_t index, const Preparation *preparation,
                         float *planes, real *out)
{
    int64_t        cells  = set->height * set->width;
    const uint8_t *pixels = set->pixels + 3 * index * cells;
    for (int64_t i = 0; i < 3 * cells; i++)
        planes[i] = (float)pixels[i] / 255;
    pixels_prepare(preparation, planes, cells, out);
}
