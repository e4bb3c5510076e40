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
 * Neuron Explanations of Deep Visual Features", ICCV 2023.
 *
 * Errors: ERROR_NOT_FOUND (a file is missing), ERROR_DATA (a file or an activation is malformed;
 * the message names it), ERROR_USAGE, ERROR_MEMORY, ERROR_AGAIN (cancelled). */
#ifndef NEM_DISSECT_DISSECT_H
#define NEM_DISSECT_DISSECT_H

#include "../method.h"

extern const Method method_dissection; // the seat in the table of methods

enum { DISSECT_TOP = 5 }; // concepts of a unit that are ranked

/* ---- rules: the constants of the published programs ------------------------------------------ */

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

typedef struct DissectRules {
    int            quantile_entry;   // the threshold is the quantile at p = entry / (entries - 1)
    int            quantile_entries; // 994 of 1000: alpha = 0.005
    Upsampler      upsampler;
    ReceptiveField field; // of the layer; only UPSAMPLE_FIELD_GRID looks at it
    PresenceRule   presence;
    double         epsilon;           // added to the union
    bool           label0_leaks;      // a whole-image item 0 counts as a label
    int64_t        triples_per_image; // most (unit, label, count) counted of one image; 0: no limit
    size_t         store_bytes; // room for kept cells; beyond it a second forward pass is made
} DissectRules;

/* Those of a mode ("corrupt23", "clean", "lite", "nd2017"; NULL: the default), or NULL. */
const DissectRules *dissect_rules(const char *mode);
/* Sets the quantile from a tail mass: entry floor(1000 * (1 - alpha) - 1) of 1000. */
bool dissect_set_alpha(DissectRules *rules, double alpha, Error *error);

/* ---- between the layer's resolution and the label maps' -------------------------------------- */

typedef struct Resampler Resampler;

/* Maps [height, width] of a layer to the label maps of a set. */
bool resampler_open(Resampler **out, const DissectRules *rules, const ProbeSet *probe,
                    int64_t height, int64_t width, Error *error);
void resampler_close(Resampler *resampler); // NULL allowed

/* out [map_height, map_width]: interpolated in double, rounded to float as the mode's program
 * does. */
void resampler_map(const Resampler *resampler, const float *map, float *out);
/* The transpose of the same linear map: weights [map_height, map_width] -> out [height, width], so
 * that sum(weights * resampled map) = sum(out * map) up to rounding. */
void resampler_transpose(const Resampler *resampler, const float *weights, float *out);

/* ---- dissection ------------------------------------------------------------------------------ */

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

/* Thresholds and tally of every unit of a layer over every image, taken from `images`. Same bits
 * for any batch, any number of threads and either number of passes. A value that is not finite ends
 * it with ERROR_DATA naming image and unit. Calls the layer from the calling thread only. */
bool dissect_layer(Dissection *out, const DissectRules *rules, const Inputs *inputs,
                   const ImageSource *images, const Pass *pass, Error *error);
/* The same for one unit whose maps are at hand: maps[image] points to [height, width] of the
 * inputs' layer. Equals its row of a whole dissection, bit for bit. */
bool dissect_unit(Dissection *out, const DissectRules *rules, const Inputs *inputs,
                  const float *const *maps, Error *error);
void dissection_close(Dissection *dissection); // accepts a zeroed object

/* ---- scores and concepts: a score is an intersection over union, 0..1 ------------------------ */

double dissect_iou(const Dissection *dissection, int64_t unit, int32_t label);
/* Best label of a category; the lowest number wins ties; label 0 and score 0 if all are 0. */
Concept dissect_best_in(const Dissection *dissection, int64_t unit, int category);
/* The unit's concept: the best of the categories' best; the last category wins ties. */
Concept dissect_concept(const Dissection *dissection, int64_t unit);
/* Ranking over all labels; its first is dissect_concept. Ranks without a score are label 0. */
void dissect_top(const Dissection *dissection, int64_t unit, Concept top[DISSECT_TOP]);

typedef struct DetectorCounts {
    int64_t detectors, unique;                         // report: concept score >= detector_score
    int64_t unique_of_category[PROBE_MAX_CATEGORIES];  // ... of these labels by category
    int64_t figure_unique;                             // figure: sum of the next but one
    int64_t figure_detectors_in[PROBE_MAX_CATEGORIES]; // best score in the category > it
    int64_t figure_unique_in[PROBE_MAX_CATEGORIES];    // ... distinct labels
} DetectorCounts;

bool dissect_detectors(const Dissection *dissection, DetectorCounts *out, Error *error);

/* ---- a run on disk --------------------------------------------------------------------------- */

/* tally.csv and quantile.npy into an existing folder. */
bool dissection_write(const Dissection *dissection, const char *folder, Error *error);

/* Reads them again. labels NULL: names only; else a name that is none of them is ERROR_DATA. */
bool dissection_read(RunRecord *out, const char *folder, const Labels *labels, Error *error);

#endif
