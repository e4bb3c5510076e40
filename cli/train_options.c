/* cli/train_options.c - see train_options.h. */
#include "train_options.h"

#include "../base/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TRAINING_BATCH = 32 };

#define SECOND_ORDER_NAMES "exact|difference"
#define DETACH_NAMES       "yes|no"

static bool read_milestones(const char *text, Schedule *out)
{
    out->kind = SCHEDULE_MILESTONES;
    for (; *text; text += strcspn(text, ",") + 1) {
        char     word[24];
        uint64_t epoch  = 0;
        size_t   length = strcspn(text, ",");
        if (length >= sizeof word || out->count == MILESTONES)
            return false;
        memcpy(word, text, length);
        word[length] = 0;
        if (!whole_parse(word, &epoch) || epoch < 1 || epoch > 100000)
            return false;
        out->milestones[out->count++] = (int64_t)epoch;
        if (!text[length])
            break;
    }
    return out->count > 0;
}

static bool read_schedule(const char *text, Schedule *out, Error *error)
{
    static const char milestones[] = "milestones:";
    if (strcmp(text, "linear") == 0)
        return true;
    out->kind = SCHEDULE_COSINE;
    return strcmp(text, "cosine") == 0 ||
           (strncmp(text, milestones, strlen(milestones)) == 0 &&
            read_milestones(text + strlen(milestones), out)) ||
           fail(error, ERROR_USAGE,
                "--schedule: '%s' is not linear, cosine or milestones:EPOCH,EPOCH with up to %d "
                "epochs",
                text, MILESTONES);
}

static bool read_activation(const Settings *settings, real own, real *beta, Error *error)
{
    *beta = own;
    if (!settings->activation)
        return true;
    if (!activation_parse(settings->activation, beta))
        return fail(error, ERROR_USAGE, "--activation: '%s' is not relu or softplus:BETA",
                    settings->activation);
    return *beta > 0 || own == 0 ||
           fail(
               error, ERROR_USAGE,
               "--activation relu: the weights were trained with softplus, expected softplus:BETA");
}

static bool read_mode(const Settings *settings, int *mode, Error *error)
{
    const char *text = settings->compat ? settings->compat : objective_mode(0)->name;
    *mode            = word_index(OBJECTIVE_MODE_NAMES, text, strlen(text));
    return *mode >= 0 ||
           fail(error, ERROR_USAGE, "--compat %s: train has the modes clean, aligned23", text);
}

/* The options of a training that some objectives do not read. A number of another objective means
 * that the wrong one was chosen. */
static const struct {
    const char *option, *objectives;
} readers[] = {{"lambda-l2", "l2-cosd"},      {"lambda-cos", "l2-cosd"},
               {"lambda-hessian", "hessian"}, {"detach", "l2-cosd"},
               {"perturb", "l2-cosd"},        {"perturb-eps", "l2-cosd"},
               {"attack-eps", "pgd|triplet"}, {"attack-steps", "pgd|triplet"},
               {"attack-inputs", "triplet"},  {"captions", "contrastive|caption"},
               {"encoder", "caption"},        {"made-units", "caption"}};

static const Option *option_named(const char *name)
{
    const Option *option = train_options;
    while (strcmp(option->name, name) != 0)
        option++;
    return option;
}

// Whether it has the value that it has where it is not given.
static bool is_initial(const Option *option, const Settings *s)
{
    const void *at     = (const char *)s + option->offset;
    double      number = 0;
    uint64_t    whole  = 0;
    switch (option->kind) {
    case ARGUMENT_NUMBER:
        return number_parse(option->initial, &number) && *(const double *)at == number;
    case ARGUMENT_WHOLE:
        return whole_parse(option->initial, &whole) && *(const int64_t *)at == (int64_t)whole;
    case ARGUMENT_CHOICE:
        return *(const int *)at ==
               word_index(option->value, option->initial, strlen(option->initial));
    default:
        return *(const char *const *)at == NULL;
    }
}

static bool check_readers(const Settings *s, Error *error)
{
    const char *objective = word_text(OBJECTIVE_NAMES, s->objective);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (!is_initial(option_named(readers[i].option), s) &&
            word_index(readers[i].objectives, objective, strlen(objective)) < 0)
            return fail(error, ERROR_USAGE, "--%s is of --objective %s, not of %s",
                        readers[i].option, readers[i].objectives, objective);
    return !s->model || strcmp(s->arch, option_named("arch")->initial) == 0 ||
           fail(error, ERROR_USAGE,
                "--arch %.40s draws weights: expected it or --model, which says what it is",
                s->arch);
}

bool train_settings(const Settings *s, real own, TrainSettings *out, Error *error)
{
    *out = (TrainSettings){.optimiser = {.kind         = (OptimiserKind)s->optimiser,
                                         .rate         = s->rate,
                                         .momentum     = 0.9,
                                         .beta2        = 0.999,
                                         .epsilon      = 1e-8,
                                         .weight_decay = s->decay,
                                         .nesterov     = s->nesterov},
                           .batch     = s->batch ? s->batch : TRAINING_BATCH,
                           .epochs    = s->epochs,
                           .seed      = s->seed,
                           .flip      = s->flip,
                           .shift     = (int)s->shift,
                           .crop      = s->random_crop,
                           .conv      = (ConvMethod)s->conv,
                           .drop_last = s->drop_last,
                           .clip      = s->clip,
                           .objective = {.row            = s->objective,
                                         .lambda_l2      = s->lambda_l2,
                                         .lambda_cos     = s->lambda_cos,
                                         .lambda_hessian = s->lambda_hessian,
                                         .is_attached    = s->detach == 1,
                                         .by_difference  = s->second_order == 1,
                                         .perturbation   = (Perturbation)s->perturb,
                                         .perturb_eps    = s->perturb_eps,
                                         .attack_eps     = s->attack_eps,
                                         .attack_steps   = s->attack_steps,
                                         .attack_inputs  = s->attack_inputs}};
    if (s->nesterov && s->optimiser != OPTIMISER_SGD)
        return fail(error, ERROR_USAGE, "--nesterov is of --optimiser sgd");
    if (s->random_crop && s->shift)
        return fail(error, ERROR_USAGE, "--shift and --random-crop: expected one of them");
    return check_readers(s, error) && read_schedule(s->schedule, &out->schedule, error) &&
           read_mode(s, &out->objective.mode, error) &&
           read_activation(s, own, &out->softplus_beta, error) &&
           objective_check(&out->objective, error);
}

/* ---- the recipe ------------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void add(char out[TRAIN_NOTE], const char *format, ...)
{
    size_t  used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out + used, TRAIN_NOTE - used, format, arguments);
    va_end(arguments);
}

// Numbers that an objective reads, and no others.
static void add_objective(const Settings *s, char out[TRAIN_NOTE])
{
    const char *name = word_text(OBJECTIVE_NAMES, s->objective);
    if (s->objective == 0)
        return;
    add(out, " --objective %s", name);
    if (strcmp(name, "hessian") == 0)
        add(out, " --lambda-hessian %.9g", s->lambda_hessian);
    if (strcmp(name, "l2-cosd") == 0)
        add(out, " --lambda-l2 %.9g --lambda-cos %.9g --detach %s --perturb %s --perturb-eps %.17g",
            s->lambda_l2, s->lambda_cos, word_text(DETACH_NAMES, s->detach),
            word_text(PERTURBATION_NAMES, s->perturb), s->perturb_eps);
    if (strcmp(name, "pgd") == 0 || strcmp(name, "triplet") == 0)
        add(out, " --attack-eps %.17g --attack-steps %lld", s->attack_eps,
            (long long)s->attack_steps);
    if (strcmp(name, "triplet") == 0)
        add(out, " --attack-inputs %lld", (long long)s->attack_inputs);
    if (s->second_order)
        add(out, " --second-order %s", word_text(SECOND_ORDER_NAMES, s->second_order));
}

void train_note(const Settings *s, char out[TRAIN_NOTE])
{
    out[0] = 0;
    add(out,
        "source=nemesis train -d %.1000s %s %.1000s --optimiser %s --rate %.9g --decay %.9g "
        "--batch %lld --epochs %lld --shift %lld",
        s->data, s->model ? "--model" : "--arch", s->model ? s->model : s->arch,
        word_text(OPTIMISER_NAMES, s->optimiser), s->rate, s->decay,
        (long long)(s->batch ? s->batch : TRAINING_BATCH), (long long)s->epochs,
        (long long)s->shift);
    if (s->captions)
        add(out, " --captions %.1000s", s->captions);
    if (s->encoder)
        add(out, " --encoder %.1000s --made-units %lld", s->encoder, (long long)s->made_units);
    if (s->flip)
        add(out, " --flip");
    if (s->random_crop)
        add(out, " --random-crop %lld", (long long)s->random_crop);
    if (s->drop_last)
        add(out, " --drop-last");
    if (s->nesterov)
        add(out, " --nesterov");
    if (strcmp(s->schedule, "linear") != 0)
        add(out, " --schedule %.200s", s->schedule);
    if (s->clip > 0)
        add(out, " --clip %.9g", s->clip);
    if (s->activation)
        add(out, " --activation %.64s", s->activation);
    add_objective(s, out);
    if (s->compat && strcmp(s->compat, objective_mode(0)->name) != 0)
        add(out, " --compat %.64s", s->compat);
    if (s->conv)
        add(out, " --conv %s", word_text(CONV_NAMES, s->conv));
    add(out, " --seed %llu\n", (unsigned long long)s->seed);
    if (s->activation)
        add(out, "activation=%.64s\n", s->activation);
}

/* ---- options --------------------------------------------------------------------------------- */

#define NUMBER(option, field, text, start, lowest, highest, says)                                  \
    {                                                                                              \
        .name = (option), .kind = ARGUMENT_NUMBER, .offset = offsetof(Settings, field),            \
        .value = (text), .initial = (start), .help = (says), .least = (lowest), .most = (highest)  \
    }
#define WHOLE(option, field, text, start, lowest, highest, says)                                   \
    {                                                                                              \
        .name = (option), .kind = ARGUMENT_WHOLE, .offset = offsetof(Settings, field),             \
        .value = (text), .initial = (start), .help = (says), .least = (lowest), .most = (highest)  \
    }
#define CHOICE(option, field, words, start, says)                                                  \
    {                                                                                              \
        .name = (option), .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, field),            \
        .value = (words), .initial = (start), .help = (says)                                       \
    }
#define FLAG(option, field, says)                                                                  \
    {                                                                                              \
        .name = (option), .kind = ARGUMENT_FLAG, .offset = offsetof(Settings, field),              \
        .help = (says)                                                                             \
    }
#define TEXT(option, field, text, start, says)                                                     \
    {                                                                                              \
        .name = (option), .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, field),              \
        .value = (text), .initial = (start), .help = (says)                                        \
    }

const Option train_options[] = {
    OPTION_DATA("DATA", "mini:COUNT:SEED, a folder of class folders, or a CIFAR picture"),
    TEXT("test", test, "DATA", NULL, "held-out data: scored at the end"),
    TEXT("captions", captions, "mini|FILE.csv", NULL,
         "what is said of the images, for objective contrastive: of drawn ones by their masks; or "
         "columns image and caption, images below the folder DATA"),
    TEXT("encoder", encoder, "FILE.nw", NULL,
         "the network through which a captioner sees, for objective caption; it becomes a part of "
         "the result"),
    WHOLE("made-units", made_units, "N", "5000", 32, 100000,
          "units made up of drawn photos that a captioner learns to describe"),
    TEXT("arch", arch, "NAME", "mini",
         "network with drawn weights: mini, lenet, resnet18_cifar, vgg16_bn, resnet20, resnet18, "
         "densenet121, clip_mini (towers of images and captions), vit (4 blocks of width 96, 3 "
         "heads, patches of 4) and others"),
    {.name   = "model",
     .letter = 'm',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, model),
     .value  = "FILE.nw",
     .help   = "weights to begin with instead"},
    TEXT("activation", activation, "relu|softplus:BETA", NULL,
         "of the network; the result says so, and every verb computes it so (default: that of the "
         "weights, or relu)"),
    OPTION_OUT("FILE.nw", "trained weights"),
    TEXT("log", log, "FILE.csv", NULL, "a row a step: loss, its terms, rate, gradient"),
    CHOICE("objective", objective, OBJECTIVE_NAMES, "ce",
           "what is lowered: cross-entropy alone, with alignment of gradients, with curvature, at "
           "attacked images, or there with a triplet of gradients; or how far images are from "
           "their captions, or what is said of units"),
    NUMBER("lambda-l2", lambda_l2, "X", "0.01", 0, 1e9,
           "factor of the squared distance of gradients"),
    NUMBER("lambda-cos", lambda_cos, "X", "1", 0, 1e9, "factor of their cosine distance"),
    NUMBER("lambda-hessian", lambda_hessian, "X", "0.001", 0, 1e9, "factor of the curvature"),
    CHOICE("detach", detach, DETACH_NAMES, "yes",
           "hold the gradient at the image itself; no: both move"),
    CHOICE("second-order", second_order, SECOND_ORDER_NAMES, "exact",
           "derivatives of gradients, or differences of gradients"),
    CHOICE("perturb", perturb, PERTURBATION_NAMES, "uniform",
           "where the other image of a pair of gradients lies"),
    NUMBER("perturb-eps", perturb_eps, "E", "4/255", 0, 1, "how far, in pixels of 0..1"),
    NUMBER("attack-eps", attack_eps, "E", "4/255", 0, 1,
           "most that pgd and triplet change a pixel"),
    WHOLE("attack-steps", attack_steps, "N", "5", 1, 20, "their steps, of 2.5 E / N"),
    WHOLE("attack-inputs", attack_inputs, "N", "1000", 0, 1000000000,
          "numbers of an image that the attack of triplet sees, those of the largest gradients; 0: "
          "all"),
    WHOLE("epochs", epochs, "N", "10", 1, 100000, "passes over the data"),
    CHOICE("optimiser", optimiser, OPTIMISER_NAMES, "sgd",
           "SGD with momentum 0.9, Adam, or Adam with decay apart"),
    FLAG("nesterov", nesterov, "Nesterov's momentum for SGD"),
    NUMBER("rate", rate, "R", "0.02", 0, 100, "step size at the start"),
    TEXT("schedule", schedule, "linear|cosine|milestones:E,E", "linear",
         "how it goes on: to 0 in a straight line or along a cosine, or a tenth after each of "
         "these epochs"),
    NUMBER("decay", decay, "D", "0.0005", 0, 1, "weight decay"),
    NUMBER("clip", clip, "L", "0", 0, 1e9, "most length of all gradients together; 0: any"),
    FLAG("flip", flip, "mirror half of the images"),
    WHOLE("shift", shift, "N", "0", 0, 31, "move images by up to N pixels; black moves in"),
    WHOLE("random-crop", random_crop, "SIDE", "0", 0, 4096,
          "a random part of each image, resized to SIDE pixels; 0: the whole"),
    FLAG("drop-last", drop_last, "leave out what is left of an epoch after whole batches"),
    OPTION_CONV,
    OPTION_END};
