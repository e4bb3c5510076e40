/* cli/progress.h - how far a run is: a bar on a terminal, else one line per ten seconds, on stderr.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "arguments.h"

typedef struct Progress {
    const char *what; // "dissect"
    bool        bar, silent;
    double      start;               // clock_seconds
    double      printed;             // time of the last line or bar
    double      mark;                // time from which the rate is measured
    double      rate;                // per second, of the last whole span; 0: none yet
    int64_t     done, total, marked; // marked: done at the mark
} Progress;

/* The form follows --progress; -q means none. */
void progress_start(Progress *progress, const char *what, const Settings *settings);

/* To be handed to libraries as their callback for progress; `self` is a Progress. */
void progress_step(void *self, int64_t done, int64_t total);

void progress_end(Progress *progress); // clears the bar

/* "1.5 s", "2 min 05 s", "3 h 04 min" */
void duration_text(double seconds, char out[32]);

#endif
