/* training/objective_parts.h - what builders of objectives share; only they include it. */
#ifndef TRAINING_OBJECTIVE_PARTS_H
#define TRAINING_OBJECTIVE_PARTS_H

#include "objective.h"

typedef bool ObjectiveBuild(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error);

ObjectiveBuild alignment_build, hessian_build, adversarial_build, triplet_build, contrastive_build;

/* Another pass of the network, counted in `terms`. */
bool objective_pass(const ObjectiveBatch *batch, ObjectiveTerms *terms, NodeId input,
                    NodeId *logits, Error *error);

/* g: the gradient of the sum of the logits at the labels in `input`, which they were made from. */
NodeId label_gradient(const ObjectiveBatch *batch, NodeId logits, NodeId input);

/* From here on `node` passes no gradient on. */
void hold(ObjectiveTerms *terms, NodeId node);

/* One number a channel, times `factor`, in the shape of the batch. */
NodeId channel_numbers(const ObjectiveBatch *batch, const real *numbers, double factor);

/* An image each: [B, 1] of its sum of squares, and of its sum of products with another; x [B, ...]
 * over its length, which is at least 1e-8; and x times such a column. */
NodeId squares(Graph *graph, NodeId x);
NodeId products(Graph *graph, NodeId x, NodeId y);
NodeId directions(Graph *graph, NodeId x);
NodeId times_column(Graph *graph, NodeId x, NodeId column);

/* 1, 0 or -1; no gradient goes through it. */
NodeId signs(Graph *graph, NodeId x);

NodeId weighted_sum(Graph *graph, NodeId a, NodeId b, double factor); // a + factor b

/* What an attack raises, of a point and its logits: a number, the sum over images. */
typedef NodeId AttackTerm(const ObjectiveBatch *batch, void *self, NodeId point, NodeId logits);

/* The pass at the point that an attack finds, which is the only one that counts: its logits and its
 * cross-entropy are those of `terms`. */
bool attacked_pass(const ObjectiveBatch *batch, ObjectiveTerms *terms, AttackTerm *raised,
                   void *self, NodeId *point, Error *error);

/* Differences of first derivatives in place of second ones: a vector v, one number that `way` is
 * to be scaled by so that images move by `difference_step` on average (root mean square), and its
 * inverse. */
typedef struct Move {
    NodeId way;     // v times the number
    NodeId inverse; // one over the number
} Move;
Move move_along(const ObjectiveBatch *batch, NodeId v);

/* A number whose gradient in the weights is that of <v, g(at)>, v held:
 * (F(at + tv) - F(at - tv)) / 2t, F the sum of the logits at the labels. */
bool objective_difference(const ObjectiveBatch *batch, ObjectiveTerms *terms, NodeId at, NodeId v,
                          NodeId *out, Error *error);

#endif
