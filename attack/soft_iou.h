/* attack/soft_iou.h - the soft-iou loss (C11): how well a smooth mask of a unit's maps overlaps
 * with the places where an attack lowers and raises the unit. An IoU has no useful gradient, since
 * a pixel is in a mask or not; this has. */
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
