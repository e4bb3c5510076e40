/* attribution/form.h - maps of attributions as nodes. */
#ifndef ATTRIBUTION_FORM_H
#define ATTRIBUTION_FORM_H

#include "attribution.h"

/* [n, c, h, w] to [n, 1, h, w]: map_form of each image. */
NodeId form_nodes(Graph *graph, MapForm form, NodeId raw);

#endif
