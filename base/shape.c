/* base/shape.c - shapes: checked element counts and their text form. See shape.h. */
#include "shape.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

Shape shape_scalar(void)
{
    return (Shape){.rank = 0};
}

Shape shape_1d(int64_t a)
{
    return (Shape){1, {a}};
}

Shape shape_2d(int64_t a, int64_t b)
{
    return (Shape){2, {a, b}};
}

Shape shape_3d(int64_t a, int64_t b, int64_t c)
{
    return (Shape){3, {a, b, c}};
}

Shape shape_4d(int64_t n, int64_t c, int64_t h, int64_t w)
{
    return (Shape){4, {n, c, h, w}};
}

bool shape_equal(Shape a, Shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

bool shape_count(Shape shape, size_t *count)
{
    size_t product = 1, bytes;
    if (shape.rank < 0 || shape.rank > SHAPE_MAX_RANK)
        return false;
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] < 1 || !size_mul(product, (size_t)shape.dim[i], &product))
            return false;
    // The largest index and byte offset must fit the signed arithmetic of the loops.
    if (!size_mul(product, sizeof(double), &bytes) || bytes > (size_t)INT64_MAX / 2)
        return false;
    *count = product;
    return true;
}

int64_t shape_elements(Shape shape)
{
    size_t count = 0;
    bool   valid = shape_count(shape, &count);
    assert(valid);
    (void)valid;
    return (int64_t)count;
}

ShapeText shape_text(Shape shape)
{
    ShapeText out  = {"scalar"};
    size_t    used = 0;
    for (int i = 0; i < shape.rank && i < SHAPE_MAX_RANK; i++)
        used += (size_t)snprintf(out.text + used, sizeof out.text - used, "%s%lld", i ? "x" : "",
                                 (long long)shape.dim[i]);
    return out;
}
