/* cli/rehearse_clean.h - --dry-run of a clean run: whole runs on the first few images. */
#ifndef CLI_REHEARSE_CLEAN_H
#define CLI_REHEARSE_CLEAN_H

#include "run.h"

/* Explains units from the first images, twice as many each time until that takes long enough to be
 * measured, and tells what all images take. Memory grows with images, by what it grew from one of
 * these runs to the next. `inputs` are open, but not loaded: other images are not looked at. */
bool clean_run_rehearse(Run *run, const RunInputs *inputs, Error *error);

#endif
