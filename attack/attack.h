/* attack/attack.h - how pixels are perturbed: random noise, storage, and steps against a gradient.
 *
 * Everything acts on RGB planes in 0..1, [3, height, width], before the network's own preparation.
 * Nothing here knows how units are explained; unit_attack.h perturbs the images of one unit.
 * Source: Srivastava et al., "Corrupting Neuron Explanations of Deep Visual Features", ICCV 2023.
 */
#ifndef ATTACK_ATTACK_H
#define ATTACK_ATTACK_H

#include "../base/words.h"
#include "../probe/source.h"

/* ---- random noise ---------------------------------------------------------------------------- */

typedef enum NoiseType { NOISE_GAUSSIAN, NOISE_UNIFORM, NOISE_BERNOULLI } NoiseType;
#define NOISE_NAMES "gaussian|uniform|bernoulli"

/* Random noise on some images of a set (C1). Its standard deviation is `strength`, except for
 * uniform noise, where it is strength / sqrt 3 (Q11). */
typedef struct Noise {
    NoiseType type;
    double    strength; // in units of the 0..1 pixel range; 0: no perturbation
    double    fraction; // each image is poisoned with this probability (C2)
    uint64_t  seed;
} Noise;

/* Errors: ERROR_USAGE for an unknown name. */
bool        noise_type_parse(const char *name, NoiseType *out, Error *error);
const char *noise_type_name(NoiseType type); // "gaussian", "uniform", "bernoulli"

/* Whether this image is among the poisoned, those that get noise (C2): one uniform draw u in (0, 1]
 * per (seed, image), of a stream apart from the noise; poisoned iff u <= fraction. So a larger
 * fraction keeps the images of a smaller one. */
bool noise_poisons(const Noise *noise, int64_t image);

/* Adds noise to the planes of image `image` of the probing set and clamps to 0..1.
 * The pattern (standard normal, uniform on -1..1, or -1/+1) does not depend on the strength: two
 * strengths of one seed and type differ in the scale of the same noise.
 * Address of a draw (C3): value i of a plane is word i mod 4 (for normals: pair (i mod 4) / 2) of
 * the Philox block with key (seed, type), high counter = image, low counter = channel * 2^32 + i
 * / 4. */
void noise_add(const Noise *noise, int64_t image, int64_t plane_size, float *planes);

/* The images of a source with noise on the poisoned ones: an ImageSource is {noisy_images_load,
 * this}. What it points to outlives it. Threads: as of the source. */
typedef struct NoisyImages {
    const ImageSource *images;
    Noise              noise;
    int64_t            plane_size;
} NoisyImages;

bool noisy_images_load(void *self, int64_t image, float *planes, Error *error);

/* ---- storage --------------------------------------------------------------------------------- */

/* How a perturbed image is stored before it is measured. png8 truncates 255 x to a byte, as
 * published (C4); jpeg75 encodes these bytes at quality 75, 4:2:0 (C5); float keeps the numbers. */
typedef enum StoreArm { STORE_JPEG75, STORE_PNG8, STORE_FLOAT } StoreArm; // the lossiest first
#define STORE_NAMES "jpeg75|png8|float"
enum { STORE_ARMS = 3 };

bool        store_arm_parse(const char *name, StoreArm *out, Error *error); // ERROR_USAGE
const char *store_arm_name(StoreArm arm);

/* Replaces planes in 0..1 by what a reader of the stored file sees. `file` is where to publish it,
 * without the extension (.npy, .png or .jpg is added); NULL: nowhere.
 * Errors: ERROR_MEMORY; ERROR_CREATE, ERROR_IO when a file is published. */
bool store_image(StoreArm arm, int64_t height, int64_t width, float *planes, const char *file,
                 Error *error);

/* The images of a source, stored and read again: an ImageSource is {stored_images_load, this}. What
 * it points to outlives it. Threads: as of the source. */
typedef struct StoredImages {
    const ImageSource *images;
    StoreArm           arm;
    int64_t            height, width;
} StoredImages;

bool stored_images_load(void *self, int64_t image, float *planes, Error *error);

/* max |a - b|: the largest difference between two values of the images (C6). */
float planes_distance(const float *a, const float *b, size_t count);

/* ---- projected gradient descent -------------------------------------------------------------- */

typedef enum PgdVariant { PGD_STEPS, PGD_FGSM } PgdVariant;
#define PGD_NAMES "pgd|fgsm"

/* How far and in how many steps an attack moves pixels. PGD takes `steps` steps of 2 eps / steps
 * and after each brings the image back to within eps of the clean one and into 0..1 (C14); FGSM
 * takes one step of size eps (C15). No random start, sign(0) = 0. */
typedef struct PgdRule {
    PgdVariant variant;
    real       eps;   // the most a value may move
    int        steps; // >= 1; FGSM ignores it
} PgdRule;

/* One update of x [count] against the gradient. In float arithmetic, in this order:
 * y = x - step sign(g), d = clamp(y - clean, -eps, eps), x = clamp01(clean + d). Afterwards
 * |x - clean| <= eps + 2^-25, the half unit in the last place of clean + d, and 0 <= x <= 1. */
void pgd_update(const PgdRule *rule, const real *clean, const real *gradient, size_t count,
                real *x);

typedef struct Pgd Pgd;

/* Makes an attack on any input node of a graph that lowers any scalar node, the objective: appends
 * d objective / d input and plans both (`options` may be NULL). The graph stays the caller's. */
bool pgd_create(Pgd **out, Graph *graph, NodeId input, NodeId objective, const PlanOptions *options,
                Error *error);
void pgd_destroy(Pgd *pgd); // NULL allowed
Plan *pgd_plan(Pgd *pgd);   // to fill the graph's other inputs before pgd_run

/* d objective / d input at x [count], which is the whole input node; valid until the next run. */
const real *pgd_gradient(Pgd *pgd, const real *x);

/* Sees each state of a run: before the first step, after each, and so the last. False ends the
 * run; the watcher knows the reason. */
typedef struct PgdWatch {
    bool (*state)(void *self, int step, double objective, const real *x);
    void *self;
} PgdWatch;

/* x (in, out) starts as the clean input. With `watch` (NULL allowed) one forward pass more is made,
 * for the objective of the last state. Nothing allocates. False: *cancel (NULL allowed) became
 * true, or the watcher ended it, and x is somewhere on the way. */
bool pgd_run(Pgd *pgd, const PgdRule *rule, real *x, const PgdWatch *watch,
             const volatile bool *cancel);

#endif
