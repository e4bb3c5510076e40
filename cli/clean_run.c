/* cli/clean_run.c - see clean_run.h. */
#include "clean_run.h"
#include "commands.h"
#include "sharing.h"
#include "../base/digest.h"

#include <string.h>

bool run_need(const Json *run, const char *folder, const char *path, const char **out, Error *error)
{
    *out = json_member_text(run, path);
    return *out || fail(error, ERROR_DATA, "%s/run.json: has no text '%s'", folder, path);
}

bool run_method(const Json *run, const char *folder, const Method **out, Error *error)
{
    const char   *name   = json_member_text(run, "method");
    const Method *method = name ? method_named(name) : method_at(0);
    if (!method)
        return fail(error, ERROR_DATA, "%s/run.json: '%.40s' is no explanation method", folder,
                    name);
    *out = method;
    return true;
}

bool verb_is_clean(const char *verb)
{
    return strcmp(verb, verb_dissect.name) == 0 || strcmp(verb, verb_describe.name) == 0;
}

bool run_locate(const Json *run, const char *folder, const char *name, const char *what,
                const char *option, char out[LIMIT_PATH], Error *error)
{
    char        key[64];
    const char *typed, *between;
    snprintf(key, sizeof key, "%s_from_run", name);
    between = json_member_text(run, key);
    if (between && path_join(out, folder, between, NULL) && file_exists(out))
        return true;
    if (!run_need(run, folder, name, &typed, error))
        return false;
    snprintf(out, LIMIT_PATH, "%s", typed);
    return file_exists(out) ||
           fail(error, ERROR_NOT_FOUND,
                "%s was made with the %s %s, which is not there; name it with %s", folder, what,
                typed, option);
}

// What the command line names comes before what run.json says.
static bool locate(CleanRunFiles *run, const char *folder, const Settings *settings, Error *error)
{
    InputsRequest *request = &run->inputs.request;
    request->model         = settings->model ? settings->model : run->model;
    request->data          = settings->data ? settings->data : run->data;
    Error model = {0}, data = {0};
    bool  has_model = settings->model || run_locate(&run->json, folder, "weights.path",
                                                    "weight blob", "-m", run->model, &model);
    bool  has_data  = settings->data || run_locate(&run->json, folder, "data.path", "probing set",
                                                   "-d", run->data, &data);
    if (model.code == ERROR_NOT_FOUND && data.code == ERROR_NOT_FOUND)
        return fail(error, ERROR_NOT_FOUND,
                    "%s was made with the weight blob %s and the probing set %s, which are not "
                    "there; name them with -m and -d",
                    folder, run->model, run->data);
    return (has_model && has_data) || fail(error, has_model ? data.code : model.code, "%s",
                                           has_model ? data.message : model.message);
}

static bool agrees_with(const Settings *settings, const InputsRequest *request, Error *error)
{
    if (settings->compat && strcmp(settings->compat, request->mode->name) != 0)
        return fail(error, ERROR_USAGE, "--compat %s: the baseline was made with %s",
                    settings->compat, request->mode->name);
    if (settings->limit && settings->limit != request->limit)
        return fail(error, ERROR_USAGE, "--limit %lld: the baseline was made with %lld",
                    (long long)settings->limit, (long long)request->limit);
    return true;
}

// The values of the method's options; a run that is older than an option has its initial value.
static bool read_values(CleanRunFiles *run, const char *folder, const Settings *settings,
                        InputsRequest *request, Error *error)
{
    const Method *method = request->method;
    if (!method_values_given(method, settings, &request->values, error))
        return false;
    for (int i = 0; i < method->option_count; i++) {
        const MethodOption *row = &method->options[i];
        char                key[96], option[64];
        snprintf(key, sizeof key, "settings.%s", row->name);
        snprintf(option, sizeof option, "--%s", row->name);
        const char *set   = json_member_text(&run->json, key);
        const char *given = request->values.value[i];
        if (!set || (row->kind == METHOD_FILE && given))
            continue;
        if (strncmp(set, "built-in ", 9) == 0) {
            char embedded[METHOD_EMBEDDED_TEXT] = "none";
            method_embedded(row, embedded);
            if (strcmp(set, embedded) != 0)
                return fail(error, ERROR_DATA,
                            "%s: is of a program with another built-in %s: --%s FILE.nw gives it",
                            folder, row->name, row->name);
            continue; // as where nothing is given
        }
        request->values.value[i] = strcmp(set, "(none)") == 0 ? NULL : set;
        if (row->kind != METHOD_FILE || !request->values.value[i])
            continue;
        snprintf(key, sizeof key, "files.%s.path", row->name);
        if (!run_locate(&run->json, folder, key, row->name, option, run->files[i], error))
            return false;
        request->values.value[i] = run->files[i];
    }
    return true;
}

bool run_request_read(const Json *run, const char *folder, InputsRequest *out, Error *error)
{
    const char *mode, *readout, *conv, *limit;
    uint64_t    limit_value;
    out->store = STORE_FLOAT;
    if (!run_need(run, folder, "settings.layer", &out->layer, error) ||
        !run_need(run, folder, "settings.compat", &mode, error) ||
        !run_need(run, folder, "settings.readout", &readout, error) ||
        !run_need(run, folder, "settings.conv", &conv, error) ||
        !run_need(run, folder, "settings.categories", &out->categories, error) ||
        !run_need(run, folder, "settings.limit", &limit, error) ||
        !run_method(run, folder, &out->method, error))
        return false;
    int conv_index    = word_index(CONV_NAMES, conv, strlen(conv));
    int readout_index = word_index(READOUT_NAMES, readout, strlen(readout));
    out->mode         = mode_named(out->method, mode);
    if (!out->mode || conv_index < 0 || readout_index < 0 || !whole_parse(limit, &limit_value) ||
        limit_value > LIMIT_CSV_ROWS)
        return fail(error, ERROR_DATA, "%s/run.json: a setting has an unknown value", folder);
    if (strcmp(out->categories, "(none)") == 0)
        out->categories = NULL;
    out->conv    = (ConvMethod)conv_index;
    out->readout = (Readout)readout_index;
    out->limit   = (int64_t)limit_value;
    return true;
}

// Of a clean run, whose photos may have been stored before they were seen.
static bool read_clean_request(const Json *run, const char *folder, InputsRequest *out,
                               Error *error)
{
    const char *verb, *store = json_member_text(run, "settings.store"); // younger than the others
    if (!run_need(run, folder, "verb", &verb, error))
        return false;
    if (!verb_is_clean(verb))
        return fail(error, ERROR_USAGE,
                    "%s: is a run of '%.40s', expected one of describe, dissect", folder, verb);
    return run_request_read(run, folder, out, error) &&
           (!store || store_arm_parse(store, &out->store, NULL) ||
            fail(error, ERROR_DATA, "%s/run.json: a setting has an unknown value", folder));
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

static bool same_method_files(const CleanRunFiles *run, const char *folder, Error *error)
{
    const InputsRequest *request = &run->inputs.request;
    for (int i = 0; i < request->method->option_count; i++) {
        char key[96];
        snprintf(key, sizeof key, "files.%s.sha256", request->method->options[i].name);
        if (*request->values.sha256[i] &&
            !same_digest(&run->json, folder, key, request->values.value[i],
                         request->values.sha256[i], error))
            return false;
    }
    return true;
}

bool clean_run_open(CleanRunFiles *out, const char *folder, const Settings *settings, Error *error)
{
    InputsRequest request = {.batch = batch_of(settings, DEFAULT_BATCH)};
    *out                  = (CleanRunFiles){0};
    if (!run_folder_read(folder, &out->json, error) ||
        !read_clean_request(&out->json, folder, &request, error) ||
        !locate(out, folder, settings, error) ||
        !read_values(out, folder, settings, &request, error))
        return false;
    run_folder_note_next(folder, settings);
    request.model = out->inputs.request.model;
    request.data  = out->inputs.request.data;
    return agrees_with(settings, &request, error) &&
           run_inputs_open(&out->inputs, &request, error) &&
           same_digest(&out->json, folder, "weights.sha256", request.model,
                       blob_sha256(out->inputs.blob), error) &&
           same_digest(&out->json, folder, "data.index_sha256", request.data,
                       out->inputs.probe.index_sha256, error) &&
           same_method_files(out, folder, error);
}

// Runs of earlier versions do not say what their photos were.
static bool same_files(const CleanRunFiles *run, const char *folder, Error *error)
{
    const RunInputs *inputs = &run->inputs;
    const char      *wanted = json_member_text(&run->json, "data.files_sha256"),
               *tables      = json_member_text(&run->json, "data.tables_sha256");
    if (wanted && strcmp(wanted, inputs->files_sha256) != 0)
        return fail(error, ERROR_DATA,
                    "%s: its photos or label maps are other files than when %s was made (SHA-256 "
                    "%.12s..., then %.12s...)",
                    inputs->request.data, folder, inputs->files_sha256, wanted);
    return !tables || strcmp(tables, inputs->tables_sha256) == 0 ||
           fail(error, ERROR_DATA,
                "%s: category.csv, label.csv or a c_*.csv is another file than when %s was made "
                "(SHA-256 %.12s..., then %.12s...)",
                inputs->request.data, folder, inputs->tables_sha256, tables);
}

bool clean_run_load(CleanRunFiles *run, const char *folder, const Pass *pass, Error *error)
{
    RunInputs *inputs = &run->inputs;
    if (!run_inputs_load(inputs, error) || !same_files(run, folder, error) ||
        !record_read(&run->record, inputs->request.method, folder, inputs->explainer.labels, error))
        return false;
    if (run->record.unit_count != inputs->runner.units)
        return fail(error, ERROR_DATA, "%s: has %lld units, layer '%s' has %lld", folder,
                    (long long)run->record.unit_count, inputs->request.layer,
                    (long long)inputs->runner.units);
    const Method *method = inputs->request.method;
    run->clean           = (CleanRun){&inputs->explainer, &run->record, pass};
    return !method->baseline || method->baseline(&inputs->explainer, folder, error);
}

bool clean_run_is_baseline(const CleanRunFiles *run, const char *folder, Error *error)
{
    StoreArm store = run->inputs.request.store;
    return store == STORE_FLOAT ||
           fail(
               error, ERROR_USAGE,
               "%s is of photos stored as %s, a control that compare takes; noise and attack start "
               "from photos as they are and store them once",
               folder, store_arm_name(store));
}

int64_t clean_run_memory(const CleanRunFiles *run)
{
    const JsonNode *node  = json_member(&run->json, run->json.nodes, "peak_memory_bytes");
    uint64_t        bytes = 0;
    return node && node->kind == JSON_NUMBER && whole_parse(node->text, &bytes) && bytes < INT64_MAX
               ? (int64_t)bytes
               : 0;
}

bool clean_run_share(const CleanRunFiles *run, const Settings *settings, Error *error)
{
    char  path[LIMIT_PATH], digest[65];
    Bytes bytes = {0};
    if (!settings->sharing)
        return true;
    if (!path_join(path, settings->baseline, "run.json", error) ||
        !file_read(path, JSON_BYTES, &bytes, error))
        return false;
    sha256_of(bytes.data, bytes.size, digest);
    bytes_close(&bytes);
    return sharing_input(settings, "baseline_sha256", digest, error) &&
           sharing_inputs(settings, &run->inputs, error);
}

void clean_run_close(CleanRunFiles *run)
{
    run_record_close(&run->record);
    run_inputs_close(&run->inputs);
    json_free(&run->json);
    *run = (CleanRunFiles){0};
}
