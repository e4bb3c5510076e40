/* cli/command_attribute.c - explanation maps of images. */
#include "../attribution/runner.h"
#include "../base/digest.h"
#include "../base/file.h"
#include "../format/csv.h"
#include "commands.h"
#include "map_files.h"
#include "map_options.h"
#include "next.h"
#include "output.h"
#include "outputs.h"
#include "run.h"
#include "signals.h"
#include "subjects.h"
#include "version.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_POINTS = 4, ROWS_SHOWN = 24, LAYER_BYTES = 64 };

typedef struct Session {
    const Settings  *settings;
    Run              run;
    WeightBlob      *blob, *patterns;
    const MapMethod *methods[ARGUMENT_LIST];
    int              method_count;
    MapMode          mode;
    Composite        rules; // of --rules
    char             layer[LAYER_BYTES];
    int64_t          unit; // of a layer; -1: a class
    int64_t          copies;
    double           level;
    real            *baseline, *image;
    int64_t          baseline_height, baseline_width;
    Subjects         subjects;
    MapRunner        runner; // of the method at hand
    Writer          *maps, *account;
    Table            table;
    int64_t          done, total;
    double           worst_completeness, worst_conservation;
} Session;

/* ---- what was asked for ---------------------------------------------------------------------- */

static void choose_methods(Session *session)
{
    const ChoiceList *wanted = &session->settings->maps;
    const MapMethod  *method;
    bool              all = false;
    for (int i = 0; i < wanted->count; i++)
        all |= map_method_at(wanted->value[i]) == NULL; // the word behind the last method
    for (int i = 0; i < wanted->count && !all; i++)
        session->methods[session->method_count++] = map_method_at(wanted->value[i]);
    for (int i = 0; all && (method = map_method_at(i)); i++)
        if (!method->needs_patterns || session->settings->patterns)
            session->methods[session->method_count++] = method;
}

static bool choose_mode(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    if (!map_options_mode(settings, &session->mode, error))
        return false;
    if (settings->map_sign)
        session->mode.form.sign =
            (MapSign)word_index(MAP_SIGN_NAMES, settings->map_sign, strlen(settings->map_sign));
    if (settings->map_scale)
        session->mode.form.scale =
            (MapScale)word_index(MAP_SCALE_NAMES, settings->map_scale, strlen(settings->map_scale));
    if (settings->path)
        session->mode.path =
            (PathRule)word_index(PATH_NAMES, settings->path, strlen(settings->path));
    if (settings->steps)
        session->mode.steps = (int)settings->steps;
    return true;
}

// "conv3_3:17"
static bool read_unit(Session *session, Error *error)
{
    const char *text  = session->settings->explained_unit;
    const char *colon = text ? strrchr(text, ':') : NULL;
    uint64_t    unit  = 0;
    session->unit     = -1;
    if (!text)
        return true;
    if (!colon || colon == text || colon - text >= LAYER_BYTES || !whole_parse(colon + 1, &unit) ||
        unit >= LIMIT_UNITS)
        return fail(error, ERROR_USAGE, "--unit: '%s' is not LAYER:U", text);
    if (session->settings->explained_class)
        return fail(error, ERROR_USAGE, "--unit and --class: expected one of them");
    snprintf(session->layer, sizeof session->layer, "%.*s", (int)(colon - text), text);
    session->unit = (int64_t)unit;
    return true;
}

static bool read_rules(Session *session, Error *error)
{
    const char *path = session->settings->rules;
    Bytes       text = {0};
    session->rules   = *map_method_named("lrp")->relevance;
    bool ok          = !path || (file_read(path, LIMIT_TEXT_FILE, &text, error) &&
                        composite_parse(&session->rules, (const char *)text.data, path, error));
    bytes_close(&text);
    return ok;
}

static bool read_baseline(Session *session, Error *error)
{
    const char *text = session->settings->baseline;
    return !text || strcmp(text, "zero") == 0 ||
           subject_read(text, session->blob, &session->baseline, &session->baseline_height,
                        &session->baseline_width, error);
}

static bool check_output(const Session *session, Error *error)
{
    const Settings *settings = session->settings;
    const UsedPath  used[]   = {{"the weight blob", settings->model},
                                {"the patterns", settings->patterns},
                                {"the rules", settings->rules},
                                {"the baseline", settings->baseline}};
    if (!output_folder_check(settings->out, used, 4, error))
        return false;
    for (int i = 0; i < settings->input_count; i++)
        if (!output_folder_check(settings->out, &(UsedPath){"an input", settings->inputs[i]}, 1,
                                 error))
            return false;
    return true;
}

/* ---- identity -------------------------------------------------------------------------------- */

static bool add_file(Sha256 *sha, const char *path, Error *error)
{
    Bytes bytes = {0};
    if (!file_read(path, LIMIT_ARRAY_FILE, &bytes, error))
        return false;
    Sha256 own;
    char   text[65];
    sha256_start(&own);
    sha256_add(&own, bytes.data, bytes.size);
    sha256_text(&own, text);
    sha256_add(sha, text, 64);
    bytes_close(&bytes);
    return true;
}

static bool identify_file(Session *session, const char *name, const char *path, Error *error)
{
    Sha256 sha;
    char   digest[65];
    sha256_start(&sha);
    if (path && !add_file(&sha, path, error))
        return false;
    sha256_text(&sha, digest);
    identity_text(&session->run.identity, name, path ? digest : NULL);
    return true;
}

// All that is explained, file after file.
static bool identify_inputs(Session *session, Error *error)
{
    const Subjects *subjects = &session->subjects;
    Sha256          sha;
    char            digest[65];
    sha256_start(&sha);
    for (int64_t i = 0; i < subjects->count; i++)
        if (subjects->list[i].index <= 0 && !add_file(&sha, subjects->list[i].path, error))
            return false;
    sha256_text(&sha, digest);
    identity_text(&session->run.identity, "inputs_sha256", digest);
    return true;
}

static bool identify(Session *session, Error *error)
{
    const Settings *settings     = session->settings;
    const MapMode  *mode         = &session->mode;
    Identity       *identity     = &session->run.identity;
    char            methods[512] = "";
    const char     *baseline     = settings->baseline;
    for (int i = 0; i < session->method_count; i++) {
        size_t used = strlen(methods);
        snprintf(methods + used, sizeof methods - used, "%s%s", i ? "," : "",
                 session->methods[i]->name);
    }
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", session->run.verb);
    identity_text(identity, "weights_sha256", blob_sha256(session->blob));
    identity_whole(identity, "limit", (uint64_t)settings->limit);
    identity_text(identity, "methods", methods);
    identity_text(identity, "class", settings->explained_class);
    identity_text(identity, "unit", settings->explained_unit);
    identity_numbers(identity, "beta", &settings->betas);
    identity_text(identity, "smooth", settings->smooth);
    identity_text(identity, "path", word_text(PATH_NAMES, (int)mode->path));
    identity_whole(identity, "steps", (uint64_t)mode->steps);
    identity_text(identity, "map_sign", word_text(MAP_SIGN_NAMES, (int)mode->form.sign));
    identity_text(identity, "map_scale", word_text(MAP_SCALE_NAMES, (int)mode->form.scale));
    identity_text(identity, "raw", settings->raw ? "yes" : "no");
    identity_text(identity, "conv", word_text(CONV_NAMES, settings->conv));
    identity_text(identity, "compat", mode->name);
    identity_whole(identity, "seed", settings->seed);
    return identify_inputs(session, error) &&
           identify_file(session, "patterns_sha256", settings->patterns, error) &&
           identify_file(session, "rules_sha256", settings->rules, error) &&
           identify_file(session, "baseline_sha256",
                         baseline && strcmp(baseline, "zero") ? baseline : NULL, error);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void number_field(Writer *writer, double value)
{
    char text[32];
    number_text(value, text);
    writer_text(writer, ",%s", text);
}

// What relevance arrived at each layer and what it kept, then the pixels.
static void write_account(Session *session, const Subject *subject, double beta)
{
    const MapRunner *runner = &session->runner;
    const Account   *rows   = &runner->map.account;
    double           lost   = 0;
    for (int i = 0; i <= rows->count && rows->count; i++) {
        bool        is_end = i == rows->count;
        AccountSums sums   = is_end ? (AccountSums){.relevance = runner->sum, .size = runner->size}
                                    : runner->account[i];
        csv_write_text(session->account, subject->name);
        writer_text(session->account, ",%s,", runner->job.method->name);
        csv_write_text(session->account, is_end ? "pixels" : rows->rows[i].layer);
        number_field(session->account, sums.relevance);
        number_field(session->account, sums.bias);
        number_field(session->account, sums.stabiliser);
        number_field(session->account, sums.dead);
        number_field(session->account, sums.size);
        writer_text(session->account, ",%s", is_end ? "" : rows->rows[i].rule);
        if (beta > 0)
            number_field(session->account, beta);
        else
            writer_text(session->account, ",");
        writer_text(session->account, "\n");
        lost += sums.bias + sums.stabiliser + sums.dead;
    }
    if (rows->count && runner->account[0].relevance != 0) {
        double start                = runner->account[0].relevance;
        double share                = fabs((runner->sum + lost - start) / start);
        session->worst_conservation = fmax(session->worst_conservation, share);
    }
}

static void write_row(Session *session, const Subject *subject, double beta)
{
    const Settings  *settings = session->settings;
    const MapRunner *runner   = &session->runner;
    Writer          *writer   = session->maps;
    char             sum[32], error[32], probability[32];
    csv_write_text(writer, subject->name);
    writer_text(writer, ",%s,", runner->job.method->name);
    if (session->unit >= 0)
        csv_write_text(writer, settings->explained_unit);
    else
        writer_text(writer, "%lld", (long long)subject->class);
    number_text(subject->probability, probability);
    writer_text(writer, ",%s", session->unit >= 0 ? "" : probability);
    if (beta > 0)
        number_field(writer, beta);
    else
        writer_text(writer, ",");
    writer_text(writer, ",%s,%s", settings->smooth ? settings->smooth : "",
                word_text(CONV_NAMES, settings->conv));
    number_text(runner->sum, sum);
    number_text(runner->completeness_error, error);
    writer_text(writer, ",%s,%s\n", sum, runner->has_completeness ? error : "");
    if (session->done >= ROWS_SHOWN)
        return;
    table_cell(&session->table, "%s", subject->name);
    table_cell(&session->table, "%s", runner->job.method->name);
    if (session->unit >= 0)
        table_cell(&session->table, "%s", settings->explained_unit);
    else
        table_cell(&session->table, "%lld", (long long)subject->class);
    table_cell(&session->table, session->unit >= 0 ? "" : "%.4f", subject->probability);
    if (beta > 0)
        table_cell(&session->table, "%g", beta);
    else
        table_cell(&session->table, "ReLU");
    table_cell(&session->table, "%.5g", runner->sum);
    if (runner->has_completeness)
        table_cell(&session->table, "%.3g", runner->completeness_error);
    else
        table_cell(&session->table, "%s", "");
}

/* ---- maps ------------------------------------------------------------------------------------ */

static bool open_runner(Session *session, const MapMethod *method, const Subject *subject,
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
                                .batch     = settings->batch ? settings->batch : DEFAULT_POINTS,
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

static bool explain(Session *session, const MapMethod *method, double beta, int64_t index,
                    Error *error)
{
    const Settings *settings = session->settings;
    const Subject  *subject  = &session->subjects.list[index];
    MapRunner      *runner   = &session->runner;
    char            name[LIMIT_PATH], ending[40] = "";
    if (!open_runner(session, method, subject, error) ||
        !subject_load(&session->subjects, index, session->image, error))
        return false;
    if (beta > 0)
        map_runner_beta(runner, beta);
    if (settings->betas.count > 1)
        snprintf(ending, sizeof ending, "-beta%.9g", beta);
    if (snprintf(name, sizeof name, "%s-%s%s", subject->name, method->name, ending) >= LIMIT_PATH)
        return fail(error, ERROR_CREATE, "the name of a map has more than %d bytes",
                    LIMIT_PATH - 1);
    map_runner_run(runner, session->image, session->unit >= 0 ? session->unit : subject->class,
                   (uint64_t)index);
    if (!isfinite(runner->sum))
        return fail(error, ERROR_DATA, "%s: the map of method %s is not finite", subject->name,
                    method->name);
    MapFiles files = {.folder      = session->run.folder.path,
                      .name        = name,
                      .map         = runner->form,
                      .raw         = settings->raw ? runner->raw : NULL,
                      .channels    = runner->channels,
                      .height      = subject->height,
                      .width       = subject->width,
                      .image       = session->image,
                      .preparation = blob_preparation(session->blob)};
    if (!map_files_write(&files, error))
        return false;
    write_account(session, subject, beta);
    write_row(session, subject, beta);
    if (runner->has_completeness)
        session->worst_completeness =
            fmax(session->worst_completeness, fabs(runner->completeness_error));
    progress_step(&session->run.progress, ++session->done, session->total);
    return !*signals_cancel ||
           fail(error, ERROR_AGAIN, "interrupted after %lld of %lld maps; --overwrite starts over",
                (long long)session->done, (long long)session->total);
}

static bool explain_all(Session *session, Error *error)
{
    const NumberList *betas  = &session->settings->betas;
    int               passes = betas->count ? betas->count : 1;
    bool              ok     = true;
    session->total           = (int64_t)session->method_count * passes * session->subjects.count;
    for (int m = 0; ok && m < session->method_count; m++)
        for (int b = 0; ok && b < passes; b++)
            for (int64_t i = 0; ok && i < session->subjects.count; i++)
                ok = explain(session, session->methods[m], betas->count ? betas->value[b] : 0, i,
                             error);
    progress_end(&session->run.progress);
    return ok;
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool has_relevance(const Session *session)
{
    for (int i = 0; i < session->method_count; i++)
        if (session->methods[i]->relevance)
            return true;
    return false;
}

static bool open_tables(Session *session, Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, session->run.folder.path, "maps.csv", error) ||
        !writer_open(&session->maps, path, error))
        return false;
    writer_text(session->maps,
                "image,method,class,probability,beta,smooth,conv,sum,completeness_error\n");
    if (!has_relevance(session))
        return true;
    if (!path_join(path, session->run.folder.path, "conservation.csv", error) ||
        !writer_open(&session->account, path, error))
        return false;
    writer_text(session->account,
                "image,method,layer,relevance,bias,stabiliser,dead,size,rule,beta\n");
    return true;
}

static bool publish(Writer **writer, Error *error)
{
    Writer *whole = *writer;
    *writer       = NULL;
    return !whole || writer_publish(whole, error);
}

static bool finish(Session *session, Error *error)
{
    Run       *run  = &session->run;
    JsonWriter json = {0};
    run_document_start(run, &json);
    json_open_object(&json, "weights");
    run_path(run, "path", blob_path(session->blob), &json);
    json_text(&json, "sha256", blob_sha256(session->blob));
    json_text(&json, "architecture", blob_architecture(session->blob));
    json_close(&json);
    map_options_mode_json(&session->mode, &json);
    json_open_object(&json, "counts");
    json_whole(&json, "images", session->subjects.count);
    json_whole(&json, "maps", session->done);
    json_whole(&json, "skipped", session->subjects.skipped);
    json_close(&json);
    if (session->runner.has_completeness || session->worst_completeness > 0)
        json_number(&json, "largest_completeness_error", session->worst_completeness);
    if (has_relevance(session))
        json_number(&json, "largest_conservation_error", session->worst_conservation);
    int64_t batch = session->settings->batch ? session->settings->batch : DEFAULT_POINTS;
    bool    ok    = run_document_end(run, batch, &json, error);
    json_discard(&json);
    return ok;
}

static bool show(Session *session, Error *error)
{
    bool quiet = session->settings->json;
    if (!table_print(&session->table, quiet ? NULL : stdout, error))
        return false;
    if (quiet)
        return true;
    if (session->done > ROWS_SHOWN)
        printf("and %lld more, in maps.csv\n", (long long)(session->done - ROWS_SHOWN));
    if (session->worst_completeness > 0)
        printf("completeness: pixels add up to f(image) - f(baseline) within %.3g\n",
               session->worst_completeness);
    if (has_relevance(session))
        printf("conservation: pixels, biases, stabilisers and dead units add up to the start "
               "within %.3g of it\n",
               session->worst_conservation);
    return true;
}

static void start_table(Session *session)
{
    static const char *const heads[] = {"image", "method", "class",         "probability",
                                        "beta",  "sum",    "incompleteness"};
    session->table                   = (Table){.columns = 7, .alignment = "llrrrrr"};
    for (int i = 0; i < 7; i++)
        table_cell(&session->table, "%s", heads[i]);
}

static bool make_maps(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    const char *class        = settings->explained_class ? settings->explained_class : "predicted";
    bool ok = subjects_choose(&session->subjects, class, (ConvMethod)settings->conv, error) &&
              run_folder_begin(&session->run.folder, error) && open_tables(session, error) &&
              explain_all(session, error) && publish(&session->maps, error) &&
              publish(&session->account, error) && finish(session, error) && show(session, error);
    return ok;
}

static bool open_session(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    choose_methods(session);
    return choose_mode(session, error) &&
           map_options_smooth(settings, &session->copies, &session->level, error) &&
           read_unit(session, error) && check_output(session, error) &&
           run_folder_claim(&session->run.folder, settings, &map_result, error) &&
           blob_open(settings->model, &session->blob, error) && read_rules(session, error) &&
           (!settings->patterns || blob_open(settings->patterns, &session->patterns, error)) &&
           read_baseline(session, error) &&
           subjects_open(&session->subjects, settings, session->blob, error) &&
           identify(session, error) &&
           run_folder_compare(&session->run.folder, settings, &session->run.identity, error);
}

static void close_session(Session *session)
{
    table_print(&session->table, NULL, NULL);
    writer_discard(session->maps);
    writer_discard(session->account);
    map_runner_close(&session->runner);
    subjects_close(&session->subjects);
    memory_free(session->baseline);
    memory_free(session->image);
    blob_close(session->patterns);
    blob_close(session->blob);
    run_close(&session->run);
}

static bool run(const Settings *settings, Error *error)
{
    static const char *const files[] = {"maps.csv", "*.npy", "*.png", NULL};
    Session                  session = {.settings = settings};
    int                      skipped = 0;
    run_open(&session.run, "attribute", settings);
    start_table(&session);
    progress_start(&session.run.progress, "attribute", "maps", settings);
    bool ok = open_session(&session, error);
    if (ok)
        ok = session.run.folder.is_done ? run_folder_show_done(&session.run.folder, settings, error)
                                        : make_maps(&session, error);
    ok      = ok && tell_results(settings, files, NULL, error);
    skipped = session.subjects.skipped;
    close_session(&session);
    if (ok && skipped)
        return fail(error, ERROR_SKIPPED, "%d of %d inputs were skipped", skipped,
                    settings->input_count);
    return ok;
}

static const char *sign_word(int index)
{
    static const char *const words[] = {"abs", "clip", "none", NULL};
    return words[index];
}

static const char *scale_word(int index)
{
    static const char *const words[] = {"sum", "max", "none", NULL};
    return words[index];
}

static const char *path_word(int index)
{
    static const char *const words[] = {"right", "closed", "gauss", NULL};
    return words[index];
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
               "lrp-gamma-box, lrp-plus-box, lrp-epsilon-plus-flat, lrp-alpha2beta1-flat",
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
    {.name   = "patterns",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, patterns),
     .value  = "FILE.nw",
     .help   = "patterns of method pattern, as `nemesis patterns` makes them"},
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
    .run     = run,
};
