/* cli/signals.h - the first SIGINT or SIGTERM asks the run to stop after the current batch; the second
 * ends the program at once. SIGPIPE is ignored: a closed reader is a write error like any other. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

void signals_catch(void);

extern const volatile bool *const signals_cancel; // true once a signal arrived
int signals_caught(void);                         // its number, 0: none

#endif
