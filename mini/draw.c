/* mini/draw.c - one image from its number: what it shows, light and noise, names of its colours. */
#include "canvas.h"

#include <stdio.h>
#include <string.h>

/* ---- kinds ----------------------------------------------------------------------------------- */

int mini_kind_count(void)
{
    return SCENES * SCENE_OBJECTS + TEXTURES;
}

const char *mini_kind_name(int kind)
{
    static _Thread_local char slots[4][48];
    static _Thread_local int  next;
    int                       boards = SCENES * SCENE_OBJECTS;
    if (kind >= boards)
        return mini_label_name(FIRST_TEXTURE + kind - boards);
    MiniLabel   scene = (MiniLabel)(FIRST_SCENE + kind / SCENE_OBJECTS);
    const char *name  = mini_label_name((int)scene);
    char       *slot  = slots[next++ % 4];
    snprintf(slot, sizeof slots[0], "%s %.*s",
             mini_label_name((int)scene_object(scene, kind % SCENE_OBJECTS)), (int)strlen(name) - 2,
             name);
    return slot;
}

/* ---- light and noise ------------------------------------------------------------------------- */

static int clamped(int value)
{
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

/* A slope of light across the picture, then noise of a few levels on every channel. */
static void develop(Canvas *canvas, bool is_board, MiniImage *out)
{
    int light = draw(canvas, 225, 275), slope_x = draw(canvas, -60, 60),
        slope_y = draw(canvas, -40, 40);
    int noise   = draw(canvas, 1, 5);
    if (is_board)
        slope_x /= 2, slope_y /= 2;
    for (int i = 0; i < MINI_PIXELS; i++) {
        int x = i % MINI_SIDE - MINI_SIDE / 2, y = i / MINI_SIDE - MINI_SIDE / 2;
        int gain       = light + (slope_x * x + slope_y * y) / MINI_SIDE; // of 256
        int channel[3] = {canvas->color[i].red, canvas->color[i].green, canvas->color[i].blue};
        for (int c = 0; c < 3; c++) {
            int jitter = (int)(canvas->grain[i] >> (8 + 8 * c) & 255) % (2 * noise + 1) - noise;
            out->pixels[3 * i + c] = (uint8_t)clamped(clamped(channel[c]) * gain / 256 + jitter);
        }
    }
}

/* ---- colour names ---------------------------------------------------------------------------- */

/* Hue in degrees: red 0, green 120, blue 240. */
static int hue_of(int r, int g, int b, int most, int spread)
{
    int hue = most == r   ? 60 * (g - b) / spread
              : most == g ? 120 + 60 * (b - r) / spread
                          : 240 + 60 * (r - g) / spread;
    return (hue + 360) % 360;
}

/* One of eleven names for a pixel, by lightness, then saturation, then hue. */
static MiniLabel color_named(const uint8_t *pixel)
{
    int r = pixel[0], g = pixel[1], b = pixel[2];
    int most   = r > g ? (r > b ? r : b) : (g > b ? g : b),
        least  = r < g ? (r < b ? r : b) : (g < b ? g : b);
    int spread = most - least;
    if (most < 56)
        return LABEL_BLACK;
    if (spread * 6 < most)
        return most > 200 ? LABEL_WHITE : LABEL_GREY;
    int hue = hue_of(r, g, b, most, spread);
    if (hue < 15 || hue >= 345)
        return least > 125 ? LABEL_PINK : most < 95 ? LABEL_BROWN : LABEL_RED;
    if (hue < 45)
        return most < 175 ? LABEL_BROWN : LABEL_ORANGE;
    if (hue < 68)
        return most < 110 ? LABEL_BROWN : LABEL_YELLOW;
    if (hue < 168)
        return LABEL_GREEN;
    if (hue < 258)
        return LABEL_BLUE;
    return hue < 312 ? LABEL_PURPLE : LABEL_PINK;
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void keep_maps(const Canvas *canvas, MiniImage *out)
{
    for (int cell = 0; cell < MINI_CELLS; cell++) {
        int at                             = cell / MINI_MAP * 2 * MINI_SIDE + cell % MINI_MAP * 2;
        out->maps[MINI_MAP_COLOR][cell]    = (uint8_t)color_named(out->pixels + 3 * at);
        out->maps[MINI_MAP_OBJECT][cell]   = canvas->object[at];
        out->maps[MINI_MAP_PART][cell]     = canvas->part[at];
        out->maps[MINI_MAP_SUBPART][cell]  = canvas->subpart[at];
        out->maps[MINI_MAP_MATERIAL][cell] = canvas->material[at];
    }
}

void mini_draw(uint64_t seed, int64_t index, MiniImage *out)
{
    Canvas canvas;
    canvas_start(&canvas, seed, index);
    memset(out, 0, sizeof *out);
    out->is_board = draw(&canvas, 0, 9) < 3;
    if (out->is_board) {
        int texture      = draw(&canvas, 0, TEXTURES - 1);
        out->kind        = SCENES * SCENE_OBJECTS + texture;
        out->textures[0] = (uint8_t)(FIRST_TEXTURE + texture);
        paint_texture(&canvas, (MiniLabel)out->textures[0], false);
        if (draw(&canvas, 0, 15) == 0) { // a second texture beside the first
            int other        = (texture + draw(&canvas, 1, TEXTURES - 1)) % TEXTURES;
            out->textures[1] = (uint8_t)(FIRST_TEXTURE + other);
            paint_texture(&canvas, (MiniLabel)out->textures[1], true);
        }
    } else {
        int scene = draw(&canvas, 0, SCENES - 1), choice = draw(&canvas, 0, SCENE_OBJECTS - 1);
        out->kind  = scene * SCENE_OBJECTS + choice;
        out->scene = (uint8_t)(draw(&canvas, 0, 24) ? FIRST_SCENE + scene : LABEL_NONE);
        out->backdrop =
            (uint8_t)paint_scene(&canvas, (MiniLabel)(FIRST_SCENE + scene),
                                 scene_object((MiniLabel)(FIRST_SCENE + scene), choice));
    }
    develop(&canvas, out->is_board, out);
    keep_maps(&canvas, out);
}
