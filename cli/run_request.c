/* cli/run_request.c - see run_request.h. */
#include "run_request.h"

#include <string.h>

bool run_need(const Json *run, const char *folder, const char *path, const char **out, Error *error)
{
    *out = json_member_text(run, path);
    return *out || fail(error, ERROR_DATA, "%s/run.json: has no text '%s'", folder, path);
}

bool run_request(const Json *run, const char *folder, const Settings *settings,
                 ExperimentRequest *out, Error *error)
{
    const char *verb, *mode, *readout, *conv, *limit;
    uint64_t    limit_value;
    *out = (ExperimentRequest){.batch = settings->batch};
    if (!run_need(run, folder, "verb", &verb, error) ||
        !run_need(run, folder, "weights.path", &out->model, error) ||
        !run_need(run, folder, "data.path", &out->data, error) ||
        !run_need(run, folder, "settings.layer", &out->layer, error) ||
        !run_need(run, folder, "settings.compat", &mode, error) ||
        !run_need(run, folder, "settings.readout", &readout, error) ||
        !run_need(run, folder, "settings.conv", &conv, error) ||
        !run_need(run, folder, "settings.categories", &out->categories, error) ||
        !run_need(run, folder, "settings.limit", &limit, error))
        return false;
    int conv_index    = choice_index(CONV_CHOICES, conv, strlen(conv));
    int readout_index = choice_index(READOUT_CHOICES, readout, strlen(readout));
    if (strcmp(verb, "dissect") != 0)
        return fail(error, ERROR_USAGE, "%s: is a run of '%s', expected one of 'dissect'", folder,
                    verb);
    if (!compat_mode_named(mode, &out->mode) || conv_index < 0 || readout_index < 0 ||
        !whole_parse(limit, &limit_value) || limit_value > LIMIT_CSV_ROWS)
        return fail(error, ERROR_DATA, "%s/run.json: a setting has an unknown value", folder);
    if (settings->compat >= 0 && settings->compat != (int)out->mode)
        return fail(error, ERROR_USAGE, "--compat %s: the baseline was made with %s",
                    choice_text(COMPAT_CHOICES, settings->compat), mode);
    if (settings->limit && (uint64_t)settings->limit != limit_value)
        return fail(error, ERROR_USAGE, "--limit %lld: the baseline was made with %s",
                    (long long)settings->limit, limit);
    if (strcmp(out->categories, "(none)") == 0)
        out->categories = NULL;
    out->conv    = (ConvMethod)conv_index;
    out->readout = readout_index;
    out->limit   = (int64_t)limit_value;
    return true;
}

static bool same_digest(const Json *run, const char *folder, const char *path, const char *of,
                        const char *found, Error *error)
{
    const char *wanted;
    if (!run_need(run, folder, path, &wanted, error))
        return false;
    return strcmp(found, wanted) == 0 ||
           fail(error, ERROR_DATA, "%s: SHA-256 is %.12s..., the baseline was made with %.12s...",
                of, found, wanted);
}

bool run_same_inputs(const Json *run, const char *folder, const Experiment *experiment,
                     Error *error)
{
    const ExperimentRequest *request = &experiment->request;
    return same_digest(run, folder, "weights.sha256", request->model, blob_sha256(experiment->blob),
                       error) &&
           same_digest(run, folder, "data.index_sha256", request->data,
                       experiment->probe.index_sha256, error);
}

bool clean_run_open(CleanRunFiles *out, const char *folder, const Settings *settings,
                    const char *what, Error *error)
{
    ExperimentRequest request;
    Experiment       *experiment = &out->experiment;
    *out                         = (CleanRunFiles){0};
    if (!run_folder_read(folder, &out->json, error) ||
        !run_request(&out->json, folder, settings, &request, error) ||
        !experiment_open(experiment, &request, settings, what, error) ||
        !run_same_inputs(&out->json, folder, experiment, error) ||
        !experiment_load(experiment, error) ||
        !run_record_open(&out->record, folder, &experiment->probe, error))
        return false;
    if (out->record.unit_count != experiment->source.units)
        return fail(error, ERROR_DATA, "%s: has %lld units, layer '%s' has %lld", folder,
                    (long long)out->record.unit_count, request.layer,
                    (long long)experiment->source.units);
    out->clean = (CleanRun){.probe        = &experiment->probe,
                            .label_planes = experiment->planes,
                            .images       = experiment->images,
                            .layer        = experiment->source,
                            .settings     = &experiment->rules,
                            .record       = &out->record};
    return true;
}

void clean_run_close(CleanRunFiles *run)
{
    run_record_close(&run->record);
    experiment_close(&run->experiment);
    json_free(&run->json);
    *run = (CleanRunFiles){0};
}
