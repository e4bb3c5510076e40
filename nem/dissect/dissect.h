/* nem/dissect/dissect.h - which concept does a unit stand for? (Network Dissection)
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
#ifndef NEM_DISSECT_DISSECT_H
#define NEM_DISSECT_DISSECT_H

#include "../../probe/pass.h"
#include "../../probe/probe.h"

enum { NEM_TOP = 5 };

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
    int64_t unique_of_category[PROBE_MAX_CATEGORIES];  // ... of these labels by category
    int64_t figure_unique;                           // figure: sum of the next but one
    int64_t figure_detectors_in[PROBE_MAX_CATEGORIES]; // best score in the category > 0.04
    int64_t figure_unique_in[PROBE_MAX_CATEGORIES];    // ... distinct labels
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
