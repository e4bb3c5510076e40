/* study/attack_run.h - what the files of an attack run share. Each calls only those declared before
 * its own. */
#ifndef STUDY_ATTACK_RUN_H
#define STUDY_ATTACK_RUN_H

#include "saved_setting.h"
#include "unit_case.h"

typedef struct AttackRun {
    const AttackJob *job;
    Changes         *out;
    StoredLayer      layer;
    UnitCase        *cases;       // [job->unit_count]
    size_t           set_size;    // floats of a unit's maps over all images
    int64_t         *unit_cost;   // [job->unit_count] of each at one eps, as far as it is known
    float           *shares;      // of the unit at hand: how much of each of its images is run
    int64_t          done, total; // runs of the network, for progress
    int64_t          first, past; // cases of this share: eps e of cases[i] is case i * eps + e
} AttackRun;

/* A few units whose clean maps fit into memory together: one pass over the set gives the clean maps
 * of all of them, and one pass for each storage arm that changes images their control rows. */
typedef struct Chunk {
    UnitCase     *cases;
    int64_t       first, count; // among all units of the run
    int64_t      *units;        // [count]
    float        *maps;         // [count, set_size]
    const float **unit_maps;    // [count]
    ChangeRow    *controls;     // [count, arms]
} Chunk;

/* ---- accounts (attack_account.c) ------------------------------------------------------------- */

/* Whether an eps of a unit is of this share; control rows are of every share that has one. */
bool attack_is_shared(const AttackRun *run, const UnitCase *unit_case, int eps);
/* Counts runs of the network and tells the observer of progress. */
void attack_progress(AttackRun *run, int64_t amount);
/* Work that turns out not to be needed. */
void attack_discount(AttackRun *run, int64_t amount);
/* Masks from activations are known now: what the cases cost, and the pass that found them. */
void attack_aimed(AttackRun *run, const UnitCase *cases, int64_t count);
/* Rows of an earlier run: counted as done from the beginning, unless their cost was not known. */
void attack_found(AttackRun *run, int64_t amount);
void attack_found_chunk(AttackRun *run, const UnitCase *cases, int64_t count);
/* The pass of one run over the whole set: while it goes on its images are told, but not counted. */
Pass counted_pass(AttackRun *run, const char *file, const char *phase);
/* Marks [total] the images that are poisoned for any of these cases; returns how many there are. */
int64_t poisoned_images(const UnitCase *cases, int64_t count, int64_t total, bool *marked);
/* Counts the passes of the run, whose cases are open, and tells who asked for the plan. `chunk`:
 * units that go together. */
bool attack_plan(AttackRun *run, int64_t chunk, Error *error);
/* Runs of the network for one poisoned image at one eps, a gradient being worth three, and a part
 * of the image its share. */
int64_t cost_of_image(const AttackJob *job, float share);
int64_t images_of_set(const AttackRun *run);
/* Whether control images of this arm may have other maps than the clean ones, so that the network
 * runs; and how many arms do. */
bool    control_runs(const AttackJob *job, int arm);
int64_t control_arms(const AttackJob *job);
/* The attack on a unit is open: finds the shares of its images. */
bool attack_opened(AttackRun *run, const UnitCase *unit_case, UnitAttack *attack, Error *error);
/* Begins one of its eps, whose cost is known from the shares, and no longer from a sample. */
void attack_begun(AttackRun *run, const UnitCase *unit_case);
/* At one eps, and at all that are of this share. As long as masks from activations are not known, the
 * most it may be. */
int64_t cost_of_eps(const AttackRun *run, const UnitCase *unit_case);
int64_t cost_of_unit(const AttackRun *run, const UnitCase *unit_case);

/* The rows [arms] of a unit and strength, if an earlier run has them for every arm. */
bool take_earlier(const AttackRun *run, int64_t unit, double strength, ChangeRow *rows);
/* Adds rows [arms] to those of the run and tells the observer. */
bool add_rows(AttackRun *run, const ChangeRow *rows, Error *error);

/* ---- control rows: no perturbation, the same storage (attack_controls.c) --------------------- */

/* Fills the control rows of a chunk whose clean maps are known: one pass over its poisoned images
 * for each storage arm that changes them. */
bool control_rows(AttackRun *run, Chunk *chunk, Error *error);

/* ---- a few units (attack_chunk.c) ------------------------------------------------------------ */

/* Every row of `count` units from `cases` on; closes the cases. Units an earlier run has finished
 * are copied; a chunk it has finished runs nothing. */
bool chunk_run(AttackRun *run, UnitCase *cases, int64_t count, Error *error);

#endif
