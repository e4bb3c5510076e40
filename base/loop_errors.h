/* base/loop_errors.h - which of a parallel loop's failures is reported: the one of the lowest
 * index. */
#ifndef BASE_LOOP_ERRORS_H
#define BASE_LOOP_ERRORS_H

#include "base.h"

/* One slot a thread; the error of the lowest index wins, whatever ran first. */
typedef struct LoopErrors {
    Error   *error; // [threads]
    int64_t *index; // [threads]; meaningful where error.code is set
    int      threads;
} LoopErrors;

bool loop_errors_open(LoopErrors *errors, Error *error);
/* Where iteration `index` on `thread` reports: a cleared Error. */
void loop_errors_add(LoopErrors *errors, int64_t index, int thread, const Error *failure);
/* False, with the first error, if any iteration failed. Clears the slots. */
bool loop_errors_check(LoopErrors *errors, Error *error);
void loop_errors_close(LoopErrors *errors); // accepts a zeroed object

#endif
