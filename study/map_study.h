/* study/map_study.h - attacks on explanation maps, measured: of pairs of images, by several
 * methods, on the ReLU network and the smoothed one, after every way to store the attacked image,
 * and explained again with smoothing.
 *
 * Images are prepared tensors [3, height, width]. The work of one method on one pair is a case; a
 * killed run goes on in the middle of it. Results are the same bytes for any number of threads. */
#ifndef STUDY_MAP_STUDY_H
#define STUDY_MAP_STUDY_H

#include "../attack/attack.h"
#include "../attack/map_attack.h"
#include "../attribution/runner.h"
#include "../attribution/similarity.h"
#include "../base/pieces.h"
#include "../probe/pass.h"

enum { MAP_METHODS = 32 };

/* What one pair is. Arrays are the giver's and stay until the next pair is asked for. */
typedef struct MapPair {
    const real  *image;        // whose map is changed
    const real  *target_image; // whose map it shall have; NULL: target_map
    const float *target_map;   // [height, width], sum 1
} MapPair;

/* One row of measures.csv (M7, M8). */
typedef struct MapMeasure {
    int32_t    pair, method; // indices
    bool       is_softplus, is_control;
    uint8_t    zero[2]; // so that saved rows have no gap
    StoreArm   store;
    double     beta;
    Similarity target, original, image; // the map afterwards with each; image with stored image
    double     linf;                    // of values in 0..1
    int64_t    class_before, class_after;
    double     probability_before, probability_after; // of class_before
    double     output_change;                         // distance of the probabilities
} MapMeasure;

/* One row of smoothing.csv: the attacked image, explained with softplus or SmoothGrad (M9). */
typedef struct MapSmoothing {
    int32_t    pair, method, copies; // copies 0: no SmoothGrad
    int32_t    spare;                // 0, as above
    double     beta, level;          // beta 0: ReLU
    Similarity target;               // with the map that the attack aimed at
    Similarity original;             // with the map of the clean image, smoothed in the same way
} MapSmoothing;

/* One row of steps.csv. */
typedef struct MapStep {
    int32_t       pair, method, step, spare; // spare is 0, as above
    MapAttackLoss loss;
} MapStep;

typedef struct MapResults {
    int64_t       cases, measure_count, smoothing_count, step_count; // so far
    MapMeasure   *measures;
    MapSmoothing *smoothings;
    MapStep      *steps;
} MapResults;

/* A case that is done. Maps are [height, width], of the ReLU network, or of softplus with a beta
 * that was fixed. */
typedef struct MapCase {
    int          pair, method;
    const real  *clean, *attacked;
    const float *before, *target, *after;
} MapCase;

typedef struct MapStudy {
    WeightBlob      *blob, *patterns; // patterns NULL: none
    MapMode          mode;
    const MapMethod *methods[MAP_METHODS];
    MapAttackRule    rules[MAP_METHODS]; // of each method
    int              method_count;
    int64_t          pairs, height, width, batch;
    int64_t          copies; // of SmoothGrad; 0: plain maps
    double           level;
    uint64_t         seed;
    ConvMethod       conv;
    StoreArm         arms[STORE_ARMS];
    int              arm_count;
    bool (*load)(void *self, int64_t pair, MapPair *out, Error *error);
    bool (*done)(void *self, const MapCase *result, Error *error); // writes its files
    void       *self;
    const Pass *pass;
    Share       share; // of the cases: pair by pair of each method
} MapStudy;

/* Runs every case. Errors: those of load and done, of networks and maps, ERROR_DATA (a loss that is
 * not finite), ERROR_AGAIN (cancelled, after a checkpoint). */
bool map_study_run(const MapStudy *study, MapResults *out, Error *error);
void map_results_close(MapResults *results); // accepts a zeroed object

/* A case as its piece has it: in place of `done`, kept beside the checkpoints until the piece is
 * made. */
bool map_case_keep(const MapStudy *study, const MapCase *result, Checkpoint *checkpoint,
                   Error *error);
/* Saves what the study's share came to as a piece: rows, and the cases that were kept. And the
 * results of all pieces; each case is `done`. Errors: those of both, ERROR_DATA (a piece that does
 * not fit). */
bool map_results_save(const MapStudy *study, const MapResults *results, Checkpoint *kept,
                      const Pieces *pieces, Error *error);
bool map_results_join(const MapStudy *study, const Pieces *pieces, MapResults *out, Error *error);

/* Steps of all cases, for progress. */
int64_t map_study_steps(const MapStudy *study);

/* ---- files ----------------------------------------------------------------------------------- */

/* measures.csv, smoothing.csv, steps.csv. */
bool map_results_write(const MapStudy *study, const MapResults *results, const char *folder,
                       Error *error);

/* summary.csv: of every measure over the pairs. */
bool map_summary_write(const MapStudy *study, const MapResults *results, const char *folder,
                       Error *error);

/* Reads these tables back: rows, and into the study the methods they name and how many pairs there
 * are; a zeroed study and a zeroed result are filled. Errors: ERROR_NOT_FOUND, ERROR_DATA. */
bool map_results_read(const char *folder, MapStudy *study, MapResults *out, Error *error);

/* Columns of measures.csv that are numbers: name, and value in a row; NULL past the last. */
const char *map_measure_name(int index);
double      map_measure_value(const MapMeasure *row, int index);

/* Rows of the same method, network, storage and control. */
bool map_measures_are_alike(const MapMeasure *a, const MapMeasure *b);
/* A column of the rows like this one, sorted; returns how many. `values` is room for a number a
 * pair. */
int64_t map_results_sorted(const MapResults *results, const MapMeasure *like, int column,
                           double *values);

/* The median of a column over the rows that are like this one but for the pair: same method,
 * network, storage and control. `values` is room for a number a pair. */
double map_results_median(const MapResults *results, const MapMeasure *like, int column,
                          double *values);

#endif
