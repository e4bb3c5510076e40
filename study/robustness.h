/* study/robustness.h - how far explanation maps move when images move a little: at random, or
 * against them; how well they find what a network looks at; and what the network itself says then.
 *
 * Every number is one of an image; a row is a measure under one setting, its value the mean over
 * images. Images are planes [3, height, width] in 0..1. Results are the same bytes for any number
 * of threads and any batch: what a mode takes from a batch of images it takes from groups of its
 * own size, in the order of the data. Formulas: docs/methods/robustness.md (R1 to R16).
 * Source: Joo et al., "Towards more robust interpretation via local gradient alignment", AAAI 2023,
 * and its published code. */
#ifndef STUDY_ROBUSTNESS_H
#define STUDY_ROBUSTNESS_H

#include "../attack/map_attack.h"
#include "../attribution/similarity.h"
#include "../base/pieces.h"
#include "../probe/pass.h"

/* ---- what is measured ------------------------------------------------------------------------ */

typedef enum RobustMeasure {
    ROBUST_RPS,           // maps of randomly moved images with those of the images, (R8)
    ROBUST_AAM,           // maps of attacked images with those of the images, (R9)
    ROBUST_INSERTION,     // the probability of the label where only the largest cells stay, (R11)
    ROBUST_DELETION,      // where only cells below them stay
    ROBUST_ADV_INSERTION, // insertion by the maps of attacked images
    ROBUST_BOUND,         // gradients, products with the Hessian and their ratio, (R12)
    ROBUST_ACCURACY,      // of images as they are and after PGD, (R13)
    ROBUST_MEASURES
} RobustMeasure;
#define ROBUST_MEASURE_NAMES "rps|aam|insertion|deletion|adv-insertion|bound|accuracy"

/* How alike two maps are; `-sum`: both divided by their sum of absolutes first, (R3). */
typedef enum AlikeKind {
    ALIKE_MSE,
    ALIKE_COSINE,
    ALIKE_PCC,
    ALIKE_SSIM,
    ALIKE_MSE_SUM,
    ALIKE_SSIM_SUM,
    ALIKE_TOP
} AlikeKind;
#define ALIKE_NAMES "mse|cosine|pcc|ssim|mse-sum|ssim-sum|topk"

typedef struct Alike {
    AlikeKind kind;
    int64_t   top; // cells, of ALIKE_TOP
} Alike;

/* What the published code does differently, in one row each (docs/methods/compat-modes.md). */
typedef struct RobustMode {
    const char *name;
    const char *maps;            // mode of the maps (attribution.h)
    int64_t     group;           // images that were one batch
    bool        clamps_to_group; // pixels to the extremes of the group, else to black and white
    bool        ranges_by_group; // SSIM's range: that of the group's first maps, else the pair's
    bool        losses_by_group; // AAM's loss is a mean over the group, which Adam's epsilon feels
    bool        pcc_is_biased;   // Pearson's value times (n - 1) / n
    bool        forgets_clean;   // RPS compares with the sum-normalised map from the second draw on
    bool        cifar_deviation; // noise is eps over the deviations of CIFAR-10, else the blob's
    double      inverse_deviation; // AAM's radius is eps times this; 0: over the blob's deviations
    bool        logs_hessian;      // also |Hr|^2 as the code logs it, divided by eps in grey levels
} RobustMode;

const RobustMode *robust_mode_at(int index);           // NULL past the last; the first: the default
const RobustMode *robust_mode_named(const char *name); // NULL if there is none

typedef enum AamTarget { AAM_FRAME, AAM_NONE } AamTarget;
#define AAM_TARGET_NAMES "frame|none"
#define AAM_RULE_NAMES   "adam|sign"

enum {
    ROBUST_METHODS   = 32,
    ROBUST_LIST      = 32,
    ROBUST_SHOWN     = 4,
    ROBUST_RATIOS    = 20,
    ROBUST_PGD_STEPS = 20
};

/* An image as it is given. */
typedef struct RobustImage {
    float  *planes; // [3, height, width], to be filled
    int64_t label;
} RobustImage;

typedef struct RobustStudy {
    WeightBlob       *blob, *patterns; // patterns NULL: none
    const RobustMode *mode;
    MapMode           maps; // of mode->maps, in the form that is compared
    /* Methods by name; `methods[i]` NULL: its maps are given (given_map). */
    const char      *names[ROBUST_METHODS];
    const MapMethod *methods[ROBUST_METHODS];
    int              method_count;
    bool             measures[ROBUST_MEASURES];
    double           eps[ROBUST_LIST]; // of RPS and the bound, in units of 0..1
    int              eps_count;
    int64_t          draws;
    double           aam_eps; // of AAM and PGD
    int64_t          aam_steps;
    bool             aam_is_signed;
    AamTarget        aam_target;
    Alike            alike[ROBUST_LIST];
    int              alike_count;
    int64_t          images, height, width;
    int64_t          classes; // of the network, by robustness_classes
    int64_t          batch;   // images of one run of the network, at least 2
    uint64_t         seed;
    ConvMethod       conv;
    bool (*load)(void *self, int64_t image, RobustImage *out, Error *error);
    bool (*given_map)(void *self, int method, int64_t image, float *map, Error *error);
    void       *self;
    const Pass *pass;
    Share       share; // of the images, in the mode's groups
} RobustStudy;

/* ---- results --------------------------------------------------------------------------------- */

enum { ROBUST_TEXT = 32 };

/* A row of robustness.csv. */
typedef struct RobustRow {
    const char *method;                  // "none" where the network alone is measured
    char        measure[ROBUST_TEXT];    // "rps", "aam-target", ...
    char        setting[ROBUST_TEXT];    // eps as a decimal, a share of cells, "mean", "clean"
    char        similarity[ROBUST_TEXT]; // or what else is measured: "probability", "cosd"
    bool        is_share;                // every image counts 0 or 1, and the interval is Wilson's
} RobustRow;

typedef struct RobustResults {
    int64_t    row_count, images, shown; // shown: the first images, whose maps are kept
    RobustRow *rows;
    double    *values;   // [row_count, images]
    float     *maps;     // [method_count, shown, 3, cells]: as it is, moved at random, attacked
    float     *photos;   // [shown, 3, cells]
    float     *attacked; // [method_count, shown, 3, cells], prepared; zeros without an attack
} RobustResults;

/* The largest eps; 0: there is none above. */
double robust_strength(const RobustStudy *study);

/* Sets study->classes, which a run needs and a merge does not. Errors: those of
 * layer_runner_open. */
bool robustness_classes(RobustStudy *study, Error *error);

/* Errors: those of load and of maps, ERROR_DATA (an attack's loss that is not finite, a label the
 * network has no class for), ERROR_AGAIN (cancelled, after a checkpoint). */
bool robustness_run(const RobustStudy *study, RobustResults *out, Error *error);
void robustness_close(RobustResults *results); // accepts a zeroed object

/* Saves what the study's share of the images came to as a piece; and the results of all pieces.
 * Errors: those of both, ERROR_DATA (a piece that does not fit). */
bool robustness_save(const RobustStudy *study, const RobustResults *results, const Pieces *pieces,
                     Error *error);
bool robustness_join(const RobustStudy *study, const Pieces *pieces, RobustResults *out,
                     Error *error);

/* The mean of a row and its 95 % interval over images (R15): normal, or Wilson's for shares. It
 * does not cover what another training or another seed would give. */
typedef struct RobustSummary {
    double  value, low, high;
    int64_t count;
} RobustSummary;

/* Whether a row is one that tables for people show: of a curve of insertion or deletion its mean.
 */
bool robust_row_is_main(const char *measure, const char *setting);

RobustSummary robust_summary(const RobustRow *row, const double *values, int64_t count);

/* ---- files ----------------------------------------------------------------------------------- */

/* robustness.csv; values.npy [rows, images]; maps.npy [methods, shown, 3, cells], photos.npy
 * [shown, 3, height, width] and attacked.npy [methods shown, 3, height, width]. */
bool robustness_write(const RobustStudy *study, const RobustResults *results, const char *folder,
                      Error *error);

/* Two runs of the same images, row by row (R16): of the differences B - A of single images the mean
 * with its normal 95 % interval, and how many are above and below zero with the two-sided p of the
 * sign test. */
typedef struct RobustPair {
    int64_t row_a, row_b;
    double  value_a, value_b, difference, low, high, p;
    int64_t count, above, below;
} RobustPair;

/* A finished run as its files say it. */
typedef struct RobustRecord {
    struct Csv *csv; // of the texts
    int64_t     row_count, images;
    float      *values; // [row_count, images]
} RobustRecord;

bool        robust_record_read(RobustRecord *out, const char *folder, Error *error);
void        robust_record_close(RobustRecord *record); // accepts a zeroed object
const char *robust_record_text(const RobustRecord *record, int64_t row, const char *column);

/* Pairs of rows with the same method, measure, setting and similarity, in the order of A; *pairs is
 * allocated. Errors: ERROR_DATA, other numbers of images. */
bool robust_compare(const RobustRecord *a, const RobustRecord *b, RobustPair **pairs,
                    int64_t *count, Error *error);

#endif
