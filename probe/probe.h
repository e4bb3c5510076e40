/* probe/probe.h - a probing set: photos in which people have named what is to be seen, pixel by
 * pixel or for the whole photo. Explanations of units are computed from it.
 *
 * Broden's layout on disk (D22). Label maps and masks are [map_height, map_width], row-major.
 * Images and categories count from 0, labels from 1: label 0 means "none" everywhere.
 *
 * Errors: ERROR_NOT_FOUND (a file is missing), ERROR_DATA (a file is malformed; the message names
 * it), ERROR_MEMORY. */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include "../base/swap.h"
#include "../image/image.h"
#include "source.h"

enum { PROBE_MAX_CATEGORIES = 64, PROBE_MAX_LABEL = 65535 }; // R + 256 G of a label map

/* ---- the probing set ------------------------------------------------------------------------- */

typedef struct ProbeLabel {
    char  *name;      // "" for label 0; "#5" for a number 5 that label.csv skips
    bool   is_listed; // in label.csv
    int    category;  // primary category (D27)
    double frequency; // images, as label.csv says
    double coverage;  // image-equivalents, as label.csv says
} ProbeLabel;

/* One entry of index.csv about an image (D23): a label of the whole image, or a label map. */
typedef struct ProbeItem {
    int32_t label;    // whole-image label (0 possible), or -1: a label map
    int32_t path;     // offset into ProbeSet.text of its path below images/, when label is -1
    int32_t category; // whose column it stands in
} ProbeItem;

typedef struct ProbeImage {
    int32_t path;       // offset into ProbeSet.text; use probe_image_path
    int32_t row;        // of index.csv, from 0
    int32_t line;       // of index.csv, from 1
    int32_t first_item; // into ProbeSet.items
    int32_t item_count;
} ProbeImage;

typedef struct ProbeSet {
    char   *folder;
    char    index_sha256[65];
    int64_t image_count;
    int64_t image_height, image_width; // of every photo
    int64_t map_height, map_width;     // of every label map; of photos alone, as they
                                       // are: masks are shown at that size
    int                category_count;
    char              *category[PROBE_MAX_CATEGORIES]; // names, in the order of category.csv
    int32_t            label_count;                    // slots: 1 + largest number
    ProbeLabel        *labels;
    ProbeImage        *images;
    ProbeItem         *items;
    char              *text;      // the paths, zero-terminated, one after another
    bool               is_whole;  // all categories, no limit: the tables' counts can be checked
    bool               is_photos; // no tables, no label maps, no categories: photos alone
    const Preparation *fit;       // what photos of any size are made to fit; NULL: they fit
} ProbeSet;

/* Which part of a set is wanted. */
typedef struct ProbeRequest {
    const char *const *categories; // NULL: all of category.csv
    int                category_count;
    const char        *without;       // a category to leave out when categories is NULL; or NULL
    int64_t            limit;         // first rows only; 0: all
    bool               accepts_twice; // an image in two rows; else ERROR_DATA with both lines
} ProbeRequest;

/* Reads index.csv, label.csv, category.csv and c_<category>.csv; opens no picture. Rows without any
 * label of the wanted categories are dropped (D24). request may be NULL: the whole set. */
bool probe_open(ProbeSet *out, const char *folder, const ProbeRequest *request, Error *error);
void probe_close(ProbeSet *probe); // accepts a zeroed object

/* Whether a folder has tables of Broden's layout. */
bool probe_is_tables(const char *folder);
/* A set without labels, for methods that need none: the pictures of a folder, then those of the
 * folders in it, which are a class each; files and folders in the byte order of their names. What
 * is not called as a picture is no part of it, and folders in folders are not looked into. Photos
 * of any size are made to fit the network as `preparation` (which outlives the set) says; NULL:
 * they are only to be checked. Errors: ERROR_NOT_FOUND (no folder, no photo), ERROR_DATA (a name).
 */
bool probe_open_photos(ProbeSet *out, const char *folder, const Preparation *preparation,
                       int64_t limit, Error *error);
/* Opens every photo of such a set. Each that cannot be read is one sentence handed to `report`. */
bool probe_verify_photos(const ProbeSet *probe, void (*report)(void *self, const char *problem),
                         void *self, int64_t *problems, Error *error);

/* Calls `found` for each image that an earlier row has already, with the first such row's. */
bool probe_find_twice(const ProbeSet *probe,
                      void (*found)(void *self, int64_t first, int64_t again), void *self,
                      Error *error);

/* The SHA-256 of the bytes of every photo, and of every label map, in order: whether files are
 * other than they were. Cost: reads all of them. */
bool probe_files_sha256(const ProbeSet *probe, bool with_maps, char out[65], Error *error);

/* The SHA-256 of the tables that say which labels and categories there are, and which category a
 * label is of; of a set that has them. */
bool probe_tables_sha256(const ProbeSet *probe, char out[65], Error *error);

/* A set on disk as something that another one may replace: index.csv is written last. */
extern const ResultKind probe_result;

bool        probe_picture_folder(const ProbeSet *probe, char out[LIMIT_PATH], Error *error);
const char *probe_image_path(const ProbeSet *probe, int64_t image); // below that folder
/* Label number of a name, or of a name within a category (by number, -1: any); 0 if there is
 * none. */
int32_t probe_label_named(const ProbeSet *probe, const char *name, int category);
int     probe_category_named(const ProbeSet *probe, const char *name); // -1 if there is none

/* One photo in 8 bits, RGB. Threads: safe. */
bool probe_picture(const ProbeSet *probe, int64_t image, Image *rgb, Error *error);
/* The photos as they are on disk: right size or an error, gray replicated, never resized; those of
 * a set of photos alone resized as it says. */
ImageSource probe_images(const ProbeSet *probe);
/* Decodes one label map into label numbers, cells [map_height, map_width] (D25). *blue, if not
 * NULL, is set when a pixel's third channel is not zero. Errors name the file and, for a number
 * beyond label.csv, the pixel. */
bool probe_map(const ProbeSet *probe, const ProbeItem *item, uint16_t *cells, bool *blue,
               Error *error);
/* One photo as 8-bit RGB, interleaved [height, width, 3] into pixels. Threads: safe. */
bool probe_photo(const ProbeSet *probe, int64_t image, uint8_t *pixels, Error *error);

/* Checks every file, label and count of a set (D28). Each problem is one sentence handed to
 * `report`; *problems counts them. pixels, if not NULL, receives [label_count] pixel totals.
 * Errors: only what keeps the check from running; a problem found is not an error. */
bool probe_verify(const ProbeSet *probe, void (*report)(void *self, const char *problem),
                  void *self, int64_t *problems, uint64_t *pixels, Error *error);

/* ---- label planes of images ------------------------------------------------------------------ */

/* The labels of one image: its label maps and whole-image labels, each of them a plane of labels. A
 * pixel with the same label on two planes counts twice (D26). */
typedef struct ImagePlanes {
    int             map_count;
    const uint16_t *maps;        // [map_count, map_height, map_width], 0: no label
    int             whole_count; // whole-image labels; a 0 stays, modes differ on it (Q7)
    const uint16_t *whole;
} ImagePlanes;

typedef struct LabelPixels {
    int32_t  label;  // never 0
    uint32_t pixels; // summed over planes; map_height * map_width for each whole-image label
} LabelPixels;

/* All label maps, decoded once. What does not fit into `bytes` is decoded again when asked for. */
typedef struct PlaneCache PlaneCache;

enum { PLANE_CACHE_BYTES = 512 << 20 };

bool planes_open(PlaneCache **out, const ProbeSet *probe, size_t bytes, Error *error);
void planes_close(PlaneCache *planes); // NULL allowed

/* Room for the planes of an image that had to be decoded again. Zero it first, then reuse it, and
 * release it with plane_scratch_free. One for each thread. */
typedef struct PlaneScratch {
    uint16_t *cells;
    size_t    capacity;
} PlaneScratch;

/* The planes of one image; they live as long as the cache and, at most, until the scratch is used
 * again. Threads: safe with a scratch for each. */
bool planes_get(const PlaneCache *planes, int64_t image, PlaneScratch *scratch, ImagePlanes *out,
                Error *error);
void plane_scratch_free(PlaneScratch *scratch);

/* Labels of an image in increasing order, with their pixels. Cost: none. */
const LabelPixels *planes_labels(const PlaneCache *planes, int64_t image, int *count);
/* Images that carry a label, in order: list [image_count]; returns how many. */
int64_t planes_images_with(const PlaneCache *planes, int32_t label, int64_t *list);
/* mask [map_height, map_width] = 1 where any plane has the label, else 0; all ones for a
 * whole-image label (C8). *pixels, if not NULL: how many ones. */
bool planes_mask(const PlaneCache *planes, int64_t image, int32_t label, PlaneScratch *scratch,
                 uint8_t *mask, int64_t *pixels, Error *error);

#endif
