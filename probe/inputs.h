/* probe/inputs.h - what an explanation of units is made from: a probing set, seen through one layer
 * of a network. */
#ifndef PROBE_INPUTS_H
#define PROBE_INPUTS_H

#include "pass.h"
#include "probe.h"

typedef struct Inputs {
    const ProbeSet   *probe;
    const PlaneCache *label_planes; // the decoded label maps; NULL for methods that need none
    ImageSource       images;       // the photos; perturbed ones take their place in a sweep
    ActivationSource  layer;        // all units
} Inputs;

/* The layer's own maps of some units over all images:
 *   units  [unit_count], numbers of the layer's units, from 0
 *   maps   out, [unit_count, images, height, width]
 * Errors: ERROR_USAGE (there is no such unit), ERROR_AGAIN (cancelled), and the sources' own. */
bool maps_collect(const Inputs *inputs, const int64_t *units, int64_t unit_count, const Pass *pass,
                  float *maps, Error *error);

#endif
