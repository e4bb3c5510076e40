/* cli/plan_scripts.c - the two scripts of a plan: by Slurm, and on one machine.
 *
 * A scheduler promises to start a task at least once, and may start it again, or twice at a time:
 * both are harmless, so the scripts only say what to start and when. */
#include "plan.h"
#include "../base/parallel.h"
#include "next.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEAST_MINUTES = 10, LEAST_MEGABYTES = 256 };

// The whole path of something that may not be there yet.
static void whole_path(const char *path, char out[LIMIT_PATH])
{
    char here[LIMIT_PATH];
    if (path[0] == '/' || !getcwd(here, sizeof here) || !path_join(out, here, path, NULL))
        snprintf(out, LIMIT_PATH, "%s", path);
}

static void write_head(const Plan *plan, const Settings *settings, Writer *script)
{
    char        path[LIMIT_PATH], word[NEXT_WORD], here[LIMIT_PATH];
    const char *program = settings->command_count ? settings->command[0] : "nemesis";
    whole_path(plan->path, path);
    writer_text(script, "plan=%s\n", shell_word(path, "", word));
    if (strchr(program, '/'))
        whole_path(program, path);
    else
        snprintf(path, sizeof path, "%s", program);
    writer_text(script, "nemesis=${NEMESIS:-%s}\n", shell_word(path, "", word));
    if (getcwd(here, sizeof here))
        writer_text(script, "cd %s || exit 66\n", shell_word(here, "", word));
}

/* ---- one machine ----------------------------------------------------------------------------- */

static bool write_local(const Plan *plan, const Settings *settings, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *script = NULL;
    if (!path_join(path, plan->path, "run.sh", error) || !writer_open(&script, path, error))
        return false;
    writer_text(script,
                "#!/bin/sh\n"
                "# All pieces of this plan on one machine: sh run.sh [RUN [TASKS AT A TIME]]\n"
                "# Pieces that are done are not done again, so it may be started again.\n");
    write_head(plan, settings, script);
    writer_text(script,
                "run=${1:-$plan/run}\ntasks=${2:-$(getconf _NPROCESSORS_ONLN)}\n"
                "pieces() {\n"
                "    for try in 1 2 3; do\n"
                "        seq \"$1\" \"$2\" | xargs -n 1 -P \"$tasks\" \"$nemesis\" shard -q "
                "-t 1 \"$plan\" && break\n"
                "    done\n"
                "    # or: seq \"$1\" \"$2\" | parallel -j \"$tasks\" --retries 3 "
                "\"$nemesis\" shard -q -t 1 \"$plan\"\n"
                "}\n");
    for (int i = 0; i < plan->phase_count; i++)
        writer_text(script, "pieces %lld %lld # %s\n", (long long)plan->phases[i].first,
                    (long long)(plan->phases[i].first + plan->phases[i].count - 1),
                    plan->phases[i].name);
    writer_text(script, "exec \"$nemesis\" merge \"$plan\" -o \"$run\"\n");
    return writer_publish(script, error);
}

/* ---- Slurm ----------------------------------------------------------------------------------- */

// Twice what the estimate says for one of so many pieces, whose inputs must be opened as well. What a
// phase alone takes is not known, so it is the most it may be.
static int64_t minutes_of(const Plan *plan, int64_t pieces)
{
    double seconds = plan->estimate.seconds > 0 ? plan->estimate.seconds : 0;
    double shared  = plan->estimate.shared < seconds ? plan->estimate.shared : seconds;
    seconds        = shared + (seconds - shared) / (double)pieces;
    return LEAST_MINUTES + (int64_t)(2 * seconds * parallel_threads() / 60);
}

static void write_options(const Plan *plan, Writer *script)
{
    writer_text(script,
                "#SBATCH --job-name=nemesis-%s\n"
                "#SBATCH --cpus-per-task=1\n"
                "#SBATCH --mem=%lldM\n"
                "#SBATCH --requeue\n"
                "#SBATCH --open-mode=append\n"
                "#SBATCH --signal=B:USR1@120\n",
                plan->verb->name,
                (long long)(LEAST_MEGABYTES + plan->estimate.memory_bytes / 1000000 * 5 / 4));
}

// Within a task of an array.
static const char task_text[] =
    "if [ -n \"${SLURM_ARRAY_TASK_ID:-}\" ]; then\n"
    "    # Before the time limit comes USR1: a checkpoint, exit 75, and the task is queued again.\n"
    "    for try in 1 2 3 4 5 6 7 8; do\n"
    "        \"$nemesis\" shard -q -t \"${SLURM_CPUS_PER_TASK:-1}\" \"$plan\" "
    "\"$SLURM_ARRAY_TASK_ID\" &\n"
    "        task=$! asked=\n"
    "        trap 'asked=USR1; kill -USR1 $task' USR1\n"
    "        trap 'asked=TERM; kill -TERM $task' TERM\n"
    "        while :; do # a signal ends a wait before the task\n"
    "            seen=$asked; wait $task; code=$?\n"
    "            [ \"$seen\" = \"$asked\" ] && break\n"
    "        done\n"
    "        [ \"$asked\" = USR1 ] && [ $code -ne 0 ] &&\n"
    "            scontrol requeue \"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\"\n"
    "        # A process that was killed is tried again here: a requeue takes minutes.\n"
    "        [ -n \"$asked\" ] || { [ $code -le 128 ] && [ $code -ne 75 ]; } && exit $code\n"
    "    done\n"
    "    exit $code\n"
    "fi\n"
    "if [ \"${1:-}\" = merge ]; then\n"
    "    exec \"$nemesis\" merge \"$plan\" -o \"$2\" --resume\n"
    "fi\n";

static bool write_slurm(const Plan *plan, const Settings *settings, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *script = NULL;
    if (!path_join(path, plan->path, "run.sbatch", error) || !writer_open(&script, path, error))
        return false;
    writer_text(script, "#!/bin/sh\n");
    write_options(plan, script);
    writer_text(
        script,
        "# All pieces of this plan by Slurm: sh run.sbatch [RUN], or sbatch run.sbatch [RUN]\n"
        "# Pieces that are done are not done again, so it may be submitted again. OPTIONS\n"
        "# are handed to sbatch: OPTIONS='-p long -A mine' sh run.sbatch\n");
    write_head(plan, settings, script);
    writer_text(script, "%s", task_text);
    writer_text(script,
                "run=${1:-$plan/run}\n"
                "log=$plan/work/slurm-%%A_%%a.log\n"
                "submit() { sbatch --parsable --output=\"$log\" --time=\"$limit\" ${OPTIONS:-} "
                "\"$@\"; }\n");
    for (int i = 0; i < plan->phase_count; i++) {
        const PlanPhase *phase = &plan->phases[i];
        writer_text(
            script,
            "limit=%lld\njob=$(submit --array=%lld-%lld %s\"$plan/run.sbatch\") || exit # %s\n",
            (long long)minutes_of(plan, phase->count), (long long)phase->first,
            (long long)(phase->first + phase->count - 1),
            i ? "--dependency=afterok:${job%%;*} --kill-on-invalid-dep=yes " : "", phase->name);
    }
    writer_text(script,
                "# Merging decides itself whether all pieces are there: exit 4 lists what is not.\n"
                "log=$plan/work/slurm-%%A.log\n"
                "submit --dependency=afterany:${job%%%%;*} \"$plan/run.sbatch\" merge \"$run\"\n");
    return writer_publish(script, error);
}

bool plan_scripts(const Plan *plan, const Settings *settings, Error *error)
{
    return write_local(plan, settings, error) && write_slurm(plan, settings, error);
}
