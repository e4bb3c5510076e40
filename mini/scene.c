/* mini/scene.c - backdrop, clutter behind, the main object, something in front. */
#include "canvas.h"

typedef struct Scenery {
    MiniLabel sky, ground;       // object labels; the sky of a room is its wall
    MiniLabel sky_of, ground_of; // materials or 0
    Rgb       above, below;
    MiniLabel objects[SCENE_OBJECTS]; // what the scene may be about
    MiniLabel clutter[4];
} Scenery;

static const Scenery sceneries[SCENES] = {
    [LABEL_BEACH - FIRST_SCENE]     = {LABEL_SKY,
                                       LABEL_SAND,
                                       0,
                                       0,
                                       {120, 185, 240},
                                       {225, 205, 150},
                                       {LABEL_BOAT, LABEL_PERSON, LABEL_BALL},
                                       {LABEL_BALL, LABEL_PERSON, LABEL_STONE, LABEL_BOAT}},
    [LABEL_DESERT - FIRST_SCENE]    = {LABEL_SKY,
                                       LABEL_SAND,
                                       0,
                                       0,
                                       {235, 190, 140},
                                       {220, 150, 80},
                                       {LABEL_CACTUS, LABEL_CAR, LABEL_DOG},
                                       {LABEL_CACTUS, LABEL_STONE, LABEL_STONE, LABEL_CACTUS}},
    [LABEL_FIELD - FIRST_SCENE]     = {LABEL_SKY,
                                       LABEL_GRASS,
                                       0,
                                       LABEL_FOLIAGE,
                                       {150, 200, 245},
                                       {95, 165, 65},
                                       {LABEL_TREE, LABEL_HOUSE, LABEL_DOG},
                                       {LABEL_FLOWER, LABEL_TREE, LABEL_FENCE, LABEL_FLOWER}},
    [LABEL_LAKE - FIRST_SCENE]      = {LABEL_SKY,
                                       LABEL_SEA,
                                       0,
                                       LABEL_WATER,
                                       {175, 205, 225},
                                       {45, 95, 130},
                                       {LABEL_BOAT, LABEL_TREE, LABEL_PERSON},
                                       {LABEL_BOAT, LABEL_STONE, LABEL_TREE, LABEL_STONE}},
    [LABEL_NIGHT - FIRST_SCENE]     = {LABEL_SKY,
                                       LABEL_ROAD,
                                       0,
                                       LABEL_ASPHALT,
                                       {18, 20, 48},
                                       {48, 48, 56},
                                       {LABEL_HOUSE, LABEL_LAMP, LABEL_CAR},
                                       {LABEL_LAMP, LABEL_CAR, LABEL_HOUSE, LABEL_TREE}},
    [LABEL_ROOM - FIRST_SCENE]      = {LABEL_WALL,
                                       LABEL_FLOOR,
                                       LABEL_PAINTED,
                                       LABEL_WOOD,
                                       {215, 200, 180},
                                       {165, 115, 70},
                                       {LABEL_TABLE, LABEL_PERSON, LABEL_LAMP},
                                       {LABEL_BALL, LABEL_TABLE, LABEL_LAMP, LABEL_DOG}},
    [LABEL_SNOWFIELD - FIRST_SCENE] = {LABEL_SKY,
                                       LABEL_SNOW,
                                       0,
                                       0,
                                       {170, 190, 205},
                                       {240, 243, 248},
                                       {LABEL_TREE, LABEL_PERSON, LABEL_HOUSE},
                                       {LABEL_TREE, LABEL_STONE, LABEL_FENCE, LABEL_DOG}},
    [LABEL_STREET - FIRST_SCENE]    = {LABEL_SKY,
                                       LABEL_ROAD,
                                       0,
                                       LABEL_ASPHALT,
                                       {190, 205, 220},
                                       {120, 120, 124},
                                       {LABEL_CAR, LABEL_HOUSE, LABEL_PERSON},
                                       {LABEL_LAMP, LABEL_HOUSE, LABEL_CAR, LABEL_PERSON}},
};

MiniLabel scene_object(MiniLabel scene, int choice)
{
    return sceneries[scene - FIRST_SCENE].objects[choice];
}

static Brush plain(MiniLabel object, MiniLabel material, Rgb color)
{
    return (Brush){.object = (uint8_t)object, .material = (uint8_t)material, .color = color};
}

static void paint_heaven(Canvas *canvas, MiniLabel scene, int horizon)
{
    int   x = draw(canvas, 6, MINI_SIDE - 7), y = draw(canvas, 4, horizon / 3);
    Brush moon  = plain(LABEL_MOON, LABEL_NONE, (Rgb){230, 230, 205});
    Brush sun   = plain(LABEL_SUN, LABEL_NONE, (Rgb){255, 235, 120});
    Brush cloud = plain(LABEL_CLOUD, LABEL_NONE, (Rgb){238, 240, 244});
    if (scene == LABEL_NIGHT) {
        paint_ellipse(canvas, x, y, 4, 4, &moon);
        for (int star = draw(canvas, 5, 14); star > 0; star--) {
            Brush point = plain(LABEL_SKY, LABEL_NONE, (Rgb){220, 220, 230});
            int   left = draw(canvas, 0, MINI_SIDE - 1), top = draw(canvas, 0, horizon - 1);
            paint_pixel(canvas, left, top, &point);
        }
        return;
    }
    if (scene == LABEL_BEACH || scene == LABEL_DESERT)
        paint_ellipse(canvas, x, y, 4, 4, &sun);
    for (int clouds = scene == LABEL_DESERT ? 0 : draw(canvas, 0, 3); clouds > 0; clouds--) {
        int at = draw(canvas, 0, MINI_SIDE - 1), high = draw(canvas, 3, horizon / 2);
        int wide = draw(canvas, 5, 10);
        paint_ellipse(canvas, at, high, wide, 2, &cloud);
        paint_ellipse(canvas, at + 4, high - 2, wide / 2, 2, &cloud);
    }
}

// What stands on the horizon of this scene.
static void paint_distance(Canvas *canvas, MiniLabel scene, int horizon)
{
    if (scene == LABEL_SNOWFIELD || scene == LABEL_LAKE) {
        Brush mountain = plain(LABEL_MOUNTAIN, LABEL_NONE, draw_near(canvas, (Rgb){110, 115, 130}));
        for (int peak = draw(canvas, 1, 2); peak > 0; peak--) {
            int x = draw(canvas, 8, MINI_SIDE - 9), high = draw(canvas, 8, 18), half = high * 5 / 4;
            int corners[6] = {x - half, horizon, x + half, horizon, x, horizon - high};
            paint_triangle(canvas, corners, &mountain);
        }
    } else if (scene == LABEL_BEACH) {
        Brush sea = plain(LABEL_SEA, LABEL_WATER, draw_near(canvas, (Rgb){40, 120, 170}));
        paint_box(canvas, 0, horizon - draw(canvas, 5, 9), MINI_SIDE - 1, horizon - 1, &sea);
    } else if (scene == LABEL_ROOM) {
        for (int i = draw(canvas, 0, 2); i > 0; i--) {
            int x = draw(canvas, 8, MINI_SIDE - 9), bottom = draw(canvas, 15, 20);
            paint_object(canvas, LABEL_PICTURE, x, bottom, draw(canvas, 9, 12));
        }
    }
}

// A room's walls and floors come in several materials and colours.
static void furnish(Canvas *canvas, Brush *above, Brush *below)
{
    static const MiniLabel walls[4] = {LABEL_YELLOW, LABEL_GREEN, LABEL_PINK, LABEL_WHITE};
    int                    style    = draw(canvas, 0, 5);
    if (style == 0) {
        above->material = LABEL_BRICK;
        above->color    = (Rgb){150, 80, 60};
    } else if (style < 4) {
        above->color = draw_shade(canvas, walls[draw(canvas, 0, 3)]);
    }
    if (draw(canvas, 0, 2) == 0) {
        below->material = LABEL_TILE;
        below->color    = (Rgb){190, 195, 200};
    }
}

// One of the scene's things from place `first` of its list on.
static void paint_clutter(Canvas *canvas, const Scenery *scenery, int first, int bottom)
{
    MiniLabel object = scenery->clutter[draw(canvas, first, 3)];
    int       x = draw(canvas, 4, MINI_SIDE - 5), foot = bottom + draw(canvas, 0, 4);
    paint_object(canvas, object, x, foot, draw(canvas, 7, 14));
}

MiniLabel paint_scene(Canvas *canvas, MiniLabel scene, MiniLabel main_object)
{
    const Scenery *scenery = &sceneries[scene - FIRST_SCENE];
    int            horizon = draw(canvas, 26, 40), size = draw(canvas, 24, 42);
    Brush          above = plain(scenery->sky, scenery->sky_of, draw_near(canvas, scenery->above));
    Brush below = plain(scenery->ground, scenery->ground_of, draw_near(canvas, scenery->below));
    // What is as wide as it is high, or wider, is drawn lower.
    bool is_wide = main_object == LABEL_CAR || main_object == LABEL_DOG ||
                   main_object == LABEL_TABLE || main_object == LABEL_BALL;
    if (scene == LABEL_ROOM)
        furnish(canvas, &above, &below);
    // Where the sky is a label of the whole image the map leaves its pixels free.
    bool is_backdrop = scenery->sky == LABEL_SKY && draw(canvas, 0, 3) == 0;
    if (is_backdrop)
        above.object = LABEL_NONE;
    paint_box(canvas, 0, 0, MINI_SIDE - 1, MINI_SIDE - 1, &above);
    if (scene != LABEL_ROOM && !is_backdrop)
        paint_heaven(canvas, scene, horizon);
    paint_distance(canvas, scene, horizon);
    paint_box(canvas, 0, horizon, MINI_SIDE - 1, MINI_SIDE - 1, &below);
    for (int i = draw(canvas, 0, 3); i > 0; i--)
        paint_clutter(canvas, scenery, 0, horizon + 1);
    size       = is_wide ? size * 3 / 5 : size;
    int x      = draw(canvas, 18, MINI_SIDE - 19);
    int bottom = draw(canvas, horizon + 9, MINI_SIDE - 4);
    paint_object(canvas, main_object, x, bottom - size < 2 ? size + 2 : bottom, size);
    if (draw(canvas, 0, 2) == 0)
        paint_clutter(canvas, scenery, 2, MINI_SIDE);
    return is_backdrop ? LABEL_SKY : LABEL_NONE;
}
