/* tests/kills.h - runs of every verb that goes on after a kill, in forks of this process that keep a
 * checkpoint after every batch. */
#ifndef TESTS_KILLS_H
#define TESTS_KILLS_H

#include "faults.h"
#include "play.h"

// The verbs from BLOBS on write one file, and their checkpoint beside it.
enum { KILLS_IMAGES = 7, KILLS_VERBS = 13, KILLS_BLOBS = 11 };

extern const char *const kills_verb[KILLS_VERBS];
extern char              kills_line[KILLS_VERBS][LINE / 2]; // without -o
extern int64_t kills_changes[KILLS_VERBS]; // what each changes on disk in an undisturbed run
extern double  kills_seconds[KILLS_VERBS];

/* Makes the inputs, and an undisturbed run of the first `verbs`. */
bool kills_open(int verbs);

const char *kills_out(int verb);    // where a run goes
const char *kills_wanted(int verb); // the undisturbed one
bool        kills_is_as_wanted(int verb);

void           kills_prepare(void *plan); // of a fork
pid_t          kills_start(int verb, FaultPlan *plan, const char *more);
const Outcome *kills_run(int verb, FaultPlan *plan, const char *more);

/* Interrupts a run late, so that a checkpoint is there. */
bool kills_interrupt(int verb);
/* Goes on with a run and compares; says what is wrong. */
bool kills_goes_on(int verb, FaultPlan *plan, const char *what, int64_t at);

/* How many of `all` are to be tried: what the variable KILLS says, 4 without it. */
int64_t kills_asked(int64_t all);

#endif
