/* attribution/runner.h - maps of images, one after another, in constant memory.
 *
 * A MapRunner holds the graph and the plan of one method on one network; each call gives the map of
 * one image. Paths and noisy copies are run in pieces and added up in double, in the order of
 * points, so that results do not depend on the size of a piece. */
#ifndef ATTRIBUTION_RUNNER_H
#define ATTRIBUTION_RUNNER_H

#include "attribution.h"

typedef struct MapJob {
    MapMode          mode; // a row of the table, or one that was changed
    const MapMethod *method;
    const Composite *relevance; // NULL: the method's
    const char      *layer;     // NULL: the logits
    WeightBlob      *patterns;
    bool             softplus;      // see map_runner_beta
    int64_t          height, width; // of the prepared image
    int64_t          batch;         // points of a path in one run
    ConvMethod       conv;
    const real      *baseline; // of a path, [3, height, width]; NULL: zeros
    int64_t          copies;   // of SmoothGrad; 0: the image itself
    double           level;    // deviation of its noise, a share of the box of pixels
    uint64_t         seed;
} MapJob;

typedef struct AccountSums {
    double relevance, bias, stabiliser, dead, size;
} AccountSums;

typedef struct MapRunner {
    MapJob       job;
    Graph       *graph;
    Plan        *plan;
    NodeId       beta;
    Map          map;
    int64_t      channels, cells; // of an attribution: [channels, height, width]
    real         span[3];         // the box of pixels, as the network reads them
    double      *raw, *copy;      // attribution of the last image; of one noisy copy
    float       *form, *form_copy;
    double      *factor, *share; // of the points of a path
    AccountSums *account;        // a row for each of map.account
    double       sum, size;      // of the attribution; of the sizes of its values
    bool         has_completeness;
    double       completeness_error; // see map_runner_run
} MapRunner;

/* The blob outlives the runner. Errors: those of map_build; ERROR_DATA: noise, and nothing is known
 * of the box of pixels. */
bool map_runner_open(MapRunner *out, WeightBlob *blob, const MapJob *job, Error *error);
void map_runner_close(MapRunner *runner); // accepts a zeroed object

/* The beta of the softplus that stands in place of every ReLU. */
void map_runner_beta(MapRunner *runner, double beta);

/* The map of one image.
 *   image   [3, height, width], prepared
 *   unit    class, or unit of the layer
 *   draw    number of the image: its noise depends on it and the seed
 * Then form has the map [height, width], raw the attribution, and for method `integrated`
 * completeness_error what the attribution lacks to f(image) - f(baseline) (E5): the sum over pixels
 * of (image - baseline) times the mean gradient, less that difference. */
void map_runner_run(MapRunner *runner, const real *image, int64_t unit, uint64_t draw);

#endif
