/* cli/class_names.c - see class_names.h. */
#include "class_names.h"
#include "../base/file.h"

#include <string.h>

void class_names_close(ClassNames *names)
{
    memory_free(names->text);
    memory_free(names->lines);
    *names = (ClassNames){0};
}

// Cuts the text at its line ends, LF or CRLF; the last line may lack its own.
static bool split_lines(ClassNames *names, Error *error)
{
    int64_t most = 1;
    for (const char *at = names->text; *at; at++)
        most += *at == '\n';
    names->lines = memory_new((size_t)most, sizeof *names->lines, error);
    if (!names->lines)
        return false;
    for (char *at = names->text; *at;) {
        size_t length                = strcspn(at, "\n");
        char  *next                  = at + length + (at[length] == '\n');
        names->lines[names->count++] = at;
        at[length]                   = 0;
        if (length && at[length - 1] == '\r')
            at[length - 1] = 0;
        at = next;
    }
    return true;
}

static bool read_names(ClassNames *out, const char *path, Error *error)
{
    Bytes bytes = {0};
    bool  ok    = file_read(path, LIMIT_TEXT_FILE, &bytes, error);
    if (ok && memchr(bytes.data, 0, bytes.size))
        ok = fail(error, ERROR_DATA, "%s: is no text; expected a class name on each line", path);
    ok =
        ok && (out->text = memory_text((const char *)bytes.data, error)) && split_lines(out, error);
    bytes_close(&bytes);
    return ok;
}

bool class_names_open(ClassNames *out, const char *path, const char *model, int64_t classes,
                      Error *error)
{
    ClassNames names = {0};
    bool       ok    = read_names(&names, path, error);
    if (ok && names.count != classes)
        ok = fail(error, ERROR_DATA, "%s: has %lld lines, %s has %lld classes", path,
                  (long long)names.count, model, (long long)classes);
    if (ok)
        *out = names;
    else
        class_names_close(&names);
    return ok;
}
