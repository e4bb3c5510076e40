/* base/parallel.c - see parallel.h. Built with OpenMP, with plain threads (-DPARALLEL_THREADS, for
 * race checkers, which do not understand OpenMP runtimes), or serial where neither is there. */
#include "parallel.h"

#include "base.h"

#include <stdlib.h>
#include <unistd.h>

#if defined PARALLEL_THREADS
#include <pthread.h>
#include <stdatomic.h>
#elif defined _OPENMP
#include <omp.h>
#endif

static int thread_count; // 0: not decided yet

static int64_t thread_default(void)
{
    const char *text  = getenv("OMP_NUM_THREADS");
    int64_t     count = text ? strtoll(text, NULL, 10) : 0;
    if (count < 1)
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count;
}

int parallel_threads(void)
{
#if defined PARALLEL_THREADS || defined _OPENMP
    if (thread_count == 0)
        parallel_set_threads(0);
    return thread_count;
#else
    return 1;
#endif
}

int64_t parallel_set_threads(int64_t threads)
{
    int64_t wanted = threads < 1 ? thread_default() : threads;
    thread_count   = wanted > LIMIT_THREADS ? LIMIT_THREADS : (int)wanted;
    return wanted;
}

#if defined PARALLEL_THREADS

typedef struct Team {
    void (*function)(void *, int64_t, int);
    void               *data;
    int64_t             count;
    atomic_int_least64_t next;
} Team;

typedef struct Member {
    Team     *team;
    int       thread;
    pthread_t handle;
} Member;

static _Thread_local bool inside;

static void *member_run(void *argument)
{
    Member *member = argument;
    Team   *team   = member->team;
    inside         = true;
    for (int64_t i; (i = atomic_fetch_add(&team->next, 1)) < team->count;)
        team->function(team->data, i, member->thread);
    inside = false;
    return NULL;
}

void parallel_for(int64_t count, void (*function)(void *, int64_t, int), void *data)
{
    enum { MOST = 64 };
    Team   team = {.function = function, .data = data, .count = count};
    Member member[MOST];
    int    threads = parallel_threads() < MOST ? parallel_threads() : MOST, started = 1;
    if (threads == 1 || count <= 1 || inside) {
        for (int64_t i = 0; i < count; i++)
            function(data, i, 0);
        return;
    }
    for (int t = 0; t < threads; t++)
        member[t] = (Member){.team = &team, .thread = t};
    while (started < threads &&
           pthread_create(&member[started].handle, NULL, member_run, &member[started]) == 0)
        started++;
    member_run(&member[0]);
    for (int t = 1; t < started; t++)
        pthread_join(member[t].handle, NULL);
}

#elif defined _OPENMP

void parallel_for(int64_t count, void (*function)(void *, int64_t, int), void *data)
{
    int threads = parallel_threads();
    if (threads == 1 || count <= 1 || omp_in_parallel()) {
        for (int64_t i = 0; i < count; i++)
            function(data, i, 0);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t i = 0; i < count; i++)
        function(data, i, omp_get_thread_num());
}

#else

void parallel_for(int64_t count, void (*function)(void *, int64_t, int), void *data)
{
    for (int64_t i = 0; i < count; i++)
        function(data, i, 0);
}

#endif
