/* attack/map_slices.h - the gradient of an attack's loss where the map is a sum over many points,
 * in the memory of a few of them.
 *
 * Integrated gradients and SmoothGrad are sums over points, and the loss depends on the sum alone.
 * So a first sweep runs one slice of points after another and keeps only what each adds to the sum.
 * Then the loss is known, and its slope in the sum. A second sweep takes that slope back through
 * every slice, and what arrives at the image adds up: by the chain rule the gradient of all points
 * at once (M11). Slices run twice, but for the last, which is still there when the second sweep
 * begins; points that fit one slice cost nothing more. Of a noisy path, a mean of means, both
 * sweeps do so once more for every copy.
 * Slices depend on the number of points alone, so that results have the same bits everywhere. */
#ifndef ATTACK_MAP_SLICES_H
#define ATTACK_MAP_SLICES_H

#include "../attribution/attribution.h"

/* How a map of many points is asked for: fills points, in_slices and noisy_path of a request whose
 * method and mode are set. `copies`: of SmoothGrad; 0: none. */
void map_slices_request(MapRequest *request, int64_t copies);

/* The noise of copies, as smoothing_noise numbers it; deviation of each channel. */
typedef struct SliceNoise {
    uint64_t seed, draw, round;
    double   deviation[3];
} SliceNoise;

/* One sum of the map. */
typedef struct SliceSum {
    MapSum  nodes;
    NodeId  slope; // of the loss in the sum, a node
    NodeId  pull;  // the same, an input
    NodeId  back;  // what it makes of the image's gradient, through one part
    double *total; // [count]
    int64_t count;
} SliceSum;

enum { SLICE_STAGES = 4, SLICE_OUTPUTS = 7 };

typedef struct MapSlices {
    const Map *map;
    SliceSum   points, copies; // the second of a noisy path, else zeroed
    int64_t    point_count, copy_count, slice_count;
    int64_t    values, cells; // of the image: [channels, cells]
    NodeId     direct;        // gradient of the loss in the image while the sums stay
    NodeId     stage[SLICE_STAGES];
    int        stage_count;
    double    *factor, *share; // [point_count]
    double    *sum;            // [values], of gradients
    real      *gradient;       // [values], of the last sweep back
} MapSlices;

/* Appends the sweeps back of a loss that depends on the sums of the map. The map outlives it.
 * Errors: ERROR_MEMORY; those of the graph. */
bool map_slices_open(MapSlices *out, Graph *graph, const Map *map, const MapMode *mode,
                     int64_t copies, NodeId loss, Error *error);
void map_slices_close(MapSlices *slices); // accepts a zeroed object

/* What a plan must be told: its stages, and these nodes among its outputs; returns how many. */
int map_slices_plan(const MapSlices *slices, PlanOptions *options, NodeId outputs[SLICE_OUTPUTS]);

/* The first sweep: afterwards the plan holds the loss and all else that depends on the sums, until
 * it runs again. Inputs but those of points and noise are the caller's. */
void map_slices_forward(MapSlices *slices, Plan *plan, const SliceNoise *noise);

/* The second, right after the first: fills `gradient`. */
void map_slices_backward(MapSlices *slices, Plan *plan, const SliceNoise *noise);

#endif
