/* cli/rehearsal.h - --dry-run: the work itself is begun, watched for a few seconds and given up,
 * and what the whole of it takes is told from that. Nothing is written. */
#ifndef CLI_REHEARSAL_H
#define CLI_REHEARSAL_H

#include "progress.h"
#include "run_folder.h"

enum { REHEARSAL_SECONDS = 4, REHEARSAL_STEPS = 3 }; // it is over after both

typedef struct Rehearsal {
    Progress     *progress; // what is counted, by whom
    volatile bool stop;     // what ends the work between two steps
    bool          is_over;  // enough was seen
    bool          is_whole; // it goes on to its end, however long that takes
    int           steps;
    double        began, ended; // clock_seconds of the first step and of the last
    int64_t       first;        // done at the first step
    size_t        most_used;    // memory_in_use, at a step
} Rehearsal;

/* What the watched steps do not tell. */
typedef struct RehearsedWork {
    int64_t result_bytes;  // on disk, at most; negative: not known
    int64_t other_units;   // so many of the counted things are of another kind, and come last
    double  other_seconds; // each of these
    int64_t shared_units;  // so many are done again in each piece of a plan
    int64_t memory_bytes;  // known from elsewhere to be needed; 0: not
} RehearsedWork;

/* How long and how large a piece of work is: what is counted, what was measured, what follows. */
typedef struct WorkEstimate {
    int64_t total, measured; // things counted
    double  measured_seconds;
    double  seconds;      // of all of it; negative: nothing was measured
    double  shared;       // seconds of it that each piece of a plan takes
    int64_t memory_bytes; // at its peak
    int64_t result_bytes;
} WorkEstimate;

void rehearsal_start(Rehearsal *out, Progress *progress);
/* A callback for progress; `self` is a Rehearsal. */
void rehearsal_step(void *self, int64_t done, int64_t total);

/* Whether the work ended because it was done, or because enough was seen; then *error is empty. */
bool rehearsal_ends(const Rehearsal *rehearsal, bool ok, Error *error);

/* Says what the whole of it takes, as estimate_tell does. */
bool rehearsal_tell(const Rehearsal *rehearsal, const RehearsedWork *work, const Settings *settings,
                    const Identity *identity, Error *error);

/* The most memory this process has had, in bytes. */
int64_t rehearsal_peak(void);

/* Says it, as a few lines or with --json as a document. */
bool estimate_tell(const WorkEstimate *estimate, const Progress *progress, const Settings *settings,
                   const Identity *identity, Error *error);

#endif
