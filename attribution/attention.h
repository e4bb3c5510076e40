/* attribution/attention.h - the attention of a network, told from its graph. */
#ifndef ATTRIBUTION_ATTENTION_H
#define ATTRIBUTION_ATTENTION_H

#include "attribution.h"

enum { ATTENTION_MOST = 64 };

/* The weights of attention between tokens, [images heads, T, T] with a row a query: soft-maxes that
 * lie before a layer, the first block's first. Returns how many there are; those past
 * ATTENTION_MOST are not in the list. */
int attention_find(const Graph *graph, NodeId layer, NodeId attention[ATTENTION_MOST]);

/* Whether a method explains a network that has been built up to a layer.
 * Errors: ERROR_USAGE: it needs attention and there is none; it has no rule for attention. */
bool attention_suits(const Graph *graph, NodeId layer, const MapMethod *method, Error *error);

#endif
