/* cli/run.h - one run of a verb: its folder, the settings that decide its results, its clock and
 * its checkpoints. And the beginning and end that every run.json has, so that a later verb can open
 * the same inputs again. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "inputs.h"
#include "progress.h"
#include "rehearsal.h"
#include "run_folder.h"

typedef struct Run {
    const Settings *settings;
    const char     *verb;
    RunFolder       folder;
    Identity        identity;
    Progress        progress;
    Checkpoint      checkpoint; // of `pass` after run_resume
    char           *key;
    Pass            pass;      // signals cancel it, `progress` shows it; points into this
    Rehearsal       rehearsal; // of --dry-run, whose pass it watches and ends
    double          started;
    char            started_at[32]; // UTC, ISO 8601
} Run;

/* Starts the clock. The folder is claimed by who needs one: run_folder_claim(&run->folder, ...). */
void run_open(Run *out, const char *verb, const Settings *settings);
void run_close(Run *run); // accepts a zeroed object

/* The settings that decide the results of every verb; the caller adds those of its own verb. */
void run_identify(Run *run, const RunInputs *inputs);

/* Once the identity is whole: compares it with the run that is in the folder. Unless that is
 * finished (folder.is_done), passes save checkpoints there from now on, and go on from those they
 * find. */
bool run_resume(Run *run, Error *error);

/* Work that was kept belongs to these files, too: to be called once they were read, before any of
 * it is loaded. */
bool run_resume_of(Run *run, const RunInputs *inputs, Error *error);

/* The end of a --dry-run: `ok` and *error as the work returned that was watched. Says what the
 * whole of it takes, unless it failed for another reason than that enough was seen. */
bool run_rehearsed(Run *run, bool ok, const RehearsedWork *work, Error *error);

/* While a run goes on, progress.json in its folder says how far it is, as of a few seconds ago; a
 * run that did not finish leaves it behind. What cannot be written is left out: no run ends because
 * nobody can be told of it. */
void run_progress_start(Run *run);
void run_progress_end(Run *run);

/* A path as it was typed, and as NAME_from_run from the run's folder, so that both may move. */
void run_path(const Run *run, const char *name, const char *path, JsonWriter *json);

/* The words of the command line. */
void run_command(const Settings *settings, JsonWriter *json);

/* Where a blob lies, what it is, and where its numbers come from. */
void run_weights(const Run *run, const WeightBlob *blob, JsonWriter *json);

/* How photos become the network's input. */
void run_preparation(const Preparation *preparation, JsonWriter *json);

/* Opens run.json: program, verb, command, state, settings, weights, data, layer, method, compat. */
void run_document(const Run *run, const RunInputs *inputs, JsonWriter *json);
/* The same for a run without such inputs: program, verb, command, state, settings. */
void run_document_start(const Run *run, JsonWriter *json);
/* Closes it: machine, times, peak memory. Then writes it and with --json shows it. */
bool run_document_finish(const Run *run, const RunInputs *inputs, JsonWriter *json, Error *error);
bool run_document_end(const Run *run, int64_t batch, JsonWriter *json, Error *error);

#endif
