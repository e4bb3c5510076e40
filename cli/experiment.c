/* cli/experiment.c - see experiment.h. */
#include "experiment.h"
#include "../base/parallel.h"
#include "output.h"
#include "signals.h"
#include "version.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { DEFAULT_BATCH = 8 };

// Splits "a,b,c" in place into at most PROBE_MAX_CATEGORIES names.
static bool split_categories(char *text, const char *names[PROBE_MAX_CATEGORIES], int *count,
                             Error *error)
{
    *count = 0;
    for (char *name = text; name;) {
        char *comma = strchr(name, ',');
        if (comma)
            *comma = 0;
        if (*count == PROBE_MAX_CATEGORIES || !*name)
            return fail(error, ERROR_USAGE, "--categories: expected 1 to %d names with commas",
                        PROBE_MAX_CATEGORIES);
        names[(*count)++] = name;
        name              = comma ? comma + 1 : NULL;
    }
    return true;
}

static bool open_probe(Experiment *out, Error *error)
{
    const char  *names[PROBE_MAX_CATEGORIES];
    ProbeRequest request = {.without = out->rules.without_category, .limit = out->request.limit};
    char        *text    = NULL;
    bool         ok      = true;
    if (out->request.categories) {
        text = memory_text(out->request.categories, error);
        ok   = text && split_categories(text, names, &request.category_count, error);
        request.categories = names;
    }
    ok = ok && probe_open(&out->probe, out->request.data, &request, error);
    memory_free(text);
    return ok;
}

bool experiment_open(Experiment *out, const ExperimentRequest *request, const Settings *settings,
                     const char *what, Error *error)
{
    time_t now       = time(NULL);
    *out             = (Experiment){.request = *request, .rules = dissect_settings(request->mode)};
    out->started     = clock_seconds();
    out->post_relu   = request->readout ? request->readout == 2 : out->rules.post_relu;
    out->rules.cancel = signals_cancel;
    strftime(out->started_at, sizeof out->started_at, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    progress_start(&out->progress, what, settings);
    if (!open_probe(out, error) || !blob_open(request->model, &out->blob, error)) {
        experiment_close(out);
        return false;
    }
    return true;
}

bool experiment_load(Experiment *experiment, Error *error)
{
    const ExperimentRequest *request = &experiment->request;
    const ProbeSet          *probe   = &experiment->probe;
    NetworkRequest           network = {.batch     = request->batch ? request->batch : DEFAULT_BATCH,
                                        .layer     = request->layer,
                                        .post_relu = experiment->post_relu,
                                        .unit      = -1,
                                        .width     = probe->image_width,
                                        .height    = probe->image_height,
                                        .conv      = request->conv};
    if (!layer_runner_open(&experiment->runner, experiment->blob, &network, error) ||
        !planes_open(&experiment->planes, probe, PLANE_CACHE_BYTES, error))
        return false;
    experiment->images              = probe_images(probe);
    experiment->source              = layer_source(&experiment->runner);
    experiment->rules.progress      = progress_step;
    experiment->rules.progress_self = &experiment->progress;
    return true;
}

bool experiment_open_unprepared(const Experiment *experiment, LayerRunner *runner,
                                ActivationSource *source, Error *error)
{
    NetworkRequest request = {.batch     = experiment->source.batch,
                              .layer     = experiment->request.layer,
                              .post_relu = experiment->post_relu,
                              .unit      = -1,
                              .raw_input = true,
                              .width     = experiment->source.image_width,
                              .height    = experiment->source.image_height,
                              .conv      = experiment->request.conv};
    if (!layer_runner_open(runner, experiment->blob, &request, error))
        return false;
    *source = layer_source(runner);
    return true;
}

static bool begin_checkpoints(void *self, Error *error)
{
    Experiment *experiment = self;
    return run_folder_start(experiment->folder, experiment->identity, error);
}

static void warn_of_checkpoint(void *self, const char *sentence)
{
    const Experiment *experiment = self;
    note(experiment->settings, "warning: %s", sentence);
}

bool experiment_keep(Experiment *experiment, RunFolder *folder, const Identity *identity,
                     const Settings *settings, Error *error)
{
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    identity_write(&json, identity);
    json_text(&json, "isa", engine_isa()); // kernels round differently
    json_close(&json);
    experiment->key = json_finish(&json, error) ? memory_text(json.text, error) : NULL;
    json_discard(&json);
    experiment->folder      = folder;
    experiment->identity    = identity;
    experiment->settings    = settings;
    experiment->checkpoint  = (Checkpoint){.folder = folder->path,
                                           .key    = experiment->key,
                                           .resume = folder->has_checkpoint,
                                           .last   = clock_seconds(),
                                           .begin  = begin_checkpoints,
                                           .warn   = warn_of_checkpoint,
                                           .self   = experiment};
    experiment->keep        = (PassCheckpoint){.checkpoint = &experiment->checkpoint,
                                               .name       = "dissect.checkpoint",
                                               .stage      = "dissect"};
    experiment->rules.keep  = &experiment->keep;
    return experiment->key != NULL;
}

void experiment_close(Experiment *experiment)
{
    memory_free(experiment->key);
    layer_runner_close(&experiment->runner);
    planes_close(experiment->planes);
    probe_close(&experiment->probe);
    blob_close(experiment->blob);
    *experiment = (Experiment){0};
}

/* ---- what run.json says ------------------------------------------------------------------------ */

void experiment_identify(const Experiment *experiment, const char *verb, Identity *identity)
{
    const ExperimentRequest *request = &experiment->request;
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", verb);
    identity_text(identity, "weights_sha256", blob_sha256(experiment->blob));
    identity_text(identity, "index_sha256", experiment->probe.index_sha256);
    identity_text(identity, "layer", request->layer);
    identity_text(identity, "compat", experiment->rules.mode_name);
    identity_text(identity, "readout", experiment->post_relu ? "post" : "pre");
    identity_text(identity, "conv", choice_text(CONV_CHOICES, (int)request->conv));
    identity_text(identity, "categories", request->categories);
    identity_whole(identity, "limit", (uint64_t)request->limit);
}

static void write_compat(const Experiment *experiment, JsonWriter *json)
{
    static const char *const upsamplers[] = {"half-pixel", "pillow", "field-grid"};
    const DissectSettings   *rules        = &experiment->rules;
    json_open_object(json, "compat");
    json_text(json, "mode", rules->mode_name);
    json_whole(json, "quantile_entry", rules->quantile_entry);
    json_whole(json, "quantile_entries", rules->quantile_entries);
    json_text(json, "upsampler", upsamplers[rules->upsampler]);
    json_text(json, "category_presence",
              rules->presence == PRESENCE_IN_MASK ? "in mask" : "in image");
    json_number(json, "iou_epsilon", rules->epsilon);
    json_flag(json, "label_0_leaks", rules->label0_leaks);
    json_whole(json, "triples_per_image", rules->triples_per_image);
    json_text(json, "category_left_out", rules->without_category);
    json_text(json, "readout", experiment->post_relu ? "post" : "pre");
    json_close(json);
}

void experiment_document(const Experiment *experiment, const char *verb, const Settings *settings,
                         const Identity *identity, JsonWriter *json)
{
    const ProbeSet *probe = &experiment->probe;
    json_open_object(json, NULL);
    json_text(json, "program", "nemesis");
    json_text(json, "version", NEMESIS_VERSION);
    json_text(json, "verb", verb);
    json_open_array(json, "command");
    for (int i = 0; i < settings->command_count; i++)
        json_text(json, NULL, settings->command[i]);
    json_close(json);
    json_text(json, "state", "done");
    json_whole(json, "exit", 0);
    json_natural(json, "seed", settings->seed);
    identity_write(json, identity);
    json_open_object(json, "weights");
    json_text(json, "path", blob_path(experiment->blob));
    json_text(json, "sha256", blob_sha256(experiment->blob));
    json_text(json, "architecture", blob_architecture(experiment->blob));
    json_close(json);
    json_open_object(json, "data");
    json_text(json, "path", experiment->request.data);
    json_text(json, "index_sha256", probe->index_sha256);
    json_whole(json, "images", probe->image_count);
    json_open_array(json, "categories");
    for (int i = 0; i < probe->category_count; i++)
        json_text(json, NULL, probe->category[i]);
    json_close(json);
    json_close(json);
    json_open_object(json, "layer");
    json_text(json, "name", experiment->request.layer);
    json_whole(json, "units", experiment->source.units);
    json_whole(json, "height", experiment->source.height);
    json_whole(json, "width", experiment->source.width);
    json_close(json);
    write_compat(experiment, json);
}

void experiment_document_end(const Experiment *experiment, JsonWriter *json)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    json_open_object(json, "machine");
    json_text(json, "isa", engine_isa());
    json_whole(json, "threads", parallel_threads());
    json_whole(json, "batch", experiment->runner.batch);
    json_close(json);
    json_open_object(json, "time");
    json_text(json, "started", experiment->started_at);
    json_number(json, "seconds", clock_seconds() - experiment->started);
    json_number(json, "cpu_seconds", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    json_close(json);
    json_whole(json, "peak_memory_bytes", (int64_t)usage.ru_maxrss * 1024);
    json_close(json);
}
