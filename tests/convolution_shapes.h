/* tests/convolution_shapes.h - geometries every check of convolutions goes through. */
#ifndef TESTS_CONVOLUTION_SHAPES_H
#define TESTS_CONVOLUTION_SHAPES_H

#include "../engine/conv.h"

static const ConvShape shapes[] = {
    // n  c   h   w   k  r  s oh ow stride pad
    {1, 3, 9, 11, 5, 3, 3, 0, 0, 1, 1},
    {2, 17, 14, 14, 9, 3, 3, 0, 0, 1, 1},
    {3, 16, 7, 7, 33, 3, 3, 0, 0, 1, 1},
    {1, 20, 4, 70, 8, 3, 3, 0, 0, 1, 1},
    {1, 16, 13, 6, 4, 3, 3, 0, 0, 1, 0},
    {2, 18, 5, 5, 3, 3, 3, 0, 0, 1, 2},
    {1, 3, 23, 20, 8, 7, 7, 0, 0, 2, 3},
    {2, 5, 12, 9, 6, 3, 3, 0, 0, 2, 1},
    {2, 40, 9, 9, 21, 1, 1, 0, 0, 1, 0},
    {1, 6, 9, 10, 7, 1, 1, 0, 0, 2, 0},
    {1, 3, 31, 31, 4, 11, 11, 0, 0, 4, 2},
    {1, 4, 6, 7, 3, 5, 5, 0, 0, 1, 2},
    {1, 2, 8, 8, 2, 2, 2, 0, 0, 3, 0},
    {1, 64, 16, 16, 70, 3, 3, 0, 0, 1, 1},
    {1, 32, 3, 3, 1, 3, 3, 0, 0, 1, 1},
    {2, 24, 13, 11, 19, 3, 3, 0, 0, 2, 1},
    {1, 9, 10, 15, 70, 5, 4, 0, 0, 3, 2},
    {2, 1, 6, 5, 20, 5, 5, 0, 0, 1, 2},
    // Patches side by side.
    {2, 3, 64, 70, 9, 32, 32, 0, 0, 32, 0},
    {1, 5, 28, 31, 6, 14, 14, 0, 0, 14, 0},
    {1, 6, 33, 32, 5, 32, 32, 0, 0, 32, 0},
    // Weight gradients by groups of images, by bands of an image, by very many short rows.
    {70, 3, 6, 5, 5, 3, 3, 0, 0, 1, 1},
    {1, 2, 40, 40, 70, 3, 3, 0, 0, 1, 1},
    {2, 3, 61, 60, 70, 3, 3, 0, 0, 2, 1},
    {1, 33, 600, 1, 2, 1, 1, 0, 0, 1, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static inline ConvShape completed(ConvShape s)
{
    s.oh = (s.h + 2 * s.pad - s.r) / s.stride + 1;
    s.ow = (s.w + 2 * s.pad - s.s) / s.stride + 1;
    return s;
}

#endif
