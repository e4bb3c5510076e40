/* cli/unit_data.h - made-up units of the mini world, as an encoder sees them. */
#ifndef CLI_UNIT_DATA_H
#define CLI_UNIT_DATA_H

#include "../training/training.h"

/* Units of the photos of data mini:COUNT:SEED (mini/units.h), each of a claim that is true of 20
 * photos or more, with features by `encoder` and the descriptions of their claims.
 *   is_test   half of them of held-out claims, with random masks beside theirs; else none
 * Errors: ERROR_USAGE, ERROR_DATA, ERROR_MEMORY. */
bool unit_data_open(TrainingSet *out, const char *data, int64_t units, WeightBlob *encoder,
                    bool is_test, Error *error);

#endif
