/* format/csv.h - comma-separated text after RFC 4180, read from memory by column name.
 *
 * A field may be quoted; inside quotes a quote is doubled and commas and line ends are text. Lines
 * end in LF or CRLF; the last may lack its end. Empty lines are skipped; a byte order mark is
 * skipped. Every record has as many fields as the header. Limits: LIMIT_CSV_LINE, LIMIT_CSV_FIELDS,
 * LIMIT_CSV_ROWS. Errors: ERROR_DATA with file and line, ERROR_MEMORY.
 *
 * Spreadsheets run a cell that begins with = + - @, a tab or a line end. In the files this program
 * writes, a text whose first byte after any apostrophes is one of these has one apostrophe more in
 * front. csv_name takes it off again, and no other: every text comes back as it was, and since all
 * files agree, their columns still join. Numbers are written as they are. */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include "../base/file.h"

typedef struct Csv Csv;

/* Parses `size` bytes; `name` is the file in messages. Nothing of `data` is kept. */
bool csv_open(Csv **out, const uint8_t *data, size_t size, const char *name, Error *error);
/* The same of a file, of at most LIMIT_TEXT_FILE bytes. Errors: those of reading it, too. */
bool csv_read(Csv **out, const char *path, Error *error);
void csv_close(Csv *csv); // NULL allowed

int64_t     csv_row_count(const Csv *csv); // without the header
int         csv_column_count(const Csv *csv);
const char *csv_column_name(const Csv *csv, int column);
int64_t     csv_line(const Csv *csv, int64_t row); // line of the file, from 1, for messages

int csv_column(const Csv *csv, const char *name); // the first of that name; -1 if there is none
/* The same; a missing column is an error. */
bool csv_need(const Csv *csv, const char *name, int *column, Error *error);

/* A field as text, zero-terminated; it lives as long as the Csv. */
const char *csv_text(const Csv *csv, int64_t row, int column);
/* The same for a text that this program wrote, without the apostrophe that protects spreadsheets:
 * the text as csv_write_text was given it. */
const char *csv_name(const Csv *csv, int64_t row, int column);
/* A field as a whole number in minimum..maximum: digits only, with an optional minus. */
bool csv_whole(const Csv *csv, int64_t row, int column, int64_t minimum, int64_t maximum,
               int64_t *out, Error *error);
/* A field as a finite decimal number, also in scientific notation. */
bool csv_number(const Csv *csv, int64_t row, int column, double *out, Error *error);

/* Writes a text field without its comma: with an apostrophe in front where a spreadsheet would run
 * it, and quoted where it holds a comma, a quote or a line end. */
void csv_write_text(Writer *writer, const char *text);

#endif
