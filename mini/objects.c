/* mini/objects.c - things with parts: every painter gets where it stands and how high it is. */
#include "canvas.h"

static Brush brush_of(MiniLabel object, MiniLabel part, MiniLabel material, Rgb color)
{
    return (Brush){(uint8_t)object, (uint8_t)part, LABEL_NONE, (uint8_t)material, color};
}

static int at_least(int value, int least)
{
    return value < least ? least : value;
}

/* A pane of glass in a frame; the frame is the part, the pane a part of it. */
static void paint_window(Canvas *canvas, MiniLabel object, int left, int top, int right, int bottom,
                         bool is_lit)
{
    Brush frame  = brush_of(object, LABEL_WINDOW, LABEL_WOOD, draw_shade(canvas, LABEL_WHITE));
    Brush pane   = brush_of(object, LABEL_WINDOW, LABEL_GLASS,
                          is_lit ? (Rgb){250, 225, 110} : (Rgb){110, 160, 200});
    pane.subpart = LABEL_PANE;
    paint_box(canvas, left, top, right, bottom, &frame);
    paint_box(canvas, left + 1, top + 1, right - 1, bottom - 1, &pane);
}

static void paint_house(Canvas *canvas, int x, int bottom, int size)
{
    int       half = size * draw(canvas, 9, 13) / 24, eaves = bottom - size * 3 / 5;
    bool      is_brick   = draw(canvas, 0, 2) > 0;
    MiniLabel wall_of    = is_brick ? LABEL_BRICK : LABEL_PAINTED;
    Rgb       paint      = is_brick ? (Rgb){150, 72, 52} : draw_color(canvas);
    Brush     wall       = brush_of(LABEL_HOUSE, LABEL_WALL, wall_of, paint);
    Brush     roof       = brush_of(LABEL_HOUSE, LABEL_ROOF, LABEL_TILE, draw_color(canvas));
    Brush     door       = brush_of(LABEL_HOUSE, LABEL_DOOR, LABEL_WOOD, (Rgb){125, 80, 42});
    int       ridge      = x + draw(canvas, -half / 2, half / 2);
    int       corners[6] = {x - half - 2, eaves, x + half + 2, eaves, ridge, bottom - size};
    int       door_half = at_least(size / 12, 2), door_x = x + draw(canvas, -half / 3, half / 3);
    paint_box(canvas, x - half, eaves, x + half, bottom, &wall);
    paint_triangle(canvas, corners, &roof);
    paint_box(canvas, door_x - door_half, bottom - size / 3, door_x + door_half, bottom, &door);
    int  side = at_least(size / 6, 4), top = eaves + size / 10;
    bool is_lit = draw(canvas, 0, 3) == 0;
    paint_window(canvas, LABEL_HOUSE, x - half + 2, top, x - half + 2 + side, top + side, is_lit);
    paint_window(canvas, LABEL_HOUSE, x + half - 2 - side, top, x + half - 2, top + side, is_lit);
}

static void paint_wheel(Canvas *canvas, int x, int y, int radius)
{
    Brush tyre  = brush_of(LABEL_CAR, LABEL_WHEEL, LABEL_RUBBER, (Rgb){28, 28, 30});
    Brush hub   = brush_of(LABEL_CAR, LABEL_WHEEL, LABEL_METAL, (Rgb){190, 190, 195});
    hub.subpart = LABEL_HUB;
    paint_ellipse(canvas, x, y, radius, radius, &tyre);
    paint_ellipse(canvas, x, y, radius / 2, radius / 2, &hub);
}

static void paint_car(Canvas *canvas, int x, int bottom, int size)
{
    Brush body = brush_of(LABEL_CAR, LABEL_BODY, LABEL_METAL, draw_color(canvas));
    int half = size, radius = at_least(size / 5, 2), belt = bottom - size / 2, roof = bottom - size;
    int facing = draw(canvas, 0, 1) ? 1 : -1, cabin = x - facing * half / 6;
    paint_box(canvas, cabin - half / 2, roof, cabin + half / 2, belt, &body);
    paint_box(canvas, x - half, belt, x + half, bottom - radius, &body);
    paint_window(canvas, LABEL_CAR, cabin - half / 2 + 1, roof + 1, cabin - 1, belt, false);
    paint_window(canvas, LABEL_CAR, cabin + 1, roof + 1, cabin + half / 2 - 1, belt, false);
    paint_wheel(canvas, x - half * 3 / 5, bottom - radius, radius);
    paint_wheel(canvas, x + half * 3 / 5, bottom - radius, radius);
}

static void paint_tree(Canvas *canvas, int x, int bottom, int size)
{
    Brush trunk = brush_of(LABEL_TREE, LABEL_TRUNK, LABEL_WOOD, (Rgb){105, 68, 38});
    Rgb   green = draw_shade(canvas, LABEL_GREEN);
    Brush crown = brush_of(LABEL_TREE, LABEL_CROWN, LABEL_FOLIAGE, green);
    int   lean = draw(canvas, -size / 8, size / 8), top = bottom - size, radius = size / 3;
    bool  is_fir = draw(canvas, 0, 2) == 0;
    paint_bar(canvas, x, bottom, x + lean, bottom - size / 2, at_least(size / 14, 1), &trunk);
    if (is_fir) {
        for (int tier = 0; tier < 3; tier++) {
            int high = top + tier * size / 5, wide = radius * (tier + 2) / 4 + 1;
            int corners[6] = {x + lean,        high,           x + lean - wide, high + size / 3,
                              x + lean + wide, high + size / 3};
            paint_triangle(canvas, corners, &crown);
        }
        return;
    }
    if (draw(canvas, 0, 4) == 0)
        crown.color = draw_shade(canvas, LABEL_ORANGE);
    paint_ellipse(canvas, x + lean, top + radius, radius, radius, &crown);
    paint_ellipse(canvas, x + lean - radius / 2, top + radius * 4 / 3, radius * 3 / 4,
                  radius * 3 / 4, &crown);
    paint_ellipse(canvas, x + lean + radius / 2, top + radius * 4 / 3, radius * 3 / 4,
                  radius * 3 / 4, &crown);
}

static void paint_person(Canvas *canvas, int x, int bottom, int size)
{
    static const Rgb skins[3] = {{235, 190, 160}, {190, 135, 95}, {110, 75, 55}};

    Rgb   bare    = skins[draw(canvas, 0, 2)];
    Brush skin    = brush_of(LABEL_PERSON, LABEL_HEAD, LABEL_SKIN, bare);
    Brush arm     = brush_of(LABEL_PERSON, LABEL_ARM, LABEL_SKIN, bare);
    Brush shirt   = brush_of(LABEL_PERSON, LABEL_TORSO, LABEL_FABRIC, draw_color(canvas));
    Brush leg     = brush_of(LABEL_PERSON, LABEL_LEG, LABEL_FABRIC, draw_color(canvas));
    Rgb   strands = draw_shade(canvas, draw(canvas, 0, 1) ? LABEL_BLACK : LABEL_BROWN);
    Brush hair    = brush_of(LABEL_PERSON, LABEL_HEAD, LABEL_FUR, strands);
    hair.subpart  = LABEL_HAIR;

    int head = at_least(size / 8, 2), shoulder = bottom - size + 2 * head + 1;
    int hip = bottom - size * 2 / 5, half = at_least(size / 9, 2), thin = at_least(size / 20, 1);
    int stride = draw(canvas, 1, at_least(size / 7, 2)), reach = size / 4;
    int left_hand  = draw(canvas, 0, 2) ? shoulder + reach : shoulder - reach;
    int right_hand = draw(canvas, 0, 2) ? shoulder + reach : shoulder - reach;
    paint_bar(canvas, x - 1, hip, x - stride, bottom, thin, &leg);
    paint_bar(canvas, x + 1, hip, x + stride, bottom, thin, &leg);
    paint_bar(canvas, x - half, shoulder + 1, x - half - size / 8, left_hand, thin, &arm);
    paint_bar(canvas, x + half, shoulder + 1, x + half + size / 8, right_hand, thin, &arm);
    paint_box(canvas, x - half, shoulder, x + half, hip, &shirt);
    paint_ellipse(canvas, x, bottom - size + head, head, head, &hair);
    paint_ellipse(canvas, x, bottom - size + head + at_least(head / 2, 1), head - 1,
                  at_least(head * 2 / 3, 1), &skin);
}

static void paint_dog(Canvas *canvas, int x, int bottom, int size)
{
    static const MiniLabel coats[4] = {LABEL_BROWN, LABEL_BLACK, LABEL_WHITE, LABEL_GREY};
    Rgb                    coat     = draw_shade(canvas, coats[draw(canvas, 0, 3)]);
    Brush                  torso    = brush_of(LABEL_DOG, LABEL_TORSO, LABEL_FUR, coat);
    Brush                  head     = brush_of(LABEL_DOG, LABEL_HEAD, LABEL_FUR, coat);
    Brush                  leg      = brush_of(LABEL_DOG, LABEL_LEG, LABEL_FUR, coat);
    Brush                  tail     = brush_of(LABEL_DOG, LABEL_TAIL, LABEL_FUR, coat);
    int                    facing = draw(canvas, 0, 1) ? 1 : -1, long_half = size * 2 / 3,
        back = bottom - size * 2 / 3;
    int thin = at_least(size / 14, 1);
    for (int i = -3; i <= 3; i += 2)
        paint_bar(canvas, x + i * long_half / 4, back + size / 4, x + i * long_half / 4, bottom,
                  thin, &leg);
    paint_bar(canvas, x - facing * long_half, back + size / 8, x - facing * long_half * 3 / 2,
              back - size / 4, thin, &tail);
    paint_ellipse(canvas, x, back + size / 6, long_half, size / 5, &torso);
    paint_ellipse(canvas, x + facing * long_half, back - size / 8, size / 4, size / 5, &head);
}

static void paint_boat(Canvas *canvas, int x, int bottom, int size)
{
    Brush hull = brush_of(LABEL_BOAT, LABEL_HULL, LABEL_WOOD, draw_color(canvas));
    Brush mast = brush_of(LABEL_BOAT, LABEL_MAST, LABEL_WOOD, (Rgb){90, 60, 35});
    Brush sail = brush_of(LABEL_BOAT, LABEL_SAIL, LABEL_FABRIC, draw_color(canvas));
    int   half = size * 3 / 5, deck = bottom - size / 4, lean = draw(canvas, -3, 3);
    int   left[6]  = {x + lean - 2, bottom - size, x - 2, deck - 2, x - half * 4 / 5, deck - 2};
    int   right[6] = {x + lean + 2, bottom - size + 3, x + 2, deck - 2, x + half * 3 / 5, deck - 2};
    paint_bar(canvas, x, deck, x + lean, bottom - size, 1, &mast);
    paint_triangle(canvas, left, &sail);
    paint_triangle(canvas, right, &sail);
    for (int y = deck; y <= bottom; y++)
        paint_box(canvas, x - half + (y - deck), y, x + half - (y - deck), y, &hull);
}

static void paint_lamp(Canvas *canvas, int x, int bottom, int size)
{
    Brush post   = brush_of(LABEL_LAMP, LABEL_TRUNK, LABEL_METAL, draw_shade(canvas, LABEL_GREY));
    Brush bulb   = brush_of(LABEL_LAMP, LABEL_BULB, LABEL_GLASS, (Rgb){255, 240, 170});
    int   radius = at_least(size / 8, 2);
    post.part    = LABEL_NONE;
    paint_box(canvas, x - at_least(size / 24, 0), bottom - size + radius,
              x + at_least(size / 24, 1), bottom, &post);
    paint_box(canvas, x - size / 8, bottom - 1, x + size / 8, bottom, &post);
    paint_ellipse(canvas, x, bottom - size + radius, radius, radius, &bulb);
}

static void paint_cactus(Canvas *canvas, int x, int bottom, int size)
{
    Brush flesh = brush_of(LABEL_CACTUS, LABEL_TRUNK, LABEL_NONE, (Rgb){70, 125, 60});
    Brush arm   = brush_of(LABEL_CACTUS, LABEL_ARM, LABEL_NONE, (Rgb){80, 140, 70});
    int   half = at_least(size / 10, 1), reach = size / 4 + 1;
    for (int side = -1; side <= 1; side += 2) {
        int high = bottom - size / 3 - draw(canvas, 0, size / 4);
        paint_bar(canvas, x, high, x + side * reach, high, half - (half > 1), &arm);
        paint_bar(canvas, x + side * reach, high + 1, x + side * reach, high - size / 4,
                  half - (half > 1), &arm);
    }
    paint_bar(canvas, x, bottom, x, bottom - size, half, &flesh);
}

static void paint_table(Canvas *canvas, int x, int bottom, int size)
{
    Rgb   wood = draw(canvas, 0, 1) ? (Rgb){150, 100, 55} : (Rgb){190, 150, 100};
    Brush top  = brush_of(LABEL_TABLE, LABEL_TOP, LABEL_WOOD, wood);
    Brush leg  = brush_of(LABEL_TABLE, LABEL_LEG, LABEL_WOOD, wood);
    int   half = size * 4 / 5, thick = at_least(size / 7, 2), thin = at_least(size / 16, 1);
    paint_box(canvas, x - half + 2, bottom - size, x - half + 2 + 2 * thin, bottom, &leg);
    paint_box(canvas, x + half - 2 - 2 * thin, bottom - size, x + half - 2, bottom, &leg);
    paint_box(canvas, x - half, bottom - size, x + half, bottom - size + thick, &top);
}

static void paint_ball(Canvas *canvas, int x, int bottom, int size)
{
    Brush ball   = brush_of(LABEL_BALL, LABEL_NONE, LABEL_RUBBER, draw_color(canvas));
    Brush band   = brush_of(LABEL_BALL, LABEL_NONE, LABEL_RUBBER, draw_color(canvas));
    int   radius = at_least(size / 2, 2);
    paint_ellipse(canvas, x, bottom - radius, radius, radius, &ball);
    paint_ellipse(canvas, x, bottom - radius, radius / 3, radius, &band);
}

static void paint_fence(Canvas *canvas, int x, int bottom, int size)
{
    Brush board = brush_of(LABEL_FENCE, LABEL_NONE, LABEL_WOOD, draw_shade(canvas, LABEL_WHITE));
    (void)x;
    for (int post = draw(canvas, 0, 5); post < MINI_SIDE; post += 6)
        paint_box(canvas, post, bottom - size, post + 1, bottom, &board);
    paint_box(canvas, 0, bottom - size * 3 / 4, MINI_SIDE - 1, bottom - size * 3 / 4 + 1, &board);
}

static void paint_flower(Canvas *canvas, int x, int bottom, int size)
{
    static const MiniLabel petals[4] = {LABEL_RED, LABEL_PINK, LABEL_PURPLE, LABEL_YELLOW};
    Brush stem   = brush_of(LABEL_FLOWER, LABEL_NONE, LABEL_FOLIAGE, (Rgb){60, 140, 60});
    Brush bloom  = brush_of(LABEL_FLOWER, LABEL_NONE, LABEL_FOLIAGE,
                            draw_shade(canvas, petals[draw(canvas, 0, 3)]));
    int   radius = at_least(size / 4, 1);
    paint_box(canvas, x, bottom - size, x, bottom, &stem);
    paint_ellipse(canvas, x, bottom - size, radius, radius, &bloom);
}

static void paint_stone(Canvas *canvas, int x, int bottom, int size)
{
    Brush stone = brush_of(LABEL_STONE, LABEL_NONE, LABEL_ASPHALT, draw_shade(canvas, LABEL_GREY));
    paint_ellipse(canvas, x, bottom - size / 3, size / 2, at_least(size / 3, 1), &stone);
}

static void paint_picture(Canvas *canvas, int x, int bottom, int size)
{
    Brush frame = brush_of(LABEL_PICTURE, LABEL_FRAME, LABEL_WOOD, (Rgb){120, 85, 40});
    Brush paper = brush_of(LABEL_PICTURE, LABEL_NONE, LABEL_NONE, draw_color(canvas));
    paint_box(canvas, x - size * 2 / 3, bottom - size, x + size * 2 / 3, bottom, &frame);
    paint_box(canvas, x - size * 2 / 3 + 2, bottom - size + 2, x + size * 2 / 3 - 2, bottom - 2,
              &paper);
}

void paint_object(Canvas *canvas, MiniLabel object, int x, int bottom, int size)
{
    switch (object) {
    case LABEL_BALL:
        paint_ball(canvas, x, bottom, size);
        break;
    case LABEL_BOAT:
        paint_boat(canvas, x, bottom, size);
        break;
    case LABEL_CACTUS:
        paint_cactus(canvas, x, bottom, size);
        break;
    case LABEL_CAR:
        paint_car(canvas, x, bottom, size);
        break;
    case LABEL_DOG:
        paint_dog(canvas, x, bottom, size);
        break;
    case LABEL_FENCE:
        paint_fence(canvas, x, bottom, size);
        break;
    case LABEL_FLOWER:
        paint_flower(canvas, x, bottom, size);
        break;
    case LABEL_HOUSE:
        paint_house(canvas, x, bottom, size);
        break;
    case LABEL_LAMP:
        paint_lamp(canvas, x, bottom, size);
        break;
    case LABEL_PERSON:
        paint_person(canvas, x, bottom, size);
        break;
    case LABEL_PICTURE:
        paint_picture(canvas, x, bottom, size);
        break;
    case LABEL_TABLE:
        paint_table(canvas, x, bottom, size);
        break;
    case LABEL_TREE:
        paint_tree(canvas, x, bottom, size);
        break;
    default:
        paint_stone(canvas, x, bottom, size);
        break;
    }
}
