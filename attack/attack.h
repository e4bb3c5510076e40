/* attack/attack.h - corrupt a probing set and see which explanations change.
 *
 * Everything acts on RGB planes in 0..1, [3, height, width], before the network's own preparation;
 * images outside the poisoned set stay as they are. From the bottom up: random noise, storage (what
 * a perturbed image becomes when it is kept), generic PGD over any scalar node, the objective of one
 * unit, and two evaluations: noise (a full dissection per setting) and designed attacks (only what
 * changed is computed again; equal bit for bit to a full rerun).
 * Sections named below are those of the neuron-explanation specification. Source of the method:
 * Srivastava, Oikarinen, Weng, "Corrupting Neuron Explanations of Deep Visual Features", ICCV 2023. */
#ifndef ATTACK_ATTACK_H
#define ATTACK_ATTACK_H

#include "../engine/engine.h"
#include "../engine/file.h"
#include "../nem/nem.h"

/* ---- random noise (9.1) ------------------------------------------------------------------------ */

typedef enum NoiseType { NOISE_GAUSSIAN, NOISE_UNIFORM, NOISE_BERNOULLI } NoiseType;

/* The true standard deviation is `strength`, except for uniform noise (strength / sqrt 3). */
typedef struct Noise {
    NoiseType type;
    real      strength; // s of section 9.1, in units of the 0..1 pixel range; 0: no perturbation
    double    fraction; // each image is poisoned with this probability
    uint64_t  seed;
} Noise;

/* Errors: ERROR_USAGE for an unknown name. */
bool        noise_type_parse(const char *name, NoiseType *out, Error *error);
const char *noise_type_name(NoiseType type); // "gaussian", "uniform", "bernoulli"

/* Whether this image is among the poisoned: one uniform draw u in (0, 1] per (seed, image), of a
 * stream apart from the noise; poisoned iff u <= fraction. So a larger fraction keeps the images of a
 * smaller one. */
bool noise_poisons(const Noise *noise, int64_t image);

/* Adds noise to the planes of image `image` of the probing set and clamps to 0..1.
 * The pattern (standard normal, uniform on -1..1, or -1/+1) does not depend on the strength: settings
 * of one seed and type are coupled, and differ in strength alone.
 * Address: value i of a plane is word i mod 4 (for normals: pair (i mod 4) / 2) of the Philox block
 * with key (seed, type), high counter = image, low counter = channel * 2^32 + i / 4. */
void noise_add(const Noise *noise, int64_t image, int64_t plane_size, real *planes);

/* ---- storage (9.8) ----------------------------------------------------------------------------- */

/* png8 truncates 255 x to a byte, as published; jpeg75 encodes the same bytes at quality 75, 4:2:0. */
typedef enum StoreArm { STORE_FLOAT, STORE_PNG8, STORE_JPEG75 } StoreArm;
enum { STORE_ARMS = 3 };

bool        store_arm_parse(const char *name, StoreArm *out, Error *error); // ERROR_USAGE
const char *store_arm_name(StoreArm arm);                                   // "float", "png8", "jpeg75"

/* Replaces planes in 0..1 by what a reader of the stored file sees. `keep` names a file to publish the
 * stored image in, without its extension (.npy, .png or .jpg is added), or is NULL.
 * Errors: ERROR_MEMORY; ERROR_CREATE, ERROR_IO when a file is kept. */
bool store_image(StoreArm arm, int64_t height, int64_t width, real *planes, const char *keep,
                 Error *error);

/* max |a - b|: the L-infinity distance of two images. */
real planes_distance(const real *a, const real *b, size_t count);

/* ---- projected gradient descent (9.3) ---------------------------------------------------------- */

typedef enum PgdMethod { PGD_STEPS, PGD_FGSM } PgdMethod;

/* PGD takes `steps` steps of 2 eps / steps and projects on the eps-ball around the clean image and on
 * 0..1 after each; FGSM takes one of size eps. No random start, sign(0) = 0. */
typedef struct PgdRule {
    PgdMethod method;
    real      eps;
    int       steps; // >= 1; FGSM ignores it
} PgdRule;

/* One update of x [count] against the gradient. In float arithmetic, exactly as in section 9.3:
 * y = x - step sign(g), d = clamp(y - clean, -eps, eps), x = clamp01(clean + d). Afterwards
 * |x - clean| <= eps + 2^-25, the half unit in the last place of clean + d, and 0 <= x <= 1. */
void pgd_update(const PgdRule *rule, const real *clean, const real *gradient, size_t count, real *x);

typedef struct Pgd Pgd;

/* Appends d objective / d input to the graph and plans both. Knows nothing of units or images: any
 * input node, any scalar node to be minimised. The graph stays the caller's. */
bool  pgd_create(Pgd **out, Graph *graph, NodeId input, NodeId objective, Error *error);
void  pgd_destroy(Pgd *pgd); // NULL allowed
Plan *pgd_plan(Pgd *pgd);    // to fill the graph's other inputs before pgd_run

/* x (in, out) starts as the clean input [count], which is the whole input node. `objective` receives
 * the value before each step and at the end, [steps + 1] (2 for FGSM), or is NULL, which saves a
 * forward pass. Nothing allocates. */
void pgd_run(Pgd *pgd, const PgdRule *rule, real *x, real *objective);

#endif
