/* study/part.c - see part.h. A snapshot has four parts for each arm: which images are filled, their
 * two distances, their maps. */
#include "part.h"

static const char part_file[] = "part.checkpoint";

enum { ARM_PARTS = 4 };

static int64_t list_parts(const Part *part, SnapshotPart parts[ARM_PARTS * STORE_ARMS])
{
    for (int arm = 0; arm < part->arm_count; arm++) {
        const Replacement *made  = &part->arms[arm];
        SnapshotPart      *to    = parts + ARM_PARTS * arm;
        size_t             count = (size_t)made->count;
        size_t             maps  = (size_t)made->unit_count * count * made->map_size;
        to[0]                    = (SnapshotPart){made->filled, count};
        to[1]                    = (SnapshotPart){made->linf_before, count * sizeof(float)};
        to[2]                    = (SnapshotPart){made->linf_after, count * sizeof(float)};
        to[3]                    = (SnapshotPart){made->maps, maps * sizeof(float)};
    }
    return ARM_PARTS * part->arm_count;
}

bool part_load(const Part *part, Error *error)
{
    const PassCheckpoint *keep     = part->clean->settings->keep;
    Snapshot              snapshot = {0};
    SnapshotPart          parts[ARM_PARTS * STORE_ARMS];
    int64_t               count = list_parts(part, parts);
    bool                  found = false;
    if (!keep)
        return true;
    if (!checkpoint_load(keep->checkpoint, part_file, part->stage, &snapshot, &found, error))
        return false;
    bool fits = !found ||
                (snapshot.count == count && snapshot_copy_all(&snapshot, 0, parts, count));
    snapshot_close(&snapshot);
    return fits || checkpoint_refuse(keep->checkpoint, part_file, error);
}

bool part_pause(const Part *part, Error *error)
{
    const DissectSettings *settings = part->clean->settings;
    SnapshotPart           parts[ARM_PARTS * STORE_ARMS];
    if (!pass_keeps(settings, pass_cancelled(settings)))
        return true;
    int64_t count = list_parts(part, parts);
    return checkpoint_save(settings->keep->checkpoint, part_file, part->stage, parts, count, error);
}

bool part_has(const Part *part, int64_t image)
{
    for (int arm = 0; arm < part->arm_count; arm++)
        if (!part->arms[arm].filled[replacement_place(&part->arms[arm], image)])
            return false;
    return true;
}
