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
#include "../resample.h"
#include "../threshold.h"

extern const Method method_dissection; // its row of the table of methods

enum { DISSECT_TOP = 5 }; // concepts of a unit that are ranked

/* ---- rules: the constants of the published programs ------------------------------------------ */

/* How an activation map is brought to the size of the label maps (Q8). */
typedef enum Upsampler {
    UPSAMPLE_HALF_PIXEL, // bilinear, half-pixel centres, edges clamped (D7)
    UPSAMPLE_PILLOW,     // bilinear; a triangle as wide as the step when shrinking (D8)
    UPSAMPLE_FIELD_GRID  // linear between the centres of receptive fields (D9)
} Upsampler;

/* In which images a unit's mask counts for a category (Q3). */
typedef enum PresenceRule {
    PRESENCE_IN_MASK, // where the mask meets one of the category's labels (D13)
    PRESENCE_IN_IMAGE // where the image has one of its labels anywhere (D14)
} PresenceRule;

/* The pixels that cell k of a map looks at along one axis: `size` of them from offset + k * step on
 * (D9). Size 0: not known; then offset is 0, and size and step are image side / map side, as in
 * the 2017 program's wrapper for PyTorch. */
typedef struct ReceptiveField {
    int64_t offset, size, step;
} ReceptiveField;

/* What a mode decides for Network Dissection; modes.c has a table of them. */
typedef struct DissectRules {
    int            quantile_entry;   // the threshold is the quantile at entry / (entries - 1) (D2)
    int            quantile_entries; // 994 of 1000: alpha = 0.005
    Upsampler      upsampler;
    ReceptiveField field; // of the layer; only UPSAMPLE_FIELD_GRID looks at it
    PresenceRule   presence;
    double         epsilon;           // added to the union (D15)
    bool           label0_leaks;      // a whole-image item 0 counts as a label (Q7)
    int64_t        triples_per_image; // most counts kept of one image; 0: no limit (Q9)
    size_t         store_bytes; // room for kept cells; beyond it a second forward pass is made
} DissectRules;

/* The rules of a mode ("corrupt23", "clean", "lite", "nd2017"; NULL: the default); NULL if there
 * is no such mode. */
const DissectRules *dissect_rules(const char *mode);
/* Sets the threshold by the share of values that exceed it: alpha = 0.005 means entry 994 of 1000
 * (D3). Errors: ERROR_USAGE. */
bool dissect_set_alpha(DissectRules *rules, double alpha, Error *error);

/* ---- between the layer's resolution and the label maps' -------------------------------------- */

/* Brings maps [height, width] of a layer to the size of a set's label maps (D6). Errors:
 * ERROR_USAGE (the rule cannot place such maps), ERROR_MEMORY. */
bool resampler_open(Resampler **out, const DissectRules *rules, const ProbeSet *probe,
                    int64_t height, int64_t width, Error *error);

/* ---- dissection ------------------------------------------------------------------------------ */

/* What all scores are computed from: counts over all images and label maps (D12). Exact. */
typedef struct ConceptTally {
    int64_t   unit_count;
    int32_t   label_count;
    int       category_count;
    uint64_t *truth;    // [label_count] pixels with the label
    uint64_t *both;     // [unit_count, label_count] ... inside the unit's mask
    uint64_t *activity; // [unit_count, category_count] mask pixels where it is present (D13, D14)
} ConceptTally;

/* A dissected layer, or one unit of it: thresholds and counts, from which concepts follow. */
typedef struct Dissection {
    const ProbeSet *probe;     // not owned; outlives this
    double          epsilon;   // as in the rules
    float          *threshold; // [unit_count]
    ConceptTally    tally;
    int             passes; // forward passes made: 1, or 2 when the kept cells outgrew their room
    size_t          peak_store_bytes; // most that the kept cells took
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

/* Of any label with any unit (D15). */
double dissect_iou(const Dissection *dissection, int64_t unit, int32_t label);
/* Best label of a category; the lowest number wins ties; label 0 and score 0 if all are 0 (D16). */
Concept dissect_best_in(const Dissection *dissection, int64_t unit, int category);
/* The unit's concept: the best of the categories' best; the last category wins ties (D17). */
Concept dissect_concept(const Dissection *dissection, int64_t unit);
/* The unit's best labels of all categories (D18); the first is dissect_concept. Label 0 where there
 * are no more labels with a score. */
void dissect_top(const Dissection *dissection, int64_t unit, Concept top[DISSECT_TOP]);

/* How many units detect something, by the two conventions in use: that of the programs' reports
 * (D19), where a unit counts once, and that of the papers' figures (D20), where it counts in every
 * category whose best label is above the bound. */
typedef struct DetectorCounts {
    int64_t detectors, unique;                         // report: units, and their distinct labels
    int64_t unique_of_category[PROBE_MAX_CATEGORIES];  // report: distinct labels by category
    int64_t figure_unique;                             // figure: sum of figure_unique_in
    int64_t figure_detectors_in[PROBE_MAX_CATEGORIES]; // figure: units by category
    int64_t figure_unique_in[PROBE_MAX_CATEGORIES];    // figure: distinct labels by category
} DetectorCounts;

bool dissect_detectors(const Dissection *dissection, DetectorCounts *out, Error *error);

/* ---- a run on disk --------------------------------------------------------------------------- */

/* Writes tally.csv and quantile.npy into an existing folder (D21). */
bool dissection_write(const Dissection *dissection, const char *folder, Error *error);

/* Reads them again. labels: what names are looked up in, and a name that is none of them is
 * ERROR_DATA; NULL: names only. */
bool dissection_read(RunRecord *out, const char *folder, Labels *labels, Error *error);

#endif
