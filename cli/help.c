/* cli/help.c - the help of one verb. */
#include "manual.h"

#include <string.h>

// The left column: "-t, --threads N".
static int option_title(const Option *option, char *out, size_t size)
{
    char        letter[8] = "    ";
    const char *choices = option_choices(option), *value = choices ? choices : option->value;
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    return snprintf(out, size, "  %s--%s%s%s", letter, option->name, value ? " " : "",
                    value ? value : "");
}

// Prints text from column `column`, broken between words at 96 columns.
static void print_wrapped(FILE *stream, const char *text, int column)
{
    int at = column;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (at > column && at + 1 + length > 96) {
            fprintf(stream, "\n%*s", column, "");
            at = column;
        } else if (at > column) {
            fputc(' ', stream);
            at++;
        }
        fprintf(stream, "%.*s", length, text);
        at += length;
        text += length + strspn(text + length, " ");
    }
    fputc('\n', stream);
}

static void print_options(FILE *stream, const Option *options)
{
    enum { COLUMN = 34 };
    for (const Option *option = options; option->name; option++) {
        char title[HELP_LINE], help[HELP_LINE];
        int  width = option_title(option, title, sizeof title);
        option_words(option, help);
        if (width + 2 > COLUMN)
            fprintf(stream, "%s\n%*s", title, COLUMN, "");
        else
            fprintf(stream, "%-*s", COLUMN, title);
        print_wrapped(stream, help, COLUMN);
    }
}

void verb_usage(const Verb *verb, char out[HELP_LINE])
{
    int used = snprintf(out, HELP_LINE, "%s", verb->name);
    for (const Option *option = verb->options; option && option->name; option++) {
        if (option->required && option->letter)
            used += snprintf(out + used, (size_t)(HELP_LINE - used), " -%c %s", option->letter,
                             option->value);
        else if (option->required)
            used += snprintf(out + used, (size_t)(HELP_LINE - used), " --%s %s", option->name,
                             option->value);
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
    char usage[HELP_LINE];
    verb_usage(verb, usage);
    fprintf(stream, "nemesis %s - %s\n\nusage: nemesis %s\n", verb->name, verb->summary, usage);
    if (*verb->details) {
        fputc('\n', stream);
        print_wrapped(stream, verb->details, 0);
    }
    if (verb->options && verb->options->name) {
        fprintf(stream, "\noptions:\n");
        print_options(stream, verb->options);
    }
    fprintf(stream, "\nshared options:\n");
    print_options(stream, shared_options);
    fprintf(stream, "\nexample:\n  %s\n", verb->example);
}
