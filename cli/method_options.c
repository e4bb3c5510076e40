/* cli/method_options.c - see method_options.h. */
#include "method_options.h"
#include "../base/digest.h"
#include "../base/file.h"
#include "../models/embedded.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)ARGUMENTS_OF_METHODS == METHOD_OPTIONS, "room for every option");

enum { MOST_COUNTED = 1000000 };

static bool is_taken(MethodOptionsTaken taken, const MethodOption *option)
{
    return taken == METHOD_OPTIONS_ALL ||
           (taken == METHOD_OPTIONS_FILES && option->kind == METHOD_FILE);
}

/* ---- the options of all methods -------------------------------------------------------------- */

// The index-th of any method, each name once.
static const MethodOption *row_at(int index)
{
    const MethodOption *seen[METHOD_OPTIONS];
    const Method       *method;
    int                 count = 0;
    for (int m = 0; (method = method_at(m)); m++)
        for (int i = 0; i < method->option_count && count < METHOD_OPTIONS; i++) {
            bool again = false;
            for (int k = 0; k < count; k++)
                again = again || strcmp(seen[k]->name, method->options[i].name) == 0;
            if (again)
                continue;
            if (count == index)
                return &method->options[i];
            seen[count++] = &method->options[i];
        }
    return NULL;
}

static Option option_of_row(const MethodOption *row, int place)
{
    static const ArgumentKind kinds[] = {[METHOD_FILE]   = ARGUMENT_TEXT,
                                         [METHOD_CHOICE] = ARGUMENT_NAME,
                                         [METHOD_COUNT]  = ARGUMENT_COUNT};
    return (Option){.name   = row->name,
                    .kind   = kinds[row->kind],
                    .offset = offsetof(Settings, of_methods) + (size_t)place * sizeof(const char *),
                    .value  = row->value,
                    .initial   = row->initial,
                    .help      = row->help,
                    .least     = 1,
                    .most      = MOST_COUNTED,
                    .of_method = true};
}

const Option *method_option(MethodOptionsTaken taken, int index)
{
    static Option       made[METHOD_OPTIONS]; // the same each time
    const MethodOption *row;
    for (int place = 0; taken != METHOD_OPTIONS_NONE && (row = row_at(place)); place++)
        if (is_taken(taken, row) && index-- == 0) {
            made[place] = option_of_row(row, place);
            return &made[place];
        }
    return NULL;
}

/* ---- the values of one ----------------------------------------------------------------------- */

// The place of a name among the method's options; -1 if it has none of that name.
static int place_in(const Method *method, const char *name)
{
    for (int i = 0; i < method->option_count; i++)
        if (strcmp(method->options[i].name, name) == 0)
            return i;
    return -1;
}

bool method_values_given(const Method *method, const Settings *settings, MethodValues *out,
                         Error *error)
{
    const MethodOption *row;
    *out = (MethodValues){0};
    for (int i = 0; i < method->option_count; i++)
        out->value[i] = method->options[i].initial;
    for (int i = 0; (row = row_at(i)); i++) {
        const char *given = settings->of_methods[i];
        int         place = place_in(method, row->name);
        if (given && place < 0)
            return fail(error, ERROR_USAGE, "--%s: the method %s does not take it", row->name,
                        method->name);
        if (given)
            out->value[place] = given;
    }
    return true;
}

static bool digest_file(const char *option, const char *path, char out[65], Error *error)
{
    Bytes  bytes = {0};
    Error  cause = {0};
    Sha256 sha;
    if (!file_read(path, SIZE_MAX, &bytes, &cause))
        return fail(error, cause.code, "--%s: %s", option, cause.message);
    sha256_start(&sha);
    sha256_add(&sha, bytes.data, bytes.size);
    sha256_text(&sha, out);
    bytes_close(&bytes);
    return true;
}

bool method_values_digest(const Method *method, MethodValues *values, Error *error)
{
    for (int i = 0; i < method->option_count; i++)
        if (method->options[i].kind == METHOD_FILE && values->value[i] &&
            !digest_file(method->options[i].name, values->value[i], values->sha256[i], error))
            return false;
    return true;
}

bool method_embedded(const MethodOption *option, char out[METHOD_EMBEDDED_TEXT])
{
    Sha256      sha;
    char        digest[65];
    size_t      size = 0;
    const void *data = option->kind == METHOD_FILE ? embedded_blob(option->name, &size) : NULL;
    if (!data)
        return false;
    sha256_start(&sha);
    sha256_add(&sha, data, size);
    sha256_text(&sha, digest);
    snprintf(out, METHOD_EMBEDDED_TEXT, "built-in %s", digest);
    return true;
}

void method_values_identify(const Method *method, const MethodValues *values, Identity *identity)
{
    for (int i = 0; i < method->option_count; i++) {
        const MethodOption *row   = &method->options[i];
        uint64_t            count = 0;
        char                embedded[METHOD_EMBEDDED_TEXT];
        if (row->kind == METHOD_COUNT && values->value[i] && whole_parse(values->value[i], &count))
            identity_whole(identity, row->name, count);
        else if (!values->value[i] && method_embedded(row, embedded))
            identity_text(identity, row->name, embedded);
        else
            identity_text(identity, row->name,
                          *values->sha256[i] ? values->sha256[i] : values->value[i]);
    }
}
