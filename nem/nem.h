/* nem/nem.h - which concept does a unit stand for? (Network Dissection)
 *
 * A unit is one channel of one layer. Its activation maps are cut at a threshold of its own,
 * brought to the size of the label maps, and compared with the concept masks of a probing set in
 * Broden's layout. Everything but the threshold is counted in integers.
 *
 * Shapes are row-major: maps [n, units, h, w]; label maps and masks [map_height, map_width].
 * Images, units and categories count from 0, labels from 1: label 0 means "none" everywhere.
 *
 * Sources: Bau et al., "Network Dissection", CVPR 2017, section 2; Srivastava et al., "Corrupting
 * Neuron Explanations of Deep Visual Features", ICCV 2023. Numbers in brackets are sections of the
 * neuron-explanation specification.
 *
 * Errors: ERROR_NOT_FOUND (a file is missing), ERROR_DATA (a file or an activation is malformed;
 * the message names it), ERROR_USAGE, ERROR_MEMORY, ERROR_AGAIN (cancelled).
 * Companions: csv.h, npy.h. */
#ifndef NEM_NEM_H
#define NEM_NEM_H

#include "../engine/snapshot.h"

enum { NEM_MAX_CATEGORIES = 64, NEM_TOP = 5 };

/* ---- where pixels and activations come from -------------------------------------------------- */

/* Photos of a probing set as the network is to see them; corruption is a source around a source. */
typedef struct ImageSource {
    /* planes [3, height, width], RGB in 0..1. Called by several threads at a time. */
    bool (*load)(void *self, int64_t image, float *planes, Error *error);
    void *self;
} ImageSource;

/* A network cut at one layer. */
typedef struct ActivationSource {
    int64_t units, height, width;      // of the maps
    int64_t batch;                     // most images per run
    int64_t image_height, image_width; // of the pixels
    /* pixels [count, 3, image_height, image_width] -> maps [count, units, height, width] */
    void (*run)(void *self, const real *pixels, int64_t count, real *maps);
    void *self;
} ActivationSource;

/* ---- modes: which published program's choices are followed (6.9) ----------------------------- */

typedef enum CompatMode { COMPAT_CORRUPT23, COMPAT_CLEAN, COMPAT_LITE, COMPAT_ND2017 } CompatMode;

typedef enum Upsampler {
    UPSAMPLE_HALF_PIXEL, // bilinear, half-pixel centres, edges clamped
    UPSAMPLE_PILLOW,     // bilinear; a triangle as wide as the step when shrinking
    UPSAMPLE_FIELD_GRID  // linear between the centres of receptive fields
} Upsampler;

typedef enum PresenceRule {
    PRESENCE_IN_MASK, // a category counts where the unit's mask meets one of its labels
    PRESENCE_IN_IMAGE // ... where the image has one of its labels anywhere
} PresenceRule;

/* Receptive field of map cell k along one axis: pixels offset + k * step ... + size - 1. A size of
 * zero stands for (0, s, s) with s = image side / map side, as nd2017's PyTorch wrapper has it. */
typedef struct ReceptiveField {
    int64_t offset, size, step;
} ReceptiveField;

/* Where a long pass keeps what it has, so that a killed run goes on from there. */
typedef struct PassCheckpoint {
    Checkpoint *checkpoint;
    const char *name;  // of the file
    const char *stage; // which pass of the run
    void       *extra; // [extra_size] kept with it: what the image source has learnt; or NULL
    size_t      extra_size;
} PassCheckpoint;

typedef struct DissectSettings {
    CompatMode     mode;
    const char    *mode_name;        // "corrupt23", ...
    int            quantile_entry;   // the threshold is the quantile at p = entry / (entries - 1)
    int            quantile_entries; // 994 of 1000: alpha = 0.005
    Upsampler      upsampler;
    ReceptiveField field; // of the layer; only UPSAMPLE_FIELD_GRID looks at it
    PresenceRule   presence;
    double         epsilon;           // added to the union
    bool           label0_leaks;      // a whole-image item 0 counts as a label (Q7)
    int64_t        triples_per_image; // most (unit, label, count) counted of one image; 0: no limit
    const char    *without_category;  // left out by default, or NULL; for ProbeRequest
    bool           post_relu;         // default read-out of a VGG convolution
    size_t         store_bytes;  // room for kept cells; beyond it a second forward pass is made
    const volatile bool *cancel; // stops the run with ERROR_AGAIN once true; NULL allowed
    const PassCheckpoint *keep;  // of dissect_layer and dissect_collect; NULL: nothing is kept
    /* Called between batches by the calling thread. total counts every image of every pass, so it
     * doubles when a second pass turns out to be needed. */
    void (*progress)(void *self, int64_t done, int64_t total);
    void *progress_self;
} DissectSettings;

/* Between two batches: whether the pass was cancelled, and whether it is to keep a checkpoint,
 * because it is time or because it ends. */
bool pass_cancelled(const DissectSettings *settings);
bool pass_keeps(const DissectSettings *settings, bool cancelled);

DissectSettings dissect_settings(CompatMode mode);
bool            compat_mode_named(const char *name, CompatMode *mode); // false: no such mode
/* Sets the quantile from a tail mass: entry floor(1000 * (1 - alpha) - 1) of 1000 (6.2). */
bool dissect_set_alpha(DissectSettings *settings, double alpha, Error *error);

/* ---- the probing set (section 5) ------------------------------------------------------------- */

typedef struct ProbeLabel {
    char  *name;      // "" for label 0; "#5" for a number 5 that label.csv skips
    bool   is_listed; // in label.csv
    int    category;  // primary category (5.7)
    double frequency; // images, as label.csv says
    double coverage;  // image-equivalents, as label.csv says
} ProbeLabel;

typedef struct ProbeItem {
    int32_t label;    // whole-image label (0 possible), or -1: a label map
    int32_t path;     // offset into ProbeSet.text of its path below images/, when label is -1
    int32_t category; // whose column it stands in
} ProbeItem;

typedef struct ProbeImage {
    int32_t path;       // offset into ProbeSet.text; use probe_image_path
    int32_t row;        // of index.csv, from 0
    int32_t first_item; // into ProbeSet.items
    int32_t item_count;
} ProbeImage;

typedef struct ProbeSet {
    char       *folder;
    char        index_sha256[65];
    int64_t     image_count;
    int64_t     image_height, image_width; // of every photo
    int64_t     map_height, map_width;     // of every label map
    int         category_count;
    char       *category[NEM_MAX_CATEGORIES]; // names, in the order of category.csv
    int32_t     label_count;                  // slots: 1 + largest number
    ProbeLabel *labels;
    ProbeImage *images;
    ProbeItem  *items;
    char       *text;     // the paths, zero-terminated, one after another
    bool        is_whole; // all categories, no limit: the tables' counts can be checked
} ProbeSet;

typedef struct ProbeRequest {
    const char *const *categories; // NULL: all of category.csv
    int                category_count;
    const char        *without; // a category to leave out when categories is NULL; or NULL
    int64_t            limit;   // first rows only; 0: all
} ProbeRequest;

/* Reads index.csv, label.csv, category.csv and c_<category>.csv; opens no picture. Rows without any
 * label of the wanted categories are dropped (5.2). request may be NULL. */
bool probe_open(ProbeSet *out, const char *folder, const ProbeRequest *request, Error *error);
void probe_close(ProbeSet *probe); // accepts a zeroed object

const char *probe_image_path(const ProbeSet *probe, int64_t image); // below images/
/* Label number of a name, or of a name within a category (by number, -1: any); 0 if there is
 * none. */
int32_t probe_label_named(const ProbeSet *probe, const char *name, int category);
int     probe_category_named(const ProbeSet *probe, const char *name); // -1 if there is none

/* The photos as they are on disk: right size or an error, gray replicated, never resized. */
ImageSource probe_images(const ProbeSet *probe);
/* One photo as 8-bit RGB, interleaved [height, width, 3] into pixels. Threads: safe. */
bool probe_photo(const ProbeSet *probe, int64_t image, uint8_t *pixels, Error *error);

/* Checks every file, label and count. Each problem is one sentence handed to `report`; *problems
 * counts them. pixels, if not NULL, receives [label_count] pixel totals (5.9).
 * Errors: only what keeps the check from running; a problem found is not an error. */
bool probe_verify(const ProbeSet *probe, void (*report)(void *self, const char *problem),
                  void *self, int64_t *problems, uint64_t *pixels, Error *error);

/* ---- label planes of images ------------------------------------------------------------------ */

/* The labels of one image. A label on two planes counts twice (5.3). */
typedef struct ImagePlanes {
    int             map_count;
    const uint16_t *maps;        // [map_count, map_height, map_width], 0: no label
    int             whole_count; // whole-image labels; a 0 is kept, settings decide what it means
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

/* Planes of one image. `scratch` keeps what had to be decoded; zero it first, then reuse it, and
 * release it with plane_scratch_free. Threads: safe with a scratch for each. */
typedef struct PlaneScratch {
    uint16_t *cells;
    size_t    capacity;
} PlaneScratch;

bool planes_get(const PlaneCache *planes, int64_t image, PlaneScratch *scratch, ImagePlanes *out,
                Error *error);
void plane_scratch_free(PlaneScratch *scratch);

/* Labels of an image in increasing order, with their pixels. Cost: none. */
const LabelPixels *planes_labels(const PlaneCache *planes, int64_t image, int *count);
/* Images that carry a label, in order: list [image_count]; returns how many. */
int64_t planes_images_with(const PlaneCache *planes, int32_t label, int64_t *list);
/* mask [map_height, map_width] = 1 where any plane has the label, else 0 (a whole-image label: all
 * ones); *pixels, if not NULL, how many. */
bool planes_mask(const PlaneCache *planes, int64_t image, int32_t label, PlaneScratch *scratch,
                 uint8_t *mask, int64_t *pixels, Error *error);

/* ---- between the layer's resolution and the label maps' (6.3) -------------------------------- */

typedef struct Resampler Resampler;

/* Maps [height, width] of a layer to the label maps of a set. */
bool resampler_open(Resampler **out, const DissectSettings *settings, const ProbeSet *probe,
                    int64_t height, int64_t width, Error *error);
void resampler_close(Resampler *resampler); // NULL allowed

/* out [map_height, map_width]: interpolated in double, rounded to float as the mode's program
 * does. */
void resampler_map(const Resampler *resampler, const float *map, float *out);
/* The transpose of the same linear map: weights [map_height, map_width] -> out [height, width], so
 * that sum(weights * resampled map) = sum(out * map) up to rounding. */
void resampler_transpose(const Resampler *resampler, const float *weights, float *out);

/* ---- dissection (6.2 to 6.6) ----------------------------------------------------------------- */

/* Counts over all images; every number is exact. */
typedef struct ConceptTally {
    int64_t   unit_count;
    int32_t   label_count;
    int       category_count;
    uint64_t *truth;    // [label_count] pixels with the label
    uint64_t *both;     // [unit_count, label_count] ... inside the unit's mask
    uint64_t *activity; // [unit_count, category_count] mask pixels where the category is present
} ConceptTally;

typedef struct Dissection {
    const ProbeSet *probe; // not owned; outlives this
    double          epsilon;
    float          *threshold; // [unit_count]
    ConceptTally    tally;
    int             passes; // forward passes made: 1, or 2 when the kept cells outgrew their room
    size_t          peak_store_bytes;
} Dissection;

/* Thresholds and tally of every unit of a layer over every image. Same bits for any batch, any
 * number of threads and either number of passes. A value that is not finite ends it with ERROR_DATA
 * naming image and unit. Calls source->run from the calling thread only. */
bool dissect_layer(Dissection *out, const DissectSettings *settings, const ProbeSet *probe,
                   const PlaneCache *planes, const ImageSource *images,
                   const ActivationSource *source, Error *error);
/* The same for one unit whose maps are at hand: maps[image] points to [height, width]. Equals row 0
 * of a dissection of a layer with that unit alone, bit for bit. */
bool dissect_unit(Dissection *out, const DissectSettings *settings, const ProbeSet *probe,
                  const PlaneCache *planes, int64_t height, int64_t width, const float *const *maps,
                  Error *error);
void dissection_close(Dissection *dissection); // accepts a zeroed object

/* Native maps of some units over all images, for dissect_unit: maps [unit_count, images, h, w]. */
bool dissect_collect(const DissectSettings *settings, const ProbeSet *probe,
                     const ImageSource *images, const ActivationSource *source,
                     const int64_t *units, int64_t unit_count, float *maps, Error *error);

/* ---- scores and concepts (6.6, 6.8) ---------------------------------------------------------- */

typedef struct Concept {
    int32_t label; // 0: none
    int     category;
    double  score; // intersection over union, 0..1
} Concept;

double dissect_iou(const Dissection *dissection, int64_t unit, int32_t label);
/* Best label of a category; the lowest number wins ties; label 0 and score 0 if all are 0. */
Concept dissect_best_in(const Dissection *dissection, int64_t unit, int category);
/* The unit's concept: the best of the categories' best; the last category wins ties. */
Concept dissect_concept(const Dissection *dissection, int64_t unit);
/* Ranking over all labels; its first is dissect_concept. Ranks without a score are label 0. */
void dissect_top(const Dissection *dissection, int64_t unit, Concept top[NEM_TOP]);

typedef struct DetectorCounts {
    int64_t detectors, unique;                       // report: concept score >= 0.04
    int64_t unique_of_category[NEM_MAX_CATEGORIES];  // ... of these labels by category
    int64_t figure_unique;                           // figure: sum of the next but one
    int64_t figure_detectors_in[NEM_MAX_CATEGORIES]; // best score in the category > 0.04
    int64_t figure_unique_in[NEM_MAX_CATEGORIES];    // ... distinct labels
} DetectorCounts;

bool dissect_detectors(const Dissection *dissection, DetectorCounts *out, Error *error);

/* ---- a run on disk (6.7) --------------------------------------------------------------------- */

/* tally.csv and quantile.npy into an existing folder. units [unit_count]: the layer's number of
 * each row of the tally, NULL: 0, 1, 2, ... */
bool dissection_write(const Dissection *dissection, const int64_t *units, const char *folder,
                      Error *error);

/* What an earlier run found, unit by unit in the layer's order. */
typedef struct UnitRecord {
    int64_t unit;     // from 0
    int32_t label;    // number in the probing set; 0: none, or no set was given
    int     category; // in the probing set; -1 if no set was given
    char   *label_name, *category_name;
    double  score;
    float   threshold;
} UnitRecord;

typedef struct RunRecord {
    int64_t     unit_count;
    UnitRecord *units;
} RunRecord;

/* Reads tally.csv and quantile.npy of a run folder. With probe, names become numbers and an unknown
 * name is ERROR_DATA; probe may be NULL. */
bool run_record_open(RunRecord *out, const char *folder, const ProbeSet *probe, Error *error);
void run_record_close(RunRecord *record); // accepts a zeroed object

#endif
