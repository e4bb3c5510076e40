/* study/robust_parts.h - what the files of the study of robustness share: tasks, and room for one
 * group of images. */
#ifndef STUDY_ROBUST_PARTS_H
#define STUDY_ROBUST_PARTS_H

#include "../attribution/batch.h"
#include "robustness.h"

/* One measure of one method under one setting. Its rows lie one after another. */
typedef struct RobustTask {
    RobustMeasure measure;
    int           method; // -1: the network alone
    double        eps;
    bool          is_strongest;                 // of RPS: the largest eps, whose maps are shown
    int64_t       first_row, row_count, passes; // passes: of one image, for progress
} RobustTask;

enum { ROBUST_TASKS = 1024 };

typedef struct RobustTasks {
    RobustTask task[ROBUST_TASKS];
    int        count;
    int64_t    rows, passes;
} RobustTasks;

/* Lists them with their rows; `rows` NULL: counts alone. Errors: ERROR_USAGE, too many. */
bool robust_tasks(const RobustStudy *study, RobustTasks *out, RobustRow *rows, Error *error);

/* What of a study is done: tasks before, of this task the images before, and of their next group so
 * many parts, which its measure counts: draws, or images. */
typedef struct RobustPlace {
    int64_t task, image, part;
} RobustPlace;

/* Everything of one group at a time; arrays have an entry for each of its images. */
typedef struct RobustGroup {
    int64_t  first, count;   // images of the study
    real    *images, *moved; // [3, cells], prepared
    real    *attacked;       // likewise, of AAM; kept in checkpoints
    size_t   attacked_count; // numbers there is room for; without AAM one
    float   *planes;         // [3, cells], in 0..1
    int64_t *labels;
    float   *clean, *maps;    // [cells]
    float   *sum_a, *sum_b;   // [cells], sum-normalised
    float   *sorted;          // [cells], scratch
    double  *scores;          // [count] a similarity or two
    real    *logits, *others; // [classes]
    real     low[3], high[3]; // where pixels may be
} RobustGroup;

typedef struct RobustRun {
    const RobustStudy *study;
    RobustTasks        tasks;
    RobustResults     *results;
    RobustGroup        group;
    int64_t            cells, values, classes, room; // room: images of a group
    double             radius[3];                    // of noise, for an eps of 1
    RobustPlace        place;
    int64_t            passed;      // passes so far
    int64_t            begin, past; // images of the share
    bool               is_cancelled;
    const RobustTask  *task; // at hand
} RobustRun;

/* Names the rows, which are all empty, makes room for the results, and finds the share. */
bool robust_results_open(RobustRun *run, Error *error);

/* The row `index` of the task at hand, of the group's first image. */
double *robust_row(RobustRun *run, int64_t index);

/* After some passes of an image each. False, without a cause, once the run is cancelled. */
bool robust_passed(RobustRun *run, int64_t passes);

/* Parts of the group up to here are done, after some more passes of an image each: their rows, or
 * attacked images, are what an interrupted run goes on with. False once the run is cancelled,
 * without a cause, or where a checkpoint that was due could not be written. */
bool robust_part_done(RobustRun *run, int64_t part, int64_t passes, Error *error);

/* Sets the rows of the task at hand to zero for the group. */
void robust_forget(RobustRun *run);

bool robust_group_open(RobustRun *run, Error *error);
void robust_group_close(RobustRun *run);
/* The images from `first` on, at most a group. */
bool robust_group_load(RobustRun *run, int64_t first, Error *error);

/* ---- maps and similarities ------------------------------------------------------------------- */

bool robust_batch_open(MapBatch *out, const RobustRun *run, const MapMethod *method, bool along,
                       Error *error);
/* Maps of `images` into maps, and what the network says of them into logits (NULL allowed). */
void robust_maps(RobustRun *run, MapBatch *batch, const real *images, float *maps, real *logits);
/* Brings a value of an image, the `value`-th, to where pixels may be. */
void robust_cut(const RobustRun *run, int64_t value, real *pixel);

/* Adds `share` of how alike maps a and b of the group are to its rows from `row` on, one for each
 * similarity. `clean_is_summed`: of b only the sum-normalised map is left (forgets_clean). */
bool robust_alike(RobustRun *run, int64_t row, const float *a, const float *b, bool clean_is_summed,
                  double share, Error *error);

/* Keeps the maps of shown images: which = 0 as it is, 1 moved at random, 2 attacked. */
void robust_show(RobustRun *run, int which, const float *maps);

/* ---- measures: each fills the rows of the task at hand for the group ------------------------- */

/* How a measure works. `open` makes what its task needs, once for all groups. `measure` begins with
 * the part that place.part says; at part 0 the rows are zero. */
typedef struct RobustKind {
    bool (*open)(void **out, RobustRun *run, Error *error);
    bool (*measure)(void *machine, RobustRun *run, Error *error);
    void (*close)(void *machine); // NULL allowed
} RobustKind;

extern const RobustKind robust_noise, robust_gradient, robust_attack, robust_masks, robust_accuracy;

/* Insertion or deletion by maps of the group: rows from `row` on. */
typedef struct RobustMasks RobustMasks;
bool                       robust_masks_open(RobustMasks **out, const RobustRun *run, Error *error);
void                       robust_masks_close(RobustMasks *masks); // NULL allowed
bool robust_masks_run(RobustMasks *masks, RobustRun *run, const float *maps, bool deletes,
                      int64_t row, Error *error);

#endif
