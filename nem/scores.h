/* nem/scores.h - most of a method, for methods that score every label for every unit.
 *
 * Such a method need not write its own collect and explain: it says in Method.score_map what the
 * map of one image adds to the scores of its unit, which start at 0, and takes the rest from here.
 * The unit's concept is the label with the highest score, the first among equals; none where no
 * score is above 0. Any label can be a target. */
#ifndef NEM_SCORES_H
#define NEM_SCORES_H

#include "method.h"

/* To be put into the method's row of the table: the functions that follow from score_map. */
#define SCORE_TABLE                                                                                \
    .collect = scores_collect, .collect_unit = scores_collect_unit, .release = scores_release,     \
    .explain = scores_explain, .score_of = scores_of, .candidates = scores_candidates,             \
    .phases = &scores_phase, .phase_count = 1, .collect_piece = scores_piece,                      \
    .collect_pieces = scores_pieces

bool scores_collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                    Evidence **out, Error *error);
bool scores_collect_unit(const Explainer *explainer, const UnitView *view, Evidence **out,
                         Error *error);
/* In pieces of units, each over all images: sums of floats depend on their order. */
extern const MethodPhase scores_phase;
bool    scores_piece(const Explainer *explainer, const Pass *pass, int phase, Share share,
                     const Pieces *pieces, Error *error);
bool    scores_pieces(const Explainer *explainer, const Pass *pass, const Pieces *pieces,
                      Evidence **out, Error *error);
void    scores_release(Evidence *evidence);
Concept scores_explain(const Explainer *explainer, const Evidence *evidence, int64_t row);
double  scores_of(const Explainer *explainer, const Evidence *evidence, int64_t row, int32_t label);
bool    scores_candidates(const Explainer *explainer, bool *present, Error *error);

#endif
