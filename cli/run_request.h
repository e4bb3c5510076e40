/* cli/run_request.h - from run.json back to the weights, layer and probing set a run was made with. */
#ifndef CLI_RUN_REQUEST_H
#define CLI_RUN_REQUEST_H

#include "experiment.h"

/* A text that run.json must have; `folder` is where it came from. Errors: ERROR_DATA. */
bool run_need(const Json *run, const char *folder, const char *path, const char **out, Error *error);

/* The request that made a clean run; texts point into `run`. What the command line says about mode and
 * limit must agree with it. Errors: ERROR_DATA, ERROR_USAGE (a run of another verb, other settings). */
bool run_request(const Json *run, const char *folder, const Settings *settings,
                 ExperimentRequest *out, Error *error);

/* Whether weights and probing set are still those of the run. Errors: ERROR_DATA. */
bool run_same_inputs(const Json *run, const char *folder, const Experiment *experiment, Error *error);

#endif
