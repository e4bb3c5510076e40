/* cli/manual.h - help, manual page and completion, all made from the tables of verbs and options.
 */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include "arguments.h"

enum { HELP_LINE = 512, HELP_WIDTH = 80 };

/* "dissect -m FILE.nw -l LAYER [options]": the verb, what it must have, its inputs. */
void verb_usage(const Verb *verb, char out[HELP_LINE]);
/* The help of an option, and whether it is required or what it is by default. */
void option_words(const Option *option, char out[HELP_LINE]);

/* Prints the title and the text as one line, broken between words at HELP_WIDTH columns; the lines
 * after the first begin at `column`. */
void help_titled(FILE *stream, const char *title, const char *text, int column);

/* nemesis.1 in the man macros of roff. */
void manual_print(FILE *stream);

#define SHELL_NAMES "bash|zsh|fish"

/* The completion script of the index-th of SHELL_NAMES: verbs, options, the words of choices, files
 * where a text may be one. */
void completion_print(int shell, FILE *stream);

#endif
