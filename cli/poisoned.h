/* cli/poisoned.h - the perturbed images that a run of noise or attack has kept (--keep-images),
 * found again among labelled images.
 *
 * A run numbers the photos of its probing set. Which image of the data a photo is, is decided by
 * its pixels: names and order of files play no part (Y4). */
#ifndef CLI_POISONED_H
#define CLI_POISONED_H

#include "../study/accuracy.h"
#include "clean_run.h"
#include "labelled_images.h"

/* The images of one strength and storage: of an attack those of all its units, one after another.
 */
typedef struct PoisonedSetting {
    const struct Poisoned *run;
    char                   kind[16]; // "pgd", "fgsm" or a type of noise
    double                 strength;
    StoreArm               store;
    int64_t                count, room;
    int64_t               *images;  // [count] of the data
    int64_t               *numbers; // [count] of the probing set
    int                   *folders; // [count] which of run->folders
} PoisonedSetting;

typedef struct Poisoned {
    const char      *path;   // of the run
    Json             json;   // its run.json
    const char      *attack; // "pgd" or "fgsm"; NULL: a run of noise
    ProbeSet         probe;  // its probing set
    int64_t          height, width;
    char           **folders; // [folder_count] names below poisoned/
    int64_t          folder_count;
    int64_t         *image_of; // [images of the probing set]: of the data; -1: none
    PoisonedSetting *settings; // by kind and storage, then by strength
    int              count;
    int64_t          photos, found;       // poisoned photos, and those that are in the data
    char             digest[DIGEST_TEXT]; // of all of it
} Poisoned;

/* *out stays where it is. Errors: ERROR_USAGE (another kind of run, no images kept),
 * ERROR_NOT_FOUND, ERROR_DATA (another probing set than the run's, none of its photos in the data,
 * an image that is missing or of another size). */
bool poisoned_open(Poisoned *out, const char *path, const LabelledImages *images, Error *error);
void poisoned_close(Poisoned *poisoned); // accepts a zeroed object

/* The images of a setting as they are stored; an ImageSource is {poisoned_load, setting}. */
bool poisoned_load(void *setting, int64_t index, float *planes, Error *error);

#endif
