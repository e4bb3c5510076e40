/* cli/progress.h - how far a run is: a bar on a terminal, else one line per ten seconds, on stderr.
 *
 * A bar that is wider than its terminal would begin a new line each time it is drawn, so what is
 * said shrinks with the width: the bar goes first, then the rate, the counts, the time. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "arguments.h"

enum { PROGRESS_MARKS = 32, WATCH_SECONDS = 5 };

typedef struct ProgressMark {
    double  time; // clock_seconds
    int64_t done;
} ProgressMark;

typedef struct Progress {
    const char  *what;    // "dissect"
    const char  *counted; // "passes": one photo through the network each; "images", "steps"
    bool         bar, silent;
    double       printed;               // time of the last line or bar
    ProgressMark marks[PROGRESS_MARKS]; // how far it was then, from the first step on
    int          mark_count;
    double       spacing; // seconds between two of them
    double       rate;    // per second, of late; 0: not known yet
    int64_t      done, total;
    /* Called now and then, every WATCH_SECONDS at most, silent or not; NULL: nobody watches. */
    void (*watch)(void *self);
    void  *watch_self;
    double watched; // time of its last call
} Progress;

/* The form follows --progress; -q means none. */
void progress_start(Progress *progress, const char *what, const char *counted,
                    const Settings *settings);

/* To be handed to libraries as their callback for progress; `self` is a Progress. The first call
 * begins the clock: what is done by then was done by an earlier run. */
void progress_step(void *self, int64_t done, int64_t total);

/* Seconds until `total`; negative as long as nothing can be said. */
double progress_left(const Progress *progress);

/* What is said of a run at a moment: progress_step with the clock handed in, without printing. */
void progress_note(Progress *progress, double now, int64_t done, int64_t total);

void progress_end(Progress *progress); // clears the bar

enum { PROGRESS_TEXT = 160 };

/* The longest form that has fewer than `columns` characters, from "attack [####....] 12,084 of
 * 16,048 passes, 586.2/s, 18.0 s left" to "75 %". */
void progress_text(const Progress *progress, double rate, int columns, char out[PROGRESS_TEXT]);

/* Columns of the terminal that stderr is; if it is none, what COLUMNS says, else 80. */
int terminal_columns(void);

/* "12,084" */
void count_text(int64_t count, char out[32]);

/* "1.5 s", "2 min 05 s", "3 h 04 min" */
void duration_text(double seconds, char out[32]);

#endif
