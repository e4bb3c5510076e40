/* cli/command_mini.c - writes the mini world, a generated probing set. */
#include "../base/file.h"
#include "../mini/mini.h"
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

// An index.csv that is there is a finished set.
static bool claim(const Settings *settings, Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, settings->out, "index.csv", error))
        return false;
    if (file_exists(path) && !settings->overwrite)
        return fail(error, ERROR_CREATE, "%s: already holds a probing set (see --overwrite)",
                    settings->out);
    return file_remove(path, error);
}

static bool draw(const Settings *settings, Error *error)
{
    Progress progress;
    if (!claim(settings, error))
        return false;
    progress_start(&progress, "mini", "images", settings);
    bool ok = mini_write(settings->out, settings->seed, settings->images, step, &progress, error);
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
    .run     = run,
};
