/* cli/rehearse_clean.h - --dry-run of a clean run: whole runs on the first few images. */
#ifndef CLI_REHEARSE_CLEAN_H
#define CLI_REHEARSE_CLEAN_H

#include "run.h"

/* What a run on the first few images took. */
typedef struct CleanSample {
    int64_t images;
    double  seconds, used; // used: the most memory at a time, bytes
    int64_t result_bytes;  // of all images' results
} CleanSample;

typedef bool CleanSampleTake(void *self, int64_t images, CleanSample *out, Error *error);

/* Takes samples on the first images of the request, twice as many each time until that takes long
 * enough to be measured, and tells what all `images` take. Memory grows with images, by what it
 * grew from one sample to the next. */
bool clean_samples(const InputsRequest *request, int64_t images, CleanSampleTake *take, void *self,
                   WorkEstimate *out, Error *error);

/* At most, of one layer: tables have some hundred bytes a unit and category. */
int64_t clean_result_bytes(const RunInputs *inputs);

/* Of one layer. `inputs` are open, but not loaded: other images are not looked at. */
bool clean_run_rehearse(Run *run, const RunInputs *inputs, Error *error);

#endif
