/* cli/command_train.c - trains a network; a checkpoint after every epoch. */
#include "../base/snapshot.h"
#include "caption_data.h"
#include "commands.h"
#include "../format/json.h"
#include "next.h"
#include "output.h"
#include "outputs.h"
#include "rehearsal.h"
#include "signals.h"
#include "train_options.h"
#include "training_data.h"
#include "training_log.h"
#include "unit_data.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct Session {
    const Settings *settings;
    TrainingSet     set, test; // test is empty without --test
    char            checkpoint[LIMIT_PATH];
    WeightBlob     *start;     // what the trainer begins with
    bool            has_drawn; // and the checkpoint is what was drawn now
    Trainer        *trainer;
    TrainingLog     log;
    JsonWriter      json;
    Progress        progress;
} Session;

/* ---- the beginning --------------------------------------------------------------------------- */

static bool is_of_units(const Settings *settings)
{
    return settings->objective == objective_of_units();
}

// Units for training and for the test, as the encoder sees them.
static bool open_units(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    WeightBlob     *encoder  = NULL;
    int64_t         units    = settings->made_units;
    if (!settings->encoder || !settings->captions || strcmp(settings->captions, "mini") != 0)
        return fail(error, ERROR_USAGE,
                    "objective caption wants --captions mini and --encoder FILE.nw");
    bool ok = blob_open(settings->encoder, &encoder, error) &&
              unit_data_open(&session->set, settings->data, units, encoder, false, error) &&
              (!settings->test ||
               unit_data_open(&session->test, settings->test, units / 5, encoder, true, error));
    blob_close(encoder);
    return ok;
}

static bool draw_captioner(const Session *session, Bytes *out, Error *error)
{
    WeightBlob *encoder = NULL;
    bool        ok      = blob_open(session->settings->encoder, &encoder, error) &&
              captioner_draw(out, encoder, &session->set, session->settings->seed, error);
    blob_close(encoder);
    return ok;
}

static bool open_set(TrainingSet *out, const Settings *settings, const char *data,
                     const Preparation *fit, Error *error)
{
    return settings->captions ? caption_data_open(out, data, settings->captions, fit, error)
                              : training_data_open(out, data, fit, error);
}

// As the network wants its images: what is drawn takes squares, resized straight to their size.
static bool choose_fit(const Settings *settings, Preparation *out, Error *error)
{
    int64_t     side  = training_side(settings->arch);
    WeightBlob *start = NULL;
    *out              = (Preparation){.width = side, .height = side};
    if (!settings->model)
        return true;
    bool ok = blob_open(settings->model, &start, error) && blob_takes_images(start, error);
    if (ok)
        *out = *blob_preparation(start);
    blob_close(start);
    return ok;
}

static bool open_data(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    Preparation     fit, larger;
    if (is_of_units(settings))
        return open_units(session, error);
    if (!choose_fit(settings, &fit, error))
        return false;
    // What is cropped is kept as much larger as photos usually are.
    larger = fit;
    if (settings->random_crop) {
        larger.width = larger.height = settings->random_crop * 8 / 7;
        larger.resize_short          = fit.resize_short ? larger.width : 0;
    }
    return open_set(&session->set, settings, settings->data, &larger, error) &&
           (!settings->test ||
            ((settings->captions || training_data_agree(settings->data, settings->test, error)) &&
             open_set(&session->test, settings, settings->test, &fit, error)));
}

// Drawn weights are the first checkpoint.
static bool draw_start(Session *session, const TrainSettings *training, const char *activation,
                       Error *error)
{
    const Settings *settings = session->settings;
    int64_t         side     = training->crop ? training->crop : session->set.width;
    Bytes           drawn    = {0};
    bool            ok =
        (is_of_units(settings) ? draw_captioner(session, &drawn, error)
                               : training_draw(&drawn, settings->arch, activation, &session->set,
                                               side, settings->seed, error)) &&
        (settings->dry_run || file_publish(session->checkpoint, drawn.data, drawn.size, error)) &&
        blob_take(&drawn, session->checkpoint, &session->start, error);
    bytes_close(&drawn);
    session->has_drawn = ok && !settings->dry_run;
    return ok;
}

// What the weights are before the first step: a checkpoint of another start is another training.
static bool name_start(const Session *session, bool is_resumed, char *out, size_t size,
                       Error *error)
{
    const char *model = session->settings->model;
    WeightBlob *blob  = NULL;
    if (model && is_resumed && !blob_open(model, &blob, error))
        return false;
    snprintf(out, size, "%s",
             model ? blob_sha256(blob ? blob : session->start) : session->settings->arch);
    blob_close(blob);
    return true;
}

// From the checkpoint with --resume, else from the given or from drawn weights.
static bool open_trainer(Session *session, Error *error)
{
    const Settings *settings   = session->settings;
    const char     *start      = settings->model ? settings->model : session->checkpoint;
    const char     *activation = settings->activation ? settings->activation : "relu";
    TrainSettings   training;
    real            own    = 0;
    Error           damage = {0};
    if (!train_settings(settings, 0, &training, error))
        return false;
    if (settings->resume && file_exists(session->checkpoint))
        blob_open(session->checkpoint, &session->start, &damage);
    if (damage.code && damage.code != ERROR_DATA)
        return fail(error, damage.code, "%s", damage.message);
    if (damage.code)
        note(settings, "warning: %s; the training starts over", damage.message);
    // What was drawn before the first step is drawn again: it says nothing of its seed.
    if (session->start && !blob_about(session->start, "training_step")) {
        blob_close(session->start);
        session->start = NULL;
    }
    bool is_resumed = session->start != NULL;
    if (!is_resumed && !settings->model && !draw_start(session, &training, activation, error))
        return false;
    return (session->start || blob_open(start, &session->start, error)) &&
           network_activation(session->start, &own, error) &&
           train_settings(settings, own, &training, error) &&
           name_start(session, is_resumed, training.start, sizeof training.start, error) &&
           trainer_open(&session->trainer, session->start, &session->set, &training, error) &&
           (settings->dry_run ||
            training_log_open(&session->log, settings->log, trainer_done(session->trainer), error));
}

/* ---- epochs ---------------------------------------------------------------------------------- */

static void report_epoch(Session *session, int64_t number)
{
    int64_t            correct = 0;
    const TrainerTerms means   = trainer_epoch(session->trainer, &correct);
    const struct {
        const char *name;
        double      mean;
    } terms[]        = {{"ce", means.ce},
                        {"l2", means.l2},
                        {"cosd", means.cosd},
                        {"hessian", means.hessian},
                        {"other", means.other}};
    double accuracy  = (double)correct / (double)means.images;
    char   text[256] = "";
    json_open_object(&session->json, NULL);
    json_whole(&session->json, "epoch", number);
    json_number(&session->json, "loss", means.loss);
    json_number(&session->json, "accuracy", accuracy);
    // Of an objective with terms, each of them.
    for (size_t i = 0; session->settings->objective && i < sizeof terms / sizeof *terms; i++) {
        size_t used = strlen(text);
        if (isnan(terms[i].mean))
            continue;
        snprintf(text + used, sizeof text - used, ", %s %.4g", terms[i].name, terms[i].mean);
        json_number(&session->json, terms[i].name, terms[i].mean);
    }
    json_close(&session->json);
    note(session->settings, "epoch %lld of %lld: loss %.4f, accuracy %.1f %%%s", (long long)number,
         (long long)session->settings->epochs, means.loss, 100 * accuracy, text);
}

static bool save_state(Session *session, Error *error)
{
    return training_log_publish(&session->log, error) &&
           trainer_save(session->trainer, session->checkpoint, true, NULL, error);
}

// The same for --dry-run, which keeps nothing: the steps that are watched.
static bool rehearse(Session *session, Error *error)
{
    Trainer  *trainer   = session->trainer;
    Rehearsal rehearsal = {0};
    Identity  identity  = {0};
    int64_t   total     = trainer_steps(trainer);
    bool      ok        = true;
    char      recipe[TRAIN_NOTE];
    rehearsal_start(&rehearsal, &session->progress);
    rehearsal_step(&rehearsal, trainer_done(trainer), total);
    while (ok && trainer_done(trainer) < total && !rehearsal.stop) {
        double  loss    = 0;
        int64_t correct = 0;
        ok              = trainer_step(trainer, &loss, &correct, error);
        rehearsal_step(&rehearsal, trainer_done(trainer), total);
    }
    if (*signals_cancel)
        return fail(error, ERROR_AGAIN, "interrupted");
    train_note(session->settings, recipe);
    identity_text(&identity, "recipe", recipe);
    identity_whole(&identity, "images", (uint64_t)session->set.count);
    identity_whole(&identity, "classes", (uint64_t)session->set.classes);
    // The weights, and until the end a checkpoint with up to two moments of each.
    RehearsedWork work = {.result_bytes = 4 * blob_bytes(session->start)};
    ok = ok && rehearsal_tell(&rehearsal, &work, session->settings, &identity, error);
    identity_free(&identity);
    return ok;
}

static bool run_epochs(Session *session, Error *error)
{
    Trainer *trainer   = session->trainer;
    int64_t  per_epoch = trainer_steps_per_epoch(trainer), total = trainer_steps(trainer);
    double   kept = clock_seconds();
    progress_step(&session->progress, trainer_done(trainer), total);
    while (trainer_done(trainer) < total) {
        double  loss    = 0;
        int64_t correct = 0, number = trainer_done(trainer) / per_epoch + 1;
        if (!trainer_step(trainer, &loss, &correct, error))
            return false;
        TrainerTerms terms = trainer_terms(trainer);
        if (!training_log_add(&session->log, trainer_done(trainer), number, &terms, error))
            return false;
        progress_step(&session->progress, trainer_done(trainer), total);
        bool is_epoch = trainer_done(trainer) % per_epoch == 0;
        if (is_epoch || *signals_cancel || clock_seconds() - kept >= checkpoint_interval()) {
            progress_end(&session->progress);
            if (!save_state(session, error))
                return false;
            kept = clock_seconds();
        }
        if (*signals_cancel)
            return fail(error, ERROR_AGAIN, "interrupted after %lld of %lld steps" CHECKPOINT_HINT,
                        (long long)trainer_done(trainer), (long long)total);
        if (is_epoch)
            report_epoch(session, number);
    }
    progress_end(&session->progress);
    return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

// How the finished weights do on held-out data.
typedef struct HeldOut {
    TrainingScore  classes;
    RetrievalScore captions, kept;    // of a pair of towers
    DescribeScore  units, kept_units; // of a captioner
} HeldOut;

// Scores the finished weights as anyone who opens the file would.
static bool score(const Session *session, HeldOut *out, Error *error)
{
    WeightBlob *blob = NULL;
    bool        ok   = blob_open(session->settings->out, &blob, error) &&
              (session->test.units
                   ? training_describe(blob, &session->test, &out->units, &out->kept_units, error)
               : session->test.captions
                   ? training_retrieval(blob, &session->test, &out->captions, &out->kept, error)
                   : training_score(blob, &session->test, &out->classes, error));
    blob_close(blob);
    return ok;
}

static void retrieval_json(JsonWriter *json, const char *name, const RetrievalScore *score)
{
    json_open_object(json, name);
    json_whole(json, "images", score->images);
    json_whole(json, "texts", score->texts);
    json_number(json, "accuracy", score->accuracy);
    json_number(json, "chance", score->chance);
    json_close(json);
}

static void described_json(JsonWriter *json, const char *name, const DescribeScore *score)
{
    json_open_object(json, name);
    json_whole(json, "units", score->units);
    json_number(json, "named", score->named);
    json_number(json, "chance", score->chance);
    json_close(json);
}

static void report_json(Session *session, const HeldOut *held_out)
{
    JsonWriter *json = &session->json;
    if (session->test.units) {
        described_json(json, "held_out", &held_out->units);
        described_json(json, "held_out_claims", &held_out->kept_units);
        return;
    }
    if (session->test.captions) {
        retrieval_json(json, "held_out", &held_out->captions);
        retrieval_json(json, "held_out_claims", &held_out->kept);
        return;
    }
    json_open_object(json, "held_out");
    json_whole(json, "images", session->test.count);
    json_number(json, "loss", held_out->classes.loss);
    json_number(json, "accuracy", held_out->classes.accuracy);
    json_close(json);
}

static void retrieval_text(const char *name, const RetrievalScore *score)
{
    printf("%s: of %lld images the nearest of %lld texts is true of %.2f %% (of another image: "
           "%.2f %%)\n",
           name, (long long)score->images, (long long)score->texts, 100 * score->accuracy,
           100 * score->chance);
}

static void described_text(const char *name, const DescribeScore *score)
{
    printf("%s: of %lld units %.2f %% are named (under random masks: %.2f %%)\n", name,
           (long long)score->units, 100 * score->named, 100 * score->chance);
}

static void report_text(const Session *session, const HeldOut *held_out)
{
    if (session->test.units) {
        described_text("held out", &held_out->units);
        described_text("compounds that no training said", &held_out->kept_units);
        return;
    }
    if (!session->test.captions) {
        printf("held out: loss %.4f, accuracy %.2f %% of %lld images\n", held_out->classes.loss,
               100 * held_out->classes.accuracy, (long long)session->test.count);
        return;
    }
    retrieval_text("held out", &held_out->captions);
    if (held_out->kept.images)
        retrieval_text("compounds that no training said", &held_out->kept);
}

static bool finish(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    JsonWriter     *json     = &session->json;
    HeldOut         held_out = {0};
    char            recipe[TRAIN_NOTE];
    train_note(settings, recipe);
    if (!training_log_publish(&session->log, error) ||
        !trainer_save(session->trainer, settings->out, false, recipe, error) ||
        (settings->test && !score(session, &held_out, error)) ||
        !file_remove(session->checkpoint, error))
        return false;
    json_close(json);
    if (settings->test)
        report_json(session, &held_out);
    json_close(json);
    if (settings->json)
        return json_print(json, error);
    print_clean(stdout, settings->out);
    printf(": %lld steps on %lld images in %d classes\n",
           (long long)trainer_steps(session->trainer), (long long)session->set.count,
           (int)session->set.classes);
    if (settings->test)
        report_text(session, &held_out);
    return true;
}

// Neither the weights nor the checkpoint beside them may be what the training reads.
static bool check_outputs(const Session *session, Error *error)
{
    const Settings *settings = session->settings;
    char            labels[LIMIT_PATH], test_labels[LIMIT_PATH];
    bool            is_file = settings->captions && strcmp(settings->captions, "mini") != 0;
    const UsedPath  used[]  = {
          {"the data", settings->data},
          {"the labels of the data", training_data_labels(settings->data, labels)},
          {"the held-out data", settings->test},
          {"the labels of the held-out data", training_data_labels(settings->test, test_labels)},
          {"the weights to begin with", settings->model},
          {"the encoder", settings->encoder},
          {"the captions", is_file ? settings->captions : NULL}};
    enum { USED = sizeof used / sizeof *used };
    const UsedPath results[] = {{"the trained weights", settings->out},
                                {"the checkpoint", session->checkpoint}};
    return output_file_check(settings->out, used, USED, error) &&
           output_file_check(session->checkpoint, used, USED, error) &&
           (!settings->log || (output_file_check(settings->log, used, USED, error) &&
                               output_file_check(settings->log, results, 2, error)));
}

static bool run(const Settings *settings, Error *error)
{
    Session session = {.settings = settings};
    if (snprintf(session.checkpoint, LIMIT_PATH, "%s.checkpoint", settings->out) >= LIMIT_PATH)
        return fail(error, ERROR_USAGE, "the name of the output has more than %d bytes",
                    LIMIT_PATH - 1);
    if (!check_outputs(&session, error) || !output_file_claim(settings, session.checkpoint, error))
        return false;
    if (settings->log && file_exists(settings->log) && !settings->overwrite && !settings->resume)
        return fail(error, ERROR_CREATE, "%s: exists (see --overwrite)", settings->log);
    json_open_object(&session.json, NULL);
    json_text(&session.json, "path", settings->out);
    json_open_array(&session.json, "epochs");
    progress_start(&session.progress, "train", "steps", settings);
    bool ok = open_data(&session, error) && open_trainer(&session, error);
    if (!ok && session.has_drawn) // of a training that cannot begin nothing is left
        file_remove(session.checkpoint, NULL);
    ok = ok && (settings->dry_run ? rehearse(&session, error)
                                  : run_epochs(&session, error) && finish(&session, error));
    trainer_close(session.trainer);
    training_log_close(&session.log);
    blob_close(session.start);
    training_set_free(&session.set);
    training_set_free(&session.test);
    json_discard(&session.json);
    ok = ok && output_flush(error);
    if (ok && !settings->dry_run) {
        char weights[NEXT_WORD];
        tell_next(settings, "inspect %s", shell_word(settings->out, "", weights));
    }
    return ok;
}

const Verb verb_train = {
    .name    = "train",
    .inputs  = "",
    .summary = "train a network",
    .details =
        "Minimises cross-entropy, or an objective that keeps attributions in place. "
        "FILE.nw.checkpoint holds the state every ten seconds; --resume "
        "continues from it and ends with the same weights as an undisturbed run. Modes: clean "
        "(default) and aligned23, the published code of gradient alignment.",
    .example = "nemesis train -d mini:200:1 --epochs 1 -o runs/trained.nw",
    .options = train_options,
    .shared =
        "threads|batch|seed|max-pixels|compat|progress|overwrite|resume|dry-run|" SHARED_BY_ALL,
    .run = run,
};
