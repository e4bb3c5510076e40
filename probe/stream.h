/* probe/stream.h - runs the images of a probing set through a layer, batch by batch, and hands out
 * the activation maps. */
#ifndef PROBE_STREAM_H
#define PROBE_STREAM_H

#include "inputs.h"
#include "rows.h"

/* Takes the maps [count, units, height, width] of images first..first+count-1. */
typedef bool StreamTake(void *self, const real *maps, int64_t first, int64_t count, Error *error);

/* Between two batches, when images before `next` are done: saves if it is time, and ends the pass
 * with ERROR_AGAIN if it was cancelled. */
typedef bool StreamPause(void *self, int64_t next, Error *error);

typedef struct Stream {
    const Inputs *inputs;
    const Pass   *pass;
    RowLoader     loader;
    int64_t       ahead;  // images loaded in one go: a batch, or several where threads are many
    int64_t      *images; // [ahead] at hand
    real         *pixels; // [ahead, 3, image_height, image_width]
    real         *maps;   // [batch, units, height, width]
    int64_t       done;   // images over all runs
} Stream;

/* The set's images come from `images`. Everything handed in outlives it. Errors: ERROR_DATA where
 * photos have another size than the network takes. */
bool stream_open(Stream *out, const Inputs *inputs, const ImageSource *images, const Pass *pass,
                 Error *error);
void stream_close(Stream *stream); // accepts a zeroed object

/* Every image of the pass's share from `start` on through the layer once. `runs` is how many there will be, for the
 * progress. */
bool stream_run(Stream *stream, int runs, int64_t start, StreamTake *take, void *take_self,
                StreamPause *pause, void *pause_self, Error *error);

/* One run over all images, for work whose state is at most six arrays of fixed size: they are saved
 * with the pass's extra between batches, and a killed run goes on from there. */
bool stream_sweep(const Inputs *inputs, const ImageSource *images, const Pass *pass,
                  StreamTake *take, void *take_self, const SnapshotPart *state, int state_count,
                  Error *error);

/* A map as floats: the map itself, or in the build where real is double a copy in `room`. */
const float *map_floats(const real *map, int64_t count, float *room);
/* True if `finite`; else the error that names the image and unit whose map has a value that is not
 * finite (D1). */
bool map_check(const ProbeSet *probe, int64_t image, int64_t unit, bool finite, Error *error);

#endif
