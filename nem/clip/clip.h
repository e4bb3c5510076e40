/* nem/clip/clip.h - CLIP-Dissect: units are named by the words of a list whose embeddings are close
 * to those of the images on which the unit is active.
 * Source: Oikarinen and Weng, "CLIP-Dissect", ICLR 2023; docs/methods/clip-dissect.md. */
#ifndef NEM_CLIP_CLIP_H
#define NEM_CLIP_CLIP_H

#include "../method.h"

extern const Method method_clip_dissect;

#endif
