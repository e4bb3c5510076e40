/* base/parallel.h - a loop whose turns run on several threads; nothing else in the program is
 * parallel.
 *
 * The range is cut by the caller's problem, never by the thread count, and every turn writes its
 * own outputs; so results have the same bits for every number of threads.
 *
 * Threads are started once and wait for the next loop: for a few microseconds awake, then asleep,
 * so that they take no time from others. A loop is done when its turns are: a thread that wakes too
 * late is not waited for. Where threads cannot be started there are fewer, down to the caller
 * alone. A child made by fork starts with the caller alone and starts its own. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stdint.h>

/* Runs function(data, i, thread) for i in 0..count-1, in any order, on up to parallel_threads()
 * threads; `thread` is in 0..parallel_threads()-1 and unique among those running at the same time
 * (for scratch memory). Called from inside a parallel region, or while another thread's loop runs,
 * it runs serially, as thread 0 of a caller who then owns all scratch. */
void parallel_for(int64_t count, void (*function)(void *data, int64_t i, int thread), void *data);

int parallel_threads(void);

/* How many threads loops run on from now. 0: as OMP_NUM_THREADS says, else the cores that this
 * process may use (cores.h). More than LIMIT_THREADS are not taken; returns the number that was
 * asked for, so that the caller can say so. */
int64_t parallel_set_threads(int64_t threads);

#endif
