/* study/attack_run.h - what the run over all units shares with its chunks. */
#ifndef STUDY_ATTACK_RUN_H
#define STUDY_ATTACK_RUN_H

#include "unit_case.h"

typedef struct AttackRun {
    const AttackJob *job;
    Changes         *out;
    Resampler       *resampler;
    Replacer         replacer;
    UnitCase        *cases;              // [job->unit_count]
    size_t           map_size, set_size; // floats of one map; of a unit's maps over all images
    const char      *method;
    int64_t          done, total; // runs of the network, for progress
} AttackRun;

/* Counts runs of the network and tells the observer of progress. */
void progress_add(AttackRun *run, int64_t amount);

/* Runs of the network for one poisoned image at one eps, a gradient being worth three. */
int64_t cost_of_image(const AttackJob *job);

/* Every row of `count` units from `cases` on; closes the cases. Units an earlier run has finished
 * are copied; a chunk it has finished runs nothing. */
bool chunk_run(AttackRun *run, UnitCase *cases, int64_t count, Error *error);

#endif
