/* format/csv.c - see csv.h. One pass over the bytes; fields end up zero-terminated in one block. */
#include "csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct Csv {
    char     *name;
    char     *text;   // all fields, one after another
    uint32_t *fields; // offsets into text: the header, then [rows, columns]
    uint32_t *lines;  // line of the file on which each row starts; [0] is the header
    int64_t   rows;
    int       columns;
};

typedef enum FieldEnd { END_COMMA, END_LINE, END_FILE } FieldEnd;

typedef struct Parser {
    Csv           *csv;
    const uint8_t *data;
    size_t         size, at;
    int64_t        line;
    size_t         used; // of csv->text
    size_t         field_count, field_room;
    size_t         line_count, line_room;
    Error         *error;
} Parser;

static bool push(uint32_t **list, size_t *count, size_t *room, size_t value, Error *error)
{
    if (*count == *room) {
        size_t    larger = *room ? 2 * *room : 256;
        uint32_t *moved  = memory_grow(*list, *count, larger, sizeof **list, error);
        if (!moved)
            return false;
        *list = moved;
        *room = larger;
    }
    (*list)[(*count)++] = (uint32_t)value;
    return true;
}

static bool bad(Parser *parser, const char *rule)
{
    return fail(parser->error, ERROR_DATA, "%s: line %lld: %s", parser->csv->name,
                (long long)parser->line, rule);
}

// Steps over what ends a field and says which it was; false if it is none of them.
static bool field_end(Parser *parser, FieldEnd *end)
{
    const uint8_t *data = parser->data;
    if (parser->at == parser->size) {
        *end = END_FILE;
        return true;
    }
    uint8_t c = data[parser->at];
    if (c == ',') {
        parser->at++;
        *end = END_COMMA;
        return true;
    }
    if (c == '\r' && parser->at + 1 < parser->size && data[parser->at + 1] == '\n')
        c = data[++parser->at];
    if (c != '\n')
        return false;
    parser->at++;
    *end = END_LINE;
    return true;
}

static bool quoted_field(Parser *parser)
{
    for (parser->at++; parser->at < parser->size; parser->at++) {
        uint8_t c = parser->data[parser->at];
        if (c == '"') {
            parser->at++;
            if (parser->at == parser->size || parser->data[parser->at] != '"')
                return true;
        }
        if (c == 0)
            return bad(parser, "a zero byte is not text");
        parser->csv->text[parser->used++] = (char)c;
        parser->line += c == '\n';
    }
    return bad(parser, "a quoted field does not end");
}

static bool plain_field(Parser *parser)
{
    for (; parser->at < parser->size; parser->at++) {
        uint8_t c = parser->data[parser->at];
        if (c == ',' || c == '\n' || c == '\r')
            break;
        if (c == '"')
            return bad(parser, "a quote inside a field that does not start with one");
        if (c == 0)
            return bad(parser, "a zero byte is not text");
        parser->csv->text[parser->used++] = (char)c;
    }
    return true;
}

static bool next_field(Parser *parser, FieldEnd *end)
{
    Csv *csv = parser->csv;
    if (!push(&csv->fields, &parser->field_count, &parser->field_room, parser->used, parser->error))
        return false;
    bool quoted = parser->at < parser->size && parser->data[parser->at] == '"';
    if (quoted ? !quoted_field(parser) : !plain_field(parser))
        return false;
    csv->text[parser->used++] = 0; // takes the place of the separator
    if (!field_end(parser, end))
        return bad(parser,
                   quoted ? "text after a closing quote" : "a carriage return inside a line");
    return true;
}

static bool next_record(Parser *parser)
{
    Csv     *csv    = parser->csv;
    size_t   start  = parser->at;
    int      fields = 0;
    FieldEnd end    = END_COMMA;
    if (!push(&csv->lines, &parser->line_count, &parser->line_room, (size_t)parser->line,
              parser->error))
        return false;
    while (end == END_COMMA) {
        if (++fields > LIMIT_CSV_FIELDS)
            return bad(parser, "more fields than the limit of 4096");
        if (!next_field(parser, &end))
            return false;
        if (parser->at - start > LIMIT_CSV_LINE)
            return bad(parser, "a record longer than the limit of 1 MiB");
    }
    if (csv->columns == 0)
        csv->columns = fields;
    if (fields != csv->columns)
        return fail(parser->error, ERROR_DATA, "%s: line %lld: has %d fields, the header has %d",
                    csv->name, (long long)parser->line, fields, csv->columns);
    parser->line += end == END_LINE;
    return true;
}

static bool parse(Parser *parser)
{
    if (parser->size >= 3 && memcmp(parser->data, "\xEF\xBB\xBF", 3) == 0)
        parser->at = 3;
    while (parser->at < parser->size) {
        FieldEnd end;
        size_t   at = parser->at;
        if (parser->data[at] != ',' && field_end(parser, &end)) { // an empty line
            parser->line++;
            continue;
        }
        parser->at = at;
        if (parser->line_count > LIMIT_CSV_ROWS)
            return bad(parser, "more rows than the limit of 10000000");
        if (!next_record(parser))
            return false;
    }
    if (parser->line_count == 0)
        return fail(parser->error, ERROR_DATA, "%s: is empty, expected a header",
                    parser->csv->name);
    parser->csv->rows = (int64_t)parser->line_count - 1;
    return true;
}

bool csv_open(Csv **out, const uint8_t *data, size_t size, const char *name, Error *error)
{
    if (size > LIMIT_TEXT_FILE)
        return fail(error, ERROR_DATA, "%s: has %zu bytes, the limit is %zu", name, size,
                    LIMIT_TEXT_FILE);
    Csv *csv = memory_new(1, sizeof *csv, error);
    if (!csv)
        return false;
    Parser parser = {.csv = csv, .data = data, .size = size, .line = 1, .error = error};
    csv->name     = memory_text(name, error);
    csv->text     = memory_new(size + 1, 1, error); // every field is shorter than its source
    if (!csv->name || !csv->text || !parse(&parser)) {
        csv_close(csv);
        return false;
    }
    *out = csv;
    return true;
}

bool csv_read(Csv **out, const char *path, Error *error)
{
    Bytes bytes = {0};
    bool  ok    = file_read(path, LIMIT_TEXT_FILE, &bytes, error) &&
              csv_open(out, bytes.data, bytes.size, path, error);
    bytes_close(&bytes);
    return ok;
}

void csv_close(Csv *csv)
{
    if (!csv)
        return;
    memory_free(csv->name);
    memory_free(csv->text);
    memory_free(csv->fields);
    memory_free(csv->lines);
    memory_free(csv);
}

int64_t csv_row_count(const Csv *csv)
{
    return csv->rows;
}

int csv_column_count(const Csv *csv)
{
    return csv->columns;
}

const char *csv_column_name(const Csv *csv, int column)
{
    return csv->text + csv->fields[column];
}

int64_t csv_line(const Csv *csv, int64_t row)
{
    return csv->lines[row + 1];
}

int csv_column(const Csv *csv, const char *name)
{
    for (int column = 0; column < csv->columns; column++)
        if (strcmp(csv_column_name(csv, column), name) == 0)
            return column;
    return -1;
}

bool csv_need(const Csv *csv, const char *name, int *column, Error *error)
{
    int found = csv_column(csv, name);
    if (found < 0)
        return fail(error, ERROR_DATA, "%s: no column '%s' in the header", csv->name, name);
    *column = found;
    return true;
}

const char *csv_text(const Csv *csv, int64_t row, int column)
{
    return csv->text + csv->fields[(row + 1) * csv->columns + column];
}

// Whether a spreadsheet would run the text, apostrophes aside.
static bool is_formula(const char *text)
{
    char first = text[strspn(text, "'")];
    return first && strchr("=+-@\t\r\n", first);
}

const char *csv_name(const Csv *csv, int64_t row, int column)
{
    const char *text = csv_text(csv, row, column);
    return text + (*text == '\'' && is_formula(text));
}

void csv_write_text(Writer *writer, const char *text)
{
    const char *guard = is_formula(text) ? "'" : "";
    if (!strpbrk(text, ",\"\r\n")) {
        writer_text(writer, "%s%s", guard, text);
        return;
    }
    writer_text(writer, "\"%s", guard);
    for (const char *c = text; *c; c++)
        writer_text(writer, *c == '"' ? "\"\"" : "%c", *c);
    writer_text(writer, "\"");
}

static bool bad_field(const Csv *csv, int64_t row, int column, const char *wanted, Error *error)
{
    return fail(error, ERROR_DATA, "%s: line %lld: %s is '%.60s', expected %s", csv->name,
                (long long)csv_line(csv, row), csv_column_name(csv, column),
                csv_text(csv, row, column), wanted);
}

bool csv_whole(const Csv *csv, int64_t row, int column, int64_t minimum, int64_t maximum,
               int64_t *out, Error *error)
{
    const char *text   = csv_text(csv, row, column);
    const char *digits = text + (*text == '-');
    size_t      length = strspn(digits, "0123456789");
    if (length == 0 || length > 18 || digits[length])
        return bad_field(csv, row, column, "a whole number", error);
    int64_t value = strtoll(text, NULL, 10);
    if (value < minimum || value > maximum)
        return fail(error, ERROR_DATA, "%s: line %lld: %s is %lld, expected %lld to %lld",
                    csv->name, (long long)csv_line(csv, row), csv_column_name(csv, column),
                    (long long)value, (long long)minimum, (long long)maximum);
    *out = value;
    return true;
}

bool csv_number(const Csv *csv, int64_t row, int column, double *out, Error *error)
{
    const char *text  = csv_text(csv, row, column);
    char       *end   = NULL;
    double      value = strtod(text, &end);
    if (strspn(text, "0123456789+-.eE") != strlen(text) || end == text || *end || !isfinite(value))
        return bad_field(csv, row, column, "a number", error);
    *out = value;
    return true;
}
