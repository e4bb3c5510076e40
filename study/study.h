/* study/study.h - what is measured: which explanations change when a probing set is perturbed.
 *
 * A clean run has explained the units of a layer from the set as it is. A sweep perturbs the set in
 * several settings, explains again and compares. There are two, for any explanation method (C17):
 * noise, where one perturbed set serves all units, and designed attacks, each on one unit, of which
 * only what changed is computed again (C21). Both have control rows: no perturbation, same storage.
 * Source: Srivastava et al., "Corrupting Neuron Explanations of Deep Visual Features", ICCV 2023.
 */
#ifndef STUDY_STUDY_H
#define STUDY_STUDY_H

#include "../attack/unit_attack.h"
#include "../base/pieces.h"
#include "../base/share.h"

/* ---- a clean run, opened again --------------------------------------------------------------- */

/* A run over the set as it is, which perturbed ones are compared with. Everything outlives what is
 * measured with it. */
typedef struct CleanRun {
    const Explainer *explainer; // opened on the run's inputs
    const RunRecord *record;    // what it found
    const Pass      *pass;      // of the study: its flag to stop, progress and checkpoints
} CleanRun;

/* ---- what changed ---------------------------------------------------------------------------- */

/* What became of one unit under one setting: a row of changes.csv. No byte is padding: checkpoints
 * hold rows as they are. */
typedef struct ChangeRow {
    char perturbation[16]; // "gaussian", "uniform", "bernoulli", "pgd", "fgsm": the column `method`
    double   strength;     // std or eps; 0: control, no perturbation but the same storage (C22)
    StoreArm store;
    int32_t  target;          // label, 0: untargeted
    int64_t  unit;            // from 0
    Concept  clean, now;      // before and after
    double   similarity;      // of the two descriptions, 1: the same
    double   clean_label_iou; // score of the clean concept, afterwards; NAN: the method cannot say
    double   target_iou;      // of the target, likewise
    int64_t  poisoned;        // images; 0 also marks a unit that cannot be attacked (no concept)
    double   fraction;        // poisoned / all images
    double   linf_before, linf_after; // largest distance to the clean images, around storage (C6)
    float    new_threshold; // above which the unit counts as active afterwards (C18); NAN: not told
    bool     changed;       // the description is another one than in the clean run (C19)
    bool     hit;           // targeted: now.label == target, of an attacked unit (C20)
    uint8_t  zero[2];
} ChangeRow;

typedef struct Changes {
    ChangeRow *rows;
    int64_t    count, capacity;
} Changes;

void changes_close(Changes *changes); // accepts a zeroed object
bool changes_add(Changes *changes, const ChangeRow *row, Error *error);

/* changes.csv and summary.csv of a run folder. Numbers have nine digits: reading and writing them
 * again gives the same bytes. Runs of other methods than Network Dissection have two columns more,
 * `nem` and `similarity`; those of methods with thresholds have `new_threshold` as the last. Files
 * that are older than a column serve as well: `outcome` follows from the others and is never read,
 * and a new threshold that is not told is NAN. */
bool changes_write(const Changes *changes, const Explainer *explainer, const char *folder,
                   Error *error);
/* The rows of a sweep that goes on, under a name that says so; the run removes it at its end. */
#define CHANGES_PART "changes.csv.part"
bool changes_write_part(const Changes *changes, const Explainer *explainer, const char *folder,
                        Error *error);
/* Reads changes.csv of a run folder. Errors: ERROR_NOT_FOUND, ERROR_DATA. */
bool changes_read(Changes *out, const char *folder, const Explainer *explainer, Error *error);

/* Rows as the checkpoint `file`, and back, where they follow those that *out has. *found false:
 * there is none of this phase. Errors: also ERROR_INTERNAL for rows that hold a label, a store or
 * a flag that does not exist. */
bool rows_save(const Changes *rows, const Labels *labels, Checkpoint *checkpoint, const char *file,
               const char *phase, Error *error);
bool rows_load(Changes *out, Labels *labels, Checkpoint *checkpoint, const char *file,
               const char *phase, bool *found, Error *error);

/* Rows as a piece; and those of all pieces, where each has some, behind those that *out has.
 * Errors: also ERROR_DATA (a piece that does not fit). */
bool rows_share(const Changes *rows, const Labels *labels, const Pieces *pieces, Error *error);
bool rows_join(Changes *out, Labels *labels, const Pieces *pieces, Error *error);

/* The rows as a checkpoint of their run, and back; without one, *out is empty. */
bool changes_save(const Changes *changes, const Labels *labels, Checkpoint *checkpoint,
                  Error *error);
bool changes_resume(Changes *out, Labels *labels, Checkpoint *checkpoint, Error *error);

/* How many units of a group changed under one setting (C23). */
typedef struct ChangeShare {
    int64_t units, changed;
    int64_t untouched;        // units with no image to perturb: nothing was tried on them
    double  share, low, high; // changed / units with its Wilson 95 % interval
    double  fraction;         // mean poisoned fraction
    int64_t targeted, hits;   // units with a target; those that took it on
    double  hit_share, hit_low, hit_high; // hits / targeted
} ChangeShare;

/* What became of a description (C26): a change of words alone says little. */
typedef enum ChangeOutcome {
    OUTCOME_OTHER, // changed, and the unit detects another concept now
    OUTCOME_NONE,  // changed, and it detects nothing any more
    OUTCOME_TIE,   // changed, but the clean concept fits nearly as well as before
    OUTCOME_SAME,  // not changed
    OUTCOMES
} ChangeOutcome;
#define OUTCOME_NAMES "other|none|tie|same"
#define OUTCOME_KEPT  0.9 // a tie keeps at least this part of the clean concept's score

ChangeOutcome outcome_of(const ChangeRow *row, const Method *method);

/* Outcomes of the units that were detectors in the clean run. */
typedef struct OutcomeCount {
    int64_t detectors;
    int64_t of[OUTCOMES];
    double  kept; // mean score of the clean concept afterwards over that before; 0 without
                  // detectors, NAN where scores are no shares
} OutcomeCount;

/* Over the rows of the setting, of all categories (-1) or of one. */
OutcomeCount outcomes_count(const Changes *changes, const ChangeRow *setting, const Method *method,
                            int category);

/* Which units are counted together; what they stood for in the clean run decides. Units without a
 * concept are in no category. */
typedef struct ChangeGroup {
    bool   only_detectors;
    double detector_score; // of the method; matters to only_detectors
    int    category;       // -1: any
} ChangeGroup;

ChangeGroup group_all(void);
ChangeGroup group_detectors(const Method *method);
ChangeGroup group_category(int category);

/* Over the rows of the same perturbation, strength and storage as `setting`. */
ChangeShare changes_share(const Changes *changes, const ChangeRow *setting, ChangeGroup group);

/* One row of each setting, the lossiest storage first, then by strength. */
typedef struct SettingList {
    const ChangeRow **rows; // owned; what they point to is not
    int               count;
} SettingList;

bool setting_list_open(SettingList *out, const Changes *changes, Error *error);
void setting_list_close(SettingList *list); // accepts a zeroed object

/* Whether similarities of descriptions say more than whether they are the same: where the method
 * has its own, or a likeness was asked for. */
bool similarity_counts(const Explainer *explainer);

/* Below which similarity a description may count as another; no published cut is known, so a table
 * has these (B16). */
enum { SIMILARITY_CUTS = 5 };
extern const double similarity_cuts[SIMILARITY_CUTS]; // 0.3, 0.4, 0.5, 0.6, 0.7

/* How alike descriptions stayed under one setting. */

typedef struct SimilarityShare {
    int64_t units;
    double  mean, low, high;        // with its 95 % bootstrap interval
    int64_t below[SIMILARITY_CUTS]; // units whose similarity is below a cut-off
} SimilarityShare;

bool changes_similarity(const Changes *changes, const ChangeRow *setting, ChangeGroup group,
                        SimilarityShare *out, Error *error);

#define Z_95 1.959963984540054 // 97.5 % quantile of the standard normal: of 95 % intervals

/* Wilson's 95 % interval for a share of which `hits` out of `count` were seen (C24): how well such
 * a sample stands for the units it was drawn from. 0 to 1 for a count of 0. */
void wilson_interval(int64_t hits, int64_t count, double *low, double *high);

/* ---- both sweeps ----------------------------------------------------------------------------- */

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
    const char     *stored_folder; // an existing folder for the stored images, or NULL
    const Changes  *earlier; // rows of an interrupted run that are not computed again, or NULL
    ChangeObserver  observer;
    Share           share; // of the settings, of which there are noise_settings
} NoiseJob;

/* For each storage arm a control (strength 0) and each strength: the perturbed set explained from
 * scratch, thresholds included (C18). Rows: arm by arm, strength by strength, unit by unit.
 * Errors: ERROR_USAGE (a strength or fraction out of range), ERROR_AGAIN (cancelled) and whatever
 * the sources report. *out holds the finished rows either way. */
bool    noise_run(const NoiseJob *job, Changes *out, Error *error);
int64_t noise_settings(const NoiseJob *job); // each explains the whole set

/* ---- designed attacks ------------------------------------------------------------------------ */

/* Where an attack looks for a concept in an image: on the label maps (C8), or, without them, where
 * units that stand for it are active (C12). */
typedef enum AttackMasks { MASKS_LABELS, MASKS_ACTIVATIONS } AttackMasks;
#define MASKS_NAMES "labels|activations"

/* Which concept units are moved towards, if any (C13). */
typedef enum TargetKind { TARGET_NONE, TARGET_RANDOM, TARGET_LABEL, TARGET_UNIT } TargetKind;

typedef struct TargetChoice {
    TargetKind kind;
    int32_t    label; // of TARGET_LABEL and TARGET_UNIT
    int64_t    unit;  // of TARGET_UNIT, whose clean concept the label is
} TargetChoice;

/* "random", "CATEGORY:NAME", or "unit:N" for the concept of that unit of a clean run. Errors:
 * ERROR_USAGE (no such category, label or unit, or a unit without a concept). */
bool target_parse(const char *text, const Labels *labels, const RunRecord *clean, TargetChoice *out,
                  Error *error);

/* What an attack will cost, in passes: a pass is one photo through the network, a gradient counts
 * as three. */
typedef struct AttackPlan {
    int64_t        total, shared; // shared: clean maps and control rows, of all units together
    const int64_t *of_unit;       // [unit_count], of each unit alone
    int64_t        unit_count;
    int64_t        images;  // perturbed at each eps, of all units together
    bool           at_most; // masks from activations: which images are perturbed turns out later
} AttackPlan;

typedef struct AttackJob {
    CleanRun    clean;
    UnitBuilder builder;
    /* The whole layer fed with pixels as they are, without the blob's preparation. Only masks from
     * activations in a mode with raw_masks use it (Q5). */
    ActivationSource unprepared;
    const int64_t   *units;
    int64_t          unit_count;
    const double    *eps; // each > 0
    int              eps_count;
    PgdVariant       variant;
    int              steps;
    AttackLoss       loss;
    AttackMasks      masks;
    TargetChoice     target;
    const StoreArm  *arms;
    int              arm_count;
    uint64_t         seed;          // of random targets
    int64_t          batch;         // images per PGD run; 0: the layer's batch
    size_t           cache_bytes;   // room for clean maps; 0: ATTACK_CACHE_BYTES
    const char      *stored_folder; // as in NoiseJob
    const Changes   *earlier;
    ChangeObserver   observer;
    Share            share; // of the units at each eps, unit by unit
    /* Told once, before the first pass. NULL: nobody listens. */
    void (*planned)(void *self, const AttackPlan *plan);
    void *planned_self;
} AttackJob;

#define ATTACK_CACHE_BYTES ((size_t)512 << 20)

/* Attacks each unit at each eps and evaluates it on the whole probing set. Only poisoned images,
 * those that may be perturbed, are run again, yet every row equals that of a full rerun, bit for
 * bit. Rows: unit by unit; control rows (one per arm), then eps by eps, arm by arm. A unit without
 * a clean concept, or whose target is its own concept, has rows with nothing poisoned.
 * Errors: ERROR_USAGE (unit, eps, steps, target out of range, a method without an aim), ERROR_DATA
 * (the record of the clean run is not of these weights and images), ERROR_AGAIN (cancelled). *out
 * holds the finished rows either way. */
bool attack_run(const AttackJob *job, Changes *out, Error *error);

/* ---- one perturbed image once more, for pages ------------------------------------------------ */

typedef struct Replay Replay;

/* A run folder holds numbers; for a page, single images of a finished noise or attack run are made
 * again, exactly. `noise` (its strength does not matter) or `attack` is set, the other is NULL.
 * Everything handed in outlives it. */
bool replay_open(Replay **out, const CleanRun *clean, const Noise *noise, const AttackJob *attack,
                 const int64_t *units, int64_t unit_count, Error *error);
void replay_close(Replay *replay); // NULL allowed

/* Whether the image is perturbed for units[index]. */
bool replay_poisons(const Replay *replay, int64_t index, int64_t image);
/* The image to show for units[index]: the first of `preferred` that is poisoned, else the first of
 * the set that is; -1: none is. */
int64_t replay_image(const Replay *replay, int64_t index, const PeakImage *preferred, int count);

/* What became of the image; arrays belong to the replay until its next run. */
typedef struct ReplayResult {
    const float *clean, *perturbed, *stored; // [3, height, width]
    const float *map;                        // the unit's, of the stored image
} ReplayResult;

/* Each state of an attack before storage, with the unit's map. */
typedef struct ReplayWatch {
    bool (*state)(void *self, int step, double loss, const float *planes, const float *map,
                  Error *error);
    void *self;
} ReplayWatch;

/* Perturbs and stores a poisoned image as `setting` says: the same pixels as in the study, bit for
 * bit. watch NULL: only the result is wanted. */
bool replay_run(Replay *replay, int64_t index, int64_t image, const ChangeRow *setting,
                const ReplayWatch *watch, ReplayResult *out, Error *error);

#endif
