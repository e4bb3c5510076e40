/* mini/texture.c - boards of one texture: two colours decided by a rule on turned coordinates. */
#include "canvas.h"

#include <stdlib.h>

typedef struct Weave {
    int u, v;   // turned coordinates, not negative
    int period; // pixels
} Weave;

static int squared(int value)
{
    return value * value;
}

static bool is_dot(const Weave *w, int u, int v)
{
    int half = w->period / 2, radius = w->period / 3;
    return squared(u % w->period - half) + squared(v % w->period - half) <= radius * radius;
}

// True where the second colour shows.
static bool is_figure(MiniLabel texture, const Weave *w)
{
    int p = w->period, u = w->u, v = w->v, thin = p / 5 + 1;
    switch (texture) {
    case LABEL_BANDED:
        return (v + abs(u % (3 * p) - 3 * p / 2) / 4) % (2 * p) < p;
    case LABEL_CHEQUERED:
        return (u / p + v / p) % 2 == 0;
    case LABEL_CROSSHATCHED:
        return (u + v) % p < thin - (p < 6) || (u + 4096 - v) % p < thin - (p < 6) ||
               u % (2 * p) == 0;
    case LABEL_DOTTED:
        return is_dot(w, u, v);
    case LABEL_GRID:
        return u % p < thin || v % p < thin;
    case LABEL_STRIPED:
        return u % p < p / 2;
    case LABEL_WOVEN:
        return ((u / p + v / p) % 2 ? u : v) % (p / 2) < p / 4;
    default:
        return (v + abs(u % p * 2 - p)) % p < p / 2; // zigzagged
    }
}

static Brush bare(Rgb color)
{
    return (Brush){.color = color};
}

// Specks of any colour, or bubbles with a bright rim, strewn over a ground.
static void strew(Canvas *canvas, MiniLabel texture, int left, Rgb color)
{
    bool is_bubbly = texture == LABEL_BUBBLY;
    for (int i = draw(canvas, 60, 90) / (is_bubbly ? 2 : 1); i > 0; i--) {
        int   radius = is_bubbly ? draw(canvas, 3, 7) : draw(canvas, 0, 1);
        int   x = draw(canvas, left + radius, MINI_SIDE - 1), y = draw(canvas, 0, MINI_SIDE - 1);
        Brush body = bare(is_bubbly ? color : draw_color(canvas));
        Brush rim  = bare((Rgb){color.red + 70, color.green + 70, color.blue + 70});
        if (is_bubbly)
            paint_ellipse(canvas, x, y, radius, radius, &rim);
        paint_ellipse(canvas, x, y, radius - is_bubbly, radius - is_bubbly, &body);
    }
}

void paint_texture(Canvas *canvas, MiniLabel texture, bool only_half)
{
    // Cosine and sine of multiples of 15 degrees, times 256.
    static const int cosines[6] = {256, 247, 222, 181, 128, 66},
                     sines[6]   = {0, 66, 128, 181, 222, 247};
    int   left                  = only_half ? MINI_SIDE / 2 : 0;
    Brush ground = bare(draw_color(canvas)), figure = ground;
    while (abs(ground.color.red - figure.color.red) + abs(ground.color.green - figure.color.green) +
               abs(ground.color.blue - figure.color.blue) <
           130)
        figure = bare(draw_color(canvas));
    bool is_upright = texture == LABEL_GRID || texture == LABEL_BANDED;
    int  turn       = is_upright ? 0 : draw(canvas, 0, 5);
    int  period  = draw(canvas, texture == LABEL_BANDED ? 4 : 6, texture == LABEL_GRID ? 14 : 11);
    int  start_u = draw(canvas, 0, 31), start_v = draw(canvas, 0, 31);
    paint_box(canvas, left, 0, MINI_SIDE - 1, MINI_SIDE - 1, &ground);
    if (texture == LABEL_SPRINKLED || texture == LABEL_BUBBLY) {
        strew(canvas, texture, left, figure.color);
        return;
    }
    for (int y = 0; y < MINI_SIDE; y++)
        for (int x = left; x < MINI_SIDE; x++) {
            Weave weave = {.u = start_u + (x * cosines[turn] + y * sines[turn]) / 256,
                           .v = start_v + (y * cosines[turn] - x * sines[turn] + 256 * 256) / 256,
                           .period = period};
            if (is_figure(texture, &weave))
                paint_pixel(canvas, x, y, &figure);
        }
}
