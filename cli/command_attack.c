/* cli/command_attack.c - designed perturbations of single units (PGD). */
#include "commands.h"
#include "corruption.h"
#include "units.h"

static void identify(const Settings *settings, Identity *identity)
{
    identity_text(identity, "units", settings->units);
    identity_text(identity, "target", settings->target);
    identity_numbers(identity, "eps", &settings->strengths);
    identity_whole(identity, "steps", (uint64_t)settings->steps);
    identity_text(identity, "method", choice_text(METHOD_CHOICES, settings->method));
    identity_text(identity, "loss", choice_text(LOSS_CHOICES, settings->loss));
    identity_text(identity, "masks", choice_text(MASKS_CHOICES, settings->masks));
}

static bool select_units(const Corruption *corruption, int64_t **units, int64_t *count,
                         Error *error)
{
    const RunRecord *record = &corruption->record;
    double          *scores = memory_new((size_t)record->unit_count, sizeof *scores, error);
    if (!scores)
        return false;
    for (int64_t i = 0; i < record->unit_count; i++)
        scores[i] = record->units[i].score;
    bool ok = units_select(corruption->settings->units, scores, record->unit_count,
                           corruption->settings->seed, units, count, error);
    memory_free(scores);
    return ok;
}

static bool attack(Corruption *corruption, Error *error)
{
    const Settings   *settings   = corruption->settings;
    const Experiment *experiment = &corruption->experiment;
    LayerRunner       raw        = {0};
    BlobLayer         layer      = {experiment->blob, experiment->request.layer,
                                    experiment->post_relu};
    int64_t          *units      = NULL;
    AttackJob         job        = {.clean       = corruption->clean,
                                    .builder     = unit_builder(&layer),
                                    .eps         = settings->strengths.value,
                                    .eps_count   = settings->strengths.count,
                                    .method      = (PgdMethod)settings->method,
                                    .steps       = (int)settings->steps,
                                    .loss        = (AttackLoss)settings->loss,
                                    .masks       = (AttackMasks)settings->masks,
                                    .arms        = corruption->arms,
                                    .arm_count   = corruption->arm_count,
                                    .seed        = settings->seed,
                                    .keep_folder = corruption_keep_folder(corruption),
                                    .earlier     = &corruption->earlier,
                                    .observer    = corruption_observer(corruption)};
    bool ok = (!settings->target ||
               target_parse(settings->target, &experiment->probe, &job.target, error)) &&
              select_units(corruption, &units, &job.unit_count, error);
    if (ok && job.masks == MASKS_ACTIVATIONS && experiment->request.mode == COMPAT_CORRUPT23)
        ok = experiment_open_unprepared(experiment, &raw, &job.unprepared, error);
    job.units = units;
    ok        = ok && attack_run(&job, &corruption->changes, error);
    progress_end(&corruption->experiment.progress);
    layer_runner_close(&raw);
    memory_free(units);
    return ok;
}

static bool run(const Settings *settings, Error *error)
{
    Corruption corruption;
    bool       ok = corruption_open(&corruption, &verb_attack, settings, error);
    if (ok) {
        identify(settings, &corruption.identity);
        ok = corruption_load(&corruption, error);
    }
    if (ok && corruption.folder.is_done)
        ok = run_folder_show_done(&corruption.folder, settings, error);
    else if (ok)
        ok = attack(&corruption, error) && corruption_publish(&corruption, error);
    corruption_close(&corruption, ok);
    return ok;
}

static const Option options[] = {
    OPTION_BASELINE,
    {.name = "units", .letter = 'u', .kind = ARGUMENT_UNITS, .offset = offsetof(Settings, units),
     .value = "UNITS", .required = true,
     .help = "all, detectors (clean IoU >= 0.04), detectors:8 (a seeded sample), or 0-63,190"},
    {.name = "target", .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, target),
     .value = "CATEGORY:NAME", .help = "concept to move the units to, or `random`; without it, away "
                                       "from their own"},
    {.name = "eps", .kind = ARGUMENT_NUMBERS, .offset = offsetof(Settings, strengths),
     .value = "E[,E...]", .initial = "4/255", .least = 1e-6, .most = 1,
     .help = "largest change of a pixel, in units of its 0..1 range; a list sweeps"},
    {.name = "steps", .kind = ARGUMENT_WHOLE, .offset = offsetof(Settings, steps), .value = "N",
     .initial = "10", .help = "steps of 2 eps / N", .least = 1, .most = 100000},
    {.name = "method", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, method),
     .value = METHOD_CHOICES, .initial = "pgd", .help = "many steps or one"},
    {.name = "loss", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, loss),
     .value = LOSS_CHOICES, .initial = "mean", .help = "what the attack lowers"},
    {.name = "masks", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, masks),
     .value = MASKS_CHOICES, .initial = "labels",
     .help = "where: the concept's label maps, or the units' own activations"},
    OPTION_KEEP_IMAGES,
    OPTION_OUT("OUT", "run folder to make"),
    OPTION_END};

const Verb verb_attack = {
    .name    = "attack",
    .inputs  = "",
    .summary = "perturb the images of a unit's concept until its explanation changes",
    .details = "For each unit, perturbs only the probing images that show its concept (and the target), "
               "within eps per pixel, and dissects the unit again. Writes changes.csv, summary.csv and "
               "run.json into OUT.",
    .example = "nemesis attack --baseline runs/clean -u detectors:8 --eps 4/255 -o runs/attack",
    .options = options,
    .run     = run,
};
