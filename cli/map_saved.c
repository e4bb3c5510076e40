/* cli/map_saved.c - the checkpoint of `attribute`, see map_session.h: what the tables say of maps
 * that are done. Their arrays and pictures lie in the folder. */
#include "map_session.h"

#include <string.h>

static const char file[] = "maps" PASS_FILE_ENDING, stage[] = "maps";

enum { PARTS = 2 };

static bool grow_sums(MapSession *session, int64_t more, Error *error)
{
    int64_t room = session->sum_room ? session->sum_room : 256;
    while (room < session->sum_count + more)
        room *= 2;
    if (room == session->sum_room)
        return true;
    AccountSums *sums =
        memory_grow(session->sums, (size_t)session->sum_count, (size_t)room, sizeof *sums, error);
    if (!sums)
        return false;
    session->sums     = sums;
    session->sum_room = room;
    return true;
}

// The parts of a checkpoint are of one size: as many sums as the records say.
static bool take_parts(MapSession *session, const Snapshot *snapshot, Error *error)
{
    int64_t count = 0;
    if (snapshot->count != PARTS || snapshot->parts[0].size % sizeof *session->records != 0 ||
        snapshot->parts[0].size / sizeof *session->records > (size_t)session->total)
        return checkpoint_refuse(&session->run.checkpoint, file, error);
    session->saved_count = (int64_t)(snapshot->parts[0].size / sizeof *session->records);
    snapshot_copy(snapshot, 0, session->records, snapshot->parts[0].size);
    int64_t most = (int64_t)(snapshot->parts[1].size / sizeof *session->sums);
    for (int64_t i = 0; i < session->saved_count; i++) {
        int64_t rows = session->records[i].rows;
        if (rows < 0 || rows > most - count)
            return checkpoint_refuse(&session->run.checkpoint, file, error);
        count += rows;
    }
    return grow_sums(session, count, error) &&
           (snapshot_copy(snapshot, 1, session->sums, (size_t)count * sizeof *session->sums) ||
            checkpoint_refuse(&session->run.checkpoint, file, error));
}

bool map_saved_open(MapSession *session, Error *error)
{
    Snapshot snapshot = {0};
    bool     found    = false;
    session->records  = memory_new((size_t)session->total, sizeof *session->records, error);
    bool ok           = session->records &&
              checkpoint_load(&session->run.checkpoint, file, stage, &snapshot, &found, error) &&
              (!found || take_parts(session, &snapshot, error));
    snapshot_close(&snapshot);
    return ok;
}

bool map_saved_take(MapSession *session, Error *error)
{
    MapRunner       *runner = &session->runner;
    const MapRecord *record = &session->records[session->done];
    if (record->rows != runner->map.account.count)
        return checkpoint_refuse(&session->run.checkpoint, file, error);
    runner->sum                = record->sum;
    runner->size               = record->size;
    runner->has_completeness   = record->has_completeness != 0;
    runner->completeness_error = record->completeness_error;
    if (record->rows)
        memcpy(runner->account, session->sums + session->sum_count,
               (size_t)record->rows * sizeof *session->sums);
    session->sum_count += record->rows;
    return true;
}

bool map_saved_add(MapSession *session, Error *error)
{
    const MapRunner *runner = &session->runner;
    int64_t          rows   = runner->map.account.count;
    if (!grow_sums(session, rows, error))
        return false;
    if (rows)
        memcpy(session->sums + session->sum_count, runner->account,
               (size_t)rows * sizeof *session->sums);
    session->records[session->done] = (MapRecord){.sum                = runner->sum,
                                                  .size               = runner->size,
                                                  .completeness_error = runner->completeness_error,
                                                  .has_completeness   = runner->has_completeness,
                                                  .rows               = rows};
    session->sum_count += rows;
    if (!pass_saves(&session->run.pass, pass_cancelled(&session->run.pass)))
        return true;
    SnapshotPart parts[PARTS] = {
        {session->records, (size_t)(session->done + 1) * sizeof *session->records},
        {session->sums, (size_t)session->sum_count * sizeof *session->sums}};
    return checkpoint_save(&session->run.checkpoint, file, stage, parts, PARTS, error);
}
