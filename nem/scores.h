/* nem/scores.h - the seats of a method whose evidence is a score of every label for every unit.
 *
 * Such a method says in Method.score_map what the map of one image means for the scores of its
 * unit, which start at 0. The unit's concept is the label with the highest score, the first among
 * equals; none where no score is above 0. Any label can be a target. */
#ifndef NEM_SCORES_H
#define NEM_SCORES_H

#include "method.h"

/* For the method's row: what follows from score_map. */
#define SCORE_TABLE                                                                                \
    .collect = scores_collect, .collect_unit = scores_collect_unit, .release = scores_release,     \
    .explain = scores_explain, .score_of = scores_of, .candidates = scores_candidates

bool    scores_collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                       Evidence **out, Error *error);
bool    scores_collect_unit(const Explainer *explainer, int64_t unit, const float *const *maps,
                            Evidence **out, Error *error);
void    scores_release(Evidence *evidence);
Concept scores_explain(const Explainer *explainer, const Evidence *evidence, int64_t row);
double  scores_of(const Explainer *explainer, const Evidence *evidence, int64_t row, int32_t label);
bool    scores_candidates(const Explainer *explainer, bool *present, Error *error);

#endif
