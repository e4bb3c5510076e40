/* study/curvature_study.h - curvature along a path (attribution/curvature_path.h), for several
 * betas of the softplus, with checkpoints; a killed run goes on behind its last step. */
#ifndef STUDY_CURVATURE_STUDY_H
#define STUDY_CURVATURE_STUDY_H

#include "../attribution/curvature_path.h"
#include "../engine/blob.h"
#include "../probe/pass.h"

typedef struct CurvatureStudy {
    WeightBlob   *blob;
    const real   *image, *end; // prepared [3, height, width]; end NULL: the principal direction
    int64_t       height, width, class, steps;
    const double *betas; // each above 0
    int           beta_count;
    uint64_t      seed;
    ConvMethod    conv;
    const Pass   *pass;
} CurvatureStudy;

/* A row for each point: [beta_count][steps + 1]. Released with memory_free. Errors: those of
 * networks, of curvature_path_step, ERROR_AGAIN (cancelled, after a checkpoint). */
bool curvature_study_run(const CurvatureStudy *study, CurvatureStep **out, Error *error);

/* curvature.csv. */
bool curvature_study_write(const CurvatureStudy *study, const CurvatureStep *rows,
                           const char *folder, Error *error);

#endif
