/* cli/outputs.c - see outputs.h. */
#include "outputs.h"
#include "../base/file.h"

#include <stdio.h>

bool inputs_check(const UsedPath *used, int count, Error *error)
{
    char   missing[1024] = "";
    size_t length        = 0;
    int    lacking       = 0;
    for (int i = 0; i < count; i++)
        if (used[i].path && !file_exists(used[i].path)) {
            if (length < sizeof missing)
                length += (size_t)snprintf(missing + length, sizeof missing - length, "%s%s %s",
                                           lacking ? ", " : "", used[i].what, used[i].path);
            lacking++;
        }
    return lacking < 2 || fail(error, ERROR_NOT_FOUND, "not there: %s", missing);
}

bool output_folder_check(const char *output, const UsedPath *used, int count, Error *error)
{
    for (int i = 0; i < count; i++)
        if (used[i].path && path_is_same(output, used[i].path))
            return fail(error, ERROR_USAGE, "%s: the output is %s itself; name another one", output,
                        used[i].what);
    return true;
}

bool output_file_claim(const Settings *settings, const char *checkpoint, Error *error)
{
    bool is_begun = file_exists(checkpoint);
    if (settings->overwrite || (is_begun && settings->resume))
        return true;
    if (is_begun)
        return fail(error, ERROR_CREATE,
                    "%s: an interrupted run left its work there; --resume goes on with it, "
                    "--overwrite begins anew",
                    checkpoint);
    return !file_exists(settings->out) ||
           fail(error, ERROR_CREATE, "%s: exists (see --overwrite)", settings->out);
}

bool output_file_check(const char *output, const UsedPath *used, int count, Error *error)
{
    if (!output_folder_check(output, used, count, error))
        return false;
    if (folder_exists(output))
        return fail(error, ERROR_CREATE, "%s: is a folder, expected the name of a file", output);
    for (int i = 0; i < count; i++)
        if (used[i].path && folder_exists(used[i].path) && path_is_below(output, used[i].path))
            return fail(error, ERROR_USAGE, "%s: the output is a file of %s; name another one",
                        output, used[i].what);
    return true;
}
