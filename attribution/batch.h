/* attribution/batch.h - maps of many images in one run of the network, with what it says of them.
 *
 * Each image has its own class and its map has the bits that it has in a batch of any size. */
#ifndef ATTRIBUTION_BATCH_H
#define ATTRIBUTION_BATCH_H

#include "runner.h"

typedef struct MapBatch {
    MapJob  job;
    Graph  *graph;
    Plan   *plan;
    Map     map;
    NodeId  beta, direction, slope; // the last two of map_batch_along
    int64_t values, cells, classes; // of one image: [channels, height, width] and [height, width]
    double *raw;                    // attributions of the last run, [batch, values]
    double *factor, *share;         // of the points of a path
    float  *form;                   // their maps, [batch, cells]
    real   *logits;                 // [batch, classes], of the images themselves
} MapBatch;

/* Of the job, `batch` is the number of images of one run; copies, relevance, layer and baseline are
 * not read. With `along`, every run also gives the derivative of the attribution along a direction.
 * The blob outlives it. Errors: those of map_build. */
bool map_batch_open(MapBatch *out, WeightBlob *blob, const MapJob *job, bool along, Error *error);
void map_batch_close(MapBatch *batch); // accepts a zeroed object

/* images [count, 3, height, width], prepared; count <= batch. Fills raw, form and logits. */
void map_batch_run(MapBatch *batch, const real *images, const int64_t *units, int64_t count);

/* The same, of a method that is no path; *slope [batch, values], valid until the next run, is the
 * transposed derivative of the attribution in the image times a direction [count, values]: with
 * method `gradient` the product of Hessian and direction. */
void map_batch_along(MapBatch *batch, const real *images, const int64_t *units,
                     const real *directions, int64_t count, const real **slope);

#endif
