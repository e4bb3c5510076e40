/* cli/clean_run.h - a finished clean run opened again, from what its run.json says. */
#ifndef CLI_CLEAN_RUN_H
#define CLI_CLEAN_RUN_H

#include "../study/study.h"
#include "run.h"

typedef struct CleanRunFiles {
    Json      json;                                // run.json; texts of the request point into it
    char      model[LIMIT_PATH], data[LIMIT_PATH]; // where they are now
    char      files[METHOD_OPTIONS][LIMIT_PATH];   // likewise of the method
    RunInputs inputs;
    RunRecord record;
    CleanRun  clean;
} CleanRunFiles;

/* Where something is that a run was made with: `name` and `name`_from_run of its run.json, the way
 * from the run's folder first. Errors: ERROR_NOT_FOUND, saying what it is and how to name it. */
bool run_locate(const Json *run, const char *folder, const char *name, const char *what,
                const char *option, char out[LIMIT_PATH], Error *error);

/* What opened the inputs of a run of describe, dissect, noise or attack, but for the paths of
 * weights and probing set; texts point into the document. Errors: ERROR_DATA. */
bool run_request_read(const Json *run, const char *folder, InputsRequest *out, Error *error);

/* Weights, probing set and the method's files of a run of describe or dissect: as --model, --data
 * and the method's options say, else where run.json says they are; refused when their SHA-256 is
 * another. What the command line says about
 * mode and limit must agree with the run.
 * Errors: ERROR_NOT_FOUND, ERROR_DATA, ERROR_USAGE (a run of another verb, other settings). */
bool clean_run_open(CleanRunFiles *out, const char *folder, const Settings *settings, Error *error);
/* Opens the rest: network, label maps, method, and what the run found; then `clean` can be used. */
bool clean_run_load(CleanRunFiles *run, const char *folder, const Pass *pass, Error *error);
/* Whether noise and attack may start from it: its photos were not stored before they were seen.
 * Errors: ERROR_USAGE. */
bool clean_run_is_baseline(const CleanRunFiles *run, const char *folder, Error *error);
/* The most memory it took, in bytes; 0 where it does not say. */
int64_t clean_run_memory(const CleanRunFiles *run);
/* Of a plan: the photos, and the run itself, are those of the plan. Errors: ERROR_DATA. */
bool clean_run_share(const CleanRunFiles *run, const Settings *settings, Error *error);
void clean_run_close(CleanRunFiles *run); // accepts a zeroed object

/* The explanation method of a run of any verb; where run.json names none, Network Dissection. */
bool run_method(const Json *run, const char *folder, const Method **out, Error *error);

/* A text that run.json must have; `folder` is where it came from. Errors: ERROR_DATA. */
bool run_need(const Json *run, const char *folder, const char *path, const char **out,
              Error *error);
/* Whether a verb makes clean runs. */
bool verb_is_clean(const char *verb);

#endif
