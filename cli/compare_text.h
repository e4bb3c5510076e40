/* cli/compare_text.h - `compare --text`: two lists of descriptions, unit by unit. */
#ifndef CLI_COMPARE_TEXT_H
#define CLI_COMPARE_TEXT_H

#include "arguments.h"

/* The inputs are sources as nem/descriptions.h has them. */
bool compare_text(const Settings *settings, Error *error);

#endif
