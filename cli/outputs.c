/* cli/outputs.c - see outputs.h. */
#include "outputs.h"
#include "../base/file.h"

bool output_folder_check(const char *output, const UsedPath *used, int count, Error *error)
{
    for (int i = 0; i < count; i++)
        if (used[i].path && path_is_same(output, used[i].path))
            return fail(error, ERROR_USAGE, "%s: the output is %s itself; name another one", output,
                        used[i].what);
    return true;
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
