/* cli/inputs.h - what units are explained from: a network cut at a layer and a probing set, opened
 * together with an explanation method. */
#ifndef CLI_INPUTS_H
#define CLI_INPUTS_H

#include "../attack/attack.h"
#include "method_options.h"
#include "../probe/together.h"
#include "outputs.h"

typedef struct InputsRequest {
    const char   *model, *layer, *data;
    const char   *categories; // comma-separated; NULL: the mode's
    const Method *method;
    const Mode   *mode;   // one of the method's
    MethodValues  values; // of its options
    Readout       readout;
    ConvMethod    conv;
    StoreArm      store;        // how photos are stored before they are seen; float: as they are
    int64_t       limit, batch; // limit 0: all images
} InputsRequest;

typedef struct RunInputs {
    InputsRequest request;
    char          layer[96]; // that the network is cut at: the request's, or its class token
    bool          post_relu;
    WeightBlob   *blob;
    ProbeSet      probe;
    char          files_sha256[65]; // of the photos, and of the label maps where they are needed
    char        tables_sha256[65]; // of labels and categories, where label maps are needed; else ""
    PlaneCache *planes;            // NULL for methods that need no label maps
    LayerRunner runner;
    ImageSource photos;
    StoredImages stored; // of `photos`
    Explainer    explainer;
    Together    *together; // of several layers, in the inputs of the first
    bool         borrows;  // weights, probing set and network are those of another layer
} RunInputs;

/* Opens the part of the probing set that a request names by data, mode, categories and limit;
 * photos of a folder without tables are made to fit as `fit` says, which outlives the set. */
bool request_probe_open(ProbeSet *out, const InputsRequest *request, const Preparation *fit,
                        Error *error);

/* What a run reads: weights, probing set, the method's files; returns how many. */
enum { USED_INPUTS = 2 + METHOD_OPTIONS };
int run_inputs_used(const InputsRequest *request, UsedPath used[USED_INPUTS]);

/* Opens weights and probing set alone, and takes the digests of the method's files, so that a
 * finished run can be recognised at little cost. */
bool run_inputs_open(RunInputs *out, const InputsRequest *request, Error *error);
/* Opens the rest: network, label maps, method. From then on *inputs stays where it is. */
bool run_inputs_load(RunInputs *inputs, Error *error);
/* The same inputs for another layer of the network; `first` was opened and stays. */
bool run_inputs_share(RunInputs *out, const RunInputs *first, const char *layer, Error *error);
/* Opens the rest for several layers, of which the first is not borrowed: one network for all of
 * them, whose passes they share (first->together). */
bool run_inputs_load_layers(RunInputs *const *layers, int count, Error *error);
/* Ends a line on stdout: "400 images, compat corrupt23", and how they were stored. */
void run_inputs_print(const RunInputs *inputs);
void run_inputs_close(RunInputs *inputs); // accepts a zeroed object

/* Opens the layer once more, fed with pixels as they are, without the blob's preparation: what
 * masks from activations are made from in some modes (Q5). */
bool run_inputs_unprepared(const RunInputs *inputs, LayerRunner *runner, ActivationSource *source,
                           Error *error);

/* The method's mode of that name, its default if name is NULL. Errors: ERROR_USAGE. */
bool mode_choose(const Method *method, const char *name, const Mode **out, Error *error);

#endif
