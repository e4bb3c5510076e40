/* cli/command_train.c - trains a network; a checkpoint after every epoch. */
#include "../base/snapshot.h"
#include "commands.h"
#include "../format/json.h"
#include "next.h"
#include "output.h"
#include "outputs.h"
#include "progress.h"
#include "signals.h"
#include "training_data.h"

#include <string.h>

typedef struct Session {
    const Settings *settings;
    TrainingSet     set, test; // test is empty without --test
    char            checkpoint[LIMIT_PATH];
    WeightBlob     *start; // what the trainer begins with
    Trainer        *trainer;
    JsonWriter      json;
} Session;

static TrainSettings train_settings(const Settings *settings)
{
    return (TrainSettings){.optimiser = {.kind         = (OptimiserKind)settings->optimiser,
                                         .rate         = settings->rate,
                                         .momentum     = 0.9,
                                         .beta2        = 0.999,
                                         .epsilon      = 1e-8,
                                         .weight_decay = settings->decay},
                           .batch     = settings->batch ? settings->batch : 32,
                           .epochs    = settings->epochs,
                           .seed      = settings->seed,
                           .flip      = settings->flip,
                           .shift     = (int)settings->shift,
                           .conv      = (ConvMethod)settings->conv};
}

/* ---- the beginning --------------------------------------------------------------------------- */

// Images are as large as the network wants them.
static bool open_data(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    int64_t         side     = strcmp(settings->arch, "mini") == 0 ? 64 : 32;
    WeightBlob     *start    = NULL;
    if (settings->model) {
        if (!blob_open(settings->model, &start, error))
            return false;
        bool takes_images = blob_takes_images(start, error);
        side              = takes_images ? blob_preparation(start)->width : 0;
        blob_close(start);
        if (!takes_images)
            return false;
    }
    return training_data_open(&session->set, settings->data, side, error) &&
           (!settings->test || training_data_open(&session->test, settings->test, side, error));
}

// From the checkpoint with --resume, else from the given or from drawn weights.
static bool open_trainer(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    const char     *start    = settings->model ? settings->model : session->checkpoint;
    TrainSettings   training = train_settings(settings);
    Error           damage   = {0};
    if (settings->resume && file_exists(session->checkpoint))
        blob_open(session->checkpoint, &session->start, &damage);
    if (damage.code && damage.code != ERROR_DATA)
        return fail(error, damage.code, "%s", damage.message);
    if (damage.code)
        note(settings, "warning: %s; the training starts over", damage.message);
    if (!session->start && !settings->model &&
        !training_begin(session->checkpoint, settings->arch, &session->set, settings->seed, error))
        return false;
    return (session->start || blob_open(start, &session->start, error)) &&
           trainer_open(&session->trainer, session->start, &session->set, &training, error);
}

/* ---- epochs ---------------------------------------------------------------------------------- */

static void report_epoch(Session *session, int64_t epoch, double loss, double accuracy)
{
    note(session->settings, "epoch %lld of %lld: loss %.4f, accuracy %.1f %%", (long long)epoch,
         (long long)session->settings->epochs, loss, 100 * accuracy);
    json_open_object(&session->json, NULL);
    json_whole(&session->json, "epoch", epoch);
    json_number(&session->json, "loss", loss);
    json_number(&session->json, "accuracy", accuracy);
    json_close(&session->json);
}

static bool run_epochs(Session *session, Error *error)
{
    Trainer *trainer = session->trainer;
    Progress progress;
    int64_t  per_epoch = trainer_steps_per_epoch(trainer), total = trainer_steps(trainer),
            correct = 0;
    double  loss    = 0;
    int64_t steps = 0, images = session->settings->batch ? session->settings->batch : 32;
    double  kept = clock_seconds();
    progress_start(&progress, "train", "steps", session->settings);
    while (trainer_done(trainer) < total) {
        double  step_loss    = 0;
        int64_t step_correct = 0;
        if (!trainer_step(trainer, &step_loss, &step_correct, error))
            return false;
        loss += step_loss;
        correct += step_correct;
        steps++;
        progress_step(&progress, trainer_done(trainer), total);
        bool is_epoch = trainer_done(trainer) % per_epoch == 0;
        if (is_epoch || *signals_cancel || clock_seconds() - kept >= checkpoint_interval()) {
            progress_end(&progress);
            if (!trainer_save(trainer, session->checkpoint, true, NULL, error))
                return false;
            kept = clock_seconds();
        }
        if (*signals_cancel)
            return fail(error, ERROR_AGAIN, "interrupted after %lld of %lld steps" CHECKPOINT_HINT,
                        (long long)trainer_done(trainer), (long long)total);
        if (is_epoch) {
            report_epoch(session, trainer_done(trainer) / per_epoch, loss / (double)steps,
                         (double)correct / (double)(steps * images));
            loss    = 0;
            correct = steps = 0;
        }
    }
    progress_end(&progress);
    return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

// Scores the finished weights as anyone who opens the file would.
static bool score(const Session *session, TrainingScore *out, Error *error)
{
    WeightBlob *blob = NULL;
    bool        ok   = blob_open(session->settings->out, &blob, error) &&
              training_score(blob, &session->test, out, error);
    blob_close(blob);
    return ok;
}

// What the weights come from, as the command that makes them again.
static void recipe_text(const Settings *settings, char out[LIMIT_PATH])
{
    snprintf(out, LIMIT_PATH,
             "source=nemesis train -d %.1000s %s %.1000s --optimiser %s --rate %.9g --decay %.9g "
             "--batch %lld --epochs %lld --shift %lld%s%s%s --seed %llu\n",
             settings->data, settings->model ? "--model" : "--arch",
             settings->model ? settings->model : settings->arch,
             word_text(OPTIMISER_NAMES, settings->optimiser), settings->rate, settings->decay,
             (long long)(settings->batch ? settings->batch : 32), (long long)settings->epochs,
             (long long)settings->shift, settings->flip ? " --flip" : "",
             settings->conv ? " --conv " : "",
             settings->conv ? word_text(CONV_NAMES, settings->conv) : "",
             (unsigned long long)settings->seed);
}

static bool finish(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    JsonWriter     *json     = &session->json;
    TrainingScore   held_out = {0};
    char            recipe[LIMIT_PATH];
    recipe_text(settings, recipe);
    if (!trainer_save(session->trainer, settings->out, false, recipe, error) ||
        (settings->test && !score(session, &held_out, error)) ||
        !file_remove(session->checkpoint, error))
        return false;
    json_close(json);
    if (settings->test) {
        json_open_object(json, "held_out");
        json_whole(json, "images", session->test.count);
        json_number(json, "loss", held_out.loss);
        json_number(json, "accuracy", held_out.accuracy);
        json_close(json);
    }
    json_close(json);
    if (settings->json)
        return json_print(json, error);
    print_clean(stdout, settings->out);
    printf(": %lld steps on %lld images in %d classes\n",
           (long long)trainer_steps(session->trainer), (long long)session->set.count,
           (int)session->set.classes);
    if (settings->test)
        printf("held out: loss %.4f, accuracy %.2f %% of %lld images\n", held_out.loss,
               100 * held_out.accuracy, (long long)session->test.count);
    return true;
}

// Neither the weights nor the checkpoint beside them may be what the training reads.
static bool check_outputs(const Session *session, Error *error)
{
    const Settings *settings = session->settings;
    char            labels[LIMIT_PATH], test_labels[LIMIT_PATH];
    const UsedPath  used[] = {
         {"the data", settings->data},
         {"the labels of the data", training_data_labels(settings->data, labels)},
         {"the held-out data", settings->test},
         {"the labels of the held-out data", training_data_labels(settings->test, test_labels)},
         {"the weights to begin with", settings->model}};
    return output_file_check(settings->out, used, 5, error) &&
           output_file_check(session->checkpoint, used, 5, error);
}

static bool run(const Settings *settings, Error *error)
{
    Session session = {.settings = settings};
    if (snprintf(session.checkpoint, LIMIT_PATH, "%s.checkpoint", settings->out) >= LIMIT_PATH)
        return fail(error, ERROR_USAGE, "the name of the output has more than %d bytes",
                    LIMIT_PATH - 1);
    if (!check_outputs(&session, error))
        return false;
    // A training that was killed between its last two files has both.
    if (file_exists(settings->out) && !settings->overwrite &&
        !(settings->resume && file_exists(session.checkpoint)))
        return fail(error, ERROR_CREATE, "%s: exists (see --overwrite)", settings->out);
    json_open_object(&session.json, NULL);
    json_text(&session.json, "path", settings->out);
    json_open_array(&session.json, "epochs");
    bool ok = open_data(&session, error) && open_trainer(&session, error) &&
              run_epochs(&session, error) && finish(&session, error);
    trainer_close(session.trainer);
    blob_close(session.start);
    training_set_free(&session.set);
    training_set_free(&session.test);
    json_discard(&session.json);
    ok = ok && output_flush(error);
    if (ok) {
        char weights[NEXT_WORD];
        tell_next(settings, "inspect %s", shell_word(settings->out, "", weights));
    }
    return ok;
}

static const Option options[] = {
    {.name     = "data",
     .letter   = 'd',
     .kind     = ARGUMENT_TEXT,
     .offset   = offsetof(Settings, data),
     .value    = "DATA",
     .help     = "mini:COUNT:SEED, a folder of class folders, or a CIFAR picture",
     .required = true},
    {.name   = "test",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, test),
     .value  = "DATA",
     .help   = "held-out data: scored at the end"},
    {.name    = "arch",
     .kind    = ARGUMENT_TEXT,
     .offset  = offsetof(Settings, arch),
     .value   = "NAME",
     .initial = "mini",
     .help    = "network with drawn weights: mini, resnet20 and deeper"},
    {.name   = "model",
     .letter = 'm',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, model),
     .value  = "FILE.nw",
     .help   = "weights to begin with instead"},
    OPTION_OUT("FILE.nw", "trained weights"),
    {.name    = "epochs",
     .kind    = ARGUMENT_WHOLE,
     .offset  = offsetof(Settings, epochs),
     .value   = "N",
     .initial = "10",
     .help    = "passes over the data",
     .least   = 1,
     .most    = 100000},
    {.name    = "optimiser",
     .kind    = ARGUMENT_CHOICE,
     .offset  = offsetof(Settings, optimiser),
     .value   = OPTIMISER_NAMES,
     .initial = "sgd",
     .help    = "SGD with momentum 0.9, or Adam"},
    {.name    = "rate",
     .kind    = ARGUMENT_NUMBER,
     .offset  = offsetof(Settings, rate),
     .value   = "R",
     .initial = "0.02",
     .help    = "step size at the start; falls to 0 in a straight line",
     .least   = 0,
     .most    = 100},
    {.name    = "decay",
     .kind    = ARGUMENT_NUMBER,
     .offset  = offsetof(Settings, decay),
     .value   = "D",
     .initial = "0.0005",
     .help    = "weight decay",
     .least   = 0,
     .most    = 1},
    {.name   = "flip",
     .kind   = ARGUMENT_FLAG,
     .offset = offsetof(Settings, flip),
     .help   = "mirror half of the images"},
    {.name    = "shift",
     .kind    = ARGUMENT_WHOLE,
     .offset  = offsetof(Settings, shift),
     .value   = "N",
     .initial = "0",
     .help    = "move images by up to N pixels",
     .least   = 0,
     .most    = 31},
    OPTION_CONV,
    OPTION_END};

const Verb verb_train = {
    .name    = "train",
    .inputs  = "",
    .summary = "train a network",
    .details =
        "Minimises cross-entropy. FILE.nw.checkpoint holds the state every ten seconds; --resume "
        "continues from it and ends with the same weights as an undisturbed run.",
    .example = "nemesis train -d mini:200:1 --epochs 1 -o runs/trained.nw",
    .options = options,
    .shared  = "threads|batch|seed|max-pixels|progress|overwrite|resume|" SHARED_BY_ALL,
    .run     = run,
};
