/* attribution/cost.c - what a map costs, so that an estimate of time knows before it has seen one.
 *
 * In forward passes, as `bench attribute` measured them on VGG-16 and ResNet-50 (bench/NOTES.md,
 * Maps); networks differ by a quarter. */
#include "attribution.h"

typedef struct Cost {
    double map, step;
} Cost;

// Of one image, or of one point of a path.
static Cost cost_of(const MapMethod *method)
{
    if (method->kind == MAP_ROLLOUT)
        return (Cost){1, 2};
    if (method->kind == MAP_GRADCAM)
        return (Cost){1.2, 2};
    if (method->kind == MAP_INTEGRATED) // an attack runs its points twice, in slices
        return (Cost){1.4, 4.5};
    if (!method->relevance)
        return (Cost){1.6, 3};
    switch (method->relevance->conv) {
    case RULE_EPSILON:
        return (Cost){1.9, 4.5};
    case RULE_ALPHA2BETA1:
        return (Cost){4.7, 12};
    default:
        return (Cost){2.8, 5};
    }
}

static int64_t passes_of(const MapMethod *method, const MapMode *mode, int64_t count, double cost)
{
    int64_t points = method->kind == MAP_INTEGRATED ? path_points(mode->path, mode->steps) : 1;
    return (int64_t)((double)(points * count) * cost + 0.5);
}

int64_t map_method_passes(const MapMethod *method, const MapMode *mode, int64_t maps)
{
    return method ? passes_of(method, mode, maps, cost_of(method).map) : 0;
}

int64_t map_method_step_passes(const MapMethod *method, const MapMode *mode, int64_t steps)
{
    return method ? passes_of(method, mode, steps, cost_of(method).step) : 0;
}
