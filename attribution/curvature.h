/* attribution/curvature.h - how sharply the level set of an output bends at an image.
 *
 * The level set holds all images of which the network gives the output f the same value. Its unit
 * normal n is the gradient of f divided by its length, that is the gradient map with signs; where
 * the set bends, the map turns. The principal curvatures are the eigenvalues of
 * - P H P / |grad f| with P = 1 - n n', in the directions of the set (K1); the largest in size says
 * how far the map can turn along a short way. H is never formed: H v is the gradient of grad f . v,
 * more nodes of the same graph, and power iteration needs nothing else (K2).
 * Formulas and their labels: docs/methods/curvature.md. Source: Dombrowski et al., NeurIPS 2019,
 * theorem 1. */
#ifndef ATTRIBUTION_CURVATURE_H
#define ATTRIBUTION_CURVATURE_H

#include "../engine/engine.h"

/* A network with softplus in place of every ReLU, already on a graph. A ReLU network is flat
 * between its kinks and has no curvature. */
typedef struct CurvatureNodes {
    Graph *graph;
    NodeId image;  // [1, c, h, w], an input
    NodeId logits; // [1, classes]
    NodeId beta;   // of the softplus, op_scalar_input
} CurvatureNodes;

/* What is known at one image. */
typedef struct CurvaturePoint {
    double value;  // f
    double slope;  // |grad f|
    double lambda; // principal curvature of the largest size, with its sign; below 0 the set bends
                   // away from n, as a sphere does whose f grows outwards
    double  residual;   // |A v - lambda v| / |lambda|: how far v is from a principal direction
    int64_t iterations; // products with H
} CurvaturePoint;

typedef struct Curvature {
    CurvatureNodes nodes;
    NodeId         target, along;            // inputs: one class, a direction v
    NodeId         value, gradient, product; // f, its gradient, H v
    Plan          *plan;
    int64_t        count;     // numbers of an image
    real          *image;     // where it stands; the caller fills it
    real          *direction; // unit vector: where power iteration begins, then what it found
    real          *before;    // the direction of the product before
    real          *normal;    // n at the image, of the last call
    real          *bent;      // A v of the last product
    NodeId        *pools;     // choices of max-pools
    int            pool_count;
    int64_t        choice_count;
    int32_t       *choices; // of all pools, when they were last asked for
} Curvature;

enum { CURVATURE_MOST_ITERATIONS = 200 };

/* Power iteration ends where the estimate grew by no more than this share in three products. */
extern const double curvature_tolerance;

/* The graph outlives the rest. Errors: those of the graph and of plan_create. */
bool curvature_open(Curvature *out, const CurvatureNodes *nodes, const PlanOptions *options,
                    Error *error);
void curvature_close(Curvature *curvature); // accepts a zeroed object

/* The class whose logit is f, and the beta of the softplus. */
void curvature_choose(Curvature *curvature, int64_t class, double beta);

/* A direction at random, from a seed. */
void curvature_start(Curvature *curvature, uint64_t seed);

/* f, its gradient's length and n at `image`. Errors: ERROR_DATA (the gradient is zero or not
 * finite: there is no normal). */
bool curvature_look(Curvature *curvature, CurvaturePoint *out, Error *error);

/* The same, and the curvature, by power iteration from `direction` on. Its estimate is below the
 * true size, or reaches it. lambda is 0, and `direction` any in the set, where nothing bends. */
bool curvature_measure(Curvature *curvature, CurvaturePoint *out, Error *error);

/* In how many windows a max-pool chooses another value than when this was last asked. There the
 * gradient jumps, and no curvature shows it (K5). */
int64_t curvature_switches(Curvature *curvature);

/* Moves `image` along n until f is `level` again (Newton's method, K4).
 * Errors: ERROR_DATA (f does not come closer to the level than float numbers tell apart). */
bool curvature_project(Curvature *curvature, double level, Error *error);

#endif
