/* cli/units.h - reads which units are meant: `all`, `detectors`, `detectors:8` (drawn by lot),
 * `0-63,190`. Numbers are 0-based.
 *
 * A detector is a unit whose clean explanation fits it well: each method has its bound. */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include "../base/base.h"

/* Whether the text follows the grammar: ranges ascend, no unit twice. Errors: ERROR_USAGE. */
bool units_check(const char *text, Error *error);

/* The units meant, ascending, in *units (memory_free). detector [unit_count]. `detectors:N` draws N
 * of them without replacement from `seed`, or takes all where there are no more. Errors:
 * ERROR_USAGE (grammar, a unit that does not exist, none left), ERROR_MEMORY. */
bool units_select(const char *text, const bool *detector, int64_t unit_count, uint64_t seed,
                  int64_t **units, int64_t *count, Error *error);

#endif
