/* base/loop_errors.c - see loop_errors.h. */
#include "loop_errors.h"
#include "parallel.h"

bool loop_errors_open(LoopErrors *errors, Error *error)
{
    int threads   = parallel_threads();
    *errors       = (LoopErrors){.threads = threads};
    errors->error = memory_new((size_t)threads, sizeof *errors->error, error);
    errors->index = memory_new((size_t)threads, sizeof *errors->index, error);
    return errors->error && errors->index;
}

void loop_errors_add(LoopErrors *errors, int64_t index, int thread, const Error *failure)
{
    if (errors->error[thread].code == ERROR_NONE || index < errors->index[thread]) {
        errors->error[thread] = *failure;
        errors->index[thread] = index;
    }
}

bool loop_errors_check(LoopErrors *errors, Error *error)
{
    int first = -1;
    for (int i = 0; i < errors->threads; i++)
        if (errors->error[i].code != ERROR_NONE &&
            (first < 0 || errors->index[i] < errors->index[first]))
            first = i;
    if (first < 0)
        return true;
    fail(error, errors->error[first].code, "%s", errors->error[first].message);
    for (int i = 0; i < errors->threads; i++)
        errors->error[i] = (Error){0};
    return false;
}

void loop_errors_close(LoopErrors *errors)
{
    memory_free(errors->error);
    memory_free(errors->index);
    *errors = (LoopErrors){0};
}
