/* base/parallel.h - the one parallel construct: OpenMP, plain threads (race checks) or serial.
 *
 * The range is cut by the caller's problem, never by the thread count, and every chunk writes its
 * own outputs; so results have the same bits for every number of threads. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stdint.h>

/* Runs function(data, i, thread) for i in 0..count-1, in any order, on up to parallel_threads()
 * threads; `thread` is in 0..parallel_threads()-1 and unique among those running at the same time
 * (for scratch memory). Called from inside a parallel region it runs serially, as thread 0 of a
 * caller who then owns all scratch. */
void parallel_for(int64_t count, void (*function)(void *data, int64_t i, int thread), void *data);

int parallel_threads(void);

/* 0: OMP_NUM_THREADS or all cores. Takes at most LIMIT_THREADS of them; returns the number that was
 * asked for. */
int64_t parallel_set_threads(int64_t threads);

#endif
