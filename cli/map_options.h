/* cli/map_options.h - options that verbs of explanation maps share. */
#ifndef CLI_MAP_OPTIONS_H
#define CLI_MAP_OPTIONS_H

#include "../attribution/attribution.h"
#include "../format/json.h"
#include "arguments.h"

/* The mode of --compat. Errors: ERROR_USAGE. */
bool map_options_mode(const Settings *settings, MapMode *out, Error *error);
void map_options_mode_json(const MapMode *mode, JsonWriter *json); // the object "compat"

/* --smooth N:LEVEL, "10:0.05"; copies 0 where it was not given. Errors: ERROR_USAGE. */
bool map_options_smooth(const Settings *settings, int64_t *copies, double *level, Error *error);

void map_options_activation_json(const Activation *activation, JsonWriter *json);

/* Refuses an option that puts softplus in place of ReLU, of a network that has none before what is
 * explained (layer NULL: the logits). Errors: ERROR_USAGE. */
bool map_options_need_relu(const char *option, WeightBlob *blob, const char *layer, Error *error);

#endif
