/* probe/pass.h - one pass over the images of a set: where it saves what it has. */
#ifndef PROBE_PASS_H
#define PROBE_PASS_H

#include "../base/snapshot.h"

/* Where a long pass keeps what it has, so that a killed run goes on from there. */
typedef struct PassCheckpoint {
    Checkpoint *checkpoint;
    const char *name;  // of the file
    const char *stage; // which pass of the run
    void       *extra; // [extra_size] kept with it: what the image source has learnt; or NULL
    size_t      extra_size;
} PassCheckpoint;

#endif
