/* cli/plan.h - a plan: a folder that cuts one run into pieces for many machines.
 *
 * PLAN/plan.json     the command, its settings and digests, the pieces, an estimate; never changed
 * PLAN/run.sbatch    runs it by Slurm; PLAN/run.sh on one machine
 * PLAN/work/I.K.HOST.PROCESS   the K-th attempt at piece I, with its checkpoints
 * PLAN/pieces        what is done (study/shards.h)
 *
 * How the work is cut stands in the plan alone, never in the environment: a scheduler that runs one
 * piece again says that there is one. */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "../format/json.h"
#include "rehearsal.h"
#include "run_folder.h"

#define PLAN_PIECES "pieces"
#define PLAN_WORK   "work"

/* Pieces count over all phases, and the largest index of an array that Slurm takes is 1000 unless
 * its site says otherwise. */
enum { PLAN_PHASES = 8, PLAN_SHARDS = 1000, PLAN_MOST_PIECES = 1001 };

/* Pieces of a phase need all those of the phases before it. */
typedef struct PlanPhase {
    char    name[32];
    int64_t first, count; // pieces
} PlanPhase;

typedef struct Plan {
    char               path[LIMIT_PATH];
    char               sha256[65]; // of plan.json
    const Verb        *verb;
    const char *const *words; // [word_count] of its command line; the first is the verb
    int                word_count;
    PlanPhase          phases[PLAN_PHASES];
    int                phase_count;
    int64_t            pieces; // of all phases
    int64_t            shards; // that were asked for
    /* Of a plan that is being made. */
    Identity     settings, inputs;
    WorkEstimate estimate;
    /* Of one that was read. */
    Json         json;
    const char **read_words;
} Plan;

/* Adds a phase of so many pieces. */
void plan_phase(Plan *plan, const char *name, int64_t count);

/* What would not survive in the scripts or in plan.json is refused: too many pieces (the sentence
 * says how many to ask for), words that are not UTF-8, long paths. Errors: ERROR_USAGE,
 * ERROR_CREATE. */
bool plan_count_fits(const Plan *plan, Error *error);
bool plan_words_fit(const Plan *plan, Error *error);
bool plan_paths_fit(const Plan *plan, const Settings *settings, Error *error);

/* Makes the folder of a plan, writes its scripts, and last plan.json. Errors: ERROR_CREATE,
 * ERROR_IO. */
bool plan_folders(const Plan *plan, Error *error);
bool plan_scripts(const Plan *plan, const Settings *settings, Error *error);
bool plan_write(const Plan *plan, Error *error);

/* Errors: ERROR_NOT_FOUND, ERROR_DATA (not a plan, of another version, kernels that round
 * otherwise). */
bool plan_open(Plan *out, const char *path, Error *error);
void plan_close(Plan *plan); // accepts a zeroed object

/* The text of settings.NAME or inputs.NAME; NULL: none. */
const char *plan_text(const Plan *plan, const char *of, const char *name);

/* Kernels that agree to the bit have one name: "avx2, avx512". */
const char *kernels_that_agree(const char *isa);

/* The phase of a piece. */
int plan_phase_of(const Plan *plan, int64_t piece);

#endif
