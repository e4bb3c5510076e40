/* cli/run_request.h - from run.json back to the weights, layer and probing set a run was made with.
 */
#ifndef CLI_RUN_REQUEST_H
#define CLI_RUN_REQUEST_H

#include "../attack/attack.h"
#include "experiment.h"

/* A text that run.json must have; `folder` is where it came from. Errors: ERROR_DATA. */
bool run_need(const Json *run, const char *folder, const char *path, const char **out,
              Error *error);

/* The request that made a clean run; texts point into `run`. What the command line says about mode
 * and limit must agree with it. Errors: ERROR_DATA, ERROR_USAGE (a run of another verb, other
 * settings). */
bool run_request(const Json *run, const char *folder, const Settings *settings,
                 ExperimentRequest *out, Error *error);

/* Whether weights and probing set are still those of the run. Errors: ERROR_DATA. */
bool run_same_inputs(const Json *run, const char *folder, const Experiment *experiment,
                     Error *error);

/* A clean run opened again, ready to be looked at: network, probing set, label maps, record. */
typedef struct CleanRunFiles {
    Json       json; // run.json; the request's texts point into it
    Experiment experiment;
    RunRecord  record;
    CleanRun   clean;
} CleanRunFiles;

/* `what` names the work in the progress. */
bool clean_run_open(CleanRunFiles *out, const char *folder, const Settings *settings,
                    const char *what, Error *error);
void clean_run_close(CleanRunFiles *run); // accepts a zeroed object

#endif
