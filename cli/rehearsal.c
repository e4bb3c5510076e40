/* cli/rehearsal.c - see rehearsal.h. */
#include "rehearsal.h"
#include "../base/parallel.h"
#include "../engine/engine.h"
#include "output.h"
#include "sharing.h"
#include "signals.h"

#include <sys/resource.h>

void rehearsal_start(Rehearsal *out, Progress *progress)
{
    *out = (Rehearsal){.progress = progress};
}

void rehearsal_step(void *self, int64_t done, int64_t total)
{
    Rehearsal *rehearsal = self;
    double     now       = clock_seconds();
    progress_note(rehearsal->progress, now, done, total);
    if (rehearsal->steps++ == 0) {
        rehearsal->began = now;
        rehearsal->first = done;
    }
    size_t used      = memory_in_use();
    rehearsal->ended = now;
    if (used > rehearsal->most_used)
        rehearsal->most_used = used;
    if (!rehearsal->is_whole && now - rehearsal->began >= REHEARSAL_SECONDS &&
        rehearsal->steps > REHEARSAL_STEPS)
        rehearsal->is_over = true;
    rehearsal->stop = rehearsal->is_over || *signals_cancel;
}

bool rehearsal_ends(const Rehearsal *rehearsal, bool ok, Error *error)
{
    bool is_over = !ok && error->code == ERROR_AGAIN && rehearsal->is_over && !*signals_cancel;
    if (is_over)
        *error = (Error){0};
    return ok || is_over;
}

int64_t rehearsal_peak(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

static WorkEstimate estimate_of(const Rehearsal *rehearsal, const RehearsedWork *work)
{
    const Progress *progress = rehearsal->progress;
    WorkEstimate    estimate = {.total            = progress->total,
                                .measured         = progress->done - rehearsal->first,
                                .measured_seconds = rehearsal->ended - rehearsal->began,
                                .seconds          = -1,
                                .result_bytes     = work->result_bytes};
    int64_t         left     = progress->total - progress->done;
    int64_t         other    = work->other_units < left ? work->other_units : left;
    estimate.memory_bytes    = rehearsal_peak();
    if (estimate.memory_bytes < work->memory_bytes)
        estimate.memory_bytes = work->memory_bytes;
    if (estimate.measured > 0) {
        estimate.shared =
            estimate.measured_seconds * (double)work->shared_units / (double)estimate.measured;
        estimate.seconds =
            estimate.measured_seconds * (1 + (double)(left - other) / (double)estimate.measured) +
            (double)other * work->other_seconds;
    }
    return estimate;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void bytes_text(int64_t bytes, char out[32])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double                   value   = (double)bytes;
    int                      unit    = 0;
    for (; value >= 999.5 && unit < 4; unit++)
        value /= 1000;
    snprintf(out, 32, value < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static bool tell_document(const WorkEstimate *estimate, const Progress *progress,
                          const Identity *identity, Error *error)
{
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    json_flag(&json, "dry_run", true);
    json_text(&json, "verb", progress->what);
    identity_write(&json, identity);
    json_open_object(&json, "work");
    json_text(&json, "counted", progress->counted);
    json_whole(&json, "total", estimate->total);
    json_whole(&json, "measured", estimate->measured);
    json_number(&json, "measured_seconds", estimate->measured_seconds);
    json_close(&json);
    json_open_object(&json, "estimate");
    json_number(&json, "seconds", estimate->seconds);
    json_whole(&json, "memory_bytes", estimate->memory_bytes);
    json_whole(&json, "result_bytes", estimate->result_bytes);
    json_close(&json);
    json_open_object(&json, "machine");
    json_text(&json, "isa", engine_isa());
    json_whole(&json, "threads", parallel_threads());
    json_close(&json);
    json_close(&json);
    bool ok = json_print(&json, error);
    json_discard(&json);
    return ok;
}

static bool tell_settings(const Identity *identity, Error *error)
{
    Table table = {.columns = 2, .alignment = "ll"};
    for (int i = 0; i < identity->count; i++) {
        table_cell(&table, "  %s", identity->name[i]);
        table_cell(&table, "%s", identity->value[i]);
    }
    return table_print(&table, stdout, error);
}

bool estimate_tell(const WorkEstimate *estimate, const Progress *progress, const Settings *settings,
                   const Identity *identity, Error *error)
{
    char total[32], measured[32], whole[32], watched[32], memory[32], disk[32];
    if (settings->sharing) {
        sharing_estimate(settings, estimate);
        return true;
    }
    if (settings->json)
        return tell_document(estimate, progress, identity, error);
    count_text(estimate->total, total);
    count_text(estimate->measured, measured);
    duration_text(estimate->seconds, whole);
    duration_text(estimate->measured_seconds, watched);
    bytes_text(estimate->memory_bytes, memory);
    bytes_text(estimate->result_bytes, disk);
    printf("%s, not run: nothing was written\n", progress->what);
    if (!tell_settings(identity, error))
        return false;
    printf("work    %s %s\n", total, progress->counted);
    if (estimate->seconds >= 0)
        printf("time    about %s: %s %s took %s (%d thread%s, %s)\n", whole, measured,
               progress->counted, watched, parallel_threads(), parallel_threads() == 1 ? "" : "s",
               engine_isa());
    else
        printf("time    not known: it was over before it could be measured\n");
    printf("memory  about %s\n", memory);
    if (estimate->result_bytes >= 0)
        printf("disk    about %s of results\n", disk);
    return true;
}

bool rehearsal_tell(const Rehearsal *rehearsal, const RehearsedWork *work, const Settings *settings,
                    const Identity *identity, Error *error)
{
    WorkEstimate estimate = estimate_of(rehearsal, work);
    return estimate_tell(&estimate, rehearsal->progress, settings, identity, error);
}
