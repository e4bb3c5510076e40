/* cli/next.c - see next.h. */
#include "next.h"
#include "output.h"
#include "sharing.h"

#include <stdarg.h>
#include <string.h>

static int add_names(char *line, int used, int size, const char *const *files)
{
    for (; files && *files && used < size; files++)
        used += snprintf(line + used, (size_t)(size - used), " %s", *files);
    return used;
}

bool tell_results(const Settings *settings, const char *const *files, const char *const *more,
                  Error *error)
{
    enum { LINE = 1024 };
    char line[LINE] = "";
    add_names(line, add_names(line, 0, LINE, files), LINE, more);
    if (!output_flush(error))
        return false;
    if (!settings->dry_run && !sharing_is(settings, SHARING_PIECE))
        note(settings, "%s:%s", settings->out, line);
    return true;
}

const char *shell_word(const char *path, const char *suffix, char out[NEXT_WORD])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./,:+@%=";
    char              text[NEXT_WORD];
    size_t            length = strlen(path), used = 0;
    while (length > 1 && path[length - 1] == '/')
        length--;
    snprintf(text, sizeof text, "%.*s%s", (int)length, path, suffix);
    bool quoted = !text[0] || text[strspn(text, plain)];
    if (quoted)
        out[used++] = '\'';
    for (const char *at = text; *at && used + 6 < NEXT_WORD; at++)
        if (*at == '\'') {
            memcpy(out + used, "'\\''", 4);
            used += 4;
        } else {
            out[used++] = *at;
        }
    if (quoted)
        out[used++] = '\'';
    out[used] = 0;
    return out;
}

void tell_next(const Settings *settings, const char *format, ...)
{
    char    line[3 * NEXT_WORD], program[NEXT_WORD];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    note(settings, "next: %s %s",
         shell_word(settings->command_count ? settings->command[0] : "nemesis", "", program), line);
}

void tell_next_report(const Settings *settings)
{
    char run[NEXT_WORD];
    if (settings->dry_run || sharing_is(settings, SHARING_PIECE))
        return;
    tell_next(settings, "report %s", shell_word(settings->out, "", run));
}
