/* attack/soft_iou.h - how well a smooth mask of a unit's maps overlaps with the masks of an aim. */
#ifndef ATTACK_SOFT_IOU_H
#define ATTACK_SOFT_IOU_H

#include "../nem/method.h"

typedef struct SoftIou SoftIou;

/* The loss of `images` images together. map_count: elements of one map. The aim outlives it. */
bool soft_iou_open(SoftIou **out, const Aim *aim, int64_t images, int64_t map_count, Error *error);
void soft_iou_close(SoftIou *soft); // NULL allowed

/* Returns the loss at maps [images, map_count]; weights [images, map_count] are its gradient.
 *   source, target  masks [images, aim's mask_count] */
double soft_iou_run(SoftIou *soft, const uint8_t *source, const uint8_t *target, const float *maps,
                    float *weights);

#endif
