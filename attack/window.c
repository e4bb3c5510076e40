/* attack/window.c - see window.h. */
#include "window.h"

enum { PARTS = 3, WINOGRAD_TILE = 4 };

typedef struct Span {
    int64_t first, size;
} Span;

static int64_t round_up(int64_t value, int64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Pixels low..high-1 of an axis, widened to a rounded size on the grid of the layer. */
static Span window_span(const Field *field, int64_t side, int64_t low, int64_t high)
{
    int64_t unit = field->step * WINOGRAD_TILE;
    low          = low < 0 ? 0 : low;
    high         = high > side ? side : high;
    for (int part = 1; part < PARTS; part++) {
        int64_t size  = round_up((side * part + PARTS - 1) / PARTS, unit);
        int64_t first = low < side - size ? low : side - size;
        first         = first < 0 ? 0 : first / unit * unit;
        if (size < side && first + size >= high)
            return (Span){first, size};
    }
    return (Span){0, side};
}

Window window_of(const WindowGrid *grid, const float *weights)
{
    if (!grid->has_field)
        return (Window){0, 0, grid->image_height, grid->image_width};
    int64_t top = grid->map_height, bottom = -1, left = grid->map_width, right = -1;
    for (int64_t i = 0; i < grid->map_height; i++)
        for (int64_t j = 0; j < grid->map_width; j++) {
            if (weights[i * grid->map_width + j] == 0)
                continue;
            top    = i < top ? i : top;
            bottom = i > bottom ? i : bottom;
            left   = j < left ? j : left;
            right  = j > right ? j : right;
        }
    if (bottom < 0)
        top = bottom = left = right = 0;
    const Field *rows = &grid->field[0], *cols = &grid->field[1];
    Span         y = window_span(rows, grid->image_height, rows->offset + rows->step * top,
                                 rows->offset + rows->step * bottom + rows->size);
    Span         x = window_span(cols, grid->image_width, cols->offset + cols->step * left,
                                 cols->offset + cols->step * right + cols->size);
    return (Window){y.first, x.first, y.size, x.size};
}

int64_t window_first_row(const WindowGrid *grid, const Window *window)
{
    return grid->has_field ? window->y / grid->field[0].step : 0;
}

int64_t window_first_col(const WindowGrid *grid, const Window *window)
{
    return grid->has_field ? window->x / grid->field[1].step : 0;
}
