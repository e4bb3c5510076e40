/* cli/labelled_images.h - images one at a time, and the class of the network that each is of.
 *
 * What `train` takes (training_data.h), but folders are not read into memory; and photos without
 * classes: a probing set, or a folder of photos alone. */
#ifndef CLI_LABELLED_IMAGES_H
#define CLI_LABELLED_IMAGES_H

#include "../probe/probe.h"
#include "class_folders.h"
#include "class_names.h"
#include "training_data.h"

enum { DIGEST_TEXT = 65 };

typedef struct LabelledImages {
    const char        *data;
    int64_t            count, height, width;
    int32_t            classes;    // of the data; 0: it has no labels
    int32_t           *labels;     // [count]; NULL: none
    const char       **class_name; // [classes of the network] after labelled_images_match; or NULL
    ImageSource        source;     // of image 0..count-1; valid while this stays where it is
    char              *digests;    // [count, DIGEST_TEXT] of their pixels
    const Preparation *fit;        // where the source reads from: one of three
    TrainingSet        drawn;
    ClassFolders       folders;
    ProbeSet           probe;
} LabelledImages;

/* Opens the first `limit` images (0: all) and reads each once, for its digest. *out stays where it
 * is. Errors: ERROR_USAGE, ERROR_NOT_FOUND, ERROR_DATA (an image that cannot be read, none at all).
 */
bool labelled_images_open(LabelledImages *out, const char *data, const Preparation *fit,
                          int64_t limit, Error *error);
void labelled_images_close(LabelledImages *images); // accepts a zeroed object

/* Makes the labels classes of the network, which has `classes`. Folders are matched by name where
 * `names` are given; else there must be as many as classes, and both are in the order of the
 * folders' names. Errors: ERROR_DATA (a folder that is no class, another number of classes). */
bool labelled_images_match(LabelledImages *images, int64_t classes, const ClassNames *names,
                           Error *error);

/* SHA-256 of the pixels of every image, as text: out [count, DIGEST_TEXT]. Errors: those of the
 * source. */
bool images_digests(const ImageSource *source, int64_t count, int64_t height, int64_t width,
                    char *out, Error *error);

#endif
