/* cli/rehearse_clean.c - see rehearse_clean.h. */
#include "rehearse_clean.h"

typedef struct Sample {
    int64_t images, units, categories;
    double  seconds, used; // used: the most memory at a time, bytes
} Sample;

// A run on `images` images that keeps nothing.
static bool take_sample(Run *run, const InputsRequest *request, int64_t images, Sample *out,
                        Error *error)
{
    const Method *method   = request->method;
    InputsRequest few      = *request;
    RunInputs     inputs   = {0};
    Evidence     *evidence = NULL;
    few.limit              = images;
    rehearsal_start(&run->rehearsal, &run->progress);
    run->rehearsal.is_whole = true;
    bool ok = run_inputs_open(&inputs, &few, error) && run_inputs_load(&inputs, error);
    if (ok) {
        double begin = clock_seconds();
        ok   = method->collect(&inputs.explainer, &inputs.explainer.inputs.images, &run->pass,
                               &evidence, error);
        *out = (Sample){.images     = images,
                        .units      = inputs.runner.units,
                        .categories = inputs.probe.category_count,
                        .seconds    = clock_seconds() - begin,
                        .used       = (double)run->rehearsal.most_used};
    }
    method->release(evidence);
    run_inputs_close(&inputs);
    return ok;
}

bool clean_run_rehearse(Run *run, const RunInputs *inputs, Error *error)
{
    enum { ENOUGH_IMAGES = 64 };                 // fewer leave no trace in memory
    const double         least = 1.5, most = 10; // seconds of the last run; and of one with fewer
    const InputsRequest *request = &inputs->request;
    const Method        *method  = request->method;
    int64_t              all = inputs->probe.image_count, images = request->batch;
    Explainer            asked  = {.method = method, .values = request->values.value};
    int64_t              fewest = method->least_images ? method->least_images(&asked) : 0;
    Sample               before = {0}, last = {0};
    images = images < fewest ? fewest : images;
    for (bool goes_on = true; goes_on; images *= 2) {
        before = last;
        if (!take_sample(run, request, images < all ? images : all, &last, error))
            return false;
        goes_on = last.images < all && (last.seconds < least || before.images == 0 ||
                                        (last.images < ENOUGH_IMAGES && last.seconds < most));
    }
    double left = (double)(all - last.images), each = 0;
    if (before.images > 0 && last.used > before.used)
        each = (last.used - before.used) / (double)(last.images - before.images);
    // The tables have some hundred bytes a unit and category.
    WorkEstimate estimate = {.total            = all,
                             .measured         = last.images,
                             .measured_seconds = last.seconds,
                             .seconds          = last.seconds / (double)last.images * (double)all,
                             .memory_bytes     = (int64_t)((double)rehearsal_peak() + each * left),
                             .result_bytes     = last.units * (100 * last.categories + 100) + 8192};
    return estimate_tell(&estimate, &run->progress, run->settings, &run->identity, error);
}
