/* tests/test_parallel.c - loops on several threads, and how many threads there are. */
#include "test.h"
#include "../base/base.h"
#include "../base/cores.h"
#include "../base/parallel.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TURNS = 1000, THREADS = 5 };

typedef struct Count {
    atomic_int turns[TURNS];
    atomic_int busy[THREADS]; // turns that a thread number has at the moment
    atomic_int faults;
    bool       nested;
} Count;

static void count_turn(void *data, int64_t i, int thread)
{
    Count *count = data;
    if (thread < 0 || thread >= THREADS || atomic_fetch_add(&count->busy[thread], 1) != 0)
        atomic_fetch_add(&count->faults, 1);
    atomic_fetch_add(&count->turns[i], 1);
    if (count->nested) {
        Count inner = {0};
        parallel_for(10, count_turn, &inner);
        for (int k = 0; k < 10; k++)
            if (inner.turns[k] != 1 || inner.faults)
                atomic_fetch_add(&count->faults, 1);
    }
    atomic_fetch_sub(&count->busy[thread], 1);
}

static bool runs_each_once(int64_t turns, bool nested)
{
    Count count = {.nested = nested};
    parallel_for(turns, count_turn, &count);
    for (int64_t i = 0; i < TURNS; i++)
        if (count.turns[i] != (i < turns))
            return false;
    return count.faults == 0;
}

static void every_turn_runs_once(void)
{
    parallel_set_threads(THREADS);
    for (int64_t turns = 0; turns < 40; turns++)
        CHECK(runs_each_once(turns, false));
    CHECK(runs_each_once(TURNS, false) && runs_each_once(100, true));
    for (int i = 0; i < 2000; i++) // loops that follow each other at once
        CHECK(runs_each_once(i % 7, false));
    for (int i = 0; i < 20; i++) { // loops that find their helpers asleep
        usleep(1000);
        CHECK(runs_each_once(20, false));
    }
    parallel_set_threads(0);
}

// A helper is inside when the caller has no turn left, for less or more than the caller is awake.
static void linger(void *data, int64_t i, int thread)
{
    int64_t     *loop = data;
    volatile int step = 0;
    while (thread > 0 && step < *loop * 37 % 4001)
        step++;
    loop[1 + i]++;
}

static void a_caller_that_sleeps_is_woken(void)
{
    enum { LOOPS = 20000 };
    int64_t loop[3] = {0};
    parallel_set_threads(2);
    for (; loop[0] < LOOPS; loop[0]++)
        parallel_for(2, linger, loop);
    CHECK(loop[1] == LOOPS && loop[2] == LOOPS);
    parallel_set_threads(0);
}

static void fewer_threads_than_before(void)
{
    for (int threads = THREADS; threads >= 1; threads--) {
        parallel_set_threads(threads);
        CHECK(runs_each_once(100, false));
    }
    parallel_set_threads(0);
}

#ifndef __SANITIZE_THREAD__ // which allows no threads in a child of a program that has some
// A child has none of its parent's threads and must not wait for them.
static void a_child_has_threads_of_its_own(void)
{
    int status = 0;
    parallel_set_threads(THREADS);
    CHECK(runs_each_once(100, false));
    pid_t child = fork();
    if (child == 0)
        _exit(runs_each_once(100, false) && runs_each_once(3, true) ? 0 : 1);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(runs_each_once(100, false));
    parallel_set_threads(0);
}
#endif

static void cores_are_those_of_the_affinity_mask(void)
{
    int       status = 0;
    cpu_set_t own, one;
    REQUIRE(sched_getaffinity(0, sizeof own, &own) == 0);
    CHECK(cores_available() >= 1 && cores_available() <= CPU_COUNT(&own));
    pid_t child = fork();
    if (child == 0) {
        CPU_ZERO(&one);
        for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; core++)
            if (CPU_ISSET(core, &own))
                CPU_SET(core, &one);
        _exit(sched_setaffinity(0, sizeof one, &one) == 0 && cores_available() == 1 ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void quotas_are_read(void)
{
    int64_t cores = 7;
    CHECK(quota_parse("100000 100000\n", &cores) && cores == 1);
    CHECK(quota_parse("150000 100000", &cores) && cores == 2);
    CHECK(quota_parse("50000 100000", &cores) && cores == 1);
    CHECK(quota_parse("800000 100000", &cores) && cores == 8);
    cores = 7;
    CHECK(!quota_parse("max 100000\n", &cores) && !quota_parse("-1 100000", &cores));
    CHECK(!quota_parse("", &cores) && !quota_parse("100000", &cores));
    CHECK(!quota_parse("100000 0", &cores) && !quota_parse("x y", &cores));
    CHECK(!quota_parse("9223372036854775807 100000", &cores));
    CHECK(cores == 7);
}

SUITE(parallel)
{
    RUN(every_turn_runs_once);
    RUN(a_caller_that_sleeps_is_woken);
    RUN(fewer_threads_than_before);
#ifndef __SANITIZE_THREAD__
    RUN(a_child_has_threads_of_its_own);
#endif
    RUN(cores_are_those_of_the_affinity_mask);
    RUN(quotas_are_read);
}
