/* cli/command_describe.c - a clean run: what the units of one layer stand for, or of several. Two
 * verbs: describe takes any explanation method, dissect is describe by Network Dissection. */
#include "commands.h"
#include "describe.h"
#include "next.h"
#include "rehearse_clean.h"
#include "sharing.h"

#include <string.h>

/* ---- one layer ------------------------------------------------------------------------------- */

static bool collect(Run *run, RunInputs *inputs, Error *error)
{
    const Explainer *explainer = &inputs->explainer;
    const Method    *method    = inputs->request.method;
    Evidence        *evidence  = NULL;
    bool             ok = run_inputs_load(inputs, error) && run_resume_of(run, inputs, error) &&
              sharing_inputs(run->settings, inputs, error);
    if (sharing_is(run->settings, SHARING_PIECE))
        return ok && describe_piece(run, inputs, error);
    ok = ok && (sharing_is(run->settings, SHARING_MERGE)
                    ? describe_merge(run, inputs, &evidence, error)
                    : method->collect(explainer, &explainer->inputs.images, &run->pass, &evidence,
                                      error));
    progress_end(&run->progress);
    ok = ok && describe_publish(run, inputs, evidence, error);
    method->release(evidence);
    return ok;
}

static bool describe(const DescribeRequest *wanted, Error *error)
{
    Run       run;
    RunInputs inputs = {0};
    bool      ok     = describe_begin(&run, &inputs, wanted, NULL, error);
    if (ok)
        ok = run.folder.is_done ? run_folder_show_done(&run.folder, wanted->settings, error)
             : sharing_is(wanted->settings, SHARING_PLAN) ? describe_plan(&run, &inputs, error)
             : wanted->settings->dry_run                  ? clean_run_rehearse(&run, &inputs, error)
                                                          : collect(&run, &inputs, error);
    ok = ok && describe_tell(wanted, error);
    if (ok)
        tell_next_report(wanted->settings);
    run_close(&run);
    run_inputs_close(&inputs);
    return ok;
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static const char *method_name_at(int index)
{
    const Method *method = method_at(index);
    return method ? method->name : NULL;
}

static bool run_describe(const Settings *settings, Error *error)
{
    DescribeRequest wanted = {&verb_describe, method_named(settings->method), settings};
    return strchr(settings->layer, ',') ? describe_layers(&wanted, error)
                                        : describe(&wanted, error);
}

static bool run_dissect(const Settings *settings, Error *error)
{
    DescribeRequest wanted = {&verb_dissect, method_named("dissection"), settings};
    return strchr(settings->layer, ',') ? describe_layers(&wanted, error)
                                        : describe(&wanted, error);
}

// clang-format off
#define CLEAN_RUN_OPTIONS(more)                                                                    \
    OPTION_MODEL,                                                                                  \
    {.name = "layer", .letter = 'l', .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, layer),   \
     .value = "LAYER[,LAYER...]", .required = true,                                                \
     .help = "layer by the network's own name: conv3_3, layer3; several share one pass over the "  \
             "images, and each has a run folder in RUN"},                                          \
    OPTION_DATA("PROBE", "probing set, a folder in Broden's layout" more),                         \
    OPTION_OUT("RUN", "run folder to make"),                                                       \
    OPTION_READOUT("read convolutions before or after their ReLU; auto: as the compat mode does"), \
    {.name = "categories", .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, categories),        \
     .value = "NAME[,NAME...]", .help = "only these categories of concepts"},                      \
    {.name = "store", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, store),                \
     .value = STORE_NAMES, .initial = "float",                                                     \
     .help = "how photos are stored and read again before the network sees them, a control of "    \
             "storage alone; float: as they are"},                                                 \
    OPTION_CONV,                                                                                   \
    OPTION_END
// clang-format on

static const Option describe_options[] = {{.name    = "method",
                                           .kind    = ARGUMENT_NAME,
                                           .offset  = offsetof(Settings, method),
                                           .value   = "NAME",
                                           .word    = method_name_at,
                                           .initial = "dissection",
                                           .help    = "how units are explained"},
                                          CLEAN_RUN_OPTIONS("; for methods that need no label "
                                                            "maps also one of photos")};
static const Option dissect_options[]  = {CLEAN_RUN_OPTIONS("")};

const Verb verb_describe = {
    .name    = "describe",
    .inputs  = "",
    .summary = "say what every unit of one layer stands for, by any method",
    .details =
        "Runs the network over the probing set and lets the method find a description of "
        "every unit. Writes units.csv, the method's own files and run.json into RUN "
        "and a summary to stdout. --captioner and --beam are of milan, the options from --clip "
        "to --cache of clip-dissect.",
    .example    = "nemesis describe -m vgg16.nw -l conv3_3 -d broden1_224 -o runs/described",
    .options    = describe_options,
    .of_methods = METHOD_OPTIONS_ALL,
    .shared =
        "threads|batch|limit|max-pixels|compat|progress|overwrite|resume|dry-run|" SHARED_BY_ALL,
    .is_cut = true,
    .run    = run_describe,
};

const Verb verb_dissect = {
    .name    = "dissect",
    .inputs  = "",
    .summary = "find the concept of every unit of one layer",
    .details = "Runs the network over the probing set, cuts every unit's activation maps at the "
               "unit's own threshold and compares them with the concept masks. Writes tally.csv, "
               "quantile.npy, units.csv and run.json into RUN and a summary to stdout.",
    .example = "nemesis dissect -m vgg16.nw -l conv3_3 -d broden1_224 -o runs/clean",
    .options = dissect_options,
    .shared =
        "threads|batch|limit|max-pixels|compat|progress|overwrite|resume|dry-run|" SHARED_BY_ALL,
    .is_cut = true,
    .run    = run_dissect,
};
