/* attack/window.c - see window.h. */
#include "window.h"

#include <string.h>

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

static int64_t clamp(int64_t value, int64_t high)
{
    return value < 0 ? 0 : value > high ? high : value;
}

/* Corners of every field's rectangle, then running sums over rows and columns. */
void window_movable(const WindowGrid *grid, const Window *window, const float *weights,
                    int32_t *counts, uint8_t *movable)
{
    int64_t height = window->height, width = window->width, stride = width + 1;
    if (!grid->has_field) {
        memset(movable, 1, (size_t)(height * width));
        return;
    }
    memset(counts, 0, (size_t)((height + 1) * stride) * sizeof *counts);
    for (int64_t i = 0; i < grid->map_height; i++)
        for (int64_t j = 0; j < grid->map_width; j++) {
            if (weights[i * grid->map_width + j] == 0)
                continue;
            int64_t y  = grid->field[0].offset + grid->field[0].step * i - window->y;
            int64_t x  = grid->field[1].offset + grid->field[1].step * j - window->x;
            int64_t y0 = clamp(y, height), y1 = clamp(y + grid->field[0].size, height);
            int64_t x0 = clamp(x, width), x1 = clamp(x + grid->field[1].size, width);
            counts[y0 * stride + x0]++;
            counts[y0 * stride + x1]--;
            counts[y1 * stride + x0]--;
            counts[y1 * stride + x1]++;
        }
    for (int64_t y = 0; y < height; y++) {
        int32_t row = 0;
        for (int64_t x = 0; x < width; x++) {
            row += counts[y * stride + x]; // this row's own part
            int32_t above          = y > 0 ? counts[(y - 1) * stride + x] : 0;
            movable[y * width + x] = row + above > 0;
            counts[y * stride + x] = row + above;
        }
    }
}
