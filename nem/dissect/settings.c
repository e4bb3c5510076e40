/* nem/dissect/settings.c - the modes as data (6.9). What a mode is, is said in this table and nowhere
 * else. */
#include "dissect.h"

#include <math.h>
#include <string.h>

enum { QUANTILE_ENTRIES = 1000, QUANTILE_ENTRY = 994 };
#define STORE_BYTES ((size_t)768 << 20)

#define QUANTILE .quantile_entry = QUANTILE_ENTRY, .quantile_entries = QUANTILE_ENTRIES
#define ROOM     .store_bytes = STORE_BYTES

static const DissectSettings modes[] = {
    [COMPAT_CORRUPT23] = {.mode      = COMPAT_CORRUPT23,
                          .mode_name = "corrupt23",
                          QUANTILE,
                          ROOM,
                          .upsampler = UPSAMPLE_HALF_PIXEL,
                          .presence  = PRESENCE_IN_MASK,
                          .epsilon   = 1e-10},
    // The recommended semantics (12) are the fork's here; the modes part ways in what attack/ does.
    [COMPAT_CLEAN]  = {.mode      = COMPAT_CLEAN,
                       .mode_name = "clean",
                       QUANTILE,
                       ROOM,
                       .upsampler = UPSAMPLE_HALF_PIXEL,
                       .presence  = PRESENCE_IN_MASK,
                       .epsilon   = 1e-10},
    [COMPAT_LITE]   = {.mode      = COMPAT_LITE,
                       .mode_name = "lite",
                       QUANTILE,
                       ROOM,
                       .upsampler        = UPSAMPLE_PILLOW,
                       .presence         = PRESENCE_IN_MASK,
                       .epsilon          = 1e-10,
                       .label0_leaks     = true,
                       .without_category = "material",
                       .post_relu        = true},
    [COMPAT_ND2017] = {.mode      = COMPAT_ND2017,
                       .mode_name = "nd2017",
                       QUANTILE,
                       ROOM,
                       .upsampler         = UPSAMPLE_FIELD_GRID,
                       .presence          = PRESENCE_IN_IMAGE,
                       .epsilon           = 1e-20,
                       .triples_per_image = 2048,
                       .post_relu         = true},
};

DissectSettings dissect_settings(CompatMode mode)
{
    return modes[mode];
}

bool compat_mode_named(const char *name, CompatMode *mode)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].mode_name, name) == 0) {
            *mode = modes[i].mode;
            return true;
        }
    return false;
}

bool dissect_set_alpha(DissectSettings *settings, double alpha, Error *error)
{
    // 1000 * (1 - 0.005) - 1 is a hair off 994: a relative rounding error must not move the entry.
    double entry = floor(QUANTILE_ENTRIES * (1 - alpha) - 1 + 1e-9);
    if (!(alpha > 0 && alpha < 1) || entry < 0)
        return fail(error, ERROR_USAGE, "alpha is %g, expected a number between 0 and 0.999",
                    alpha);
    settings->quantile_entry   = (int)entry;
    settings->quantile_entries = QUANTILE_ENTRIES;
    return true;
}
