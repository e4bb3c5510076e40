/* cli/run_progress.c - progress.json: what a run tells other processes while it goes on, and what
 * it leaves behind when it does not finish. `nemesis status` reads it (run_state.h). */
#include "run.h"
#include "signals.h"
#include "version.h"

#include <string.h>
#include <unistd.h>

void run_command(const Settings *settings, JsonWriter *json)
{
    json_open_array(json, "command");
    for (int i = 0; i < settings->command_count; i++)
        json_text(json, NULL, settings->command[i]);
    json_close(json);
}

static void write_place(const Run *run, JsonWriter *json)
{
    char text[LIMIT_PATH];
    if (getcwd(text, sizeof text))
        json_text(json, "directory", text);
    if (gethostname(text, sizeof text) == 0) {
        text[sizeof text - 1] = 0;
        json_text(json, "host", text);
    }
    json_whole(json, "process", (int64_t)getpid());
    json_text(json, "started", run->started_at);
}

// `ended`: how, NULL while it goes on.
static void show(const Run *run, const char *ended)
{
    const Progress *progress = &run->progress;
    JsonWriter      json     = {0};
    char            path[LIMIT_PATH];
    json_open_object(&json, NULL);
    json_text(&json, "program", "nemesis");
    json_text(&json, "version", NEMESIS_VERSION);
    json_text(&json, "verb", run->verb);
    run_command(run->settings, &json);
    write_place(run, &json);
    json_text(&json, "ended", ended);
    json_text(&json, "counted", progress->counted);
    json_whole(&json, "done", progress->done);
    json_whole(&json, "total", progress->total);
    json_number(&json, "seconds_left", progress_left(progress));
    json_close(&json);
    if (json_finish(&json, NULL) && path_join(path, run->folder.path, PROGRESS_FILE, NULL))
        file_show(path, json.text, json.length, NULL);
    json_discard(&json);
}

static void tell(void *self)
{
    show(self, NULL);
}

void run_progress_start(Run *run)
{
    show(run, NULL);
    run->progress.watch      = tell;
    run->progress.watch_self = run;
    run->progress.watched    = clock_seconds();
}

static bool has_file(const RunFolder *folder, const char *name)
{
    char path[LIMIT_PATH];
    return path_join(path, folder->path, name, NULL) && file_exists(path);
}

void run_progress_end(Run *run)
{
    const RunFolder *folder = &run->folder;
    char             path[LIMIT_PATH];
    bool             is_told = run->progress.watch != NULL;
    run->progress.watch      = NULL;
    // A replaced folder has moved, a finished run has no progress any more.
    if (!is_told || !folder_exists(folder->path) || has_file(folder, "run.json"))
        return;
    if (folder->has_checkpoint || folder->has_begun)
        show(run, *signals_cancel ? "interrupted" : "failed");
    else if (path_join(path, folder->path, PROGRESS_FILE, NULL))
        file_remove(path, NULL);
}
