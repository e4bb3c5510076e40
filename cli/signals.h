/* cli/signals.h - what signals do to a run. The first SIGINT or SIGTERM, or of what a scheduler
 * sends (SIGHUP, SIGUSR1, SIGXCPU), asks the run to stop after the current batch; the second of the
 * same kind ends the program at once. SIGPIPE and SIGXFSZ are ignored: a closed reader and a file
 * that may not grow are write errors like any other. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

void signals_catch(void);

extern const volatile bool *const signals_cancel;       // true once a signal arrived
int                               signals_caught(void); // its number, 0: none

#endif
