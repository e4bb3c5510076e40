/* cli/output.h - what reaches the terminal: clean text, notes, tables that line up.
 *
 * Names come from files, so what utf8_shown refuses is shown as '?': no file can steer a terminal. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "../format/json.h"
#include "arguments.h"

enum { NAME_SHOWN = 128 }; // characters of a name or a cell; "..." stands for the rest

void print_clean(FILE *stream, const char *text);
void print_name(FILE *stream, const char *name);

/* A line on stderr, unless -q; the second only with -v. */
void note(const Settings *settings, const char *format, ...) __attribute__((format(printf, 2, 3)));
void note_more(const Settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Cells are added row by row. Errors stick until table_print. */
typedef struct Table {
    int         columns;
    const char *alignment; // one 'l' or 'r' for each column
    char      **cells;     // owned
    int         count, room;
    Error       error;
} Table;

void table_cell(Table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints (nothing if stream is NULL) and frees the cells. */
bool table_print(Table *table, FILE *stream, Error *error);

/* Finishes the document, prints it to stdout and discards it: what --json asks for. */
bool json_print(JsonWriter *json, Error *error);

/* Everything printed so far has reached stdout. Errors: ERROR_IO. */
bool output_flush(Error *error);

#endif
