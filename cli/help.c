/* cli/help.c - the help of one verb. */
#include "manual.h"

#include <string.h>

// The left column: "-t, --threads N".
static int option_title(const Option *option, char *out, size_t size)
{
    char        letter[8] = "    ";
    const char *value     = option_shown(option);
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    return snprintf(out, size, "  %s--%s%s%s", letter, option->name, value ? " " : "",
                    value ? value : "");
}

// Characters up to where a line may end: any blank, or, in a usage line, one before an option, so
// that an option and its value stay together.
static int piece_length(const char *text, bool usage)
{
    size_t length = strcspn(text, " ");
    while (usage && text[length] && text[length + 1] != '-' && text[length + 1] != '[')
        length += 1 + strcspn(text + length + 1, " ");
    return (int)length;
}

// Goes on at column `at`; the lines after the first begin at `column`.
static void print_wrapped(FILE *stream, const char *text, int at, int column, bool usage)
{
    bool is_first = true;
    while (*text) {
        int length = piece_length(text, usage);
        if (!is_first && at + 1 + length > HELP_WIDTH) {
            fprintf(stream, "\n%*s", column, "");
            at = column;
        } else if (!is_first) {
            fputc(' ', stream);
            at++;
        }
        fprintf(stream, "%.*s", length, text);
        is_first = false;
        at += length;
        text += (size_t)length + strspn(text + length, " ");
    }
    fputc('\n', stream);
}

void help_titled(FILE *stream, const char *title, const char *text, int column)
{
    print_wrapped(stream, text, fprintf(stream, "%s", title), column, false);
}

// How much of a title stands on a line of this room: all of it, or what ends with the last | there.
static int title_line(const char *title, int room)
{
    int length = (int)strlen(title), end = room;
    if (length <= room)
        return length;
    while (end > 0 && title[end - 1] != '|')
        end--;
    return end > 0 ? end : length;
}

static void print_title(FILE *stream, const char *title)
{
    enum { INDENT = 8 };
    int length = title_line(title, HELP_WIDTH);
    fprintf(stream, "%.*s", length, title);
    while (*(title += length)) {
        length = title_line(title, HELP_WIDTH - INDENT);
        fprintf(stream, "\n%*s%.*s", INDENT, "", length, title);
    }
}

static void print_option(FILE *stream, const Option *option)
{
    enum { COLUMN = 28 };
    char title[HELP_LINE], help[HELP_LINE];
    int  width = option_title(option, title, sizeof title);
    option_words(option, help);
    print_title(stream, title);
    if (width + 2 > COLUMN)
        fprintf(stream, "\n%*s", COLUMN, "");
    else
        fprintf(stream, "%*s", COLUMN - width, "");
    print_wrapped(stream, help, COLUMN, COLUMN, false);
}

void verb_usage(const Verb *verb, char out[HELP_LINE])
{
    int used = snprintf(out, HELP_LINE, "%s", verb->name);
    for (const Option *option = verb->options; option && option->name; option++) {
        if (option->required && option->letter)
            used += snprintf(out + used, (size_t)(HELP_LINE - used), " -%c %s", option->letter,
                             option_shown(option));
        else if (option->required)
            used += snprintf(out + used, (size_t)(HELP_LINE - used), " --%s %s", option->name,
                             option_shown(option));
    }
    snprintf(out + used, (size_t)(HELP_LINE - used), "%s%s [options]", *verb->inputs ? " " : "",
             verb->inputs);
}

void option_words(const Option *option, char out[HELP_LINE])
{
    bool shown = option->initial && strcmp(option->initial, "0") != 0;
    snprintf(out, HELP_LINE, "%s%s%s%s%s", option->help, option->required ? " (required)" : "",
             shown ? " (default: " : "", shown ? option->initial : "", shown ? ")" : "");
}

void arguments_help(const Verb *verb, FILE *stream)
{
    char usage[HELP_LINE], title[64];
    verb_usage(verb, usage);
    snprintf(title, sizeof title, "nemesis %s - ", verb->name);
    help_titled(stream, title, verb->summary, 4);
    fprintf(stream, "\nusage: nemesis ");
    print_wrapped(stream, usage, 15, 15, true);
    if (*verb->details) {
        fputc('\n', stream);
        print_wrapped(stream, verb->details, 0, 0, false);
    }
    const Option *option;
    fprintf(stream, "\noptions:\n");
    for (int i = 0; (option = verb_option(verb, i)); i++)
        print_option(stream, option);
    fprintf(stream, "\nexample:\n  %s\n", verb->example);
}
