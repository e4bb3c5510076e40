/* cli/command_merge.c - the pieces of a plan become a run. */
#include "commands.h"
#include "outputs.h"
#include "sharing.h"

// The pieces of the last phase make a run. Where some are missing, those of the first phase that
// lacks any are named.
static bool is_complete(Sharing *sharing, const Settings *settings, Error *error)
{
    int   last  = sharing->plan->phase_count - 1;
    Error cause = {0};
    if (sharing_complete(sharing, last, settings, &cause))
        return true;
    for (int i = 0; i < last; i++)
        if (!sharing_complete(sharing, i, settings, error))
            return false;
    return fail(error, cause.code, "%s", cause.message);
}

static bool run(const Settings *settings, Error *error)
{
    Plan     plan    = {0};
    Sharing *sharing = memory_new(1, sizeof *sharing, error);
    char     folder[LIMIT_PATH];
    if (!sharing)
        return false;
    *sharing = (Sharing){.role = SHARING_MERGE, .plan = &plan};
    bool ok  = plan_open(&plan, settings->inputs[0], error) &&
              path_join(folder, plan.path, PLAN_PIECES, error) &&
              shards_open(&sharing->shards, folder, plan.sha256, error) &&
              is_complete(sharing, settings, error) &&
              sharing_run(sharing, settings, settings->out, error);
    plan_close(&plan);
    memory_free(sharing);
    return ok;
}

static const Option options[] = {OPTION_OUT("RUN", "run folder to make"), OPTION_END};

const Verb verb_merge = {
    .name        = "merge",
    .inputs      = "PLAN",
    .input_least = 1,
    .input_most  = 1,
    .summary     = "put the pieces of a plan together: a run as on one machine",
    .details =
        "Checks every piece of PLAN and writes RUN by the code of the plan's verb, which has "
        "nothing left to compute. Its files have the bytes of a run on one machine, run.json but "
        "for command, machine, times and memory. A piece that is cut short, damaged or of another "
        "plan is named. Exit 4 if pieces are missing, 65 if some are broken, with the list to "
        "paste behind --array=; `nemesis plan --status PLAN` tells it without merging.",
    .example = "nemesis merge plans/attack -o runs/attack",
    .options = options,
    .shared  = "threads|progress|overwrite|resume|" SHARED_BY_ALL,
    .run     = run,
};
