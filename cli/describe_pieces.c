/* cli/describe_pieces.c - a clean run that a plan cuts: the phases of its method are the phases of
 * the plan. */
#include "describe.h"
#include "rehearse_clean.h"
#include "sharing.h"

/* ---- the plan -------------------------------------------------------------------------------- */

// Every photo is read once, for the digest.
bool describe_plan(Run *run, RunInputs *inputs, Error *error)
{
    const Method *method      = inputs->request.method;
    Plan         *plan        = run->settings->sharing->plan;
    bool          images_told = false; // the note about them, which is the same for all phases
    if (!method->phases)
        return fail(error, ERROR_USAGE, "plan: the method %s cannot be cut into pieces",
                    method->name);
    if (!run_inputs_load(inputs, error) || !sharing_inputs(run->settings, inputs, error) ||
        !clean_run_rehearse(run, inputs, error))
        return false;
    for (int i = 0; i < method->phase_count; i++) {
        const char *name = method->phases[i].name;
        int64_t     most = (inputs->probe.image_count + PASS_GROUP - 1) / PASS_GROUP;
        if (method->phases[i].cut == CUT_IMAGES)
            sharing_phase(run->settings, name, most, images_told ? NULL : "groups of 64 images");
        else if (method->phases[i].cut == CUT_UNITS)
            sharing_phase(run->settings, name, inputs->runner.units, "units");
        else
            plan_phase(plan, name, 1);
        images_told = images_told || method->phases[i].cut == CUT_IMAGES;
    }
    return true;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

bool describe_piece(Run *run, RunInputs *inputs, Error *error)
{
    const Method *method  = inputs->request.method;
    Sharing      *sharing = run->settings->sharing;
    int           phase   = plan_phase_of(sharing->plan, sharing->piece);
    Share         share   = sharing_share(run->settings);
    Pass          pass    = run->pass;
    Pieces        pieces  = sharing_pieces(run);
    char          name[48];
    if (phase >= method->phase_count)
        return fail(error, ERROR_DATA, "%s/plan.json: has more phases than %s", sharing->plan->path,
                    method->name);
    snprintf(name, sizeof name, "piece %lld", (long long)sharing->piece);
    pass.phase = name;
    if (method->phases[phase].cut == CUT_IMAGES)
        pass.share = share;
    return method->collect_piece(&inputs->explainer, &pass, phase, share, &pieces, error);
}

bool describe_merge(Run *run, RunInputs *inputs, Evidence **out, Error *error)
{
    Pieces pieces = sharing_pieces(run);
    return inputs->request.method->collect_pieces(&inputs->explainer, &run->pass, &pieces, out,
                                                  error);
}
