/* attack/unit_attack.h - how one unit is attacked: target, masks, objective, the run over images.
 *
 * The network part of every objective is linear in the unit's maps: sum(maps * weights). For the
 * mean loss the weights are constant; for soft-iou they are the gradient of the loss at the current
 * maps, taken anew before each step. Either way images that belong together in one objective need
 * not share a run of the network. */
#ifndef ATTACK_UNIT_ATTACK_H
#define ATTACK_UNIT_ATTACK_H

#include "attack.h"

enum { ATTACK_GROUP = 64 }; // consecutive images of the probing set whose losses are coupled (9.3)

/* ---- target (9.5) ---------------------------------------------------------------------------- */

/* present [label_count]: what a target may be: labels with pixels, or, for masks from activations,
 * clean concepts of units. Errors: ERROR_USAGE if the choice cannot be met. */
bool target_candidates(const AttackJob *job, bool *present, Error *error);

/* The target label of a unit, 0: none. The draw depends on seed, unit and candidates alone. */
int32_t target_of_unit(const AttackJob *job, const bool *present, int64_t unit,
                       int32_t clean_label);

/* The unit whose clean concept is `target` with the highest score, other than `unit`; -1: none. */
int64_t target_unit(const RunRecord *record, int64_t unit, int32_t target);

/* ---- masks (9.2, 9.6) ------------------------------------------------------------------------ */

/* Where the unit is to fall (source) and to rise (target). From labels: their maps, at the label
 * maps' resolution. From activations: masks at the layer's own resolution, [images, h, w]. */
typedef struct UnitMasks {
    const PlaneCache *label_planes;
    const Resampler  *resampler;                  // NULL: the masks have the layer's resolution
    int32_t           source_label, target_label; // target 0: untargeted
    const uint8_t    *source_maps, *target_maps;  // with resampler NULL; target NULL: untargeted
    int64_t           mask_count;                 // elements of one mask
    int64_t           map_count;                  // elements of one map of the unit
} UnitMasks;

/* Writes both masks [mask_count] of an image; the target mask is zero when untargeted. */
bool unit_masks_get(const UnitMasks *masks, int64_t image, PlaneScratch *scratch, uint8_t *source,
                    uint8_t *target, Error *error);

/* ---- objective (9.2, 9.3) -------------------------------------------------------------------- */

typedef struct SoftIou SoftIou; // the graph of the soft-iou loss for one number of images

typedef struct UnitObjective {
    UnitMasks    masks;
    bool         coupled; // one objective for the whole group, else one for each image
    AttackLoss   loss;
    float        threshold;       // T of soft-iou
    int64_t      count;           // images in the group
    uint8_t     *source, *target; // [ATTACK_GROUP, mask_count]
    float       *pixels;          // [mask_count]
    PlaneScratch scratch;
    SoftIou     *soft; // made when first needed
} UnitObjective;

bool unit_objective_open(UnitObjective *out, const UnitMasks *masks, AttackLoss loss, bool coupled,
                         float threshold, Error *error);
void unit_objective_close(UnitObjective *objective); // accepts a zeroed object

/* Makes these images (at most ATTACK_GROUP) the current group. */
bool unit_objective_load(UnitObjective *objective, const int64_t *images, int64_t count,
                         Error *error);

/* weights [count, map_count] of the group for the mean loss:
 *     sum(maps * weights) = actavg of the source - actavg of the target,
 * each area that of the image, or of the group + 1e-8 when coupled. */
void unit_objective_mean(const UnitObjective *objective, float *weights);

/* ... for soft-iou at maps [count, map_count]: m = sigmoid((up(maps) - T) / std(up(maps))),
 * score(L) = sum(m L) / (sum(max(m, L)) + 1e-8); weights are the gradient of
 * score(source) - score(target), *loss (may be NULL) its value, summed if not coupled. */
bool unit_objective_soft_iou(UnitObjective *objective, const float *maps, float *weights,
                             double *loss, Error *error);

void soft_iou_close(SoftIou *soft); // NULL allowed

/* ---- the run over images --------------------------------------------------------------------- */

typedef struct UnitAttack UnitAttack;

/* One unit's network with its gradient. `objective` outlives it. */
bool unit_attack_open(UnitAttack **out, const AttackJob *job, int64_t unit,
                      UnitObjective *objective, Error *error);
void unit_attack_close(UnitAttack *attack); // NULL allowed

/* Receives perturbed images batch by batch, each once: planes [count, 3, h, w] before and after. */
typedef struct PerturbedSink {
    /* Whether it has an image from an earlier run, so that it need not come again; NULL: none. */
    bool (*has)(void *self, int64_t image);
    bool (*take)(void *self, const int64_t *images, int64_t count, const real *clean,
                 const real *perturbed, Error *error);
    void *self;
} PerturbedSink;

/* Perturbs each of `images` (increasing) within eps, but for those the sink has. */
bool unit_attack_run(UnitAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, Error *error);

/* True with ERROR_AGAIN once the clean run's settings are cancelled. */
bool attack_cancelled(const CleanRun *clean, Error *error);

#endif
