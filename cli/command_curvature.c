/* cli/command_curvature.c - how sharply the level set of a decision bends, and theorem 1 along a
 * path on it. */
#include "../base/digest.h"
#include "../study/curvature_study.h"
#include "commands.h"
#include "map_options.h"
#include "next.h"
#include "output.h"
#include "outputs.h"
#include "run.h"
#include "subjects.h"
#include "version.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_STEPS = 32 };
static const double default_beta = 10;

typedef struct CurvatureRun {
    const Settings *settings;
    Run             run;
    WeightBlob     *blob;
    MapMode         mode;
    Activation      activation;
    NumberList      betas;       // a single 0: of a network that is smooth as it is
    Subjects        subjects;    // one
    real           *image, *end; // end NULL: along the principal direction
    CurvatureStudy  study;
    CurvatureStep  *rows;
} CurvatureRun;

static bool is_part(const char *name)
{
    return strcmp(name, "curvature.csv") == 0 || is_run_work(name);
}

static const ResultKind curvature_result = {"run.json", is_part};

/* ---- what was asked for ---------------------------------------------------------------------- */

static bool check_words(const Settings *settings, Error *error)
{
    const UsedPath used[] = {{"the weight blob", settings->model},
                             {"the input", settings->inputs[0]},
                             {"the other image", settings->towards}};
    for (int i = 0; i < settings->betas.count; i++)
        if (settings->betas.value[i] < 1e-3)
            return fail(error, ERROR_USAGE,
                        "--beta %g: a network with ReLU is flat between its kinks and has no "
                        "curvature; expected the beta of a softplus, such as 10",
                        settings->betas.value[i]);
    return output_folder_check(settings->out, used, 3, error);
}

// Without a ReLU, or trained with softplus, a network has a curvature of its own.
static bool choose_betas(CurvatureRun *self, Error *error)
{
    real own    = 0;
    self->betas = self->settings->betas;
    if (!network_activation(self->blob, &own, error) ||
        !network_activation_before(self->blob, NULL, &self->activation, error))
        return false;
    if (self->betas.count)
        return map_options_need_relu("--beta", self->blob, NULL, error);
    self->betas.count    = 1;
    self->betas.value[0] = own > 0 ? (double)own : self->activation.is_relu ? default_beta : 0;
    return true;
}

static bool read_end(CurvatureRun *self, Error *error)
{
    const Subject *subject = &self->subjects.list[0];
    const char    *path    = self->settings->towards;
    int64_t        height, width;
    if (!path)
        return true;
    if (!subject_read(path, self->blob, &self->end, &height, &width, error))
        return false;
    return (height == subject->height && width == subject->width) ||
           fail(error, ERROR_DATA, "%s: is %lldx%lld, the input is %lldx%lld", path,
                (long long)width, (long long)height, (long long)subject->width,
                (long long)subject->height);
}

static bool read_images(CurvatureRun *self, Error *error)
{
    const Settings *settings = self->settings;
    if (!blob_takes_images(self->blob, error) ||
        !subjects_open(&self->subjects, settings, self->blob, error))
        return false;
    const Subject *subject = &self->subjects.list[0];
    if (self->subjects.count > 1)
        return fail(error, ERROR_USAGE, "%s: holds %lld images, expected one", subject->path,
                    (long long)self->subjects.count);
    self->image =
        memory_new(3 * (size_t)(subject->height * subject->width), sizeof *self->image, error);
    return self->image && subject_load(&self->subjects, 0, self->image, error) &&
           read_end(self, error);
}

static void identify(CurvatureRun *self)
{
    const Subject *subject  = &self->subjects.list[0];
    Identity      *identity = &self->run.identity;
    size_t         size     = 3 * (size_t)(subject->height * subject->width) * sizeof(real);
    Sha256         sha;
    char           text[65];
    sha256_start(&sha);
    sha256_add(&sha, self->image, size);
    if (self->end)
        sha256_add(&sha, self->end, size);
    sha256_text(&sha, text);
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", self->run.verb);
    identity_text(identity, "weights_sha256", blob_sha256(self->blob));
    identity_text(identity, "images_sha256", text);
    identity_text(identity, "path", self->end ? "line" : "principal direction");
    identity_numbers(identity, "beta", &self->betas);
    identity_whole(identity, "steps", (uint64_t)self->study.steps);
    identity_text(identity, "conv", word_text(CONV_NAMES, self->settings->conv));
    identity_text(identity, "compat", self->mode.name);
    identity_whole(identity, "seed", self->settings->seed);
}

static bool open_run(CurvatureRun *self, Error *error)
{
    const Settings *settings = self->settings;
    if (!check_words(settings, error) || !map_options_mode(settings, &self->mode, error) ||
        !run_folder_claim(&self->run.folder, settings, &curvature_result, error) ||
        !blob_open(settings->model, &self->blob, error) || !choose_betas(self, error) ||
        !read_images(self, error))
        return false;
    self->study = (CurvatureStudy){.blob       = self->blob,
                                   .image      = self->image,
                                   .end        = self->end,
                                   .height     = self->subjects.list[0].height,
                                   .width      = self->subjects.list[0].width,
                                   .steps      = settings->steps ? settings->steps : DEFAULT_STEPS,
                                   .betas      = self->betas.value,
                                   .beta_count = self->betas.count,
                                   .seed       = settings->seed,
                                   .conv       = (ConvMethod)settings->conv,
                                   .pass       = &self->run.pass};
    identify(self);
    return run_resume(&self->run, error);
}

/* ---- results --------------------------------------------------------------------------------- */

typedef struct BetaSummary {
    double        first, largest; // lambda at the image, and the largest size on the whole path
    double        tightest;       // largest share of the bound that the normal used at a point
    int64_t       products, limited, switches;
    CurvatureStep end;
} BetaSummary;

static BetaSummary summarise(const CurvatureStudy *study, const CurvatureStep *rows, int of)
{
    BetaSummary summary = {0};
    rows += of * (study->steps + 1);
    summary.first = rows[0].point.lambda;
    summary.end   = rows[study->steps];
    for (int64_t i = 0; i <= study->steps; i++) {
        summary.largest = fmax(summary.largest, fabs(rows[i].point.lambda));
        summary.products += rows[i].point.iterations;
        summary.switches += rows[i].switches;
        if (rows[i].integral > 0)
            summary.tightest = fmax(summary.tightest, rows[i].distance / rows[i].integral);
        summary.limited += rows[i].point.iterations >= CURVATURE_MOST_ITERATIONS;
    }
    return summary;
}

static bool holds(const BetaSummary *summary)
{
    return summary->tightest <= 1 + curvature_allowance;
}

static void summary_json(const CurvatureRun *self, JsonWriter *json)
{
    json_open_array(json, "betas");
    for (int i = 0; i < self->study.beta_count; i++) {
        BetaSummary summary = summarise(&self->study, self->rows, i);
        json_open_object(json, NULL);
        json_number(json, "beta", self->study.betas[i]);
        json_number(json, "lambda_at_input", summary.first);
        json_number(json, "largest_lambda", summary.largest);
        json_number(json, "path_length", summary.end.path_length);
        json_number(json, "integral", summary.end.integral);
        json_number(json, "distance", summary.end.distance);
        json_number(json, "tightest", summary.tightest);
        json_flag(json, "bound_holds", holds(&summary));
        json_whole(json, "switches", summary.switches);
        json_whole(json, "products", summary.products);
        json_whole(json, "points_at_limit", summary.limited);
        json_close(json);
    }
    json_close(json);
}

static bool finish(CurvatureRun *self, Error *error)
{
    Run           *run     = &self->run;
    const Subject *subject = &self->subjects.list[0];
    JsonWriter     json    = {0};
    run_document_start(run, &json);
    run_weights(run, self->blob, &json);
    map_options_mode_json(&self->mode, &json);
    map_options_activation_json(&self->activation, &json);
    json_whole(&json, "class", subject->class);
    json_number(&json, "probability", subject->probability);
    json_open_object(&json, "power_iteration");
    json_number(&json, "tolerance", curvature_tolerance);
    json_whole(&json, "most_iterations", CURVATURE_MOST_ITERATIONS);
    json_close(&json);
    json_open_object(&json, "step");
    json_number(&json, "turn", curvature_turn);
    json_number(&json, "reach", curvature_reach);
    json_close(&json);
    json_number(&json, "allowance", curvature_allowance);
    summary_json(self, &json);
    bool ok = run_document_end(run, 1, &json, error);
    json_discard(&json);
    return ok;
}

static bool show(const CurvatureRun *self, Error *error)
{
    static const char *const heads[] = {"beta",     "lambda",   "largest",  "path",     "integral",
                                        "distance", "switches", "products", "tightest", "bound"};
    enum { COLUMNS = sizeof heads / sizeof *heads };
    const Subject *subject = &self->subjects.list[0];
    Table          table   = {.columns = COLUMNS, .alignment = "rrrrrrrrrl"};
    for (int i = 0; i < COLUMNS; i++)
        table_cell(&table, "%s", heads[i]);
    int64_t limited = 0, switches = 0;
    for (int i = 0; i < self->study.beta_count; i++) {
        BetaSummary summary = summarise(&self->study, self->rows, i);
        if (self->study.betas[i] > 0)
            table_cell(&table, "%g", self->study.betas[i]);
        else
            table_cell(&table, "%s", self->activation.name);
        table_cell(&table, "%.4g", summary.first);
        table_cell(&table, "%.4g", summary.largest);
        table_cell(&table, "%.4g", summary.end.path_length);
        table_cell(&table, "%.4g", summary.end.integral);
        table_cell(&table, "%.4g", summary.end.distance);
        table_cell(&table, "%lld", (long long)summary.switches);
        table_cell(&table, "%lld", (long long)summary.products);
        table_cell(&table, "%.3f", summary.tightest);
        table_cell(&table, "%s", holds(&summary) ? "holds" : "exceeded");
        limited += summary.limited;
        switches += summary.switches;
    }
    if (self->settings->json)
        return table_print(&table, NULL, error);
    printf("class %lld, probability %.4f, %lld steps %s\n", (long long)subject->class,
           subject->probability, (long long)self->study.steps,
           self->end ? "towards the other image" : "along the principal direction");
    if (!table_print(&table, stdout, error))
        return false;
    printf(
        "lambda: principal curvature of the largest size at the input; integral: of its size\n"
        "along the path; distance: how far the unit normal, the gradient map, turned; tightest:\n"
        "the largest quotient of the two at any point, at most 1 by theorem 1\n");
    if (switches)
        printf(
            "switches: windows whose max-pool chose another value; there the map jumps, which no\n"
            "curvature shows, so that theorem 1, which is on smooth networks, says nothing\n");
    if (limited)
        printf("at %lld points power iteration ended at its limit of %d products; its estimate\n"
               "is below the true size there\n",
               (long long)limited, CURVATURE_MOST_ITERATIONS);
    return true;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool measure(CurvatureRun *self, Error *error)
{
    bool ok           = subjects_choose(&self->subjects, "predicted", self->study.conv, error);
    self->study.class = ok ? self->subjects.list[0].class : 0;
    ok                = ok && curvature_study_run(&self->study, &self->rows, error);
    progress_end(&self->run.progress);
    if (self->settings->dry_run)
        return run_rehearsed(&self->run, ok,
                             &(RehearsedWork){.result_bytes = 200 * self->run.progress.total},
                             error);
    return ok && run_folder_begin(&self->run.folder, error) &&
           curvature_study_write(&self->study, self->rows, self->run.folder.path, error) &&
           finish(self, error) && show(self, error);
}

static bool run(const Settings *settings, Error *error)
{
    static const char *const files[] = {"curvature.csv", "run.json", NULL};
    CurvatureRun            *self    = memory_new(1, sizeof *self, error);
    if (!self)
        return false;
    self->settings = settings;
    run_open(&self->run, "curvature", settings);
    progress_start(&self->run.progress, "curvature", "points", settings);
    bool ok = open_run(self, error);
    if (ok)
        ok = self->run.folder.is_done ? run_folder_show_done(&self->run.folder, settings, error)
                                      : measure(self, error);
    ok = ok && tell_results(settings, files, NULL, error);
    memory_free(self->rows);
    memory_free(self->image);
    memory_free(self->end);
    subjects_close(&self->subjects);
    blob_close(self->blob);
    run_close(&self->run);
    memory_free(self);
    return ok;
}

static const Option options[] = {
    OPTION_MODEL,
    OPTION_OUT("RUN", "run folder to write"),
    {.name   = "beta",
     .kind   = ARGUMENT_NUMBERS,
     .offset = offsetof(Settings, betas),
     .value  = "B[,B...]",
     .help = "of the softplus that stands in place of every ReLU, which has no curvature (default: "
             "that of the training, else 10)",
     .least = 0,
     .most  = 1e6},
    {.name   = "towards",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, towards),
     .value  = "INPUT",
     .help = "the path goes to this image, such as attacked.npy of `nemesis manipulate` (default: "
             "along the principal direction)"},
    {.name   = "steps",
     .kind   = ARGUMENT_WHOLE,
     .offset = offsetof(Settings, steps),
     .value  = "N",
     .help   = "points of the path after the first (default: 32)",
     .least  = 1,
     .most   = 100000},
    OPTION_CONV_EXACT,
    OPTION_END};

const Verb verb_curvature = {
    .name        = "curvature",
    .inputs      = "INPUT",
    .input_least = 1,
    .input_most  = 1,
    .summary     = "how sharply the level set of a decision bends, and how far maps can turn",
    .details =
        "INPUT is a photo, prepared as the weight blob says, or an .npy array [1, 3, h, w] that is "
        "the prepared input. Where all images with the same logit of the predicted class form a "
        "sharply bent surface, a small step along it turns the gradient map far. RUN gets "
        "curvature.csv: along a path on this surface the largest principal curvature, its "
        "integral, "
        "and how far the map has turned, which the integral bounds; for each beta.",
    .example = "nemesis curvature -m vgg16.nw photo.jpg --beta 100,10,1 -o runs/curvature",
    .options = options,
    .shared  = "threads|seed|max-pixels|compat|progress|overwrite|resume|dry-run|" SHARED_BY_ALL,
    .run     = run,
};
