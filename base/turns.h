/* base/turns.h - several pieces of work that take turns, so that what they all wait for can be done
 * for all of them at once.
 *
 * Each has a thread of its own, but only one of them runs at a time, in the order of their numbers;
 * it runs until it meets the others or ends. So they share memory without locks, and come out the
 * same each time. */
#ifndef BASE_TURNS_H
#define BASE_TURNS_H

#include "base.h"

enum { TURNS_MOST = 32 };

typedef struct Turns Turns;

typedef struct TurnsWork {
    int count; // 1 to TURNS_MOST
    void (*run)(void *self, Turns *turns, int index);
    /* Called whenever every piece of work has ended or waits in turns_meet, and one waits. */
    void (*meet)(void *self);
    void *self;
} TurnsWork;

/* Runs all to their ends. Errors: ERROR_MEMORY where a thread cannot be had; then none was run. */
bool turns_run(const TurnsWork *work, Error *error);

/* For a piece of work: lets the others run until they meet as well, and `meet` was called. */
void turns_meet(Turns *turns, int index);

#endif
