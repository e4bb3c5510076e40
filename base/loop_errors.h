/* base/loop_errors.h - collects the errors of a parallel loop. Of several failures the one of the
 * lowest index is reported, so that the message does not depend on which thread was faster. */
#ifndef BASE_LOOP_ERRORS_H
#define BASE_LOOP_ERRORS_H

#include "base.h"

/* One slot a thread. */
typedef struct LoopErrors {
    Error   *error; // [threads]
    int64_t *index; // [threads]; meaningful where error.code is set
    int      threads;
} LoopErrors;

bool loop_errors_open(LoopErrors *errors, Error *error);
/* Called by iteration `index` on `thread` when it has failed. */
void loop_errors_add(LoopErrors *errors, int64_t index, int thread, const Error *failure);
/* False, with the first error, if any iteration failed. Clears the slots. */
bool loop_errors_check(LoopErrors *errors, Error *error);
void loop_errors_close(LoopErrors *errors); // accepts a zeroed object

#endif
