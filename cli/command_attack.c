/* cli/command_attack.c - designed perturbations of single units (PGD). */
#include "commands.h"
#include "corruption.h"
#include "output.h"
#include "sharing.h"
#include "units.h"

static void identify(const Settings *settings, Identity *identity)
{
    identity_text(identity, "units", settings->units);
    identity_text(identity, "target", settings->target);
    identity_numbers(identity, "eps", &settings->strengths);
    identity_whole(identity, "steps", (uint64_t)settings->steps);
    identity_text(identity, "method", word_text(PGD_NAMES, settings->pgd));
    identity_text(identity, "loss", word_text(LOSS_NAMES, settings->loss));
    identity_text(identity, "masks", word_text(MASKS_NAMES, settings->masks));
}

static bool select_units(const Corruption *corruption, int64_t **units, int64_t *count,
                         Error *error)
{
    const RunRecord *record    = &corruption->baseline.record;
    const Method    *method    = corruption->baseline.inputs.request.method;
    bool            *detectors = memory_new((size_t)record->unit_count, sizeof *detectors, error);
    if (!detectors)
        return false;
    for (int64_t i = 0; i < record->unit_count; i++)
        detectors[i] = record->units[i].label && is_detector(method, record->units[i].score);
    bool ok = units_select(corruption->run.settings->units, detectors, record->unit_count,
                           corruption->run.settings->seed, units, count, error);
    memory_free(detectors);
    return ok;
}

// "attack: 2 units, 12,084 passes: 450 shared + 579 + 2,310", and what a pass is.
static void tell_plan(void *self, const AttackPlan *plan)
{
    enum { SINGLE = 4 }; // more units than these are told as a range
    Corruption     *corruption = self;
    const Settings *settings   = corruption->run.settings;
    char            total[32], shared[32], least[32], most[32], each[SINGLE * 40] = "";
    int64_t         low = plan->of_unit[0], high = low;
    int             used = 0;
    corruption->plan     = (AttackFacts){plan->total, plan->shared, plan->images};
    for (int64_t i = 0; i < plan->unit_count; i++) {
        int64_t passes = plan->of_unit[i];
        low            = passes < low ? passes : low;
        high           = passes > high ? passes : high;
        count_text(passes, most);
        if (plan->unit_count <= SINGLE)
            used += snprintf(each + used, sizeof each - (size_t)used, " + %s", most);
    }
    count_text(plan->total, total);
    count_text(plan->shared, shared);
    count_text(low, least);
    count_text(high, most);
    if (plan->unit_count > SINGLE)
        snprintf(each, sizeof each, ", %s to %s a unit", least, most);
    note(settings, "attack: %lld unit%s, %s%s passes: %s shared%s", (long long)plan->unit_count,
         plan->unit_count == 1 ? "" : "s", plan->at_most ? "at most " : "", total, shared, each);
    note(settings, "a pass is one photo through the network; a gradient counts as three");
}

/* ---- --dry-run ------------------------------------------------------------------------------- */

static bool rehearsed(Corruption *corruption, const AttackJob *job, bool ok, Error *error)
{
    const AttackFacts *facts = &corruption->plan;
    AttackSetup setup  = {&job->clean.explainer->inputs, job->builder, job->clean.pass, job->batch};
    RehearsedWork work = {.other_units  = facts->total - facts->shared,
                          .shared_units = facts->shared,
                          .memory_bytes = clean_run_memory(&corruption->baseline)};
    int64_t       rows = job->unit_count * corruption->arm_count * (1 + (int64_t)job->eps_count);
    work.result_bytes  = corruption_bytes(corruption, rows, facts->images * job->eps_count);
    return rehearsal_ends(&corruption->run.rehearsal, ok, error) &&
           unit_attack_seconds(&setup, 0, &work.other_seconds, error) &&
           run_rehearsed(&corruption->run, true, &work, error);
}

static bool attack(Corruption *corruption, Error *error)
{
    const Settings  *settings = corruption->run.settings;
    const RunInputs *inputs   = &corruption->baseline.inputs;
    LayerRunner      raw      = {0};
    BlobLayer        layer = {inputs->blob, inputs->layer, inputs->post_relu, inputs->request.conv};
    int64_t         *units = NULL;
    AttackJob        job   = {.clean        = corruption->baseline.clean,
                              .builder      = unit_builder(&layer),
                              .eps          = settings->strengths.value,
                              .eps_count    = settings->strengths.count,
                              .variant      = (PgdVariant)settings->pgd,
                              .steps        = (int)settings->steps,
                              .loss         = (AttackLoss)settings->loss,
                              .masks        = (AttackMasks)settings->masks,
                              .arms         = corruption->arms,
                              .arm_count    = corruption->arm_count,
                              .seed         = settings->seed,
                              .earlier      = &corruption->earlier,
                              .observer     = corruption_observer(corruption),
                              .planned      = tell_plan,
                              .planned_self = corruption};
    bool             ok =
        (!settings->target || target_parse(settings->target, inputs->explainer.labels,
                                           &corruption->baseline.record, &job.target, error)) &&
        select_units(corruption, &units, &job.unit_count, error);
    if (ok && job.masks == MASKS_ACTIVATIONS && inputs->request.mode->raw_masks)
        ok = run_inputs_unprepared(inputs, &raw, &job.unprepared, error);
    job.units = units;
    job.share = sharing_share(settings);
    sharing_cases(settings, job.unit_count * job.eps_count, "units");
    ok = ok && corruption_store(corruption, &job.stored_folder, error) &&
         attack_run(&job, &corruption->changes, error);
    progress_end(&corruption->run.progress);
    if (settings->dry_run)
        ok = rehearsed(corruption, &job, ok, error);
    layer_runner_close(&raw);
    memory_free(units);
    return ok;
}

static bool run(const Settings *settings, Error *error)
{
    Corruption corruption;
    bool       ok = corruption_open(&corruption, &verb_attack, settings, error);
    if (ok) {
        identify(settings, &corruption.run.identity);
        ok = corruption_load(&corruption, error);
    }
    if (ok && corruption.run.folder.is_done)
        ok = run_folder_show_done(&corruption.run.folder, settings, error);
    else if (ok)
        ok = attack(&corruption, error) &&
             (settings->dry_run || corruption_publish(&corruption, error));
    ok = ok && corruption_tell(&corruption, error);
    corruption_close(&corruption, ok);
    return ok;
}

static const Option options[] = {
    OPTION_BASELINE,
    OPTIONS_OF_RUN,
    {.name     = "units",
     .letter   = 'u',
     .kind     = ARGUMENT_UNITS,
     .offset   = offsetof(Settings, units),
     .value    = "UNITS",
     .required = true,
     .help = "all, detectors (a high clean score: IoU >= 0.04), detectors:8 (a seeded sample), or "
             "0-63,190"},
    {.name   = "target",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, target),
     .value  = "CATEGORY:NAME",
     .help   = "concept to move the units towards; `unit:N` for that of unit N, or `random`; "
               "without it they are only moved away from their own"},
    {.name    = "eps",
     .kind    = ARGUMENT_NUMBERS,
     .offset  = offsetof(Settings, strengths),
     .value   = "E[,E...]",
     .initial = "4/255",
     .least   = 1e-6,
     .most    = 1,
     .help =
         "largest change of a pixel value, in units of its 0..1 range; a list: one after another"},
    {.name    = "steps",
     .kind    = ARGUMENT_WHOLE,
     .offset  = offsetof(Settings, steps),
     .value   = "N",
     .initial = "10",
     .help    = "steps of 2 eps / N",
     .least   = 1,
     .most    = 100000},
    {.name    = "method",
     .kind    = ARGUMENT_CHOICE,
     .offset  = offsetof(Settings, pgd),
     .value   = PGD_NAMES,
     .initial = "pgd",
     .help    = "pgd: many steps; fgsm: one step of size eps"},
    {.name    = "loss",
     .kind    = ARGUMENT_CHOICE,
     .offset  = offsetof(Settings, loss),
     .value   = LOSS_NAMES,
     .initial = "mean",
     .help = "what is lowered: the mean activation on the concept, a smooth IoU with it, or what a "
             "unit's strongest images say for its word (CLIP-Dissect)"},
    {.name    = "masks",
     .kind    = ARGUMENT_CHOICE,
     .offset  = offsetof(Settings, masks),
     .value   = MASKS_NAMES,
     .initial = "labels",
     .help    = "where the concept is: as label maps say, or where units are active"},
    OPTION_STORES("the compat mode's"),
    OPTION_KEEP_IMAGES,
    OPTIONS_BERT,
    OPTION_OUT("OUT", "run folder to make"),
    OPTION_END};

const Verb verb_attack = {
    .name        = "attack",
    .inputs      = "RUN",
    .input_least = 1,
    .input_most  = 1,
    .spelled     = "baseline",
    .summary     = "perturb images of a unit's concept until its explanation changes",
    .details =
        "For each unit of RUN, a clean run, perturbs only the probing images that show its concept "
        "(and the target), "
        "within eps per pixel, and explains the unit again. Writes changes.csv, summary.csv and "
        "run.json into OUT.",
    .example    = "nemesis attack runs/clean -u detectors:8 --eps 4/255 -o runs/attack",
    .options    = options,
    .of_methods = METHOD_OPTIONS_FILES,
    .shared     = "threads|batch|seed|limit|max-pixels|compat|progress|overwrite|resume|dry-"
                  "run|" SHARED_BY_ALL,
    .is_cut     = true,
    .run        = run,
};
