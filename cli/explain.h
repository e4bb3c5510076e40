/* cli/explain.h - `nemesis explain pixel`; `explain unit` is in command_explain.c. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "arguments.h"
#include "../format/json.h"

/* The sum behind one activation of an image; inputs: "pixel", the image. */
bool explain_pixel(const Settings *settings, Error *error);

#endif
