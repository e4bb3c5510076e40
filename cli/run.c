/* cli/run.c - see run.h. */
#include "run.h"
#include "../base/parallel.h"
#include "output.h"
#include "sharing.h"
#include "signals.h"
#include "version.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

void run_open(Run *out, const char *verb, const Settings *settings)
{
    time_t now = time(NULL);
    *out       = (Run){.settings = settings,
                       .verb     = verb,
                       .started  = clock_seconds(),
                       .pass     = {.cancel        = signals_cancel,
                                    .progress      = progress_step,
                                    .progress_self = &out->progress,
                                    .file          = "dissect" PASS_FILE_ENDING,
                                    .phase         = "dissect"}};
    strftime(out->started_at, sizeof out->started_at, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    progress_start(&out->progress, verb, "passes", settings);
    if (settings->dry_run) {
        rehearsal_start(&out->rehearsal, &out->progress);
        out->pass.cancel        = &out->rehearsal.stop;
        out->pass.progress      = rehearsal_step;
        out->pass.progress_self = &out->rehearsal;
    }
}

void run_close(Run *run)
{
    run_progress_end(run);
    run_folder_close(&run->folder);
    identity_free(&run->identity);
    memory_free(run->key);
    *run = (Run){0};
}

void run_identify(Run *run, const RunInputs *inputs)
{
    const InputsRequest *request  = &inputs->request;
    Identity            *identity = &run->identity;
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", run->verb);
    identity_text(identity, "weights_sha256", blob_sha256(inputs->blob));
    identity_text(identity, "index_sha256", inputs->probe.index_sha256);
    identity_text(identity, "layer", request->layer);
    identity_text(identity, "compat", request->mode->name);
    identity_text(identity, "readout", inputs->post_relu ? "post" : "pre");
    identity_text(identity, "conv", word_text(CONV_NAMES, (int)request->conv));
    identity_text(identity, "categories", request->categories);
    identity_whole(identity, "limit", (uint64_t)request->limit);
    method_values_identify(request->method, &request->values, identity);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

static bool begin_checkpoints(void *self, Error *error)
{
    Run *run = self;
    return run_folder_start(&run->folder, &run->identity, error);
}

static void warn_of_checkpoint(void *self, const char *sentence)
{
    const Run *run = self;
    note(run->settings, "warning: %s", sentence);
}

// What the checkpoints belong to, as text.
static char *key_text(const Identity *identity, Error *error)
{
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    identity_write(&json, identity);
    json_text(&json, "isa", kernels_that_agree(engine_isa())); // others round differently
    json_close(&json);
    char *key = json_finish(&json, error) ? memory_text(json.text, error) : NULL;
    json_discard(&json);
    return key;
}

bool run_resume(Run *run, Error *error)
{
    RunFolder *folder = &run->folder;
    if (!sharing_identify(run->settings, &run->identity, error) ||
        !run_folder_compare(folder, run->settings, &run->identity, error))
        return false;
    if (folder->is_done)
        return true;
    run->key        = key_text(&run->identity, error);
    run->checkpoint = (Checkpoint){
        .folder = folder->path,
        .key    = run->key,
        .resume = folder->has_checkpoint && !run->settings->dry_run,
        .last   = clock_seconds(),
        .begin  = begin_checkpoints,
        .warn   = warn_of_checkpoint,
        .self   = run,
        .remedy = sharing_is(run->settings, SHARING_PIECE)
                      ? "remove all attempts at this piece (work/I.*) and start it again"
                      : "--overwrite starts over"};
    if (!run->key || run->settings->dry_run) // which saves nothing
        return run->key != NULL;
    run->pass.checkpoint = &run->checkpoint;
    run_progress_start(run);
    return true;
}

bool run_resume_of(Run *run, const RunInputs *inputs, Error *error)
{
    if (!run->key) // nothing is kept
        return true;
    size_t length = strlen(run->key) + 2 * 64 + 1;
    char  *key    = memory_new(length, 1, error);
    if (!key)
        return false;
    snprintf(key, length, "%s%s%s", run->key, inputs->files_sha256, inputs->tables_sha256);
    memory_free(run->key);
    run->key            = key;
    run->checkpoint.key = key;
    return true;
}

bool run_rehearsed(Run *run, bool ok, const RehearsedWork *work, Error *error)
{
    return rehearsal_ends(&run->rehearsal, ok, error) &&
           rehearsal_tell(&run->rehearsal, work, run->settings, &run->identity, error);
}

/* ---- run.json -------------------------------------------------------------------------------- */

void run_path(const Run *run, const char *name, const char *path, JsonWriter *json)
{
    char between[LIMIT_PATH], key[64];
    json_text(json, name, path);
    snprintf(key, sizeof key, "%s_from_run", name);
    if (path_between(between, run->folder.home, path))
        json_text(json, key, between);
}

void run_weights(const Run *run, const WeightBlob *blob, JsonWriter *json)
{
    json_open_object(json, "weights");
    run_path(run, "path", blob_path(blob), json);
    json_text(json, "sha256", blob_sha256(blob));
    json_text(json, "architecture", blob_architecture(blob));
    if (blob_about(blob, "source"))
        json_text(json, "source", blob_about(blob, "source"));
    json_close(json);
}

void run_preparation(const Preparation *preparation, JsonWriter *json)
{
    json_open_object(json, "preparation");
    json_whole(json, "width", preparation->width);
    json_whole(json, "height", preparation->height);
    json_whole(json, "resize_short", preparation->resize_short);
    json_text(json, "geometry", crop_geometry_name(preparation->geometry));
    if (preparation->is_bicubic)
        json_text(json, "filter", "bicubic");
    json_number(json, "scale", (double)preparation->scale);
    json_open_array(json, "mean");
    for (int c = 0; c < 3; c++)
        json_number(json, NULL, (double)preparation->mean[c]);
    json_close(json);
    json_open_array(json, "std");
    for (int c = 0; c < 3; c++)
        json_number(json, NULL, (double)preparation->std[c]);
    json_close(json);
    json_close(json);
}

static void write_inputs(const Run *run, const RunInputs *inputs, JsonWriter *json)
{
    const ProbeSet *probe = &inputs->probe;
    run_weights(run, inputs->blob, json);
    json_open_object(json, "data");
    run_path(run, "path", inputs->request.data, json);
    json_text(json, "index_sha256", probe->index_sha256);
    json_text(json, "files_sha256", inputs->files_sha256);
    if (*inputs->tables_sha256)
        json_text(json, "tables_sha256", inputs->tables_sha256);
    json_whole(json, "images", probe->image_count);
    json_open_array(json, "categories");
    for (int i = 0; i < probe->category_count; i++)
        json_text(json, NULL, probe->category[i]);
    json_close(json);
    json_close(json);
    json_open_object(json, "layer");
    json_text(json, "name", inputs->request.layer);
    const ActivationSource *layer = &inputs->explainer.inputs.layer;
    json_whole(json, "units", layer->units);
    json_whole(json, "height", layer->height);
    json_whole(json, "width", layer->width);
    json_close(json);
}

// Beside the settings, which have the digests alone.
static void write_method_files(const Run *run, const RunInputs *inputs, JsonWriter *json)
{
    const Method       *method = inputs->request.method;
    const MethodValues *values = &inputs->request.values;
    for (int i = 0; i < method->option_count; i++) {
        if (!*values->sha256[i])
            continue;
        json_open_object(json, method->options[i].name);
        run_path(run, "path", values->value[i], json);
        json_text(json, "sha256", values->sha256[i]);
        json_close(json);
    }
}

static void write_method(const Run *run, const RunInputs *inputs, JsonWriter *json)
{
    const Method *method = inputs->request.method;
    const Mode   *mode   = inputs->request.mode;
    json_text(json, "method", method->name);
    json_open_object(json, "compat");
    json_text(json, "mode", mode->name);
    if (method->describe_mode)
        method->describe_mode(mode, json);
    json_text(json, "readout", inputs->post_relu ? "post" : "pre");
    json_close(json);
    if (method->option_count) {
        json_open_object(json, "files");
        write_method_files(run, inputs, json);
        json_close(json);
    }
}

void run_document_start(const Run *run, JsonWriter *json)
{
    json_open_object(json, NULL);
    json_text(json, "program", "nemesis");
    json_text(json, "version", NEMESIS_VERSION);
    json_text(json, "verb", run->verb);
    run_command(run->settings, json);
    json_text(json, "state", "done");
    json_whole(json, "exit", 0);
    json_natural(json, "seed", run->settings->seed);
    identity_write(json, &run->identity);
}

void run_document(const Run *run, const RunInputs *inputs, JsonWriter *json)
{
    run_document_start(run, json);
    write_inputs(run, inputs, json);
    write_method(run, inputs, json);
}

static void write_machine(const Run *run, int64_t batch, JsonWriter *json)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    json_open_object(json, "machine");
    json_text(json, "isa", engine_isa());
    json_whole(json, "threads", parallel_threads());
    json_whole(json, "batch", batch);
    json_close(json);
    json_open_object(json, "time");
    json_text(json, "started", run->started_at);
    json_number(json, "seconds", clock_seconds() - run->started);
    json_number(json, "cpu_seconds", cpu);
    json_close(json);
    json_whole(json, "peak_memory_bytes", (int64_t)usage.ru_maxrss * 1024);
}

bool run_document_finish(const Run *run, const RunInputs *inputs, JsonWriter *json, Error *error)
{
    return run_document_end(run, inputs->explainer.inputs.layer.batch, json, error);
}

bool run_document_end(const Run *run, int64_t batch, JsonWriter *json, Error *error)
{
    write_machine(run, batch, json);
    json_close(json);
    if (!json_finish(json, error) || !run_folder_finish(&run->folder, json, error))
        return false;
    if (run->settings->json)
        fwrite(json->text, 1, json->length, stdout);
    return true;
}
