/* cli/compare_robustness.h - two runs of robustness, image by image. */
#ifndef CLI_COMPARE_ROBUSTNESS_H
#define CLI_COMPARE_ROBUSTNESS_H

#include "differences.h"

bool is_robustness_run(const char *folder);

/* Whether two runs are of the same images, by which their values are paired, and which settings
 * beside the weights they do not share; names are their folders. Errors: ERROR_USAGE. */
bool robustness_runs_pair(const Json *a, const char *name_a, const Json *b, const char *name_b,
                          Differences *differences, Error *error);

/* Errors: ERROR_USAGE (other images; --fail-over), those of the runs' files. */
bool compare_robustness(const Settings *settings, Error *error);

#endif
