/* tests/faults.c - see faults.h. */
#include "faults.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static FaultPlan            planned;
static atomic_int_least64_t seen, met;
static _Thread_local bool   dies_after;

static bool is_met(FileOperation operation)
{
    if (planned.changes_only && operation < FILE_CREATE)
        return false;
    int64_t number = atomic_fetch_add(&seen, 1) + 1, length = planned.length ? planned.length : 1;
    if (planned.at == 0 || number < planned.at || number >= planned.at + length)
        return false;
    if (number == planned.at)
        atomic_store(&met, operation);
    return true;
}

static int before(void *self, FileOperation operation, size_t *size)
{
    (void)self;
    dies_after = false;
    if (!is_met(operation))
        return 0;
    if (planned.kind == FAULT_SHORT && (operation == FILE_READ || operation == FILE_WRITE))
        *size = *size > 48 ? *size / 3 : 1; // a byte at a time in the end only: files are large
    if (planned.kind == FAULT_DIES_BEFORE)
        kill(getpid(), SIGKILL);
    if (planned.kind == FAULT_SIGNAL)
        raise(planned.reason);
    dies_after = planned.kind == FAULT_DIES_AFTER;
    return planned.kind == FAULT_FAILS ? planned.reason : 0;
}

static void after(void *self, FileOperation operation)
{
    (void)self;
    (void)operation;
    if (dies_after)
        kill(getpid(), SIGKILL);
}

void faults_plan(const FaultPlan *plan)
{
    static const FileHook hook = {before, after, NULL};
    file_hook(NULL);
    atomic_store(&seen, 0);
    planned = plan ? *plan : (FaultPlan){0};
    if (plan)
        file_hook(&hook);
}

int64_t faults_seen(void)
{
    return atomic_load(&seen);
}

FileOperation faults_met(void)
{
    return (FileOperation)atomic_load(&met);
}

void fail_file_at(int64_t operation, int reason)
{
    FaultPlan plan = {.kind = FAULT_FAILS, .reason = reason, .at = operation};
    faults_plan(operation ? &plan : NULL);
}
