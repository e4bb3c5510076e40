/* study/saved_setting.c - see saved_setting.h. A snapshot has five parts for each arm: which images
 * are filled, their two distances, their maps, and their pixels where they are kept. */
#include "saved_setting.h"

static const char part_file[] = "part.checkpoint";

enum { ARM_PARTS = 5 };

static int64_t list_parts(const SavedSetting *setting, SnapshotPart parts[ARM_PARTS * STORE_ARMS])
{
    int64_t used = 0;
    for (int arm = 0; arm < setting->arm_count; arm++) {
        const StoredMaps *made  = &setting->arms[arm];
        size_t            count = (size_t)made->count;
        size_t            maps  = (size_t)made->unit_count * count * made->map_size;
        parts[used++]           = (SnapshotPart){made->filled, count};
        parts[used++]           = (SnapshotPart){made->linf_before, count * sizeof(float)};
        parts[used++]           = (SnapshotPart){made->linf_after, count * sizeof(float)};
        parts[used++]           = (SnapshotPart){made->maps, maps * sizeof(float)};
        if (made->pixels)
            parts[used++] = (SnapshotPart){made->pixels, count * made->image_size * sizeof(float)};
    }
    return used;
}

bool saved_setting_load(const SavedSetting *setting, Error *error)
{
    SnapshotPart parts[ARM_PARTS * STORE_ARMS];
    int64_t      count = list_parts(setting, parts);
    bool         found;
    return checkpoint_restore(setting->pass->checkpoint, part_file, setting->phase, parts, count,
                              &found, error);
}

bool saved_setting_save(const SavedSetting *setting, Error *error)
{
    const Pass  *pass = setting->pass;
    SnapshotPart parts[ARM_PARTS * STORE_ARMS];
    if (!pass_saves(pass, pass_cancelled(pass)))
        return true;
    int64_t count = list_parts(setting, parts);
    return checkpoint_save(pass->checkpoint, part_file, setting->phase, parts, count, error);
}

bool saved_setting_has(const SavedSetting *setting, int64_t image)
{
    for (int arm = 0; arm < setting->arm_count; arm++)
        if (!setting->arms[arm].filled[stored_maps_place(&setting->arms[arm], image)])
            return false;
    return true;
}
