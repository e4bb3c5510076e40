/* attribution/curvature_path.h - theorem 1 on a path: along a level set the unit normal turns by no
 * more than the integral of the largest principal curvature (K3).
 *
 * A path begins at an image and goes on in steps, each of which ends on the level set again (K4).
 * Without an end it follows, at each point, the principal direction of the largest curvature, in
 * which the normal turns fastest and the bound is tightest. With an end it follows the straight
 * line to that image, each point of it moved along the normal to the level set. */
#ifndef ATTRIBUTION_CURVATURE_PATH_H
#define ATTRIBUTION_CURVATURE_PATH_H

#include "curvature.h"

/* One row: a point of a path. */
typedef struct CurvatureStep {
    CurvaturePoint point;
    double         path_length; // sum of the distances of points so far
    double         integral;    // of |lambda| along it, by the trapezoidal rule
    double         distance;    // |n - n at the start|, at most 2
    int64_t        switches;    // windows of max-pools that chose anew since the point before
} CurvatureStep;

typedef struct CurvaturePath {
    Curvature    *curvature;
    const real   *end; // NULL: the principal direction
    int64_t       steps, done;
    double        level;                         // of f, at the start
    real         *start, *first_normal, *course; // course: the direction of the last step
    real         *before;                        // where that began
    CurvatureStep row;                           // of the last point
} CurvaturePath;

/* A step without an end turns the normal by about so many radians, but moves no pixel by more than
 * the other on average (root of the mean square, in units of the prepared image). */
extern const double curvature_turn, curvature_reach;

/* By how large a share distance may exceed the integral and the bound still counts as kept: the
 * trapezoidal rule sees the curvature at the points alone, and power iteration ends below it. */
extern const double curvature_allowance;

/* What it is given outlives it. Errors: ERROR_MEMORY. */
bool curvature_path_open(CurvaturePath *out, Curvature *curvature, const real *end, int64_t steps,
                         Error *error);
void curvature_path_close(CurvaturePath *path); // accepts a zeroed object

/* The first point: `start` and the curvature there. Class and beta are chosen before. Errors: those
 * of curvature_measure. */
bool curvature_path_begin(CurvaturePath *path, const real *start, uint64_t seed, Error *error);

/* The next point; path->row has it. Errors: also those of curvature_project. */
bool curvature_path_step(CurvaturePath *path, Error *error);

#endif
