/* base/shape.h - the sizes of an array of up to four dimensions, row-major. */
#ifndef BASE_SHAPE_H
#define BASE_SHAPE_H

#include "base.h"

enum { SHAPE_MAX_RANK = 4 };

typedef struct Shape {
    int     rank;                // 0 (a scalar) to 4
    int64_t dim[SHAPE_MAX_RANK]; // each >= 1
} Shape;

Shape   shape_scalar(void);
Shape   shape_1d(int64_t a);
Shape   shape_2d(int64_t a, int64_t b);
Shape   shape_3d(int64_t a, int64_t b, int64_t c);
Shape   shape_4d(int64_t n, int64_t c, int64_t h, int64_t w);
bool    shape_equal(Shape a, Shape b);
bool    shape_count(Shape shape, size_t *count); // false on overflow or a dimension < 1
int64_t shape_elements(Shape shape);             // of a shape known to be valid

typedef struct ShapeText {
    char text[96];
} ShapeText;
ShapeText shape_text(Shape shape); // "1x3x224x224"; "scalar"
#define SHAPE_TEXT(shape) (shape_text(shape).text)

#endif
