/* tests/test_run_folder.c - refused, resumed, overwritten, abandoned: never half a finished run. */
#include "../cli/run_folder.h"
#include "../base/file.h"
#include "test.h"

#include <string.h>

static Settings run_settings(const char *path, bool overwrite, bool resume)
{
    return (Settings){.out = path, .overwrite = overwrite, .resume = resume, .quiet = true};
}

// A finished run with the setting std = value.
static bool finish_run(const char *path, const char *value)
{
    RunFolder  folder   = {0};
    Identity   identity = {0};
    JsonWriter json     = {0};
    Settings   settings = run_settings(path, true, false);
    identity_text(&identity, "std", value);
    json_open_object(&json, NULL);
    identity_write(&json, &identity);
    json_close(&json);
    bool ok = json_finish(&json, NULL) && run_folder_claim(&folder, &settings, &run_result, NULL) &&
              run_folder_begin(&folder, NULL) && run_folder_finish(&folder, &json, NULL);
    run_folder_close(&folder);
    identity_free(&identity);
    json_discard(&json);
    return ok;
}

static char *path_in(const char *name)
{
    static char slots[4][LIMIT_PATH];
    static int  next;
    char       *path = slots[next++ % 4];
    path_join(path, test_folder(), name, NULL);
    return path;
}

static void an_existing_run_is_refused(void)
{
    const char *path     = path_in("run");
    RunFolder   folder   = {0};
    Settings    settings = run_settings(path, false, false);
    Error       error    = {0};
    REQUIRE(finish_run(path, "1"));
    CHECK(!run_folder_claim(&folder, &settings, &run_result, &error));
    CHECK(error.code == ERROR_CREATE && strstr(error.message, "--overwrite"));
}

static void an_empty_folder_is_taken(void)
{
    const char *path     = path_in("run");
    RunFolder   folder   = {0};
    Settings    settings = run_settings(path, false, false);
    REQUIRE(folder_create(path, NULL));
    CHECK(run_folder_claim(&folder, &settings, &run_result, NULL));
    run_folder_close(&folder);
    CHECK(!folder_exists(path));
}

static void a_file_is_no_run_folder(void)
{
    const char *path   = path_in("file");
    RunFolder   folder = {0};
    REQUIRE(file_publish(path, "x", 1, NULL));
    for (int mode = 0; mode < 3; mode++) {
        Settings settings = run_settings(path, mode == 1, mode == 2);
        Error    error    = {0};
        CHECK(!run_folder_claim(&folder, &settings, &run_result, &error) &&
              error.code == ERROR_CREATE);
    }
    CHECK(file_exists(path));
}

static void a_failed_run_leaves_no_folder(void)
{
    const char *path     = path_in("run");
    RunFolder   folder   = {0};
    Settings    settings = run_settings(path, false, false);
    REQUIRE(run_folder_claim(&folder, &settings, &run_result, NULL));
    CHECK(folder_exists(path));
    run_folder_close(&folder);
    CHECK(!folder_exists(path));
}

static void abandoning_keeps_what_is_in_the_folder(void)
{
    const char *path     = path_in("run");
    RunFolder   folder   = {0};
    Settings    settings = run_settings(path, false, false);
    REQUIRE(run_folder_claim(&folder, &settings, &run_result, NULL));
    char name[LIMIT_PATH];
    REQUIRE(path_join(name, path, "notes.txt", NULL) && file_publish(name, "x", 1, NULL));
    run_folder_close(&folder);
    CHECK(file_exists(name));
}

static void resuming_a_finished_run_has_nothing_to_do(void)
{
    const char *path     = path_in("run");
    RunFolder   folder   = {0};
    Identity    identity = {0};
    Settings    settings = run_settings(path, false, true);
    REQUIRE(finish_run(path, "0.02"));
    identity_text(&identity, "std", "0.02");
    REQUIRE(run_folder_claim(&folder, &settings, &run_result, NULL));
    CHECK(run_folder_compare(&folder, &settings, &identity, NULL));
    CHECK(folder.is_done && !folder.has_checkpoint);
    run_folder_close(&folder);
    identity_free(&identity);
}

static void resuming_with_other_settings_is_refused(void)
{
    const char *path     = path_in("run");
    RunFolder   folder   = {0};
    Identity    identity = {0};
    Settings    settings = run_settings(path, false, true);
    Error       error    = {0};
    REQUIRE(finish_run(path, "0.02"));
    identity_text(&identity, "std", "0.05");
    REQUIRE(run_folder_claim(&folder, &settings, &run_result, NULL));
    CHECK(!run_folder_compare(&folder, &settings, &identity, &error));
    CHECK(error.code == ERROR_CREATE && strstr(error.message, "std was '0.02', now it is '0.05'"));
    run_folder_close(&folder);
    identity_free(&identity);
}

static void a_checkpoint_belongs_to_its_settings(void)
{
    const char *path = path_in("run");
    char        rows[LIMIT_PATH];
    Settings    settings = run_settings(path, false, true);
    Identity    identity = {0}, other = {0};
    RunFolder   folder = {0};
    identity_text(&identity, "std", "1");
    identity_text(&other, "std", "2");
    REQUIRE(run_folder_claim(&folder, &settings, &run_result, NULL));
    REQUIRE(run_folder_start(&folder, &identity, NULL));
    REQUIRE(path_join(rows, path, "changes.csv", NULL) && file_publish(rows, "x", 1, NULL));
    run_folder_close(&folder);
    REQUIRE(run_folder_claim(&folder, &settings, &run_result, NULL));
    CHECK(run_folder_compare(&folder, &settings, &identity, NULL));
    CHECK(folder.has_checkpoint && !folder.is_done);
    CHECK(run_folder_begin(&folder, NULL) && file_exists(rows));
    CHECK(!run_folder_compare(&folder, &settings, &other, NULL));
    Json json = {0};
    CHECK(!run_folder_read(path, &json, NULL)); // not a finished run
    run_folder_close(&folder);
    identity_free(&identity);
    identity_free(&other);
}

// The files of a finished run, and one that is not ours.
static const char *const old_files[] = {"tally.csv",   "quantile.npy",   "units.csv",
                                        "changes.csv", "summary.csv",    "run.json",
                                        "notes.txt",   "my.checkpoint.x"};
enum { OLD_FILES = sizeof old_files / sizeof *old_files, FOREIGN_FILES = 2 };

static bool has(const char *path, const char *name)
{
    char file[LIMIT_PATH];
    return path_join(file, path, name, NULL) && file_exists(file);
}

static bool add(const char *path, const char *name, const char *text)
{
    char file[LIMIT_PATH];
    return path_join(file, path, name, NULL) && file_publish(file, text, strlen(text), NULL);
}

static bool reads(const char *path, const char *name, const char *text)
{
    char  file[LIMIT_PATH];
    Bytes bytes = {0};
    bool  same  = path_join(file, path, name, NULL) && file_read(file, 1 << 20, &bytes, NULL) &&
                bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
    bytes_close(&bytes);
    return same;
}

static bool old_run(const char *path)
{
    bool ok = finish_run(path, "1");
    for (int i = 0; ok && i < OLD_FILES; i++)
        ok = strcmp(old_files[i], "run.json") == 0 || add(path, old_files[i], "old");
    return ok;
}

static void a_run_stays_until_its_replacement_is_whole(void)
{
    const char *path     = path_in("run");
    Settings    settings = run_settings(path, true, false);
    RunFolder   folder   = {0};
    Identity    identity = {0};
    JsonWriter  json     = {0};
    REQUIRE(old_run(path));
    identity_text(&identity, "std", "2");
    json_open_object(&json, NULL);
    identity_write(&json, &identity);
    json_close(&json);
    REQUIRE(json_finish(&json, NULL));
    REQUIRE(run_folder_claim(&folder, &settings, &run_result, NULL));
    REQUIRE(run_folder_compare(&folder, &settings, &identity, NULL));
    REQUIRE(run_folder_start(&folder, &identity, NULL));
    REQUIRE(add(folder.path, "tally.csv", "new"));
    for (int i = 0; i < OLD_FILES; i++)
        CHECK(has(path, old_files[i]) && (i == 5 || reads(path, old_files[i], "old")));
    REQUIRE(run_folder_finish(&folder, &json, NULL));
    run_folder_close(&folder);
    CHECK(reads(path, "tally.csv", "new") && has(path, "run.json"));
    CHECK(!has(path, "quantile.npy") && !has(path, "units.csv") && !has(path, "changes.csv"));
    CHECK(reads(path, "notes.txt", "old") && reads(path, "my.checkpoint.x", "old"));
    CHECK(!has(path, ".next") && !has(path, ".new") && !has(path, "unfinished.json"));
    identity_free(&identity);
    json_discard(&json);
}

// An abandoned replacement: gone on with by --overwrite --resume, cleared by --overwrite alone.
static void an_unfinished_replacement_can_be_resumed(void)
{
    const char *path     = path_in("run");
    RunFolder   folder   = {0};
    Identity    identity = {0}, other = {0};
    Settings    overwrite = run_settings(path, true, false), both = run_settings(path, true, true);
    Settings    resume = run_settings(path, false, true);
    Error       error  = {0};
    REQUIRE(old_run(path));
    identity_text(&identity, "std", "2");
    identity_text(&other, "std", "3");
    REQUIRE(run_folder_claim(&folder, &overwrite, &run_result, NULL) &&
            run_folder_compare(&folder, &overwrite, &identity, NULL) &&
            run_folder_start(&folder, &identity, NULL) &&
            add(folder.path, "any.checkpoint", "kept"));
    run_folder_close(&folder);
    REQUIRE(run_folder_claim(&folder, &resume, &run_result, NULL));
    CHECK(!run_folder_compare(&folder, &resume, &identity, &error));
    CHECK(strstr(error.message, "--overwrite --resume goes on"));
    run_folder_close(&folder);
    REQUIRE(run_folder_claim(&folder, &both, &run_result, NULL));
    CHECK(run_folder_compare(&folder, &both, &identity, NULL) && folder.has_checkpoint);
    CHECK(reads(folder.path, "any.checkpoint", "kept"));
    run_folder_close(&folder);
    REQUIRE(run_folder_claim(&folder, &both, &run_result, NULL));
    CHECK(run_folder_compare(&folder, &both, &other, NULL) && !folder.has_checkpoint);
    CHECK(!has(folder.path, "any.checkpoint"));
    run_folder_close(&folder);
    CHECK(!has(path, ".next") && has(path, "run.json"));
    identity_free(&identity);
    identity_free(&other);
}

static void overwriting_an_unfinished_run_starts_it_over(void)
{
    const char *path     = path_in("run");
    Settings    settings = run_settings(path, true, false);
    RunFolder   folder   = {0};
    REQUIRE(folder_create(path, NULL));
    for (int i = 0; i < OLD_FILES; i++)
        REQUIRE(strcmp(old_files[i], "run.json") == 0 || add(path, old_files[i], "old"));
    REQUIRE(add(path, "any.checkpoint", "old") && add(path, "unfinished.json", "{}"));
    REQUIRE(run_folder_claim(&folder, &settings, &run_result, NULL));
    CHECK(has(path, "tally.csv") && has(path, "any.checkpoint"));
    REQUIRE(run_folder_begin(&folder, NULL));
    CHECK(!has(path, "tally.csv") && !has(path, "any.checkpoint") && !has(path, "unfinished.json"));
    CHECK(has(path, "notes.txt") && has(path, "my.checkpoint.x"));
    run_folder_close(&folder);
}

static void a_damaged_run_json_is_told(void)
{
    const char *path = path_in("run");
    char        document[LIMIT_PATH];
    Json        json  = {0};
    Error       error = {0};
    REQUIRE(finish_run(path, "1"));
    REQUIRE(path_join(document, path, "run.json", NULL) && file_publish(document, "{", 1, NULL));
    CHECK(!run_folder_read(path, &json, &error) && error.code == ERROR_DATA);
    error = (Error){0};
    CHECK(!run_folder_read(path_in("none"), &json, &error) && error.code == ERROR_NOT_FOUND);
}

SUITE(run_folder)
{
    RUN(an_existing_run_is_refused);
    RUN(an_empty_folder_is_taken);
    RUN(a_file_is_no_run_folder);
    RUN(a_failed_run_leaves_no_folder);
    RUN(abandoning_keeps_what_is_in_the_folder);
    RUN(resuming_a_finished_run_has_nothing_to_do);
    RUN(resuming_with_other_settings_is_refused);
    RUN(a_checkpoint_belongs_to_its_settings);
    RUN(a_run_stays_until_its_replacement_is_whole);
    RUN(an_unfinished_replacement_can_be_resumed);
    RUN(overwriting_an_unfinished_run_starts_it_over);
    RUN(a_damaged_run_json_is_told);
}
