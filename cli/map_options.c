/* cli/map_options.c - see map_options.h. */
#include "map_options.h"

#include <string.h>

enum { MOST_COPIES = 65535 };

bool map_options_mode(const Settings *settings, MapMode *out, Error *error)
{
    const MapMode *mode = settings->compat ? map_mode_named(settings->compat) : map_mode_at(0);
    if (!mode)
        return fail(error, ERROR_USAGE,
                    "--compat %s: maps have the modes manipulated19, aligned23, clean",
                    settings->compat);
    *out = *mode;
    return true;
}

void map_options_mode_json(const MapMode *mode, JsonWriter *json)
{
    json_open_object(json, "compat");
    json_text(json, "mode", mode->name);
    json_flag(json, "gate_at_zero", mode->sweep.gate_at_zero);
    json_flag(json, "uses_bias", mode->sweep.uses_bias);
    json_number(json, "stabiliser", (double)mode->sweep.stabiliser);
    json_flag(json, "relevance_at_value", mode->relevance_at_value);
    json_flag(json, "gradient_at_value", mode->gradient_at_value);
    json_flag(json, "shared_bounds", mode->shared_bounds);
    json_flag(json, "path_of_probability", mode->path_of_probability);
    json_flag(json, "path_times_input", mode->path_times_input);
    json_flag(json, "smooths_maps", mode->smooths_maps);
    json_close(json);
}

// "10:0.05"
bool map_options_smooth(const Settings *settings, int64_t *copies, double *level, Error *error)
{
    const char *text  = settings->smooth;
    const char *colon = text ? strchr(text, ':') : NULL;
    char        count[16];
    uint64_t    whole = 0;
    *copies           = 0;
    if (!text)
        return true;
    snprintf(count, sizeof count, "%.*s", colon && colon - text < 15 ? (int)(colon - text) : 0,
             text);
    if (!whole_parse(count, &whole) || whole < 1 || whole > MOST_COPIES ||
        !number_parse(colon + 1, level) || *level <= 0 || *level > 1)
        return fail(error, ERROR_USAGE,
                    "--smooth: '%s' is not N:LEVEL with 1 to %d copies and a level in 0..1", text,
                    MOST_COPIES);
    *copies = (int64_t)whole;
    return true;
}

void map_options_activation_json(const Activation *activation, JsonWriter *json)
{
    json_open_object(json, "activation");
    json_text(json, "name", activation->name);
    json_flag(json, "is_relu", activation->is_relu);
    json_close(json);
}

bool map_options_need_relu(const char *option, WeightBlob *blob, const char *layer, Error *error)
{
    Activation activation;
    if (!network_activation_before(blob, layer, &activation, error))
        return false;
    return activation.is_relu ||
           fail(error, ERROR_USAGE,
                "%s: %s has no ReLU before what is explained, so softplus would change nothing",
                option, blob_path(blob));
}
