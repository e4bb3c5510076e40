/* tests/faults.h - file operations that fail, fall short or are the last thing a process does. */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include "../base/file.h"

typedef enum FaultKind {
    FAULT_FAILS, // with `reason`
    FAULT_SHORT, // a read or write of a part of what is asked for, of one byte where that is little
    FAULT_DIES_BEFORE, // the process ends as by SIGKILL
    FAULT_DIES_AFTER,
    FAULT_SIGNAL // the process gets the signal `reason`, then the operation runs
} FaultKind;

typedef struct FaultPlan {
    FaultKind kind;
    int       reason;       // errno or signal
    int64_t   at;           // first operation it meets, from 1; 0: none, they are only counted
    int64_t   length;       // operations in a row it meets; 0: one
    bool      changes_only; // count only what changes something on disk
} FaultPlan;

/* From now on; NULL: nothing fails any more. */
void faults_plan(const FaultPlan *plan);

int64_t       faults_seen(void); // operations counted since
FileOperation faults_met(void);  // the first one that was met

/* Fails once at the n-th operation from now; 0: never. */
void fail_file_at(int64_t operation, int reason);

#endif
