/* format/table.c - see table.h. */
#include "table.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

// Prints at most `most` characters, then "..." for the rest.
static void print_part(FILE *stream, const char *text, int most)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t left = strlen(text); left > 0; most--) {
        if (most == 0) {
            fprintf(stream, "...");
            return;
        }
        int n = utf8_shown(at, left);
        fprintf(stream, "%.*s", n ? n : 1, n ? (const char *)at : "?");
        int used = n ? n : utf8_length(at, left);
        used     = used ? used : 1;
        at += used;
        left -= (size_t)used;
    }
}

void print_clean(FILE *stream, const char *text)
{
    print_part(stream, text, INT_MAX);
}

void print_name(FILE *stream, const char *name)
{
    print_part(stream, name, NAME_SHOWN);
}

void table_cell(Table *table, const char *format, ...)
{
    char    text[NAME_SHOWN * 4 + 8];
    va_list arguments;
    if (table->error.code)
        return;
    if (table->count == table->room) {
        int    room = table->room ? table->room * 2 : 64;
        char **more = memory_grow(table->cells, (size_t)table->room, (size_t)room, sizeof *more,
                                  &table->error);
        if (!more)
            return;
        table->cells = more;
        table->room  = room;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *cell = memory_text(text, &table->error);
    if (cell)
        table->cells[table->count++] = cell;
}

// Characters, not bytes, as print_name cuts them; a wide script may be off by some columns, never a
// control character.
static int shown_width(const char *text)
{
    const unsigned char *at    = (const unsigned char *)text;
    int                  width = 0;
    for (size_t left = strlen(text); left > 0; width++) {
        int n = utf8_length(at, left);
        n     = n ? n : 1;
        at += n;
        left -= (size_t)n;
    }
    return width > NAME_SHOWN ? NAME_SHOWN + 3 : width;
}

bool table_print(Table *table, FILE *stream, Error *error)
{
    enum { MOST_COLUMNS = 32 };
    int  widths[MOST_COLUMNS] = {0};
    bool ok                   = !table->error.code;
    for (int i = 0; ok && i < table->count; i++) {
        int width = shown_width(table->cells[i]), *widest = &widths[i % table->columns];
        *widest = width > *widest ? width : *widest;
    }
    for (int i = 0; ok && stream && i < table->count; i++) {
        int  column  = i % table->columns;
        bool is_last = column == table->columns - 1;
        int  padding = widths[column] - shown_width(table->cells[i]);
        bool right   = table->alignment[column] == 'r';
        fprintf(stream, "%s%*s", column ? "  " : "", right ? padding : 0, "");
        print_name(stream, table->cells[i]);
        fprintf(stream, "%*s%s", right || is_last ? 0 : padding, "", is_last ? "\n" : "");
    }
    if (!ok)
        fail(error, table->error.code, "%s", table->error.message);
    for (int i = 0; i < table->count; i++)
        memory_free(table->cells[i]);
    memory_free(table->cells);
    *table = (Table){0};
    return ok;
}
