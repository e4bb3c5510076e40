/* cli/rehearse_clean.c - see rehearse_clean.h. */
#include "rehearse_clean.h"

bool clean_samples(const InputsRequest *request, int64_t images, CleanSampleTake *take, void *self,
                   WorkEstimate *out, Error *error)
{
    enum { ENOUGH_IMAGES = 64 };          // fewer leave no trace in memory
    const double  least = 1.5, most = 10; // seconds of the last sample; and of one with fewer
    const Method *method = request->method;
    Explainer     asked  = {.method = method, .values = request->values.value};
    int64_t       fewest = method->least_images ? method->least_images(&asked) : 0;
    int64_t       some   = request->batch < fewest ? fewest : request->batch;
    CleanSample   before = {0}, last = {0};
    for (bool goes_on = true; goes_on; some *= 2) {
        before = last;
        if (!take(self, some < images ? some : images, &last, error))
            return false;
        goes_on = last.images < images && (last.seconds < least || before.images == 0 ||
                                           (last.images < ENOUGH_IMAGES && last.seconds < most));
    }
    double left = (double)(images - last.images), each = 0;
    if (before.images > 0 && last.used > before.used)
        each = (last.used - before.used) / (double)(last.images - before.images);
    *out = (WorkEstimate){.total            = images,
                          .measured         = last.images,
                          .measured_seconds = last.seconds,
                          .seconds          = last.seconds / (double)last.images * (double)images,
                          .memory_bytes     = (int64_t)((double)rehearsal_peak() + each * left),
                          .result_bytes     = last.result_bytes};
    return true;
}

int64_t clean_result_bytes(const RunInputs *inputs)
{
    return inputs->explainer.inputs.layer.units * (100 * inputs->probe.category_count + 100) + 8192;
}

/* ---- one layer ------------------------------------------------------------------------------- */

typedef struct Rehearsed {
    Run                 *run;
    const InputsRequest *request;
} Rehearsed;

// A run that keeps nothing.
static bool take_sample(void *self, int64_t images, CleanSample *out, Error *error)
{
    const Rehearsed *rehearsed = self;
    Run             *run       = rehearsed->run;
    const Method    *method    = rehearsed->request->method;
    InputsRequest    few       = *rehearsed->request;
    RunInputs        inputs    = {0};
    Evidence        *evidence  = NULL;
    few.limit                  = images;
    rehearsal_start(&run->rehearsal, &run->progress);
    run->rehearsal.is_whole = true;
    bool ok = run_inputs_open(&inputs, &few, error) && run_inputs_load(&inputs, error);
    if (ok) {
        double begin = clock_seconds();
        ok   = method->collect(&inputs.explainer, &inputs.explainer.inputs.images, &run->pass,
                               &evidence, error);
        *out = (CleanSample){.images       = images,
                             .seconds      = clock_seconds() - begin,
                             .used         = (double)run->rehearsal.most_used,
                             .result_bytes = clean_result_bytes(&inputs)};
    }
    method->release(evidence);
    run_inputs_close(&inputs);
    return ok;
}

bool clean_run_rehearse(Run *run, const RunInputs *inputs, Error *error)
{
    Rehearsed    rehearsed = {run, &inputs->request};
    WorkEstimate estimate;
    return clean_samples(&inputs->request, inputs->probe.image_count, take_sample, &rehearsed,
                         &estimate, error) &&
           estimate_tell(&estimate, &run->progress, run->settings, &run->identity, error);
}
