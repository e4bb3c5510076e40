/* cli/run_folder.c - see run_folder.h. */
#include "run_folder.h"
#include "../study/study.h"
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

static bool has_file(const char *folder, const char *file)
{
    char name[LIMIT_PATH];
    return path_join(name, folder, file, NULL) && file_exists(name);
}

static bool may_take(const RunFolder *folder, const Settings *settings, Error *error)
{
    return folder->is_new || settings->overwrite || settings->resume ||
           fail(error, ERROR_CREATE,
                folder->kind == &run_result
                    ? "%s: exists already; --resume goes on with it, --overwrite replaces it"
                    : "%s: exists already; --overwrite replaces it",
                folder->home);
}

// The errors of a run that would claim the folder, as far as they can be seen.
static bool look_at(RunFolder *folder, const Settings *settings, const char *lock, Error *error)
{
    long holder    = 0;
    folder->is_dry = true;
    memcpy(folder->path, folder->home, sizeof folder->path);
    if (!file_exists(folder->home)) {
        folder->is_new = true;
        return true;
    }
    if (!folder_exists(folder->home))
        return fail(error, ERROR_CREATE, "%s: exists and is not a folder", folder->home);
    if (file_lock_state(lock, &holder) == LOCK_HELD)
        return fail(error, ERROR_AGAIN, "%s: is held by process %ld; try again when it is done",
                    lock, holder);
    return is_empty(folder->home, &folder->is_new, error) && may_take(folder, settings, error);
}

// Where the run is to be made; what a killed process left half done there is put right.
static bool choose_place(RunFolder *folder, const Settings *settings, Error *error)
{
    if (!temporaries_remove(folder->home, error) ||
        !swap_finish(folder->home, folder->kind, error) ||
        !is_empty(folder->home, &folder->is_new, error))
        return false;
    if (!may_take(folder, settings, error))
        return false;
    folder->replaces = settings->overwrite && has_file(folder->home, folder->kind->last);
    if (!folder->replaces) {
        memcpy(folder->path, folder->home, sizeof folder->path);
        return true;
    }
    return swap_path(folder->path, folder->home, error) && folder_create(folder->path, error) &&
           temporaries_remove(folder->path, error);
}

bool run_folder_claim(RunFolder *out, const Settings *settings, const ResultKind *kind,
                      Error *error)
{
    RunFolder folder = {.kind = kind};
    char      lock[LIMIT_PATH];
    if (strlen(settings->out) >= LIMIT_PATH - 16)
        return fail(error, ERROR_CREATE, "output path has more than %d bytes", LIMIT_PATH - 17);
    snprintf(folder.home, sizeof folder.home, "%s", settings->out);
    folder.is_new = !folder_exists(folder.home);
    if (!path_join(lock, folder.home, ".lock", error))
        return false;
    if (settings->dry_run) {
        bool ok = look_at(&folder, settings, lock, error);
        *out    = folder;
        return ok;
    }
    if (!folder_create(folder.home, error) || !file_lock(&folder.lock, lock, error))
        return false;
    if (!choose_place(&folder, settings, error)) {
        run_folder_close(&folder);
        return false;
    }
    *out = folder;
    return true;
}

void run_folder_close(RunFolder *folder)
{
    if (!folder->home[0] || folder->is_dry) {
        *folder = (RunFolder){0};
        return;
    }
    if (folder->replaces)
        folder_remove(folder->path); // refuses if something is in it
    file_unlock(&folder->lock);
    if (folder->is_new)
        folder_remove(folder->home);
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

bool run_folder_read(const char *path, Json *out, Error *error)
{
    if (!swap_settle(path, &run_result, error))
        return false;
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

// A finished run: nothing to do, or it is another one.
static bool compare_done(RunFolder *folder, const Settings *settings, const Identity *identity,
                         Error *error)
{
    Error other     = {0};
    folder->is_done = same_settings(folder->home, "run.json", identity, &other);
    if (folder->is_done || (settings->overwrite && other.code == ERROR_CREATE))
        return true;
    char next[LIMIT_PATH];
    bool has_next = swap_path(next, folder->home, NULL) && has_file(next, "unfinished.json");
    return fail(error, other.code, "%s%s", other.message,
                has_next ? "; --overwrite --resume goes on with what is to replace it" : "");
}

static bool compare_unfinished(RunFolder *folder, const Settings *settings,
                               const Identity *identity, Error *error)
{
    Error damage = {0};
    if (!has_file(folder->path, "unfinished.json"))
        return true;
    folder->has_checkpoint = same_settings(folder->path, "unfinished.json", identity, &damage);
    bool starts_over =
        damage.code == ERROR_DATA || (settings->overwrite && damage.code == ERROR_CREATE);
    if (starts_over)
        note(settings, "%s; the run starts over", damage.message);
    return !damage.code || starts_over || fail(error, damage.code, "%s", damage.message);
}

// What is to replace a finished run has a folder of its own: what is left there is of no use.
bool run_folder_clear(const RunFolder *folder, Error *error)
{
    return !folder->replaces || folder->has_checkpoint ||
           (swap_clear(folder->home, error) && folder_create(folder->path, error));
}

bool run_folder_compare(RunFolder *folder, const Settings *settings, const Identity *identity,
                        Error *error)
{
    if (identity->error.code)
        return fail(error, identity->error.code, "%s", identity->error.message);
    if (settings->resume && !folder->is_new) {
        if (has_file(folder->home, "run.json") && !compare_done(folder, settings, identity, error))
            return false;
        if (folder->is_done)
            return true;
        if (!compare_unfinished(folder, settings, identity, error))
            return false;
    }
    return run_folder_clear(folder, error);
}

void run_folder_note_next(const char *path, const Settings *settings)
{
    char next[LIMIT_PATH];
    if (swap_path(next, path, NULL) && folder_exists(next))
        note(settings,
             "note: %s holds an unfinished run that is to replace this one; its command with "
             "--overwrite --resume goes on with it, removing the folder gives it up",
             next);
}

static bool remove_in(const char *folder, const char *file, Error *error)
{
    char name[LIMIT_PATH];
    return path_join(name, folder, file, error) && file_remove(name, error);
}

bool is_run_work(const char *name)
{
    size_t length = strlen(name), ending = strlen(PASS_FILE_ENDING);
    return strcmp(name, CHANGES_PART) == 0 || strcmp(name, PROGRESS_FILE) == 0 ||
           strcmp(name, "unfinished.json") == 0 ||
           (length > ending && strcmp(name + length - ending, PASS_FILE_ENDING) == 0 &&
            !strchr(name, '/'));
}

static bool is_one_of(const char *name, const char *const *files)
{
    for (int i = 0; files && files[i]; i++)
        if (strcmp(name, files[i]) == 0)
            return true;
    return false;
}

// poisoned/, the folders of settings in it, and in those images by number.
static bool is_stored(const char *relative)
{
    static const char folder[] = "poisoned";
    const char       *setting  = relative + sizeof folder - 1;
    if (strncmp(relative, folder, sizeof folder - 1) != 0 || (*setting && *setting != '/'))
        return false;
    const char *image = *setting ? strchr(setting + 1, '/') : NULL;
    return !image || strspn(image + 1, "0123456789") >= 6;
}

static bool is_run_part(const char *name)
{
    static const char *const files[] = {"units.csv", "changes.csv", "summary.csv", "similarity.csv",
                                        NULL};
    const Method            *method;
    bool                     found = is_run_work(name) || is_stored(name) || is_one_of(name, files);
    for (int i = 0; !found && (method = method_at(i)); i++)
        found = is_one_of(name, method->files);
    return found;
}

static bool is_page_part(const char *name)
{
    return strcmp(name, "style.css") == 0;
}

const ResultKind run_result  = {"run.json", is_run_part};
const ResultKind page_result = {"index.html", is_page_part};

// Of the names of the folder's files.
static bool remove_checkpoints(const char *folder, char *const *names, int64_t count, Error *error)
{
    bool ok = remove_in(folder, "unfinished.json", error);
    for (int64_t i = 0; ok && i < count; i++)
        ok = !is_run_work(names[i]) || remove_in(folder, names[i], error);
    return ok;
}

static bool remove_work(const char *folder, Error *error)
{
    char  **names = NULL;
    int64_t count = 0;
    bool    ok    = folder_list(folder, &names, &count, error) &&
              remove_checkpoints(folder, names, count, error);
    names_free(names, count);
    return ok;
}

// What tells how far a run is stays: it is this one's already.
bool run_folder_begin(const RunFolder *folder, Error *error)
{
    return folder->has_checkpoint || folder->has_begun ||
           result_remove(folder->path, folder->kind, PROGRESS_FILE, error);
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
    bool    ok =
        folder_list(folder->path, &names, &count, error) && publish_document(folder, json, error) &&
        remove_checkpoints(folder->path, names, count, error) && run_folder_swap(folder, error);
    names_free(names, count);
    return ok;
}

bool run_folder_swap(const RunFolder *folder, Error *error)
{
    return !folder->replaces || swap_finish(folder->home, folder->kind, error);
}

bool run_folder_show_done(const RunFolder *folder, const Settings *settings, Error *error)
{
    char  name[LIMIT_PATH];
    Bytes bytes = {0};
    note(settings, "%s: finished already with these settings, nothing to do", folder->home);
    if (!folder->replaces)
        run_folder_note_next(folder->home, settings);
    if (!folder->is_dry &&
        !remove_work(folder->home, error)) // the end of the run may have been cut off
        return false;
    if (!settings->json)
        return true;
    bool ok = path_join(name, folder->home, "run.json", error) &&
              file_read(name, JSON_BYTES, &bytes, error);
    if (ok)
        fwrite(bytes.data, 1, bytes.size, stdout);
    bytes_close(&bytes);
    return ok;
}
