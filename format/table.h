/* format/table.h - text for a terminal: tables that line up, and names from files.
 *
 * A name could hold control codes that move the cursor or change colours, so what utf8_shown
 * refuses is shown as '?'. */
#ifndef FORMAT_TABLE_H
#define FORMAT_TABLE_H

#include "../base/base.h"

#include <stdio.h>

enum { NAME_SHOWN = 128 }; // characters of a name or a cell; "..." stands for the rest

void print_clean(FILE *stream, const char *text);
void print_name(FILE *stream, const char *name);

/* Cells are added row by row. The first error is kept and reported by table_print. */
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

#endif
