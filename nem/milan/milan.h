/* nem/milan/milan.h - what would a person call a unit? (MILAN)
 *
 * Of all images of a set, the fifteen that a unit answers to most strongly are its exemplars. Where
 * its map exceeds the level of its top hundredth they are shown to a captioner
 * (models/captioner.h), which writes a sentence. The captioner is trained elsewhere and comes as a
 * weight blob; the set needs no labels.
 *
 * The numbers of a unit depend on its maps and the pixels of its exemplars alone. Source: Hernandez
 * et al., "Natural language descriptions of deep visual features", ICLR 2022. */
#ifndef NEM_MILAN_MILAN_H
#define NEM_MILAN_MILAN_H

#include "../method.h"

extern const Method method_milan; // its row of the table of methods

enum { MILAN_EXEMPLARS = 15 };

/* The exemplars of one unit, the highest peak first, the first image among equals (N1). */
typedef struct Exemplars {
    int64_t count; // 15, or all images of a smaller set
    int64_t image[MILAN_EXEMPLARS];
    float   peak[MILAN_EXEMPLARS]; // largest activation of the map
    float   level;                 // what of a map exceeds it is shown to the captioner (N2)
} Exemplars;

/* Of a unit of the evidence. */
const Exemplars *milan_exemplars(const Evidence *evidence, int64_t row);

#endif
