/* cli/run_state.h - what has become of the run in a folder, seen from outside: read alone, nothing
 * is written, locked or put right, so it may be asked of a run that goes on. */
#ifndef CLI_RUN_STATE_H
#define CLI_RUN_STATE_H

#include "run_folder.h"

typedef enum RunStage {
    RUN_ABSENT,      // no run at all
    RUN_RUNNING,     // a process is at it
    RUN_DEAD,        // its process is gone without a word, or has been silent for long
    RUN_INTERRUPTED, // it stopped because a signal asked for it
    RUN_FAILED,      // it stopped because of an error
    RUN_FINISHED
} RunStage;
#define RUN_STAGE_NAMES "absent|running|dead|interrupted|failed|finished"

typedef struct RunState {
    RunStage stage;
    char     host[256];      // of the process; "": not known
    bool     is_here;        // that is this host
    int64_t  process;        // 0: not known
    double   sign_age;       // seconds since the run said how far it is; negative: it never did
    double   checkpoint_age; // since the last checkpoint; negative: there is none
    bool     is_replacement; // it is to replace a finished run
    Json     progress;       // progress.json; nodes NULL: there is none, or it cannot be read
    Json     result;         // run.json of a finished run
    Error    damage;         // about a file that cannot be read
} RunState;

enum { SILENT_SECONDS = 120 }; // a process of another host that says nothing for longer is dead

/* The run in `path`. `next`: the one that is being made to replace it, RUN_ABSENT where there is
 * none. Errors: ERROR_NOT_FOUND (no folder, or neither a finished nor an unfinished run in it). */
bool run_state_read(RunState *out, RunState *next, const char *path, Error *error);
void run_state_close(RunState *state); // accepts a zeroed object

/* Of progress.json: a text, or NULL; a whole number or a number, or -1. */
const char *run_state_text(const RunState *state, const char *name);
double      run_state_number(const RunState *state, const char *name);

#endif
