/* cli/command_report.c - a run as a folder of pages. */
#include "commands.h"
#include "clean_run.h"
#include "next.h"
#include "output.h"
#include "outputs.h"
#include "pages_run.h"

#include <string.h>

typedef bool Pages(PagesRun *pages, Error *error);

static const struct {
    const Verb *verb;
    Pages      *write;
    int         maps, robust; // how many runs of manipulate and of robustness may stand beside it
} kinds[] = {{&verb_describe, pages_of_units, 1, 2},        {&verb_dissect, pages_of_units, 1, 2},
             {&verb_noise, pages_of_units, 1, 2},           {&verb_attack, pages_of_units, 1, 2},
             {&verb_attribute, pages_of_maps, 0, 0},        {&verb_manipulate, pages_of_maps, 0, 0},
             {&verb_robustness, pages_of_robustness, 0, 1}, {&verb_agree, pages_of_agreement, 0, 0},
             {&verb_accuracy, pages_of_accuracy, 0, 0}};

enum { KINDS = sizeof kinds / sizeof *kinds, MOST_RUNS = 4 };

// Which pages a run has; -1 where it has none.
static int find_kind(const PagesRun *pages, Error *error)
{
    char names[120] = "";
    int  kind = 0, length = 0;
    while (kind < KINDS && strcmp(kinds[kind].verb->name, pages->verb) != 0)
        kind++;
    if (kind < KINDS)
        return kind;
    for (int i = 0; i < KINDS; i++)
        length += snprintf(names + length, sizeof names - (size_t)length, "%s%s", i ? ", " : "",
                           kinds[i].verb->name);
    fail(error, ERROR_USAGE, "%s: is a run of '%.40s', expected one of %s", pages->told,
         pages->verb, names);
    return -1;
}

// Where a run of this verb goes; NULL if no more of them may be named.
static BesideRun *place_beside(PagesRun *pages, int kind, const char *verb)
{
    bool       is_maps = strcmp(verb, verb_manipulate.name) == 0;
    bool       fits    = is_maps || strcmp(verb, verb_robustness.name) == 0;
    BesideRun *places  = is_maps ? &pages->maps : pages->robust;
    int        most    = is_maps ? kinds[kind].maps : kinds[kind].robust;
    for (int i = 0; fits && i < most; i++)
        if (!places[i].told)
            return &places[i];
    return NULL;
}

static bool refuse_beside(const PagesRun *pages, int kind, const char *told, const char *verb,
                          Error *error)
{
    int maps = kinds[kind].maps, robust = kinds[kind].robust;
    if (maps + robust == 0)
        return fail(error, ERROR_USAGE, "%s: nothing is shown beside a run of '%.40s'", told,
                    pages->verb);
    return fail(error, ERROR_USAGE,
                "%s: is a run of '%.40s'; beside a run of %s, %s of robustness may be named", told,
                verb, pages->verb, maps ? "one of manipulate and two" : "one");
}

static bool read_beside(PagesRun *pages, int kind, Error *error)
{
    for (int i = 1; i < pages->settings.input_count; i++) {
        const char *told = pages->settings.inputs[i], *verb;
        Json        json = {0};
        BesideRun  *place;
        if (!run_folder_read(told, &json, error))
            return false;
        bool ok = run_need(&json, told, "verb", &verb, error) &&
                  ((place = place_beside(pages, kind, verb)) ||
                   refuse_beside(pages, kind, told, verb, error));
        if (!ok) {
            json_free(&json);
            return false;
        }
        *place = (BesideRun){told, json};
    }
    return true;
}

static bool check_film(const PagesRun *pages, Error *error)
{
    return !pages->settings.film || strcmp(pages->verb, verb_attack.name) == 0 ||
           fail(error, ERROR_USAGE, "--film: %s is a run of '%.40s', only an attack has a film",
                pages->told, pages->verb);
}

// RUN-pages beside the run, where -o says nothing else. A run that is named by where it is ("..")
// has no name to add to.
static bool choose_folder(PagesRun *pages, Error *error)
{
    const char *run    = pages->told, *name;
    size_t      length = strlen(run);
    if (pages->settings.out)
        return true;
    while (length > 1 && run[length - 1] == '/')
        length--;
    if (snprintf(pages->out, LIMIT_PATH, "%.*s", (int)length, run) >= LIMIT_PATH - 8)
        return fail(error, ERROR_CREATE, "%.40s...: the path is too long", run);
    name = strrchr(pages->out, '/');
    name = name ? name + 1 : pages->out;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fail(error, ERROR_USAGE, "report: '%s' gives the pages no name; name them with -o",
                    run);
    length = strlen(pages->out);
    snprintf(pages->out + length, LIMIT_PATH - length, "-pages");
    pages->settings.out = pages->out;
    return true;
}

bool pages_begin(PagesRun *pages, const UsedPath *used, int count, Error *error)
{
    const UsedPath runs[] = {{"the run", pages->told},
                             {"the run of maps", pages->maps.told},
                             {"the run of robustness", pages->robust[0].told},
                             {"the second run of robustness", pages->robust[1].told}};
    RunFolder     *folder = &pages->run.folder;
    return output_folder_check(pages->settings.out, runs, MOST_RUNS, error) &&
           output_folder_check(pages->settings.out, used, count, error) &&
           run_folder_claim(folder, &pages->settings, &page_result, error) &&
           run_folder_clear(folder, error);
}

static bool tell(const Settings *settings, const char *folder, Error *error)
{
    char       path[LIMIT_PATH];
    JsonWriter json = {0};
    if (!path_join(path, folder, "index.html", error))
        return false;
    if (!settings->json) {
        print_clean(stdout, path);
        printf("\n");
        return true;
    }
    json_open_object(&json, NULL);
    json_text(&json, "page", path);
    json_close(&json);
    return json_print(&json, error);
}

static bool read_run(PagesRun *pages, int *kind, Error *error)
{
    if (!run_folder_read(pages->told, &pages->json, error) ||
        !run_need(&pages->json, pages->told, "verb", &pages->verb, error) ||
        (*kind = find_kind(pages, error)) < 0 || !check_film(pages, error) ||
        !read_beside(pages, *kind, error))
        return false;
    if (!verb_is_clean(pages->verb)) // else whoever opens the clean run does
        run_folder_note_next(pages->told, &pages->settings);
    return facts_collect(&pages->json, &pages->facts, error);
}

static bool write_pages(PagesRun *pages, int kind, Error *error)
{
    bool ok = kinds[kind].write(pages, error);
    progress_end(&pages->run.progress);
    return ok && run_folder_swap(&pages->run.folder, error) &&
           tell(&pages->settings, pages->run.folder.home, error) && output_flush(error);
}

static bool run(const Settings *settings, Error *error)
{
    PagesRun *pages = memory_new(1, sizeof *pages, error);
    int       kind  = 0;
    if (!pages)
        return false;
    pages->settings = *settings;
    pages->told     = settings->inputs[0];
    run_open(&pages->run, verb_report.name, &pages->settings);
    bool ok = choose_folder(pages, error) && read_run(pages, &kind, error) &&
              write_pages(pages, kind, error);
    if (ok) {
        char page[NEXT_WORD];
        note(settings, "next: open %s in a browser",
             shell_word(pages->settings.out, "/index.html", page));
    }
    run_close(&pages->run);
    json_free(&pages->json);
    json_free(&pages->maps.json);
    json_free(&pages->robust[0].json);
    json_free(&pages->robust[1].json);
    facts_free(&pages->facts);
    memory_free(pages);
    return ok;
}

static const Option options[] = {{.name   = "out",
                                  .letter = 'o',
                                  .kind   = ARGUMENT_TEXT,
                                  .offset = offsetof(Settings, out),
                                  .value  = "DIR",
                                  .help   = "folder to make, with index.html in it (default: "
                                            "RUN-pages)"},
                                 OPTIONS_OF_RUN,
                                 {.name   = "baseline",
                                  .kind   = ARGUMENT_TEXT,
                                  .offset = offsetof(Settings, baseline),
                                  .value  = "RUN",
                                  .help = "where the clean run of a noise or attack is now, if it "
                                          "moved"},
                                 {.name   = "film",
                                  .kind   = ARGUMENT_TEXT,
                                  .offset = offsetof(Settings, film),
                                  .value  = "UNIT",
                                  .help = "the attacked unit that is shown step by step (default: "
                                          "the first on the page), 0-based"},
                                 OPTION_END};

const Verb verb_report = {
    .name        = "report",
    .inputs      = "RUN [RUN_B...]",
    .input_least = 1,
    .input_most  = MOST_RUNS,
    .summary     = "turn a run into pages that open from disk",
    .details =
        "Writes DIR/index.html with a style sheet and pictures: what was run, detectors by "
        "category, the share of labels that changed, and for the most telling units their "
        "images, sums, margins and the corruption once more, step by step. RUN is a run of "
        "describe, dissect, noise or attack; weights, probing set and clean run are looked "
        "for where it found them, or are named. Of a run of attribute or manipulate the "
        "page has photos, maps and what was measured, of a run of robustness maps, curves "
        "and rows, of a run of agree figures beside chance and units side by side, of a run of "
        "accuracy shares with their intervals, from the files of the run alone. RUN_B is shown "
        "beside it: a run of "
        "manipulate, and one or two of robustness, as sections of the page of a run of "
        "units; a run of robustness beside another of the same images.",
    .example    = "nemesis report runs/attack",
    .options    = options,
    .of_methods = METHOD_OPTIONS_FILES,
    .shared     = "threads|batch|limit|max-pixels|compat|progress|overwrite|" SHARED_BY_ALL,
    .run        = run,
};
