/* cli/output.h - what reaches the terminal: clean text, notes, tables that line up.
 *
 * Names come from files, so what utf8_shown refuses is shown as '?': no file can steer a terminal.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "../format/json.h"
#include "../format/table.h"
#include "arguments.h"

/* A line on stderr, unless -q; the second only with -v. */
void note(const Settings *settings, const char *format, ...) __attribute__((format(printf, 2, 3)));
void note_more(const Settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Finishes the document, prints it to stdout and discards it: what --json asks for. */
bool json_print(JsonWriter *json, Error *error);

/* Whether the reader of a pipe on stdout has seen enough and is gone. */
bool output_is_unread(void);

/* Everything printed so far has reached stdout. Errors: ERROR_IO. */
bool output_flush(Error *error);

#endif
