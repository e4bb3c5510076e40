/* cli/describe_layers.c - clean runs of several layers from one pass over the images.
 *
 * Each layer has a run folder of its own, the same as if it were alone: whoever opens a clean run
 * (noise, attack, explain, report, compare) finds one layer there, with the method's files. */
#include "describe.h"
#include "next.h"
#include "output.h"
#include "rehearse_clean.h"
#include "signals.h"

#include <string.h>

typedef struct LayerRun {
    Settings          settings; // with this layer, and its folder
    char              out[LIMIT_PATH];
    Run               run;
    RunInputs         inputs;
    Evidence         *evidence;
    Error             error;
    int64_t           done, total; // images, for the progress of all
    bool              has_begun, has_ended;
    bool              ok;
    struct LayersRun *all;
} LayerRun;

typedef struct LayersRun {
    const DescribeRequest *wanted;
    char                  *names; // the list, cut at its commas
    int                    count;
    LayerRun              *layers;                  // [count]
    LayerRun              *pending[NETWORK_LAYERS]; // those that are not finished already
    int                    pending_count;
    volatile bool          stop;  // a signal came, or a layer failed
    double                 saved; // when, by the clock
    Progress               progress;
    Rehearsal              rehearsal; // of --dry-run
} LayersRun;

/* ---- the list -------------------------------------------------------------------------------- */

static bool check_name(const LayersRun *all, const char *name, Error *error)
{
    if (all->count == NETWORK_LAYERS)
        return fail(error, ERROR_USAGE, "--layer: more than %d layers", NETWORK_LAYERS);
    if (!path_is_plain(name) || strchr(name, '/'))
        return fail(error, ERROR_USAGE, "--layer: '%.60s' is no layer", name);
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->layers[i].settings.layer, name) == 0)
            return fail(error, ERROR_USAGE, "--layer: '%.60s' is there twice", name);
    return true;
}

static bool split_layers(LayersRun *all, Error *error)
{
    const Settings *settings = all->wanted->settings;
    all->names               = memory_text(settings->layer, error);
    all->layers              = memory_new(NETWORK_LAYERS, sizeof *all->layers, error);
    if (!all->names || !all->layers)
        return false;
    for (char *name = all->names; name;) {
        char *comma = strchr(name, ',');
        if (comma)
            *comma = 0;
        if (!check_name(all, name, error))
            return false;
        LayerRun *layer = &all->layers[all->count++];
        *layer          = (LayerRun){.settings = *settings, .all = all};
        if (!path_join(layer->out, settings->out, name, error))
            return false;
        layer->settings.layer = name;
        layer->settings.out   = layer->out;
        name                  = comma ? comma + 1 : NULL;
    }
    return true;
}

static DescribeRequest request_of(const LayersRun *all, const LayerRun *layer)
{
    return (DescribeRequest){all->wanted->verb, all->wanted->method, &layer->settings};
}

// Weights and probing set are opened by the first that is not finished.
static bool begin_layers(LayersRun *all, Error *error)
{
    for (int i = 0; i < all->count; i++) {
        LayerRun        *layer  = &all->layers[i];
        DescribeRequest  wanted = request_of(all, layer);
        const RunInputs *first  = all->pending_count ? &all->pending[0]->inputs : NULL;
        layer->has_begun        = true;
        if (!describe_begin(&layer->run, &layer->inputs, &wanted, first, error))
            return false;
        if (!layer->run.folder.is_done)
            all->pending[all->pending_count++] = layer;
    }
    return true;
}

/* ---- one pass -------------------------------------------------------------------------------- */

/* Once a round, before any layer pauses: whether all of them are to stop, and whether all are to
 * save. So their checkpoints are of the same image, and those who go on from there ask for the same
 * pixels again. */
static void begin_round(LayersRun *all)
{
    double now = clock_seconds();
    bool   due = now - all->saved >= checkpoint_interval();
    all->stop  = all->stop || *signals_cancel;
    all->saved = due ? now : all->saved;
    for (int i = 0; i < all->pending_count; i++)
        all->pending[i]->run.checkpoint.last = due ? 0 : now;
}

// Of all layers together.
static void add_progress(void *self, int64_t done, int64_t total)
{
    LayerRun  *layer = self;
    LayersRun *all   = layer->all;
    int64_t    sum = 0, sums = 0;
    bool       is_first = true;
    layer->done         = done;
    layer->total        = total;
    progress_note(&layer->run.progress, clock_seconds(), done, total);
    for (int i = 0; i < all->pending_count; i++) {
        const LayerRun *other = all->pending[i];
        sum += other->done;
        sums += other->total ? other->total : total;
        is_first = is_first && (other >= layer || other->has_ended);
    }
    if (all->wanted->settings->dry_run)
        rehearsal_step(&all->rehearsal, sum, sums);
    else
        progress_step(&all->progress, sum, sums);
    if (is_first)
        begin_round(all);
}

// Each layer's folder tells how far its run is.
static void tell_layers(void *self)
{
    const LayersRun *all = self;
    for (int i = 0; i < all->pending_count; i++) {
        const Progress *progress = &all->pending[i]->run.progress;
        if (progress->watch)
            progress->watch(progress->watch_self);
    }
}

static void collect_layer(void *self, int index)
{
    LayersRun *all      = self;
    LayerRun  *layer    = all->pending[index];
    Inputs    *inputs   = &layer->inputs.explainer.inputs;
    Pass      *pass     = &layer->run.pass;
    pass->cancel        = &all->stop;
    pass->progress      = add_progress;
    pass->progress_self = layer;
    layer->ok        = all->wanted->method->collect(&layer->inputs.explainer, &inputs->images, pass,
                                                    &layer->evidence, &layer->error);
    all->stop        = all->stop || !layer->ok;
    layer->has_ended = true;
}

// The cause that stopped the others comes before theirs, which are interruptions.
static bool tell_failure(const LayersRun *all, Error *error)
{
    const LayerRun *failed = NULL;
    for (int i = 0; i < all->pending_count; i++) {
        const LayerRun *layer = all->pending[i];
        if (!layer->ok &&
            (!failed || (failed->error.code == ERROR_AGAIN && layer->error.code != ERROR_AGAIN)))
            failed = layer;
    }
    return !failed || fail(error, failed->error.code, "%s", failed->error.message);
}

static bool load_layers(LayersRun *all, Error *error)
{
    RunInputs *inputs[NETWORK_LAYERS];
    for (int i = 0; i < all->pending_count; i++)
        inputs[i] = &all->pending[i]->inputs;
    bool ok = run_inputs_load_layers(inputs, all->pending_count, error);
    for (int i = 0; ok && i < all->pending_count; i++)
        ok = run_resume_of(&all->pending[i]->run, inputs[i], error);
    return ok;
}

static bool collect_layers(LayersRun *all, Error *error)
{
    Together *together       = all->pending[0]->inputs.together;
    all->saved               = clock_seconds();
    all->progress.watch      = tell_layers;
    all->progress.watch_self = all;
    bool ok = together_run(together, collect_layer, all, error) && tell_failure(all, error);
    progress_end(&all->progress);
    if (!all->wanted->settings->dry_run)
        note_more(all->wanted->settings, "%lld images went through the network for %d layers",
                  (long long)together_images(together), all->pending_count);
    return ok;
}

/* ---- --dry-run ------------------------------------------------------------------------------- */

// The first of the pending ones has what the others borrow, so it goes last.
static void close_inputs(LayersRun *all)
{
    for (int i = all->pending_count - 1; i >= 0; i--) {
        LayerRun *layer = all->pending[i];
        all->wanted->method->release(layer->evidence);
        layer->evidence = NULL;
        run_inputs_close(&layer->inputs);
    }
}

typedef struct Rehearsed {
    LayersRun    *all;
    InputsRequest request; // of the first layer
} Rehearsed;

static bool open_few(const Rehearsed *rehearsed, int64_t images, Error *error)
{
    LayersRun    *all   = rehearsed->all;
    RunInputs    *first = &all->pending[0]->inputs;
    InputsRequest few   = rehearsed->request;
    few.limit           = images;
    bool ok             = run_inputs_open(first, &few, error);
    for (int i = 1; ok && i < all->pending_count; i++)
        ok = run_inputs_share(&all->pending[i]->inputs, first, all->pending[i]->settings.layer,
                              error);
    return ok;
}

static bool take_sample(void *self, int64_t images, CleanSample *out, Error *error)
{
    const Rehearsed *rehearsed = self;
    LayersRun       *all       = rehearsed->all;
    rehearsal_start(&all->rehearsal, &all->progress);
    all->rehearsal.is_whole = true;
    bool   ok               = open_few(rehearsed, images, error) && load_layers(all, error);
    double begin            = clock_seconds();
    ok                      = ok && collect_layers(all, error);
    *out                    = (CleanSample){.images  = images,
                                            .seconds = clock_seconds() - begin,
                                            .used    = (double)all->rehearsal.most_used};
    for (int i = 0; ok && i < all->pending_count; i++) {
        LayerRun *layer = all->pending[i];
        out->result_bytes += clean_result_bytes(&layer->inputs);
        layer->has_ended = false;
        layer->done = layer->total = 0;
    }
    close_inputs(all);
    return ok;
}

// The settings of all that are not finished: those of the first but for the name of the layer.
static bool list_settings(const LayersRun *all, Identity *out, Error *error)
{
    const Identity *first = &all->pending[0]->run.identity;
    const char     *given = all->wanted->settings->layer;
    size_t          room = strlen(given) + 1, used = 0;
    char           *names = memory_text(given, error); // none of them is longer
    if (!names)
        return false;
    for (int i = 0; i < all->pending_count; i++)
        used += (size_t)snprintf(names + used, room - used, "%s%s", i ? "," : "",
                                 all->pending[i]->settings.layer);
    for (int i = 0; i < first->count; i++)
        identity_text(out, first->name[i],
                      strcmp(first->name[i], "layer") == 0 ? names : first->value[i]);
    memory_free(names);
    return true;
}

static bool rehearse(LayersRun *all, Error *error)
{
    Rehearsed    rehearsed = {.all = all, .request = all->pending[0]->inputs.request};
    Identity     identity  = {0};
    WorkEstimate estimate;
    int64_t      images = all->pending[0]->inputs.probe.image_count;
    bool         ok     = list_settings(all, &identity, error);
    close_inputs(all);
    ok = ok && clean_samples(&rehearsed.request, images, take_sample, &rehearsed, &estimate, error);
    if (ok) { // the run counts a pass for each layer
        estimate.total *= all->pending_count;
        estimate.measured *= all->pending_count;
        ok = estimate_tell(&estimate, &all->progress, all->wanted->settings, &identity, error);
    }
    identity_free(&identity);
    return ok;
}

/* ---- results --------------------------------------------------------------------------------- */

static bool publish_layer(LayersRun *all, LayerRun *layer, int shown, Error *error)
{
    const Settings *settings = all->wanted->settings;
    DescribeRequest wanted   = request_of(all, layer);
    printf("%s", settings->json ? (shown ? "," : "[") : (shown ? "\n" : ""));
    return (layer->run.folder.is_done
                ? run_folder_show_done(&layer->run.folder, &layer->settings, error)
                : describe_publish(&layer->run, &layer->inputs, layer->evidence, error)) &&
           describe_tell(&wanted, error);
}

/* The layers that are finished, even when a signal came before the others were: a --resume need not
 * look at them again. With --json one array of the documents. */
static bool publish_layers(LayersRun *all, Error *error)
{
    int  shown = 0;
    bool ok    = true;
    for (int i = 0; ok && i < all->count; i++)
        if (all->layers[i].run.folder.is_done || all->layers[i].ok)
            ok = publish_layer(all, &all->layers[i], shown++, error);
    if (ok && shown && all->wanted->settings->json)
        printf("]\n");
    return ok && output_flush(error);
}

static void close_layers(LayersRun *all)
{
    close_inputs(all);
    for (int i = all->count - 1; all->layers && i >= 0; i--) {
        LayerRun *layer = &all->layers[i];
        if (!layer->has_begun)
            continue;
        run_inputs_close(&layer->inputs); // of one that is finished, or that did not begin well
        run_close(&layer->run);
    }
    memory_free(all->layers);
    memory_free(all->names);
}

bool describe_layers(const DescribeRequest *wanted, Error *error)
{
    LayersRun all    = {.wanted = wanted};
    bool      is_new = !folder_exists(wanted->settings->out);
    if (wanted->settings->sharing)
        return fail(error, ERROR_USAGE, "a plan is of one layer at a time, found '%.60s'",
                    wanted->settings->layer);
    if (is_new && file_exists(wanted->settings->out))
        return fail(error, ERROR_CREATE, "%s: exists and is not a folder", wanted->settings->out);
    progress_start(&all.progress, wanted->verb->name, "passes", wanted->settings);
    Error later        = {0};
    bool  begun        = split_layers(&all, error) && begin_layers(&all, error);
    bool  is_rehearsed = wanted->settings->dry_run && all.pending_count;
    bool  ok =
        begun && (is_rehearsed        ? rehearse(&all, error)
                  : all.pending_count ? load_layers(&all, error) && collect_layers(&all, error)
                                      : true);
    if (begun && !is_rehearsed && !publish_layers(&all, ok ? error : &later))
        ok = false;
    if (ok)
        tell_next_report(&all.layers[0].settings);
    close_layers(&all);
    if (is_new)
        folder_remove(wanted->settings->out); // unless something is in it
    return ok;
}
