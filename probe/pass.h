/* probe/pass.h - what goes along with one pass over the images of a set: a flag that stops it, a
 * callback for its progress, and checkpoints, from which a killed run goes on. */
#ifndef PROBE_PASS_H
#define PROBE_PASS_H

#include "../base/share.h"
#include "../base/snapshot.h"

#define PASS_FILE_ENDING ".checkpoint" // of every checkpoint's name

/* Images that share an attack objective in some modes (Q4) are never in two shares. */
enum { PASS_GROUP = 64 };

/* Zeroed: the pass runs to its end, reports nothing and saves nothing. */
typedef struct Pass {
    const volatile bool *cancel; // ends the pass with ERROR_AGAIN once true; NULL: never
    /* Called by the calling thread before the first batch, with what an earlier run has done, and
     * between batches; total may change when more or less work turns out to be needed. NULL: nobody
     * listens. */
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
    Share  share; // of the images, in groups of PASS_GROUP: the pass sees no others
} Pass;

bool pass_cancelled(const Pass *pass);
/* The images that it sees of so many: from *first to before *past. */
void pass_images(const Pass *pass, int64_t images, int64_t *first, int64_t *past);
/* Whether the pass is to save now: because it is time, or because it ends. */
bool pass_saves(const Pass *pass, bool cancelled);
/* The error of a pass that was cancelled: "interrupted after 3 of 8 images; ...". Returns false. */
bool pass_interrupted(const Pass *pass, int64_t done, int64_t total, Error *error);
void pass_progress(const Pass *pass, int64_t done, int64_t total);

/* The same run's pass of another file and phase, without progress and without an extra. */
Pass pass_within(const Pass *pass, const char *file, const char *phase);

#endif
