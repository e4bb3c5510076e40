/* tests/convolution_shapes.h - geometries every check of convolutions goes through. */
#ifndef TESTS_CONVOLUTION_SHAPES_H
#define TESTS_CONVOLUTION_SHAPES_H

#include "../engine/conv.h"

static const ConvShape shapes[] = {
    // n  c   h   w   k  r  s oh ow stride pad groups
    {1, 3, 9, 11, 5, 3, 3, 0, 0, 1, 1, 1},
    {2, 17, 14, 14, 9, 3, 3, 0, 0, 1, 1, 1},
    {3, 16, 7, 7, 33, 3, 3, 0, 0, 1, 1, 1},
    {1, 20, 4, 70, 8, 3, 3, 0, 0, 1, 1, 1},
    {1, 16, 13, 6, 4, 3, 3, 0, 0, 1, 0, 1},
    {2, 18, 5, 5, 3, 3, 3, 0, 0, 1, 2, 1},
    {1, 3, 23, 20, 8, 7, 7, 0, 0, 2, 3, 1},
    {2, 5, 12, 9, 6, 3, 3, 0, 0, 2, 1, 1},
    {2, 40, 9, 9, 21, 1, 1, 0, 0, 1, 0, 1},
    {1, 6, 9, 10, 7, 1, 1, 0, 0, 2, 0, 1},
    {1, 3, 31, 31, 4, 11, 11, 0, 0, 4, 2, 1},
    {1, 4, 6, 7, 3, 5, 5, 0, 0, 1, 2, 1},
    {1, 2, 8, 8, 2, 2, 2, 0, 0, 3, 0, 1},
    {1, 64, 16, 16, 70, 3, 3, 0, 0, 1, 1, 1},
    {1, 32, 3, 3, 1, 3, 3, 0, 0, 1, 1, 1},
    {2, 24, 13, 11, 19, 3, 3, 0, 0, 2, 1, 1},
    {1, 9, 10, 15, 70, 5, 4, 0, 0, 3, 2, 1},
    {2, 1, 6, 5, 20, 5, 5, 0, 0, 1, 2, 1},
    // Patches side by side.
    {2, 3, 64, 70, 9, 32, 32, 0, 0, 32, 0, 1},
    {1, 5, 28, 31, 6, 14, 14, 0, 0, 14, 0, 1},
    {1, 6, 33, 32, 5, 32, 32, 0, 0, 32, 0, 1},
    // Fewer rows than the stride: no row of the image gradient lies in its last phases.
    {1, 6, 1, 1, 7, 1, 1, 0, 0, 2, 0, 1},
    {2, 5, 2, 6, 4, 3, 3, 0, 0, 3, 1, 1},
    {2, 6, 1, 1, 6, 3, 3, 0, 0, 2, 1, 6},
    // Weight gradients by groups of images, by bands of an image, by very many short rows.
    {70, 3, 6, 5, 5, 3, 3, 0, 0, 1, 1, 1},
    {1, 2, 40, 40, 70, 3, 3, 0, 0, 1, 1, 1},
    {2, 3, 61, 60, 70, 3, 3, 0, 0, 2, 1, 1},
    {1, 33, 600, 1, 2, 1, 1, 0, 0, 1, 0, 1},
    // Depthwise: rows narrower and wider than a vector, even sides, pads up to the kernel's side, a
    // plane in several bands.
    {2, 5, 9, 11, 5, 3, 3, 0, 0, 1, 1, 5},
    {1, 7, 7, 7, 7, 5, 5, 0, 0, 1, 2, 7},
    {2, 3, 14, 13, 3, 3, 3, 0, 0, 2, 1, 3},
    {1, 4, 15, 16, 4, 5, 5, 0, 0, 2, 2, 4},
    {3, 2, 6, 40, 2, 3, 3, 0, 0, 1, 0, 2},
    {1, 3, 4, 5, 3, 3, 3, 0, 0, 2, 3, 3},
    {1, 2, 5, 5, 2, 2, 4, 0, 0, 1, 1, 2},
    {1, 2, 40, 141, 2, 3, 3, 0, 0, 1, 1, 2},
    {1, 30, 3, 3, 30, 5, 5, 0, 0, 1, 2, 30},
    // Groups: few large ones, many small ones, several kernels a channel, strides no other has.
    {1, 6, 9, 8, 10, 3, 3, 0, 0, 1, 1, 2},
    {2, 34, 8, 7, 18, 3, 3, 0, 0, 1, 1, 2},
    {2, 64, 6, 6, 64, 3, 3, 0, 0, 2, 1, 16},
    {2, 48, 7, 9, 96, 3, 3, 0, 0, 1, 1, 24},
    {1, 96, 4, 4, 48, 1, 1, 0, 0, 1, 0, 24},
    {1, 4, 7, 8, 12, 3, 3, 0, 0, 2, 1, 4},
    {1, 3, 12, 11, 3, 3, 3, 0, 0, 3, 1, 3},
    {2, 4, 21, 20, 8, 5, 5, 0, 0, 4, 2, 2},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Channels that a kernel reads. */
static inline int64_t kernel_channels(const ConvShape *s)
{
    return s->c / s->groups;
}

/* Whether output channel k and input channel c are of one group. */
static inline bool is_one_group(const ConvShape *s, int64_t k, int64_t c)
{
    return k / (s->k / s->groups) == c / (s->c / s->groups);
}

/* Where the weight of output k, input c and tap (r, q) lies. */
static inline int64_t weight_place(const ConvShape *s, int64_t k, int64_t c, int64_t r, int64_t q)
{
    int64_t own = kernel_channels(s);
    return ((k * own + c % own) * s->r + r) * s->s + q;
}

static inline ConvShape completed(ConvShape s)
{
    s.oh = (s.h + 2 * s.pad - s.r) / s.stride + 1;
    s.ow = (s.w + 2 * s.pad - s.s) / s.stride + 1;
    return s;
}

#endif
