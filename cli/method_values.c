/* cli/method_values.c - what the options of one method are set to. */
#include "../base/digest.h"
#include "../base/file.h"
#include "../models/embedded.h"
#include "method_options.h"

#include <stdio.h>
#include <string.h>

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
    for (int i = 0; (row = method_option_row(i)); i++) {
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
        if (row->kind == METHOD_FOLDER)
            continue;
        if (row->kind == METHOD_COUNT && values->value[i] && whole_parse(values->value[i], &count))
            identity_whole(identity, row->name, count);
        else if (!values->value[i] && method_embedded(row, embedded))
            identity_text(identity, row->name, embedded);
        else
            identity_text(identity, row->name,
                          *values->sha256[i] ? values->sha256[i] : values->value[i]);
    }
}
