/* study/saved_setting.h - checkpoints within one setting, so that a killed run goes on in the
 * middle of it. */
#ifndef STUDY_SAVED_SETTING_H
#define STUDY_SAVED_SETTING_H

#include "stored_maps.h"

/* The maps of one setting, as far as they are filled. */
typedef struct SavedSetting {
    const Pass *pass;
    StoredMaps *arms; // [arm_count]
    int         arm_count;
    char        phase[96]; // which setting
} SavedSetting;

/* Fills what an earlier run had filled. */
bool saved_setting_load(const SavedSetting *setting, Error *error);
/* Between two batches: saves what is filled if it is time, or if the run was cancelled. */
bool saved_setting_save(const SavedSetting *setting, Error *error);
/* Whether every arm has this image. */
bool saved_setting_has(const SavedSetting *setting, int64_t image);

#endif
