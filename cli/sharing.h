/* cli/sharing.h - what a verb asks when a plan runs it: to be measured and cut, to do one piece, or
 * to put the pieces together.
 *
 * Merging is the ordinary run with nothing left to compute: the verb opens its inputs, takes what
 * the pieces found as if an interrupted run had left it, and writes its results by its ordinary
 * code. So the merged run has the bytes of a run on one machine. Every function here may be called
 * by a run without a plan (settings->sharing NULL), where nothing is shared. */
#ifndef CLI_SHARING_H
#define CLI_SHARING_H

#include "../base/pieces.h"
#include "../base/share.h"
#include "../study/shards.h"
#include "plan.h"
#include "rehearsal.h"
#include "run.h"

typedef enum SharingRole { SHARING_PLAN, SHARING_PIECE, SHARING_MERGE } SharingRole;

typedef struct Sharing {
    SharingRole role;
    Plan       *plan;  // being made, or read
    int64_t     piece; // of SHARING_PIECE
    Shards      shards;
} Sharing;

static inline bool sharing_is(const Settings *settings, SharingRole role)
{
    return settings->sharing && settings->sharing->role == role;
}

/* Once the identity of a run is whole: the plan keeps it, or it is compared with the plan's.
 * Errors: ERROR_DATA, naming the first setting that differs. */
bool sharing_identify(const Settings *settings, const Identity *identity, Error *error);
/* The same for the digest of an input that is no setting of the run. */
bool sharing_input(const Settings *settings, const char *name, const char *digest, Error *error);
/* That of the photos of a set, and of its label maps and tables where they are needed. */
bool sharing_inputs(const Settings *settings, const RunInputs *inputs, Error *error);

/* Says how many things the work can be cut into; a plan has no more pieces than that. */
void sharing_cases(const Settings *settings, int64_t cases, const char *what);
/* The same of one phase of a plan that is being made. `what` NULL: no word if there are fewer. */
void sharing_phase(const Settings *settings, const char *name, int64_t cases, const char *what);

/* The estimate of a rehearsal. */
void sharing_estimate(const Settings *settings, const WorkEstimate *estimate);

/* Of a piece, its share among the pieces of its phase; else all. */
Share sharing_share(const Settings *settings);

/* ---- pieces ---------------------------------------------------------------------------------- */

#define PIECE_FILE "piece" PASS_FILE_ENDING // in the folder of a run, before it is published

/* What the run of a plan reads and saves: a piece the pieces of the phase before, and its own; a
 * merge those of the last phase; any other run none. Errors of reading: ERROR_PIECES (one is
 * missing). */
Pieces sharing_pieces(Run *run);

/* Whether every piece of a phase is there; names those that are broken. Errors: ERROR_PIECES, or
 * ERROR_DATA where some are broken; both list what is to run again. */
bool sharing_complete(Sharing *sharing, int phase, const Settings *settings, Error *error);

/* ---- running --------------------------------------------------------------------------------- */

/* Runs the plan's verb in a role, with `out` as its folder and `outer`'s manners. */
bool sharing_run(Sharing *sharing, const Settings *outer, const char *out, Error *error);

#endif
