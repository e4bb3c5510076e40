/* attribution/making.h - what the files that make a map share. */
#ifndef ATTRIBUTION_MAKING_H
#define ATTRIBUTION_MAKING_H

#include "attribution.h"

/* What is known while a map is made. */
typedef struct Making {
    Graph            *graph;
    const MapNetwork *network;
    const MapRequest *request;
    Map              *map;
    NodeId            points; // what the network reads: the image, or points
    NodeId            end;    // of a path: the image, or a noisy copy of it
} Making;

bool making_is_path(const MapRequest *request);
/* Whether a path explains the probability of a class; `layer` NULL: the logits are explained. */
bool making_is_probability(const MapMode *mode, const char *layer);
/* 1 at the class or unit that is explained, as large as the layer: the derivative of its sum. */
NodeId making_chosen(const Making *making);
/* Walks back from what is explained to a node, by the rules of the method. */
bool making_walk(Making *making, NodeId to, NodeId *result, Error *error);

/* Maps of fewer cells than pixels, enlarged: they fill in map->each. */
bool make_gradcam(Making *making, Error *error);
/* Whether there are maps to weigh. Errors: ERROR_USAGE. */
bool gradcam_suits(const Graph *graph, NodeId layer, Error *error);
bool make_rollout(Making *making, Error *error);

#endif
