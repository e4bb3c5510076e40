/* cli/run_folder.c - see run_folder.h. */
#include "run_folder.h"
#include "../nem/method.h"
#include "output.h"

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

void identity_numbers(Identity *identity, const char *name, const NumberList *list)
{
    char   text[ARGUMENT_LIST * 32] = "";
    size_t used                     = 0;
    for (int i = 0; i < list->count; i++) {
        char number[32];
        number_text(list->value[i], number);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "," : "", number);
    }
    identity_text(identity, name, text);
}

void identity_free(Identity *identity)
{
    for (int i = 0; i < identity->count; i++)
        memory_free(identity->value[i]);
    *identity = (Identity){0};
}

void identity_write(JsonWriter *json, const Identity *identity)
{
    json_open_object(json, "settings");
    for (int i = 0; i < identity->count; i++)
        json_text(json, identity->name[i], identity->value[i]);
    json_close(json);
}

static bool is_empty(const char *path, bool *out, Error *error)
{
    char  **names = NULL;
    int64_t count = 0;
    if (!folder_list(path, &names, &count, error))
        return false;
    names_free(names, count);
    *out = count == 0;
    return true;
}

bool run_folder_claim(RunFolder *out, const Settings *settings, Error *error)
{
    RunFolder folder = {0};
    char      lock[LIMIT_PATH];
    if (strlen(settings->out) >= LIMIT_PATH - 16)
        return fail(error, ERROR_CREATE, "output path has more than %d bytes", LIMIT_PATH - 17);
    snprintf(folder.path, sizeof folder.path, "%s", settings->out);
    folder.is_new = !folder_exists(folder.path);
    if (!folder_create(folder.path, error) || !path_join(lock, folder.path, ".lock", error) ||
        !file_lock(&folder.lock, lock, error))
        return false;
    bool ok =
        temporaries_remove(folder.path, error) && is_empty(folder.path, &folder.is_new, error);
    if (ok && !folder.is_new && !settings->overwrite && !settings->resume)
        ok = fail(error, ERROR_CREATE,
                  "%s: exists already; --resume goes on with it, --overwrite replaces it",
                  folder.path);
    if (!ok) {
        run_folder_close(&folder);
        return false;
    }
    *out = folder;
    return true;
}

void run_folder_close(RunFolder *folder)
{
    if (!folder->path[0])
        return;
    file_unlock(&folder->lock);
    if (folder->is_new)
        folder_remove(folder->path); // refuses if something is in it
    *folder = (RunFolder){0};
}

static bool read_json_in(const char *folder, const char *file, Json *out, Error *error)
{
    char  name[LIMIT_PATH];
    Bytes bytes = {0};
    bool  ok = path_join(name, folder, file, error) && file_read(name, JSON_BYTES, &bytes, error) &&
              json_read(bytes.data, bytes.size, name, out, error);
    bytes_close(&bytes);
    return ok;
}

static bool has_file(const char *folder, const char *file)
{
    char name[LIMIT_PATH];
    return path_join(name, folder, file, NULL) && file_exists(name);
}

bool run_folder_read(const char *path, Json *out, Error *error)
{
    if (!has_file(path, "run.json"))
        return fail(error, ERROR_NOT_FOUND, "%s: %s", path,
                    folder_exists(path) ? "is not a finished run: it has no run.json"
                                        : "there is no such run folder");
    return read_json_in(path, "run.json", out, error);
}

// Whether the run described by `file` has these settings; an error names the first that differs.
static bool same_settings(const char *folder, const char *file, const Identity *identity,
                          Error *error)
{
    Json json = {0};
    if (!read_json_in(folder, file, &json, error))
        return false;
    const JsonNode *settings = json_member(&json, json.nodes, "settings");
    bool            same     = true;
    for (int i = 0; same && i < identity->count; i++) {
        const JsonNode *node  = json_member(&json, settings, identity->name[i]);
        const char     *found = node && node->kind == JSON_TEXT ? node->text : "(none)";
        same                  = strcmp(found, identity->value[i]) == 0;
        if (!same)
            fail(error, ERROR_CREATE, "%s: cannot resume: %s was '%.80s', now it is '%.80s'",
                 folder, identity->name[i], found, identity->value[i]);
    }
    json_free(&json);
    return same;
}

bool run_folder_compare(RunFolder *folder, const Settings *settings, const Identity *identity,
                        Error *error)
{
    Error damage = {0};
    if (identity->error.code)
        return fail(error, identity->error.code, "%s", identity->error.message);
    if (!settings->resume || folder->is_new)
        return true;
    folder->is_done = has_file(folder->path, "run.json");
    if (folder->is_done)
        return same_settings(folder->path, "run.json", identity, error);
    if (!has_file(folder->path, "unfinished.json"))
        return true;
    folder->has_checkpoint = same_settings(folder->path, "unfinished.json", identity, &damage);
    if (damage.code == ERROR_DATA)
        note(settings, "%s; the run starts over", damage.message);
    return !damage.code || damage.code == ERROR_DATA ||
           fail(error, damage.code, "%s", damage.message);
}

static bool remove_in(const RunFolder *folder, const char *file, Error *error)
{
    char name[LIMIT_PATH];
    return path_join(name, folder->path, file, error) && file_remove(name, error);
}

static bool remove_all(const RunFolder *folder, const char *const *files, Error *error)
{
    for (int i = 0; files && files[i]; i++)
        if (!remove_in(folder, files[i], error))
            return false;
    return true;
}

// run.json first: without it nothing that is left looks like a finished run.
static bool remove_results(const RunFolder *folder, Error *error)
{
    static const char *const files[] = {"run.json", "units.csv", "changes.csv", "summary.csv",
                                        NULL};
    const Method            *method;
    bool                     ok = remove_all(folder, files, error);
    for (int i = 0; ok && (method = method_at(i)); i++)
        ok = remove_all(folder, method->files, error);
    return ok;
}

static bool is_checkpoint(const char *name)
{
    size_t length = strlen(name), ending = strlen(PASS_FILE_ENDING);
    return length > ending && strcmp(name + length - ending, PASS_FILE_ENDING) == 0;
}

// Of the names of the folder's files.
static bool remove_checkpoints(const RunFolder *folder, char *const *names, int64_t count,
                               Error *error)
{
    bool ok = remove_in(folder, "unfinished.json", error);
    for (int64_t i = 0; ok && i < count; i++)
        ok = !is_checkpoint(names[i]) || remove_in(folder, names[i], error);
    return ok;
}

static bool remove_work(const RunFolder *folder, Error *error)
{
    char  **names = NULL;
    int64_t count = 0;
    bool    ok    = folder_list(folder->path, &names, &count, error) &&
              remove_checkpoints(folder, names, count, error);
    names_free(names, count);
    return ok;
}

bool run_folder_begin(const RunFolder *folder, Error *error)
{
    return folder->has_checkpoint || folder->has_begun ||
           (remove_results(folder, error) && remove_work(folder, error));
}

bool run_folder_start(RunFolder *folder, const Identity *identity, Error *error)
{
    char       name[LIMIT_PATH];
    JsonWriter json = {0};
    if (folder->has_begun || folder->has_checkpoint)
        return true;
    if (!run_folder_begin(folder, error))
        return false;
    json_open_object(&json, NULL);
    identity_write(&json, identity);
    json_close(&json);
    folder->has_begun = json_finish(&json, error) &&
                        path_join(name, folder->path, "unfinished.json", error) &&
                        file_publish(name, json.text, json.length, error);
    json_discard(&json);
    return folder->has_begun;
}

static bool publish_document(const RunFolder *folder, const JsonWriter *json, Error *error)
{
    char name[LIMIT_PATH];
    if (!path_join(name, folder->path, "run.json", error))
        return false;
    if (file_publish(name, json->text, json->length, error))
        return true;
    file_remove(name, NULL); // it may be there and not last: a failed run must not look finished
    return false;
}

bool run_folder_finish(const RunFolder *folder, const JsonWriter *json, Error *error)
{
    char  **names = NULL; // listed before: nothing but a removal may fail in a finished run
    int64_t count = 0;
    bool    ok    = folder_list(folder->path, &names, &count, error) &&
              publish_document(folder, json, error) &&
              remove_checkpoints(folder, names, count, error);
    names_free(names, count);
    return ok;
}

bool run_folder_show_done(const RunFolder *folder, const Settings *settings, Error *error)
{
    char  name[LIMIT_PATH];
    Bytes bytes = {0};
    note(settings, "%s: finished already with these settings, nothing to do", folder->path);
    if (!remove_work(folder, error)) // the end of the run may have been cut off
        return false;
    if (!settings->json)
        return true;
    bool ok = path_join(name, folder->path, "run.json", error) &&
              file_read(name, JSON_BYTES, &bytes, error);
    if (ok)
        fwrite(bytes.data, 1, bytes.size, stdout);
    bytes_close(&bytes);
    return ok;
}
