/* cli/inputs.c - see inputs.h. */
#include "inputs.h"

#include <string.h>

bool mode_choose(const Method *method, const char *name, const Mode **out, Error *error)
{
    const Mode *mode       = mode_named(method, name);
    char        names[256] = "";
    if (mode) {
        *out = mode;
        return true;
    }
    for (int i = 0; i < method->mode_count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", method->modes[i].name);
    }
    return fail(error, ERROR_USAGE, "--compat %s: %s has the modes %s", name, method->name, names);
}

// Splits "a,b,c" in place into at most PROBE_MAX_CATEGORIES names.
static bool split_categories(char *text, const char *names[PROBE_MAX_CATEGORIES], int *count,
                             Error *error)
{
    *count = 0;
    for (char *name = text; name;) {
        char *comma = strchr(name, ',');
        if (comma)
            *comma = 0;
        if (*count == PROBE_MAX_CATEGORIES || !*name)
            return fail(error, ERROR_USAGE, "--categories: expected 1 to %d names with commas",
                        PROBE_MAX_CATEGORIES);
        names[(*count)++] = name;
        name              = comma ? comma + 1 : NULL;
    }
    return true;
}

bool request_probe_open(ProbeSet *out, const InputsRequest *wanted, const Preparation *fit,
                        Error *error)
{
    const char  *names[PROBE_MAX_CATEGORIES];
    ProbeRequest request = {.without = wanted->mode->without_category, .limit = wanted->limit};
    char        *text    = NULL;
    bool         ok      = true;
    if (!wanted->method->needs_label_maps && !probe_is_tables(wanted->data)) {
        if (wanted->categories)
            return fail(error, ERROR_USAGE,
                        "--categories: %s has no categories, it is a folder of photos",
                        wanted->data);
        return probe_open_photos(out, wanted->data, fit, wanted->limit, error);
    }
    if (wanted->categories) {
        text               = memory_text(wanted->categories, error);
        ok                 = text && split_categories(text, names, &request.category_count, error);
        request.categories = names;
    }
    ok = ok && probe_open(out, wanted->data, &request, error);
    memory_free(text);
    return ok;
}

int run_inputs_used(const InputsRequest *request, UsedPath used[USED_INPUTS])
{
    int count     = 0;
    used[count++] = (UsedPath){"the weight blob", request->model};
    used[count++] = (UsedPath){"the probing set", request->data};
    for (int i = 0; i < request->method->option_count; i++)
        if (request->method->options[i].kind == METHOD_FILE)
            used[count++] = (UsedPath){request->method->options[i].name, request->values.value[i]};
    return count;
}

// The layer as the method reads it: of a transformer's maybe the class token alone.
static bool choose_layer(RunInputs *out, Error *error)
{
    const InputsRequest *wanted   = &out->request;
    bool                 is_class = false;
    if (wanted->method->reads_class &&
        !network_has_class_token(out->blob, wanted->layer, &is_class, error))
        return false;
    int length =
        snprintf(out->layer, sizeof out->layer, "%s%s", wanted->layer, is_class ? CLASS_TOKEN : "");
    return length < (int)sizeof out->layer ||
           fail(error, ERROR_USAGE, "%.64s...: no layer has such a long name", wanted->layer);
}

bool run_inputs_open(RunInputs *out, const InputsRequest *request, Error *error)
{
    *out = (RunInputs){.request   = *request,
                       .post_relu = request->readout == READOUT_AUTO
                                        ? request->mode->post_relu
                                        : request->readout == READOUT_POST};
    UsedPath used[USED_INPUTS];
    int      count = run_inputs_used(request, used);
    if (inputs_check(used, count, error) && blob_open(request->model, &out->blob, error) &&
        choose_layer(out, error) &&
        request_probe_open(&out->probe, request, blob_preparation(out->blob), error) &&
        method_values_digest(request->method, &out->request.values, error))
        return true;
    run_inputs_close(out);
    return false;
}

static NetworkRequest network_request(const RunInputs *inputs, int64_t batch)
{
    return (NetworkRequest){.batch     = batch,
                            .layer     = inputs->layer,
                            .post_relu = inputs->post_relu,
                            .unit      = -1,
                            .width     = inputs->probe.image_width,
                            .height    = inputs->probe.image_height,
                            .conv      = inputs->request.conv};
}

bool run_inputs_share(RunInputs *out, const RunInputs *first, const char *layer, Error *error)
{
    *out               = (RunInputs){.request   = first->request,
                                     .post_relu = first->post_relu,
                                     .blob      = first->blob,
                                     .probe     = first->probe,
                                     .borrows   = true};
    out->request.layer = layer;
    return choose_layer(out, error);
}

// What does not depend on the layer, once the network is open.
static bool load_set(RunInputs *inputs, Error *error)
{
    bool with_maps = inputs->request.method->needs_label_maps;
    return probe_files_sha256(&inputs->probe, with_maps, inputs->files_sha256, error) &&
           (!with_maps || probe_tables_sha256(&inputs->probe, inputs->tables_sha256, error)) &&
           (!with_maps || planes_open(&inputs->planes, &inputs->probe, PLANE_CACHE_BYTES, error));
}

static bool load_explainer(RunInputs *inputs, ActivationSource layer, Error *error)
{
    const InputsRequest *wanted = &inputs->request;
    inputs->photos              = probe_images(&inputs->probe);
    inputs->stored = (StoredImages){&inputs->photos, wanted->store, inputs->probe.image_height,
                                    inputs->probe.image_width};
    Inputs opened  = {.probe        = &inputs->probe,
                      .label_planes = inputs->planes,
                      .images       = {stored_images_load, &inputs->stored},
                      .layer        = layer};
    return explainer_open(&inputs->explainer, wanted->method, wanted->mode, &opened,
                          wanted->values.value, error);
}

bool run_inputs_load(RunInputs *inputs, Error *error)
{
    NetworkRequest network = network_request(inputs, inputs->request.batch);
    return layer_runner_open(&inputs->runner, inputs->blob, &network, error) &&
           load_set(inputs, error) && load_explainer(inputs, layer_source(&inputs->runner), error);
}

bool run_inputs_load_layers(RunInputs *const *layers, int count, Error *error)
{
    RunInputs     *first   = layers[0];
    NetworkRequest network = network_request(first, first->request.batch);
    const char    *names[NETWORK_LAYERS];
    for (int i = 0; i < count; i++)
        names[i] = layers[i]->layer;
    network.layers      = names;
    network.layer_count = count;
    bool ok             = layer_runner_open(&first->runner, first->blob, &network, error) &&
              load_set(first, error) && together_open(&first->together, &first->runner, error);
    for (int i = 0; ok && i < count; i++) {
        memcpy(layers[i]->files_sha256, first->files_sha256, sizeof first->files_sha256);
        memcpy(layers[i]->tables_sha256, first->tables_sha256, sizeof first->tables_sha256);
        layers[i]->planes = first->planes;
        ok                = load_explainer(layers[i], together_source(first->together, i), error);
    }
    return ok;
}

bool run_inputs_unprepared(const RunInputs *inputs, LayerRunner *runner, ActivationSource *source,
                           Error *error)
{
    NetworkRequest request = network_request(inputs, inputs->explainer.inputs.layer.batch);
    request.raw_input      = true;
    if (!layer_runner_open(runner, inputs->blob, &request, error))
        return false;
    *source = layer_source(runner);
    return true;
}

void run_inputs_print(const RunInputs *inputs)
{
    StoreArm store = inputs->request.store;
    printf("%lld images%s%s, compat %s\n", (long long)inputs->probe.image_count,
           store == STORE_FLOAT ? "" : " stored as ",
           store == STORE_FLOAT ? "" : store_arm_name(store), inputs->explainer.mode->name);
}

void run_inputs_close(RunInputs *inputs)
{
    explainer_close(&inputs->explainer);
    if (!inputs->borrows) {
        together_close(inputs->together);
        layer_runner_close(&inputs->runner);
        planes_close(inputs->planes);
        probe_close(&inputs->probe);
        blob_close(inputs->blob);
    }
    *inputs = (RunInputs){0};
}
