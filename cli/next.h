/* cli/next.h - the last words of a verb, on stderr unless -q: where its results are, and a command
 * that goes on from there. */
#ifndef CLI_NEXT_H
#define CLI_NEXT_H

#include "arguments.h"

enum { NEXT_WORD = 1100 };

/* "runs/clean: tally.csv units.csv run.json": files of --out. Lists end with NULL; either may be
 * NULL. Whatever was printed reaches stdout before, so that who reads both streams sees them in
 * order. Errors: ERROR_IO of stdout. */
bool tell_results(const Settings *settings, const char *const *files, const char *const *more,
                  Error *error);

/* "next: ./nemesis report runs/clean", for the run folder --out. */
void tell_next_report(const Settings *settings);
/* "next: ./nemesis ...": the program as it was called, and the words of `format`. */
void tell_next(const Settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A path without slashes at its end and with a suffix, as a shell reads it: quoted where it must
 * be. Returns `out`. */
const char *shell_word(const char *path, const char *suffix, char out[NEXT_WORD]);

#endif
