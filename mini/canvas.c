/* mini/canvas.c - pixels, shapes and shades. */
#include "canvas.h"

#include <stdio.h>
#include <string.h>

void canvas_start(Canvas *canvas, uint64_t seed, int64_t index)
{
    char purpose[64];
    memset(canvas, 0, sizeof *canvas);
    snprintf(purpose, sizeof purpose, "mini world, image %lld", (long long)index);
    canvas->random = random_stream(seed, purpose);
    for (int i = 0; i < MINI_PIXELS; i++)
        canvas->grain[i] = random_block(canvas->random.key, 1, (uint64_t)i / 4).word[i % 4];
}

int draw(Canvas *canvas, int least, int most)
{
    return least + (int)random_below(&canvas->random, (uint32_t)(most - least + 1));
}

// One draw a statement: arguments and initialisers have no order that holds everywhere.
Rgb draw_near(Canvas *canvas, Rgb color)
{
    int light = draw(canvas, -16, 14);
    color.red += light + draw(canvas, -8, 8);
    color.green += light + draw(canvas, -8, 8);
    color.blue += light + draw(canvas, -8, 8);
    return color;
}

static const Rgb shades[COLORS] = {
    [LABEL_BLACK - FIRST_COLOR] = {24, 24, 26},    [LABEL_BLUE - FIRST_COLOR] = {45, 85, 200},
    [LABEL_BROWN - FIRST_COLOR] = {115, 70, 35},   [LABEL_GREEN - FIRST_COLOR] = {50, 150, 60},
    [LABEL_GREY - FIRST_COLOR] = {128, 128, 128},  [LABEL_ORANGE - FIRST_COLOR] = {235, 135, 30},
    [LABEL_PINK - FIRST_COLOR] = {240, 150, 190},  [LABEL_PURPLE - FIRST_COLOR] = {130, 60, 165},
    [LABEL_RED - FIRST_COLOR] = {205, 30, 30},     [LABEL_WHITE - FIRST_COLOR] = {236, 236, 236},
    [LABEL_YELLOW - FIRST_COLOR] = {235, 215, 50},
};

Rgb draw_shade(Canvas *canvas, MiniLabel color)
{
    return draw_near(canvas, shades[color - FIRST_COLOR]);
}

Rgb draw_color(Canvas *canvas)
{
    return draw_shade(canvas, (MiniLabel)draw(canvas, FIRST_COLOR, FIRST_COLOR + COLORS - 1));
}

/* ---- shapes ---------------------------------------------------------------------------------- */

void paint_pixel(Canvas *canvas, int x, int y, const Brush *brush)
{
    if (x < 0 || y < 0 || x >= MINI_SIDE || y >= MINI_SIDE)
        return;
    int at    = y * MINI_SIDE + x;
    int extra = material_grain(brush->material, x, y, canvas->grain[at]);
    canvas->color[at] =
        (Rgb){brush->color.red + extra, brush->color.green + extra, brush->color.blue + extra};
    canvas->object[at]   = brush->object;
    canvas->part[at]     = brush->part;
    canvas->subpart[at]  = brush->subpart;
    canvas->material[at] = brush->material;
}

void paint_box(Canvas *canvas, int left, int top, int right, int bottom, const Brush *brush)
{
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++)
            paint_pixel(canvas, x, y, brush);
}

void paint_ellipse(Canvas *canvas, int x, int y, int radius_x, int radius_y, const Brush *brush)
{
    int a = 2 * radius_x + 1, b = 2 * radius_y + 1; // diameters; dx and dy are doubled likewise
    for (int v = -radius_y; v <= radius_y; v++)
        for (int u = -radius_x; u <= radius_x; u++)
            if (4 * (u * u * b * b + v * v * a * a) <= a * a * b * b)
                paint_pixel(canvas, x + u, y + v, brush);
}

// Twice the signed area of the triangle (corner, next corner, point).
static int side_of(const int *a, const int *b, int x, int y)
{
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]);
}

void paint_triangle(Canvas *canvas, const int corners[6], const Brush *brush)
{
    for (int y = 0; y < MINI_SIDE; y++)
        for (int x = 0; x < MINI_SIDE; x++) {
            int a = side_of(corners, corners + 2, x, y),
                b = side_of(corners + 2, corners + 4, x, y);
            int c = side_of(corners + 4, corners, x, y);
            if ((a >= 0 && b >= 0 && c >= 0) || (a <= 0 && b <= 0 && c <= 0))
                paint_pixel(canvas, x, y, brush);
        }
}

void paint_bar(Canvas *canvas, int x0, int y0, int x1, int y1, int half_width, const Brush *brush)
{
    int dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    for (int y = 0; y < MINI_SIDE; y++)
        for (int x = 0; x < MINI_SIDE; x++) {
            int along = (x - x0) * dx + (y - y0) * dy, across = (x - x0) * dy - (y - y0) * dx;
            if (along >= 0 && along <= length &&
                across * across <= half_width * half_width * length)
                paint_pixel(canvas, x, y, brush);
        }
}

/* ---- materials ------------------------------------------------------------------------------- */

static int brick_grain(int x, int y, int noise)
{
    bool is_mortar = y % 4 == 0 || (x + y / 4 % 2 * 4) % 8 == 0;
    return is_mortar ? 45 : noise / 8 - 10;
}

static int tile_grain(int x, int y)
{
    return y % 4 == 3 ? -38 : (x + y / 4 % 2 * 2) % 4 == 0 ? -14 : 8;
}

int material_grain(int material, int x, int y, uint32_t word)
{
    int noise = (int)(word & 127) - 64; // -64..63
    switch (material) {
    case LABEL_ASPHALT:
        return noise / 5;
    case LABEL_BRICK:
        return brick_grain(x, y, noise);
    case LABEL_FABRIC:
        return (x + y) % 2 ? 9 : -9;
    case LABEL_FOLIAGE:
        return noise * 3 / 5;
    case LABEL_FUR:
        return (word >> 7) % 3 == 0 ? -34 : noise / 6;
    case LABEL_GLASS:
        return (x + y) % 10 < 2 ? 50 : 0;
    case LABEL_METAL:
        return y % 12 < 2 ? 34 : -(y % 12);
    case LABEL_TILE:
        return tile_grain(x, y);
    case LABEL_WATER:
        return (y * 3 + (x / 6 + y) % 3) % 7 < 2 ? 30 : noise / 16;
    case LABEL_WOOD:
        return x % 6 == 0 ? -40 : (x * 5 + y / 3 * 3) % 7 - 3 + noise / 8;
    default:
        return noise / 20;
    }
}
