/* cli/command_attribute.c - explanation maps of images. */
#include "commands.h"
#include "map_files.h"
#include "map_options.h"
#include "map_session.h"
#include "next.h"
#include "output.h"
#include "signals.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_POINTS = 4 };

/* ---- maps ------------------------------------------------------------------------------------ */

static bool open_runner(MapSession *session, const MapMethod *method, const Subject *subject,
                        Error *error)
{
    const Settings *settings = session->settings;
    bool            is_own   = settings->rules && strcmp(method->name, "lrp") == 0;
    MapJob          job      = {.mode      = session->mode,
                                .method    = method,
                                .relevance = is_own ? &session->rules : NULL,
                                .layer     = session->unit >= 0 ? session->layer : NULL,
                                .patterns  = session->patterns,
                                .softplus  = settings->betas.count > 0,
                                .height    = subject->height,
                                .width     = subject->width,
                                .batch     = batch_of(settings, DEFAULT_POINTS),
                                .conv      = (ConvMethod)settings->conv,
                                .baseline  = session->baseline,
                                .copies    = session->copies,
                                .level     = session->level,
                                .seed      = settings->seed};
    Error           cause    = {0};
    bool            is_open  = session->runner.plan && session->runner.job.method == method &&
                   session->runner.job.height == subject->height &&
                   session->runner.job.width == subject->width;
    if (is_open)
        return true;
    if (session->baseline && method->kind == MAP_INTEGRATED &&
        (session->baseline_height != subject->height || session->baseline_width != subject->width))
        return fail(error, ERROR_DATA, "%s: is %lldx%lld, the image %s is %lldx%lld",
                    settings->baseline, (long long)session->baseline_width,
                    (long long)session->baseline_height, subject->name, (long long)subject->width,
                    (long long)subject->height);
    map_runner_close(&session->runner);
    memory_free(session->image);
    session->image =
        memory_new(3 * (size_t)(subject->height * subject->width), sizeof *session->image, error);
    if (!session->image)
        return false;
    if (!map_runner_open(&session->runner, session->blob, &job, &cause))
        return fail(error, cause.code, "method %s: %s", method->name, cause.message);
    if (session->unit >= session->runner.map.units)
        return fail(error, ERROR_USAGE, "--unit: layer '%s' has no unit %lld, there are %lld",
                    session->layer, (long long)session->unit, (long long)session->runner.map.units);
    for (int i = 0; i < session->runner.map.account.count; i++)
        note_more(settings, "%s: %s: %s", method->name, session->runner.map.account.rows[i].layer,
                  session->runner.map.account.rows[i].rule);
    return true;
}

// Names the files of a map: IMAGE-METHOD, and its beta where there are several.
static bool name_map(const MapSession *session, const Subject *subject, double beta,
                     char out[LIMIT_PATH], Error *error)
{
    char ending[40] = "", number[32];
    number_text(beta, number); // as in maps.csv
    if (session->settings->betas.count > 1)
        snprintf(ending, sizeof ending, "-beta%s", number);
    return snprintf(out, LIMIT_PATH, "%s-%s%s", subject->name, session->runner.job.method->name,
                    ending) < LIMIT_PATH ||
           fail(error, ERROR_CREATE, "the name of a map has more than %d bytes", LIMIT_PATH - 1);
}

// From now on what is in the folder is of this run, and stays. Nothing is touched before the first
// map is there.
static bool begin_results(MapSession *session, Error *error)
{
    return session->maps ||
           (run_folder_start(&session->run.folder, &session->run.identity, error) &&
            map_tables_open(session, error));
}

// Runs the method that is open, and writes arrays and pictures.
static bool make_map(MapSession *session, double beta, int64_t index, Error *error)
{
    const Settings *settings = session->settings;
    const Subject  *subject  = &session->subjects.list[index];
    MapRunner      *runner   = &session->runner;
    char            name[LIMIT_PATH];
    if (!subject_load(&session->subjects, index, session->image, error) ||
        !name_map(session, subject, beta, name, error))
        return false;
    if (beta > 0)
        map_runner_beta(runner, beta);
    map_runner_run(runner, session->image, session->unit >= 0 ? session->unit : subject->class,
                   (uint64_t)index);
    if (!isfinite(runner->sum))
        return fail(error, ERROR_DATA, "%s: the map of method %s is not finite", subject->name,
                    runner->job.method->name);
    MapFiles files = {.folder      = session->run.folder.path,
                      .name        = name,
                      .map         = runner->form,
                      .raw         = settings->raw ? runner->raw : NULL,
                      .channels    = runner->channels,
                      .height      = subject->height,
                      .width       = subject->width,
                      .image       = session->image,
                      .preparation = blob_preparation(session->blob)};
    MapFiles photo = files;
    photo.name     = subject->name;
    return begin_results(session, error) && map_files_write(&files, error) &&
           (session->done >= session->subjects.count || map_photo_write(&photo, error)) &&
           map_saved_add(session, error);
}

static bool explain(MapSession *session, const MapMethod *method, double beta, int64_t index,
                    Error *error)
{
    const Subject *subject = &session->subjects.list[index];
    if (!open_runner(session, method, subject, error) ||
        !(session->done < session->saved_count ? map_saved_take(session, error)
                                               : make_map(session, beta, index, error)) ||
        !begin_results(session, error))
        return false;
    map_tables_add(session, subject, beta);
    if (++session->done > session->saved_count)
        progress_step(&session->run.progress, session->done, session->total);
    return !*signals_cancel ||
           fail(error, ERROR_AGAIN, "interrupted after %lld of %lld maps" CHECKPOINT_HINT,
                (long long)session->done, (long long)session->total);
}

// The same for --dry-run, which keeps nothing.
static bool watch(MapSession *session, const MapMethod *method, double beta, int64_t index,
                  Error *error)
{
    const Subject *subject = &session->subjects.list[index];
    MapRunner     *runner  = &session->runner;
    if (!open_runner(session, method, subject, error) ||
        !subject_load(&session->subjects, index, session->image, error))
        return false;
    if (beta > 0)
        map_runner_beta(runner, beta);
    map_runner_run(runner, session->image, session->unit >= 0 ? session->unit : subject->class,
                   (uint64_t)index);
    session->bytes += subject->height * subject->width * (session->settings->raw ? 20 : 8);
    rehearsal_step(&session->run.rehearsal, ++session->done, session->total);
    return !session->run.rehearsal.stop || fail(error, ERROR_AGAIN, "interrupted");
}

static bool explain_all(MapSession *session, Error *error)
{
    const NumberList *betas  = &session->settings->betas;
    int               passes = betas->count ? betas->count : 1;
    session->total           = (int64_t)session->method_count * passes * session->subjects.count;
    bool is_dry              = session->settings->dry_run;
    bool ok                  = map_saved_open(session, error);
    if (is_dry)
        rehearsal_step(&session->run.rehearsal, 0, session->total);
    else
        progress_step(&session->run.progress, session->saved_count, session->total);
    for (int m = 0; ok && m < session->method_count; m++)
        for (int b = 0; ok && b < passes; b++)
            for (int64_t i = 0; ok && i < session->subjects.count; i++)
                ok = (is_dry ? watch : explain)(session, session->methods[m],
                                                betas->count ? betas->value[b] : 0, i, error);
    progress_end(&session->run.progress);
    return ok && (is_dry || begin_results(session, error));
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool finish(MapSession *session, Error *error)
{
    Run       *run  = &session->run;
    JsonWriter json = {0};
    run_document_start(run, &json);
    run_weights(run, session->blob, &json);
    map_options_mode_json(&session->mode, &json);
    map_options_activation_json(&session->activation, &json);
    json_open_object(&json, "counts");
    json_whole(&json, "images", session->subjects.count);
    json_whole(&json, "maps", session->done);
    json_whole(&json, "skipped", session->subjects.skipped);
    json_close(&json);
    if (session->runner.has_completeness || session->worst_completeness > 0)
        json_number(&json, "largest_completeness_error", session->worst_completeness);
    if (map_session_has_relevance(session))
        json_number(&json, "largest_conservation_error", session->worst_conservation);
    int64_t batch = batch_of(session->settings, DEFAULT_POINTS);
    bool    ok    = run_document_end(run, batch, &json, error);
    json_discard(&json);
    return ok;
}

static bool make_maps(MapSession *session, Error *error)
{
    const Settings *settings = session->settings;
    const char *class        = settings->explained_class ? settings->explained_class : "predicted";
    // A unit has no class, and its network may end without any.
    bool ok = (session->unit >= 0 ||
               subjects_choose(&session->subjects, class, (ConvMethod)settings->conv, error)) &&
              explain_all(session, error);
    if (settings->dry_run) {
        int64_t       made = session->done ? session->done : 1;
        RehearsedWork work = {.result_bytes = session->bytes / made * session->total};
        return run_rehearsed(&session->run, ok, &work, error);
    }
    return ok && map_tables_publish(session, error) && finish(session, error) &&
           map_tables_show(session, error);
}

static void close_session(MapSession *session)
{
    table_print(&session->table, NULL, NULL);
    writer_discard(session->maps);
    writer_discard(session->account);
    map_runner_close(&session->runner);
    subjects_close(&session->subjects);
    memory_free(session->records);
    memory_free(session->sums);
    memory_free(session->baseline);
    memory_free(session->image);
    blob_close(session->patterns);
    blob_close(session->blob);
    run_close(&session->run);
}

static bool run(const Settings *settings, Error *error)
{
    static const char *const files[] = {"maps.csv", "*.npy", "*.png", NULL};
    MapSession               session = {.settings = settings};
    int                      skipped = 0;
    run_open(&session.run, "attribute", settings);
    progress_start(&session.run.progress, "attribute", "maps", settings);
    bool ok = map_session_open(&session, error);
    if (ok)
        ok = session.run.folder.is_done ? run_folder_show_done(&session.run.folder, settings, error)
                                        : make_maps(&session, error);
    ok = ok && tell_results(settings, files, NULL, error);
    if (ok)
        tell_next_report(settings);
    skipped = session.subjects.skipped;
    close_session(&session);
    if (ok && skipped)
        return fail(error, ERROR_SKIPPED, "%d of %d inputs were skipped", skipped,
                    settings->input_count);
    return ok;
}

static const char *word_of(const char *words, int index)
{
    size_t length;
    return word_at(words, index, &length) ? word_text(words, index) : NULL;
}

static const char *sign_word(int index)
{
    return word_of(MAP_SIGN_NAMES, index);
}

static const char *scale_word(int index)
{
    return word_of(MAP_SCALE_NAMES, index);
}

static const char *path_word(int index)
{
    return word_of(PATH_NAMES, index);
}

static const Option options[] = {
    OPTION_MODEL,
    {.name   = "method",
     .kind   = ARGUMENT_CHOICES,
     .offset = offsetof(Settings, maps),
     .value  = MAP_METHOD_NAMES "|all",
     .shown  = "NAME[,NAME...]|all",
     .help   = "gradient, gradient-x-input, integrated, guided, deconvnet, gradcam, pattern, lrp, "
               "and by their rules lrp-epsilon, lrp-gamma, lrp-alpha2beta1, lrp-epsilon-plus, "
               "lrp-gamma-box, lrp-plus-box, lrp-epsilon-plus-flat, lrp-alpha2beta1-flat; of "
               "transformers rollout, gradient-rollout, lrp-transformer, attnlrp; all: those that "
               "explain this network",
     .required = true},
    OPTION_OUT("DIR", "folder of the maps"),
    {.name   = "class",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, explained_class),
     .value  = "K|predicted|label",
     .help   = "class that is explained; label: the place of the image's folder among the folders "
               "beside it (default: predicted)"},
    {.name   = "unit",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, explained_unit),
     .value  = "LAYER:U",
     .help   = "a unit in place of a class: the sum of its map is explained"},
    {.name   = "beta",
     .kind   = ARGUMENT_NUMBERS,
     .offset = offsetof(Settings, betas),
     .value  = "B[,B...]",
     .help  = "explain the network with softplus of this beta in place of every ReLU; the class is "
              "that of the network with ReLU",
     .least = 1e-3,
     .most  = 1e6},
    {.name   = "smooth",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, smooth),
     .value  = "N:LEVEL",
     .help   = "SmoothGrad: the mean over N copies with normal noise, its deviation a share of the "
               "range of pixels"},
    OPTION_PATTERNS,
    {.name   = "steps",
     .kind   = ARGUMENT_WHOLE,
     .offset = offsetof(Settings, steps),
     .value  = "N",
     .help   = "steps of integrated gradients (default: the compat mode's)",
     .least  = 1,
     .most   = 10000},
    {.name   = "path",
     .kind   = ARGUMENT_NAME,
     .offset = offsetof(Settings, path),
     .value  = "RULE",
     .word   = path_word,
     .help = "points on their path: right ends, both ends, or Gauss-Legendre (default: the compat "
             "mode's)"},
    {.name   = "baseline",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, baseline),
     .value  = "zero|FILE",
     .help   = "where their path begins: zeros of the prepared tensor, a photo or an .npy"},
    {.name   = "rules",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, rules),
     .value  = "FILE",
     .help   = "rules of method lrp: lines of first|conv|dense|sum|mean and a rule"},
    {.name   = "map-sign",
     .kind   = ARGUMENT_NAME,
     .offset = offsetof(Settings, map_sign),
     .value  = "SIGN",
     .word   = sign_word,
     .help   = "of values before channels are added up: dropped, negative ones dropped, or kept "
               "(default: the compat mode's)"},
    {.name   = "map-scale",
     .kind   = ARGUMENT_NAME,
     .offset = offsetof(Settings, map_scale),
     .value  = "SCALE",
     .word   = scale_word,
     .help = "divide a map by its sum, by its largest value, or not (default: the compat mode's)"},
    {.name   = "raw",
     .kind   = ARGUMENT_FLAG,
     .offset = offsetof(Settings, raw),
     .help   = "also the attribution of every channel, NAME-METHOD-raw.npy"},
    OPTION_CONV_EXACT,
    OPTION_END};

const Verb verb_attribute = {
    .name        = "attribute",
    .inputs      = "INPUT...",
    .input_least = 1,
    .input_most  = 1 << 20,
    .summary     = "explanation maps: which pixels count for a decision",
    .details =
        "INPUT is photos, prepared as the weight blob says, and .npy arrays of float32 "
        "[n, 3, h, w] that are the prepared input and taken as they are. Of every input and method "
        "DIR gets the map NAME-METHOD.npy, pictures of it alone and over the photo, and a row in "
        "maps.csv; relevance propagation (lrp...) also says in conservation.csv where relevance "
        "went. Photos that cannot be read are reported and skipped (exit 3).",
    .example = "nemesis attribute -m vgg16.nw photo.jpg --method gradient,lrp -o runs/maps",
    .options = options,
    .shared  = "threads|batch|seed|limit|max-pixels|compat|progress|overwrite|resume|dry-"
               "run|" SHARED_BY_ALL,
    .run     = run,
};
