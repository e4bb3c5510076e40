/* cli/experiment.h - a network cut at a layer and a probing set, opened together; and how run.json
 * tells about them, so that a later verb can open the same again. */
#ifndef CLI_EXPERIMENT_H
#define CLI_EXPERIMENT_H

#include "../models/models.h"
#include "../nem/dissect/dissect.h"
#include "progress.h"
#include "run_folder.h"

typedef struct ExperimentRequest {
    const char *model, *layer, *data;
    const char *categories; // comma-separated; NULL: the compat mode's
    CompatMode  mode;
    int         readout;    // index into READOUT_CHOICES
    ConvMethod  conv;
    int64_t     limit, batch; // 0: all images; the program's choice
} ExperimentRequest;

typedef struct Experiment {
    ExperimentRequest request;
    bool              post_relu;
    WeightBlob       *blob;
    ProbeSet          probe;
    PlaneCache       *planes;
    LayerRunner       runner;
    ActivationSource  source;
    ImageSource       images;
    DissectSettings   rules; // of the mode; cancel set, progress to `progress`
    Progress          progress;
    Checkpoint        checkpoint; // where rules.keep keeps
    PassCheckpoint    keep;
    char             *key;
    RunFolder        *folder;
    const Identity   *identity;
    const Settings   *settings;
    double            started;
    char              started_at[32]; // UTC, ISO 8601
} Experiment;

/* Opens weights, probing set and network; label maps are opened by experiment_load, so that a finished
 * run can be recognised first. */
bool experiment_open(Experiment *out, const ExperimentRequest *request, const Settings *settings,
                     const char *what, Error *error);
bool experiment_load(Experiment *experiment, Error *error);
/* The layer fed with pixels as they are, for masks as the published code cut them. */
bool experiment_open_unprepared(const Experiment *experiment, LayerRunner *runner,
                                ActivationSource *source, Error *error);
/* From now on the passes of the experiment keep checkpoints in the run folder, and go on from those
 * that are there. All arguments outlive the experiment. */
bool experiment_keep(Experiment *experiment, RunFolder *folder, const Identity *identity,
                     const Settings *settings, Error *error);
void experiment_close(Experiment *experiment); // accepts a zeroed object

/* The settings that decide the results of every verb. */
void experiment_identify(const Experiment *experiment, const char *verb, Identity *identity);

/* Opens run.json: program, verb, command, state, settings, weights, data, layer, compat. */
void experiment_document(const Experiment *experiment, const char *verb, const Settings *settings,
                         const Identity *identity, JsonWriter *json);
/* Closes it: machine, times, peak memory. */
void experiment_document_end(const Experiment *experiment, JsonWriter *json);

#endif
