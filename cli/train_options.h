/* cli/train_options.h - what `nemesis train` takes, and what it says of it afterwards. */
#ifndef CLI_TRAIN_OPTIONS_H
#define CLI_TRAIN_OPTIONS_H

#include "../training/training.h"
#include "arguments.h"

extern const Option train_options[];

/* `own`: the activation of the weights that a training begins with; what --activation says of it
 * stands in the result. Errors: ERROR_USAGE. */
bool train_settings(const Settings *settings, real own, TrainSettings *out, Error *error);

enum { TRAIN_NOTE = 2 * LIMIT_PATH };

/* Lines of a blob's text: what the weights come from, as the command that makes them again. */
void train_note(const Settings *settings, char out[TRAIN_NOTE]);

#endif
