/* mini/canvas.h - one picture being painted: colour and labels of every pixel, back to front.
 *
 * Whatever is painted later hides what was there, in the photo and in every label plane; so masks
 * know occlusion without being told. Coordinates are pixels, (0, 0) the middle of the upper left
 * one; shapes may reach over the border. */
#ifndef MINI_CANVAS_H
#define MINI_CANVAS_H

#include "labels.h"

typedef struct Rgb {
    int red, green, blue; // 0..255, clamped when painted
} Rgb;

typedef struct Canvas {
    Random   random;             // for what is composed; pixels take their grain from `grain`
    uint32_t grain[MINI_PIXELS]; // one random word a pixel
    Rgb      color[MINI_PIXELS];
    uint8_t  object[MINI_PIXELS], part[MINI_PIXELS], subpart[MINI_PIXELS], material[MINI_PIXELS];
} Canvas;

/* What a shape is painted with: labels (0: none) and a colour that the material gives its grain. */
typedef struct Brush {
    uint8_t object, part, subpart, material;
    Rgb     color;
} Brush;

void canvas_start(Canvas *canvas, uint64_t seed, int64_t index);

/* A whole number in least..most. */
int draw(Canvas *canvas, int least, int most);
Rgb draw_near(Canvas *canvas, Rgb color); // a little lighter or darker, and off
/* A shade of a colour label. */
Rgb draw_shade(Canvas *canvas, MiniLabel color);
Rgb draw_color(Canvas *canvas); // of any of the eleven

void paint_pixel(Canvas *canvas, int x, int y, const Brush *brush);
void paint_box(Canvas *canvas, int left, int top, int right, int bottom,
               const Brush *brush); // inclusive
void paint_ellipse(Canvas *canvas, int x, int y, int radius_x, int radius_y, const Brush *brush);
void paint_triangle(Canvas *canvas, const int corners[6], const Brush *brush); // x0 y0 x1 y1 x2 y2
/* A bar of this half width around a line. */
void paint_bar(Canvas *canvas, int x0, int y0, int x1, int y1, int half_width, const Brush *brush);

/* How much brighter the material makes this pixel, -64..64. */
int material_grain(int material, int x, int y, uint32_t word);

/* ---- what pictures are made of --------------------------------------------------------------- */

/* Paints an object that stands at (x, bottom) and is `size` pixels high. */
void paint_object(Canvas *canvas, MiniLabel object, int x, int bottom, int size);

/* Paints a whole scene around its main object; returns the object label of the backdrop or 0. */
MiniLabel paint_scene(Canvas *canvas, MiniLabel scene, MiniLabel main_object);
/* The objects a scene may be about: kinds are (scene, object) pairs in this order. */
enum { SCENE_OBJECTS = 3 };
MiniLabel scene_object(MiniLabel scene, int choice);

/* Paints one texture over everything, or over the right half. */
void paint_texture(Canvas *canvas, MiniLabel texture, bool only_half);

#endif
