/* probe/inputs.h - what units are explained from: a probing set, and the layer of a network that
 * its images are run through. */
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

/* Runs all images through the layer and keeps the activation maps of some units (D1):
 *   units  [unit_count], numbers of the layer's units, from 0
 *   maps   out, [unit_count, images, height, width]
 * Errors: ERROR_USAGE (there is no such unit), ERROR_AGAIN (cancelled), and the sources' own. */
bool maps_collect(const Inputs *inputs, const int64_t *units, int64_t unit_count, const Pass *pass,
                  float *maps, Error *error);

#endif
