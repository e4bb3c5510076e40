/* cli/command_mini.c - writes the mini world, a generated probing set. */
#include "../base/swap.h"
#include "../mini/mini.h"
#include "../probe/probe.h"
#include "commands.h"
#include "../format/json.h"
#include "next.h"
#include "output.h"
#include "progress.h"
#include "signals.h"

static bool step(void *self, int64_t done, int64_t total)
{
    progress_step(self, done, total);
    return !*signals_cancel;
}

// Draws the set; one that is there stays until the new one is whole.
static bool write_world(const Settings *settings, Progress *progress, Error *error)
{
    char path[LIMIT_PATH], index[LIMIT_PATH];
    if (!swap_finish(settings->out, &probe_result, error) ||
        !path_join(index, settings->out, "index.csv", error))
        return false;
    bool replaces = file_exists(index);
    if (replaces && !settings->overwrite)
        return fail(error, ERROR_CREATE, "%s: already holds a probing set (see --overwrite)",
                    settings->out);
    if (!replaces)
        return mini_write(settings->out, settings->seed, settings->images, step, progress, error);
    return swap_clear(settings->out, error) && swap_path(path, settings->out, error) &&
           mini_write(path, settings->seed, settings->images, step, progress, error) &&
           swap_finish(settings->out, &probe_result, error);
}

static bool claim_and_write(const Settings *settings, Progress *progress, Error *error)
{
    char     path[LIMIT_PATH];
    FileLock lock = {0};
    bool     ok   = folder_create(settings->out, error) &&
              path_join(path, settings->out, ".lock", error) && file_lock(&lock, path, error) &&
              write_world(settings, progress, error);
    file_unlock(&lock);
    return ok;
}

static bool draw(const Settings *settings, Error *error)
{
    Progress progress;
    progress_start(&progress, "mini", "images", settings);
    bool ok = claim_and_write(settings, &progress, error);
    progress_end(&progress);
    if (!ok)
        return false;
    if (!settings->json) {
        printf("%lld images of %d x %d, %d labels, seed %llu: ", (long long)settings->images,
               MINI_SIDE, MINI_SIDE, mini_label_count() - 1, (unsigned long long)settings->seed);
        print_clean(stdout, settings->out);
        printf("\n");
        return true;
    }
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    json_text(&json, "path", settings->out);
    json_whole(&json, "images", settings->images);
    json_whole(&json, "labels", mini_label_count() - 1);
    json_natural(&json, "seed", settings->seed);
    json_close(&json);
    return json_print(&json, error);
}

static bool run(const Settings *settings, Error *error)
{
    static const char *const files[] = {"index.csv", "label.csv", "category.csv", "images/", NULL};
    char                     world[NEXT_WORD];
    if (!draw(settings, error) || !tell_results(settings, files, NULL, error))
        return false;
    tell_next(settings, "dissect -m FILE.nw -l LAYER -d %s -o RUN",
              shell_word(settings->out, "", world));
    return true;
}

static const Option options[] = {OPTION_OUT("DIR", "folder of the probing set"),
                                 {.name    = "images",
                                  .kind    = ARGUMENT_WHOLE,
                                  .offset  = offsetof(Settings, images),
                                  .value   = "N",
                                  .initial = "600",
                                  .help    = "images to draw",
                                  .least   = 1,
                                  .most    = 999999},
                                 OPTION_END};

const Verb verb_mini = {
    .name    = "mini",
    .inputs  = "",
    .summary = "write the generated probing set",
    .details = "Draws scenes and boards with exact masks of colours, objects, parts, materials, "
               "scenes and "
               "textures, and writes them in Broden's layout. The same seed gives the same bytes "
               "everywhere; image 17 is the same in a set of 20 and of 2000.",
    .example = "nemesis mini -o runs/mini",
    .options = options,
    .shared  = "seed|progress|overwrite|" SHARED_BY_ALL,
    .run     = run,
};
