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

static void program_path(const Settings *settings, char out[LIMIT_PATH])
{
    const char *program = settings->command_count ? settings->command[0] : "nemesis";
    if (strchr(program, '/'))
        whole_path(program, out);
    else
        snprintf(out, LIMIT_PATH, "%s", program);
}

// Whether shell_word holds all of it.
static bool is_short(const char *path, Error *error)
{
    size_t length = strlen(path) + 8;
    for (const char *at = path; *at; at++)
        length += *at == '\'' ? 3 : 0;
    return length < NEXT_WORD ||
           fail(error, ERROR_CREATE, "plan: %.80s...: is too long for a script: %zu bytes", path,
                strlen(path));
}

bool plan_paths_fit(const Plan *plan, const Settings *settings, Error *error)
{
    char path[LIMIT_PATH], program[LIMIT_PATH], here[LIMIT_PATH];
    whole_path(plan->path, path);
    program_path(settings, program);
    return is_short(path, error) && is_short(program, error) &&
           (!getcwd(here, sizeof here) || is_short(here, error));
}

static void write_head(const Plan *plan, const Settings *settings, Writer *script)
{
    char path[LIMIT_PATH], word[NEXT_WORD], here[LIMIT_PATH];
    whole_path(plan->path, path);
    writer_text(script, "plan=%s\n", shell_word(path, "", word));
    program_path(settings, path);
    writer_text(script, "nemesis=${NEMESIS:-%s}\n", shell_word(path, "", word));
    if (getcwd(here, sizeof here))
        writer_text(script, "cd %s || exit 66\n", shell_word(here, "", word));
}

// What the estimate says for a task, and a quarter more.
static long long megabytes_of(const Plan *plan)
{
    return (long long)(LEAST_MEGABYTES + plan->estimate.memory_bytes / 1000000 * 5 / 4);
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
    writer_text(
        script,
        "run=${1:-$plan/run}\n"
        "# As many at a time as there are cores, and as memory has room for.\n"
        "cores=$(getconf _NPROCESSORS_ONLN)\n"
        "room=$(awk '/^MemAvailable:/ { print int($2 / %lld) }' /proc/meminfo 2>/dev/null)\n"
        "[ \"${room:-$cores}\" -lt \"$cores\" ] && cores=$((room > 0 ? room : 1))\n"
        "tasks=${2:-$cores}\n"
        "merge() { exec \"$nemesis\" merge \"$plan\" -o \"$run\" --resume; }\n"
        "pieces() {\n"
        "    for try in 1 2 3; do # exit 1, since xargs starts no more after a kill\n"
        "        seq \"$1\" \"$2\" | xargs -n 1 -P \"$tasks\" sh -c '\"$0\" shard -q -t 1 "
        "\"$@\" || exit 1' \"$nemesis\" \"$plan\" &&\n"
        "            return\n"
        "    done\n"
        "    merge # which says what is missing\n"
        "}\n",
        megabytes_of(plan) * 1000);
    for (int i = 0; i < plan->phase_count; i++)
        writer_text(script, "pieces %lld %lld # %s\n", (long long)plan->phases[i].first,
                    (long long)(plan->phases[i].first + plan->phases[i].count - 1),
                    plan->phases[i].name);
    writer_text(script, "merge\n");
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
                plan->verb->name, megabytes_of(plan));
}

// Within a task of an array.
static const char task_text[] =
    "if [ -n \"${SLURM_ARRAY_TASK_ID:-}\" ]; then\n"
    "    # Before the time limit comes USR1: a checkpoint, exit 75, and the task is queued again.\n"
    "    for try in 1 2 3 4 5 6 7 8; do\n"
    "        \"$nemesis\" shard -q -t \"${SLURM_CPUS_PER_TASK:-1}\" \"$plan\" "
    "\"$SLURM_ARRAY_TASK_ID\" &\n"
    "        task=$! asked=\n"
    "        trap 'asked=\"$asked USR1\"; kill -USR1 $task' USR1\n"
    "        trap 'asked=\"$asked TERM\"; kill -TERM $task' TERM\n"
    "        while :; do # a signal ends a wait before the task\n"
    "            seen=$asked; wait $task; code=$?\n"
    "            [ \"$seen\" = \"$asked\" ] && break\n"
    "        done\n"
    "        case $asked in *USR1*)\n"
    "            [ $code -eq 0 ] || scontrol requeue "
    "\"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\"\n"
    "        esac\n"
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
