/* cli/output.c - see output.h. */
#include "output.h"
#include "../format/json.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

static void note_arguments(const char *format, va_list arguments)
{
    char line[2048];
    vsnprintf(line, sizeof line, format, arguments);
    print_clean(stderr, line);
    fputc('\n', stderr);
}

void note(const Settings *settings, const char *format, ...)
{
    va_list arguments;
    if (settings->quiet)
        return;
    va_start(arguments, format);
    note_arguments(format, arguments);
    va_end(arguments);
}

void note_more(const Settings *settings, const char *format, ...)
{
    va_list arguments;
    if (settings->quiet || !settings->verbose)
        return;
    va_start(arguments, format);
    note_arguments(format, arguments);
    va_end(arguments);
}

bool output_is_unread(void)
{
    struct pollfd end = {.fd = 1, .events = POLLOUT};
    return poll(&end, 1, 0) == 1 && (end.revents & POLLERR);
}

bool output_flush(Error *error)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    return fail(error, ERROR_IO, "standard output: write failed: %s",
                errno ? strerror(errno) : "an earlier write failed");
}

bool json_print(JsonWriter *json, Error *error)
{
    bool ok = json_finish(json, error);
    if (ok)
        fwrite(json->text, 1, json->length, stdout);
    json_discard(json);
    return ok;
}
