/* attack/attack.h - corrupt a probing set and see which explanations change.
 *
 * Everything acts on RGB planes in 0..1, [3, height, width], before the network's own preparation;
 * images outside the poisoned set stay as they are. From the bottom up: random noise, storage (what
 * becomes of a perturbed image that is kept), generic PGD over any scalar node, and two
 * evaluations: noise (a full dissection per setting) and designed attacks on one unit at a time
 * (only what changed is computed again; equal bit for bit to a full rerun).
 * Companions for who replays one attack: unit_attack.h, unit_case.h.
 * Sections named below are those of the neuron-explanation specification. Source of the method:
 * Srivastava et al., "Corrupting Neuron Explanations of Deep Visual Features", ICCV 2023. */
#ifndef ATTACK_ATTACK_H
#define ATTACK_ATTACK_H

#include "../models/models.h"
#include "../nem/dissect/dissect.h"

/* ---- random noise (9.1) ---------------------------------------------------------------------- */

typedef enum NoiseType { NOISE_GAUSSIAN, NOISE_UNIFORM, NOISE_BERNOULLI } NoiseType;

/* The true standard deviation is `strength`, except for uniform noise (strength / sqrt 3). */
typedef struct Noise {
    NoiseType type;
    double    strength; // s of section 9.1, in units of the 0..1 pixel range; 0: no perturbation
    double    fraction; // each image is poisoned with this probability
    uint64_t  seed;
} Noise;

/* Errors: ERROR_USAGE for an unknown name. */
bool        noise_type_parse(const char *name, NoiseType *out, Error *error);
const char *noise_type_name(NoiseType type); // "gaussian", "uniform", "bernoulli"

/* Whether this image is among the poisoned: one uniform draw u in (0, 1] per (seed, image), of a
 * stream apart from the noise; poisoned iff u <= fraction. So a larger fraction keeps the images of
 * a smaller one. */
bool noise_poisons(const Noise *noise, int64_t image);

/* Adds noise to the planes of image `image` of the probing set and clamps to 0..1.
 * The pattern (standard normal, uniform on -1..1, or -1/+1) does not depend on the strength:
 * settings of one seed and type are coupled, and differ in strength alone.
 * Address: value i of a plane is word i mod 4 (for normals: pair (i mod 4) / 2) of the Philox block
 * with key (seed, type), high counter = image, low counter = channel * 2^32 + i / 4. */
void noise_add(const Noise *noise, int64_t image, int64_t plane_size, float *planes);

/* ---- storage (9.8) --------------------------------------------------------------------------- */

/* png8 truncates 255 x to a byte, as published; jpeg75 encodes these bytes at quality 75, 4:2:0. */
typedef enum StoreArm { STORE_FLOAT, STORE_PNG8, STORE_JPEG75 } StoreArm;
enum { STORE_ARMS = 3 };

bool        store_arm_parse(const char *name, StoreArm *out, Error *error); // ERROR_USAGE
const char *store_arm_name(StoreArm arm);       // "float", "png8", "jpeg75"
StoreArm    store_arm_default(CompatMode mode); // jpeg75 for corrupt23, else float

/* Replaces planes in 0..1 by what a reader of the stored file sees. `keep` names a file to publish
 * the stored image in, without its extension (.npy, .png or .jpg is added), or is NULL.
 * Errors: ERROR_MEMORY; ERROR_CREATE, ERROR_IO when a file is kept. */
bool store_image(StoreArm arm, int64_t height, int64_t width, float *planes, const char *keep,
                 Error *error);

/* max |a - b|: the L-infinity distance of two images. */
float planes_distance(const float *a, const float *b, size_t count);

/* ---- projected gradient descent (9.3) -------------------------------------------------------- */

typedef enum PgdMethod { PGD_STEPS, PGD_FGSM } PgdMethod;

/* PGD takes `steps` steps of 2 eps / steps and projects on the eps-ball around the clean image and
 * on 0..1 after each; FGSM takes one of size eps. No random start, sign(0) = 0. */
typedef struct PgdRule {
    PgdMethod method;
    real      eps;
    int       steps; // >= 1; FGSM ignores it
} PgdRule;

/* One update of x [count] against the gradient. In float arithmetic, exactly as in section 9.3:
 * y = x - step sign(g), d = clamp(y - clean, -eps, eps), x = clamp01(clean + d). Afterwards
 * |x - clean| <= eps + 2^-25, the half unit in the last place of clean + d, and 0 <= x <= 1.
 * Elements whose `movable` is 0 stay as they are; NULL: all move. */
void pgd_update(const PgdRule *rule, const real *clean, const real *gradient,
                const uint8_t *movable, size_t count, real *x);

typedef struct Pgd Pgd;

/* Appends d objective / d input to the graph and plans both. Knows nothing of units or images: any
 * input node, any scalar node to be minimised. The graph stays the caller's. */
bool  pgd_create(Pgd **out, Graph *graph, NodeId input, NodeId objective, Error *error);
void  pgd_destroy(Pgd *pgd); // NULL allowed
Plan *pgd_plan(Pgd *pgd);    // to fill the graph's other inputs before pgd_run

/* d objective / d input at x [count], which is the whole input node; valid until the next run. */
const real *pgd_gradient(Pgd *pgd, const real *x);

/* x (in, out) starts as the clean input. `objective` receives the value before each step and at the
 * end, [steps + 1] (2 for FGSM), or is NULL, which saves a forward pass. Nothing allocates. False:
 * *cancel (NULL allowed) became true and x is somewhere on the way. */
bool pgd_run(Pgd *pgd, const PgdRule *rule, const uint8_t *movable, real *x, real *objective,
             const volatile bool *cancel);

/* ---- what changed ---------------------------------------------------------------------------- */

#define DETECTOR_SCORE 0.04 // a unit whose clean score reaches this is a detector (6.8)

/* One unit under one setting: a row of changes.csv. No byte is padding: checkpoints hold rows as
 * they are. */
typedef struct ChangeRow {
    char     method[16]; // "gaussian", "uniform", "bernoulli", "pgd", "fgsm"
    double   strength;   // std or eps; 0: control, no perturbation but the same storage
    StoreArm store;
    int32_t  target;          // label, 0: untargeted
    int64_t  unit;            // from 0
    Concept  clean, now;      // before and after
    double   clean_label_iou; // of the clean concept, afterwards
    double   target_iou;      // of the target, afterwards
    int64_t  poisoned;        // images; 0 also marks a unit that cannot be attacked (no concept)
    double   fraction;        // poisoned / all images
    double   linf_before, linf_after; // largest distance to the clean images, around storage
    bool     changed;                 // now.label != clean.label
    bool     hit;                     // targeted: now.label == target, of an attacked unit
    uint8_t  zero[6];
} ChangeRow;

typedef struct Changes {
    ChangeRow *rows;
    int64_t    count, capacity;
} Changes;

void changes_close(Changes *changes); // accepts a zeroed object
bool changes_add(Changes *changes, const ChangeRow *row, Error *error);

/* changes.csv and summary.csv of a run folder. Numbers have nine digits: reading and writing them
 * again gives the same bytes. */
bool changes_write(const Changes *changes, const ProbeSet *probe, const char *folder, Error *error);
/* Reads changes.csv of a run folder. Errors: ERROR_NOT_FOUND, ERROR_DATA. */
bool changes_read(Changes *out, const char *folder, const ProbeSet *probe, Error *error);

/* The rows as a checkpoint of their run, and back; without one, *out is empty. */
bool changes_keep(const Changes *changes, Checkpoint *checkpoint, Error *error);
bool changes_resume(Changes *out, Checkpoint *checkpoint, const ProbeSet *probe, Error *error);
/* Whether a row's labels and words are some that there are: it was in a checkpoint. */
bool change_row_fits(const ChangeRow *row, const ProbeSet *probe);

/* How many units of a group changed under one setting. */
typedef struct ChangeShare {
    int64_t units, changed;
    double  share, low, high;             // changed / units with its Wilson 95 % interval
    double  fraction;                     // mean poisoned fraction
    int64_t targeted, hits;               // units with a target; those that took it on
    double  hit_share, hit_low, hit_high; // hits / targeted
} ChangeShare;

typedef enum ChangeGroup { GROUP_ALL, GROUP_DETECTORS, GROUP_CATEGORY } ChangeGroup;

/* Over the rows of the same method, strength and storage as `setting`. `category` is that of the
 * clean concept and matters to GROUP_CATEGORY alone. */
ChangeShare changes_share(const Changes *changes, const ChangeRow *setting, ChangeGroup group,
                          int category);

/* One row of each setting, the lossiest storage first, then by strength. */
typedef struct SettingList {
    const ChangeRow **rows; // owned; what they point to is not
    int               count;
} SettingList;

bool setting_list_open(SettingList *out, const Changes *changes, Error *error);
void setting_list_close(SettingList *list); // accepts a zeroed object

/* The Wilson 95 % score interval of hits out of count; 0 and 1 for a count of 0. */
void wilson_interval(int64_t hits, int64_t count, double *low, double *high);

/* ---- what an evaluation needs ---------------------------------------------------------------- */

/* The clean run: what it was made from and what it found. Everything outlives the evaluation. */
typedef struct CleanRun {
    const ProbeSet        *probe;
    const PlaneCache      *label_planes;
    ImageSource            images;   // the clean photos
    ActivationSource       layer;    // all units
    const DissectSettings *settings; // its cancel and progress serve the evaluation
    const RunRecord       *record;   // opened with the probing set
} CleanRun;

/* Called after each finished setting with everything so far, in its final order, so that a command
 * can write a checkpoint; false ends the evaluation with that error. */
typedef struct ChangeObserver {
    bool (*finished)(void *self, const Changes *changes, Error *error); // NULL: nobody listens
    void *self;
} ChangeObserver;

/* ---- noise ----------------------------------------------------------------------------------- */

typedef struct NoiseJob {
    CleanRun        clean;
    NoiseType       type;
    const double   *strengths; // each > 0; control rows come by themselves
    int             strength_count;
    double          fraction; // 0..1
    const StoreArm *arms;
    int             arm_count;
    uint64_t        seed;
    const char     *keep_folder; // an existing folder for the stored images, or NULL
    const Changes  *earlier;     // rows of an interrupted run that are not computed again, or NULL
    ChangeObserver  observer;
} NoiseJob;

/* For each storage arm a control (strength 0) and each strength: a full dissection of the corrupted
 * set, thresholds included (10.1). Rows: arm by arm, strength by strength, unit by unit.
 * Errors: ERROR_USAGE (a strength or fraction out of range), ERROR_AGAIN (cancelled) and whatever
 * the sources report. *out holds the finished rows either way. */
bool noise_run(const NoiseJob *job, Changes *out, Error *error);

/* ---- designed attacks (9.2 to 9.6) ----------------------------------------------------------- */

typedef enum AttackLoss { LOSS_MEAN, LOSS_SOFT_IOU } AttackLoss;
typedef enum AttackMasks { MASKS_LABELS, MASKS_ACTIVATIONS } AttackMasks;

typedef enum TargetKind { TARGET_NONE, TARGET_RANDOM, TARGET_LABEL } TargetKind;

typedef struct TargetChoice {
    TargetKind kind;
    int32_t    label; // of TARGET_LABEL
} TargetChoice;

/* "random" or "CATEGORY:NAME". Errors: ERROR_USAGE (no such category or label). */
bool target_parse(const char *text, const ProbeSet *probe, TargetChoice *out, Error *error);

/* Builds pixels [n, 3, height, width] -> maps of one unit [n, 1, h, w] on an empty graph. */
typedef struct UnitBuilder {
    bool (*build)(void *self, Graph *graph, Shape pixels, int64_t unit, Network *out, Error *error);
    void *self;
} UnitBuilder;

/* The builder of a weight blob's layer; its self is the BlobLayer, which outlives it. */
typedef struct BlobLayer {
    WeightBlob *blob;
    const char *layer;
    bool        post_relu;
} BlobLayer;

UnitBuilder unit_builder(BlobLayer *layer);

typedef struct AttackJob {
    CleanRun    clean;
    UnitBuilder builder;
    /* The whole layer fed with pixels as they are, without the blob's preparation: what the
     * published code cut masks from (Q5). Only MASKS_ACTIVATIONS in corrupt23 uses it. */
    ActivationSource unprepared;
    const int64_t   *units;
    int64_t          unit_count;
    const double    *eps; // each > 0
    int              eps_count;
    PgdMethod        method;
    int              steps;
    AttackLoss       loss;
    AttackMasks      masks;
    TargetChoice     target;
    const StoreArm  *arms;
    int              arm_count;
    uint64_t         seed;        // of random targets
    int64_t          batch;       // images per PGD run; 0: the layer's batch
    size_t           cache_bytes; // room for clean maps; 0: ATTACK_CACHE_BYTES
    const char      *keep_folder; // as in NoiseJob
    const Changes   *earlier;
    ChangeObserver   observer;
} AttackJob;

#define ATTACK_CACHE_BYTES ((size_t)512 << 20)

/* Attacks each unit at each eps and evaluates it on the whole probing set. Only poisoned images
 * are run again, yet every row equals that of a full rerun, bit for bit (14.6). Rows: unit by unit;
 * control rows (one per arm), then eps by eps, arm by arm. A unit without a clean concept, or whose
 * target is its own concept, keeps its rows with nothing poisoned.
 * Batch coupling (9.3) in corrupt23, per image in the other modes.
 * Errors: ERROR_USAGE (unit, eps, steps, target out of range), ERROR_DATA (the record of the clean
 * run is not of these weights and images), ERROR_AGAIN (cancelled). *out holds the finished rows
 * either way. */
bool attack_run(const AttackJob *job, Changes *out, Error *error);

#endif
