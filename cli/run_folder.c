/* cli/run_folder.c - see run_folder.h. */
#include "run_folder.h"
#include "../engine/file.h"

#include <string.h>

void identity_text(Identity *identity, const char *name, const char *value)
{
    if (identity->count == IDENTITY_ENTRIES) {
        fail(&identity->error, ERROR_INTERNAL, "more than %d settings", IDENTITY_ENTRIES);
        return;
    }
    char *copy = memory_text(value ? value : "(none)", &identity->error);
    if (!copy)
        return;
    identity->name[identity->count]    = name;
    identity->value[identity->count++] = copy;
}

void identity_whole(Identity *identity, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    identity_text(identity, name, text);
}

void identity_number(Identity *identity, const char *name, double value)
{
    char text[32];
    number_text(value, text);
    identity_text(identity, name, text);
}

void identity_free(Identity *identity)
{
    for (int i = 0; i < identity->count; i++)
        memory_free(identity->value[i]);
    *identity = (Identity){0};
}

static bool run_json_path(char out[LIMIT_PATH], const char *folder, Error *error)
{
    return path_join(out, folder, "run.json", error);
}

bool run_folder_claim(RunFolder *out, const Settings *settings, Error *error)
{
    RunFolder folder = {0};
    if (strlen(settings->out) >= LIMIT_PATH - 16)
        return fail(error, ERROR_CREATE, "output path has more than %d bytes", LIMIT_PATH - 17);
    snprintf(folder.path, sizeof folder.path, "%s", settings->out);
    // An empty folder may be taken: it is removed and made anew.
    bool exists = file_exists(folder.path) && !folder_remove(folder.path);
    if (exists && !settings->overwrite && !settings->resume)
        return fail(error, ERROR_CREATE,
                    "%s: exists already; --resume goes on with it, --overwrite replaces it",
                    folder.path);
    if (!folder_create(folder.path, error))
        return false;
    folder.is_new = !exists;
    *out          = folder;
    return true;
}

bool run_folder_read(const char *path, Json *out, Error *error)
{
    char  name[LIMIT_PATH];
    Bytes bytes = {0};
    if (!run_json_path(name, path, error))
        return false;
    if (!file_exists(name))
        return fail(error, ERROR_NOT_FOUND, "%s: %s", path,
                    folder_exists(path) ? "is not a finished run: it has no run.json"
                                        : "there is no such run folder");
    bool ok = file_read(name, JSON_BYTES, &bytes, error) &&
              json_read(bytes.data, bytes.size, name, out, error);
    bytes_close(&bytes);
    return ok;
}

// The first setting that the finished run in `json` has otherwise; -1 if it has them all.
static int first_difference(const Json *json, const Identity *identity)
{
    const JsonNode *settings = json_member(json, json->nodes, "settings");
    for (int i = 0; i < identity->count; i++) {
        const JsonNode *found = json_member(json, settings, identity->name[i]);
        if (!found || found->kind != JSON_TEXT || strcmp(found->text, identity->value[i]) != 0)
            return i;
    }
    return -1;
}

bool run_folder_compare(RunFolder *folder, const Settings *settings, const Identity *identity,
                        Error *error)
{
    char name[LIMIT_PATH];
    Json json = {0};
    if (identity->error.code)
        return fail(error, identity->error.code, "%s", identity->error.message);
    if (!settings->resume || folder->is_new)
        return true;
    if (!run_json_path(name, folder->path, error))
        return false;
    if (!file_exists(name))
        return true;
    if (!run_folder_read(folder->path, &json, error))
        return false;
    int different   = first_difference(&json, identity);
    folder->is_done = different < 0;
    if (different >= 0) {
        const JsonNode *node = json_member(&json, json_member(&json, json.nodes, "settings"),
                                           identity->name[different]);
        fail(error, ERROR_CREATE, "%s: is a finished run with %s '%.80s', now it is '%.80s'",
             folder->path, identity->name[different],
             node && node->kind == JSON_TEXT ? node->text : "(none)", identity->value[different]);
    }
    json_free(&json);
    return folder->is_done;
}

bool run_folder_begin(const RunFolder *folder, Error *error)
{
    char name[LIMIT_PATH];
    return run_json_path(name, folder->path, error) && file_remove(name, error);
}

bool run_folder_finish(const RunFolder *folder, const JsonWriter *json, Error *error)
{
    char name[LIMIT_PATH];
    return run_json_path(name, folder->path, error) &&
           file_publish(name, json->text, json->length, error);
}

void run_folder_abandon(const RunFolder *folder)
{
    if (folder->is_new)
        folder_remove(folder->path);
}
