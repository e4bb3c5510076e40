/* attack/part.c - see part.h. A snapshot has four parts for each arm: which images are filled, their
 * two distances, their maps. */
#include "part.h"

#include <string.h>

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
    bool same = found && snapshot.count == count;
    for (int64_t i = 0; same && i < count; i++)
        same = snapshot.parts[i].size == parts[i].size;
    for (int64_t i = 0; same && i < count; i++)
        snapshot_copy(&snapshot, i, (void *)(uintptr_t)parts[i].data, parts[i].size);
    snapshot_close(&snapshot);
    return true;
}

bool part_pause(const Part *part, Error *error)
{
    const PassCheckpoint *keep   = part->clean->settings->keep;
    const volatile bool  *cancel = part->clean->settings->cancel;
    SnapshotPart          parts[ARM_PARTS * STORE_ARMS];
    if (!keep || !(checkpoint_due(keep->checkpoint) || (cancel && *cancel)))
        return true;
    int64_t count = list_parts(part, parts);
    return checkpoint_save(keep->checkpoint, part_file, part->stage, parts, count, error);
}

bool part_has(const Part *part, int64_t image)
{
    for (int arm = 0; arm < part->arm_count; arm++)
        if (!part->arms[arm].filled[replacement_place(&part->arms[arm], image)])
            return false;
    return true;
}
