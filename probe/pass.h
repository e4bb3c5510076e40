/* probe/pass.h - one pass over the images of a set: who may stop it, who hears of its progress, and
 * where it saves what it has, so that a killed run goes on from there. */
#ifndef PROBE_PASS_H
#define PROBE_PASS_H

#include "../base/snapshot.h"

#define PASS_FILE_ENDING ".checkpoint" // of every checkpoint's name

/* Zeroed: nobody stops it, nobody hears of it, nothing is saved. */
typedef struct Pass {
    const volatile bool *cancel; // ends the pass with ERROR_AGAIN once true; NULL: never
    /* Called between batches by the calling thread; total may grow when more work turns out to be
     * needed. NULL: nobody listens. */
    void (*progress)(void *self, int64_t done, int64_t total);
    void       *progress_self;
    Checkpoint *checkpoint; // NULL: nothing is saved
    const char *file;       // name of the checkpoint file, PASS_FILE_ENDING included
    const char *phase;      // which part of the run this is: another phase's file does not count
    /* More to save in each checkpoint and to read back from it: [extra_size] bytes that the source
     * of the images fills as they are loaded, such as each image's distance to its photo. Images
     * before the checkpoint are not loaded again, so without it these would be lost. NULL: none. */
    void  *extra;
    size_t extra_size;
} Pass;

bool pass_cancelled(const Pass *pass);
/* Whether the pass is to save now: because it is time, or because it ends. */
bool pass_saves(const Pass *pass, bool cancelled);
/* The error of a pass that was cancelled: "interrupted after 3 of 8 images; ...". Returns false. */
bool pass_interrupted(const Pass *pass, int64_t done, int64_t total, Error *error);
void pass_progress(const Pass *pass, int64_t done, int64_t total);

/* The same run's pass of another file and phase, without progress and without an extra. */
Pass pass_within(const Pass *pass, const char *file, const char *phase);

#endif
