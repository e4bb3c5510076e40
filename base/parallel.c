/* base/parallel.c - see parallel.h.
 *
 * One loop runs at a time. It is described in `pool` and opened by its gate, a word that holds the
 * number of the loop, whether it is open, and how many helpers are inside. A helper enters an open
 * gate it has not been through, takes turns until none is left, and leaves; the caller does the
 * same, closes the gate, and waits for those inside. So whoever sleeps through a loop costs
 * nothing.
 *
 * That the caller sleeps is a bit of the gate: whether the last helper to leave sees it or the
 * caller sees that nobody is inside is a matter of one word, which every machine keeps in order. Of
 * two words, each written by one side and read by the other, an emulator may let a load pass the
 * store before it (qemu does, of aarch64 on x86), and then both sides sleep. */
#include "parallel.h"

#include "base.h"
#include "cores.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    AWAKE_CHECKS = 300, // looks at the gate before a thread sleeps: some ten microseconds
    SHARE        = 4    // a helper takes 1 / (SHARE * threads) of the turns that are left
};

static int thread_count; // 0: not decided yet

static int64_t thread_default(void)
{
    const char *text  = getenv("OMP_NUM_THREADS");
    int64_t     count = text ? strtoll(text, NULL, 10) : 0;
    return count < 1 ? cores_available() : count;
}

int parallel_threads(void)
{
    if (thread_count == 0)
        parallel_set_threads(0);
    return thread_count;
}

int64_t parallel_set_threads(int64_t threads)
{
    int64_t wanted = threads < 1 ? thread_default() : threads;
    thread_count   = wanted > LIMIT_THREADS ? LIMIT_THREADS : (int)wanted;
    return wanted;
}

/* ---- the gate -------------------------------------------------------------------------------- */

// Low 16 bits: helpers inside. Above: open; the caller sleeps; number of the loop.
#define GATE_INSIDE UINT64_C(0xffff)
#define GATE_OPEN   (UINT64_C(1) << 16)
#define GATE_CALLER (UINT64_C(1) << 17)
#define GATE_LOOP   (UINT64_C(1) << 18)

static struct {
    pthread_mutex_t  mutex; // of sleep alone
    pthread_cond_t   opened, left;
    atomic_int       sleepers;  // helpers asleep; one too few costs a loop its help, no more
    atomic_bool      is_ending; // helpers return
    atomic_flag      is_taken;  // a caller has the pool
    _Atomic uint64_t gate;
    int              helpers; // started
    pthread_t        handle[LIMIT_THREADS];

    // the loop at hand
    void (*function)(void *, int64_t, int);
    void           *data;
    int64_t         count;
    int             threads;
    _Atomic int64_t next;
} pool = {.mutex    = PTHREAD_MUTEX_INITIALIZER,
          .opened   = PTHREAD_COND_INITIALIZER,
          .left     = PTHREAD_COND_INITIALIZER,
          .is_taken = ATOMIC_FLAG_INIT};

static _Thread_local bool inside;

static void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

static void take_turns(int thread)
{
    int64_t count = pool.count, first = atomic_load(&pool.next);
    inside = true;
    while (first < count) {
        int64_t length = (count - first) / ((int64_t)SHARE * pool.threads);
        length         = length < 1 ? 1 : length;
        if (!atomic_compare_exchange_weak(&pool.next, &first, first + length))
            continue;
        for (int64_t i = first; i < first + length; i++)
            pool.function(pool.data, i, thread);
        first = atomic_load(&pool.next);
    }
    inside = false;
}

/* ---- helpers --------------------------------------------------------------------------------- */

// Whether there is something for a helper that has been through loop `seen`.
static bool is_called(uint64_t gate, uint64_t seen)
{
    return (gate & GATE_OPEN && gate / GATE_LOOP != seen) || atomic_load(&pool.is_ending);
}

static uint64_t wait_for_loop(uint64_t seen)
{
    uint64_t gate = atomic_load(&pool.gate);
    for (int i = 0; i < AWAKE_CHECKS && !is_called(gate, seen); i++) {
        relax();
        gate = atomic_load(&pool.gate);
    }
    if (is_called(gate, seen))
        return gate;
    pthread_mutex_lock(&pool.mutex);
    atomic_fetch_add(&pool.sleepers, 1);
    while (gate = atomic_load(&pool.gate), !is_called(gate, seen))
        pthread_cond_wait(&pool.opened, &pool.mutex);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.mutex);
    return gate;
}

static void leave(void)
{
    uint64_t before = atomic_fetch_sub(&pool.gate, 1);
    if ((before & GATE_INSIDE) == 1 && before & GATE_CALLER) {
        pthread_mutex_lock(&pool.mutex);
        pthread_cond_signal(&pool.left);
        pthread_mutex_unlock(&pool.mutex);
    }
}

static void *help(void *number)
{
    int      thread = (int)(intptr_t)number;
    uint64_t seen   = 0;
    while (!atomic_load(&pool.is_ending)) {
        uint64_t gate = wait_for_loop(seen);
        if (!(gate & GATE_OPEN) || gate / GATE_LOOP == seen ||
            !atomic_compare_exchange_strong(&pool.gate, &gate, gate + 1))
            continue; // others come and go: look again
        seen = gate / GATE_LOOP;
        if (thread < pool.threads)
            take_turns(thread);
        leave();
    }
    return NULL;
}

static void end_helpers(void)
{
    pthread_mutex_lock(&pool.mutex);
    atomic_store(&pool.is_ending, true);
    pthread_cond_broadcast(&pool.opened);
    pthread_mutex_unlock(&pool.mutex);
    for (int i = 0; i < pool.helpers; i++)
        pthread_join(pool.handle[i], NULL);
    pool.helpers = 0;
}

// A child has none of its parent's threads, and what they held or counted is nobody's.
static void begin_child(void)
{
    pool.helpers = 0;
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.opened, NULL);
    pthread_cond_init(&pool.left, NULL);
    atomic_store(&pool.sleepers, 0);
    atomic_store(&pool.gate, atomic_load(&pool.gate) / GATE_LOOP * GATE_LOOP);
    atomic_flag_clear(&pool.is_taken);
}

static void start_helpers(int wanted)
{
    static bool is_prepared;
    sigset_t    all, before;
    if (!is_prepared && (atexit(end_helpers) != 0 || pthread_atfork(NULL, NULL, begin_child) != 0))
        return;
    is_prepared = true;
    sigfillset(&all); // signals are for the program's own thread
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.helpers < wanted && pthread_create(&pool.handle[pool.helpers], NULL, help,
                                                   (void *)(intptr_t)(pool.helpers + 1)) == 0)
        pool.helpers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void open_gate(void)
{
    uint64_t loop = atomic_load(&pool.gate) / GATE_LOOP + 1;
    atomic_store(&pool.gate, loop * GATE_LOOP | GATE_OPEN);
    if (atomic_load(&pool.sleepers) == 0)
        return;
    pthread_mutex_lock(&pool.mutex);
    pthread_cond_broadcast(&pool.opened);
    pthread_mutex_unlock(&pool.mutex);
}

static bool is_empty(void)
{
    return (atomic_load(&pool.gate) & GATE_INSIDE) == 0;
}

static void close_gate(void)
{
    atomic_fetch_and(&pool.gate, ~GATE_OPEN);
    for (int i = 0; i < AWAKE_CHECKS && !is_empty(); i++)
        relax();
    if (is_empty())
        return;
    pthread_mutex_lock(&pool.mutex);
    atomic_fetch_or(&pool.gate, GATE_CALLER); // until the next loop opens the gate
    while (!is_empty())
        pthread_cond_wait(&pool.left, &pool.mutex);
    pthread_mutex_unlock(&pool.mutex);
}

void parallel_for(int64_t count, void (*function)(void *, int64_t, int), void *data)
{
    int threads = parallel_threads();
    if (threads == 1 || count <= 1 || inside || atomic_flag_test_and_set(&pool.is_taken)) {
        for (int64_t i = 0; i < count; i++)
            function(data, i, 0);
        return;
    }
    if (pool.helpers < threads - 1)
        start_helpers(threads - 1);
    pool.function = function;
    pool.data     = data;
    pool.count    = count;
    pool.threads  = threads;
    atomic_store(&pool.next, 0);
    open_gate();
    take_turns(0);
    close_gate();
    atomic_flag_clear(&pool.is_taken);
}
