/* training/contrastive.c - contrastive: an image lies near the captions that are true of it
 * (V5).
 *
 *     s_ij = cos(image i, caption j) / 0.07
 *     loss = (mean over images of the cross-entropy of softmax_j s_ij with t_ij / sum_j t_ij
 *             + mean over captions of that of softmax_i s_ij with t_ij / sum_i t_ij) / 2
 *
 * t_ij is 1 where caption j is true of image i and 0 elsewhere, so a caption that two images of a
 * batch share is an example for both. Radford et al., ICML 2021, section 2.3, have t = 1 for i = j
 * alone, and learn the temperature, which begins at 0.07 there; targets of several right answers
 * are those of Khosla et al., NeurIPS 2020, equation 2, in both directions. */
#include "objective_parts.h"

static const double temperature = 0.07;

bool contrastive_build(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error)
{
    Graph *graph  = batch->graph;
    NodeId images = op_scale(graph, directions(graph, batch->logits), (real)(1 / temperature)),
           texts  = directions(graph, batch->texts);
    (void)error;
    terms->logits    = op_matmul(graph, images, texts, false, true);
    NodeId of_images = cross_entropy_mean(graph, terms->logits, batch->target),
           of_texts  = cross_entropy_mean(graph, op_matmul(graph, texts, images, false, true),
                                          batch->texts_target);
    terms->loss = terms->descended = op_scale(graph, op_add(graph, of_images, of_texts), (real)0.5);
    return true;
}
