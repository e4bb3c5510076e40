/* cli/accuracy.h - what `accuracy` was asked for: labelled images, noise, storage, the poisoned
 * images of a run. */
#ifndef CLI_ACCURACY_H
#define CLI_ACCURACY_H

#include "poisoned.h"

/* Clean; of each storage a control and the noises; the poisoned with a control of each storage. */
enum {
    ACCURACY_NOISES   = 16,
    ACCURACY_POISONED = 128,
    ACCURACY_SETTINGS = 1 + STORE_ARMS * (2 + ACCURACY_NOISES) + ACCURACY_POISONED
};

/* Some images of a source: row i is image picked[i]. */
typedef struct PickedImages {
    const ImageSource *images;
    const int64_t     *picked;
} PickedImages;

typedef struct Accuracy {
    const Settings  *settings;
    Run              run;
    WeightBlob      *blob;
    ClassNames       names;
    LabelledImages   images;
    Poisoned         poisoned;
    LayerRunner      runner;
    ActivationSource network;
    StoreArm         arms[STORE_ARMS];
    int              arm_count;
    Noise            noises[ACCURACY_NOISES];
    int              noise_count;
    AccuracySetting  list[ACCURACY_SETTINGS];
    NoisyImages      noisy[ACCURACY_NOISES];
    ImageSource      noisy_source[ACCURACY_NOISES];
    PickedImages     picked; // the clean images of those that are poisoned
    ImageSource      picked_source;
    StoredImages     stored[ACCURACY_SETTINGS]; // of list[i]
    AccuracyStudy    study;
} Accuracy;

extern const ResultKind accuracy_result;

/* Opens weights, data and the poisoned run; fills study and identity. `out` stays where it is.
 * Errors: ERROR_USAGE, and those of the files. */
bool accuracy_request(Accuracy *accuracy, Error *error);

#endif
