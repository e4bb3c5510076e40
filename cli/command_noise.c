/* cli/command_noise.c - random noise on the probing set: how many explanations change? */
#include "commands.h"
#include "corruption.h"
#include "sharing.h"

static void identify(const Settings *settings, Identity *identity)
{
    identity_text(identity, "type", noise_type_name((NoiseType)settings->noise));
    identity_numbers(identity, "std", &settings->strengths);
    identity_number(identity, "fraction", settings->fraction);
}

static bool rehearsed(Corruption *corruption, bool ok, Error *error)
{
    const RunInputs *inputs   = &corruption->baseline.inputs;
    int64_t          settings = 1 + (int64_t)corruption->run.settings->strengths.count;
    int64_t          images   = (int64_t)((double)(settings * inputs->probe.image_count) *
                               corruption->run.settings->fraction);
    int64_t          rows     = settings * corruption->arm_count * inputs->runner.units;
    RehearsedWork    work     = {.result_bytes = corruption_bytes(corruption, rows, images),
                                 .memory_bytes = clean_run_memory(&corruption->baseline)};
    return run_rehearsed(&corruption->run, ok, &work, error);
}

static bool run(const Settings *settings, Error *error)
{
    Corruption corruption;
    bool       ok = corruption_open(&corruption, &verb_noise, settings, error);
    if (ok) {
        identify(settings, &corruption.run.identity);
        ok = corruption_load(&corruption, error);
    }
    if (ok && corruption.run.folder.is_done) {
        ok = run_folder_show_done(&corruption.run.folder, settings, error);
    } else if (ok) {
        NoiseJob job = {.clean          = corruption.baseline.clean,
                        .type           = (NoiseType)settings->noise,
                        .strengths      = settings->strengths.value,
                        .strength_count = settings->strengths.count,
                        .fraction       = settings->fraction,
                        .arms           = corruption.arms,
                        .arm_count      = corruption.arm_count,
                        .seed           = settings->seed,
                        .earlier        = &corruption.earlier,
                        .observer       = corruption_observer(&corruption),
                        .share          = sharing_share(settings)};
        sharing_cases(settings, noise_settings(&job), "settings");
        ok = corruption_store(&corruption, &job.stored_folder, error) &&
             noise_run(&job, &corruption.changes, error);
        progress_end(&corruption.run.progress);
        ok = settings->dry_run ? rehearsed(&corruption, ok, error)
                               : ok && corruption_publish(&corruption, error);
    }
    ok = ok && corruption_tell(&corruption, error);
    corruption_close(&corruption, ok);
    return ok;
}

static const Option options[] = {
    OPTION_BASELINE,
    OPTIONS_OF_RUN,
    {.name     = "type",
     .kind     = ARGUMENT_CHOICE,
     .offset   = offsetof(Settings, noise),
     .value    = NOISE_NAMES,
     .help     = "distribution of the noise",
     .required = true},
    {.name     = "std",
     .kind     = ARGUMENT_NUMBERS,
     .offset   = offsetof(Settings, strengths),
     .value    = "S[,S...]",
     .help     = "strength, in units of the 0..1 pixel range; a list: one after another",
     .least    = 1e-6,
     .most     = 10,
     .required = true},
    {.name    = "fraction",
     .kind    = ARGUMENT_NUMBER,
     .offset  = offsetof(Settings, fraction),
     .value   = "P",
     .initial = "1",
     .help    = "each image gets noise with this probability",
     .least   = 0,
     .most    = 1},
    OPTION_STORES("the compat mode's"),
    OPTION_KEEP_IMAGES,
    OPTIONS_BERT,
    OPTION_OUT("OUT", "run folder to make"),
    OPTION_END};

const Verb verb_noise = {
    .name        = "noise",
    .inputs      = "RUN",
    .input_least = 1,
    .input_most  = 1,
    .spelled     = "baseline",
    .summary     = "put random noise on the probing set and explain again",
    .details =
        "Repeats RUN, a clean run, on noisy images for each strength and storage, with a "
        "control of no noise but the same storage, and counts the units whose concept changes. "
        "Writes changes.csv, summary.csv and run.json into OUT.",
    .example    = "nemesis noise runs/clean --type gaussian --std 0.05 -o runs/noise",
    .options    = options,
    .of_methods = METHOD_OPTIONS_FILES,
    .shared     = "threads|batch|seed|limit|max-pixels|compat|progress|overwrite|resume|dry-"
                  "run|" SHARED_BY_ALL,
    .is_cut     = true,
    .run        = run,
};
