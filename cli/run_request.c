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

bool run_same_inputs(const Json *run, const char *folder, const Experiment *experiment, Error *error)
{
    const ExperimentRequest *request = &experiment->request;
    return same_digest(run, folder, "weights.sha256", request->model, blob_sha256(experiment->blob),
                       error) &&
           same_digest(run, folder, "data.index_sha256", request->data,
                       experiment->probe.index_sha256, error);
}
