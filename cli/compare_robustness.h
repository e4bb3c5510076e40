/* cli/compare_robustness.h - two runs of robustness, image by image. */
#ifndef CLI_COMPARE_ROBUSTNESS_H
#define CLI_COMPARE_ROBUSTNESS_H

#include "arguments.h"

bool is_robustness_run(const char *folder);

/* Errors: ERROR_USAGE (other images; --fail-over), those of the runs' files. */
bool compare_robustness(const Settings *settings, Error *error);

#endif
