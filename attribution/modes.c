/* attribution/modes.c - what the published programs do differently; said here and nowhere else. */
#include "attribution.h"

#include <string.h>

static const MapMode modes[] = {
    {.name                = "manipulated19",
     .sweep               = {.gate_at_zero = true, .stabiliser = (real)1e-9},
     .relevance_at_value  = true,
     .gradient_at_value   = true,
     .shared_bounds       = true,
     .path_of_probability = true,
     .path_times_input    = true,
     .path                = PATH_RIGHT,
     .steps               = 30,
     .smooths_maps        = true,
     .form                = {MAP_SIGN_ABS, MAP_SCALE_SUM}},
    {.name  = "aligned23",
     .sweep = {.uses_bias = true, .norms_pass = true},
     .path  = PATH_CLOSED,
     .steps = 50,
     .form  = {MAP_SIGN_ABS, MAP_SCALE_MAX}},
    {.name               = "clean",
     .sweep              = {.uses_bias = true, .stabiliser = (real)1e-6},
     .relevance_at_value = true,
     .path_times_input   = true,
     .path               = PATH_GAUSS,
     .steps              = 32,
     .form               = {MAP_SIGN_NONE, MAP_SCALE_NONE}},
};

const MapMode *map_mode_at(int index)
{
    return index >= 0 && index < (int)(sizeof modes / sizeof *modes) ? &modes[index] : NULL;
}

const MapMode *map_mode_named(const char *name)
{
    for (int i = 0; map_mode_at(i); i++)
        if (strcmp(map_mode_at(i)->name, name) == 0)
            return map_mode_at(i);
    return NULL;
}
