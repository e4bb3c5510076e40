/* mini/labels.c - names of labels. */
#include "labels.h"

static const char *const names[LABEL_COUNT] = {
    "",       "black-c",     "blue-c",    "brown-c",  "green-c",  "grey-c",    "orange-c",
    "pink-c", "purple-c",    "red-c",     "white-c",  "yellow-c", "ball",      "boat",
    "cactus", "car",         "cloud",     "dog",      "fence",    "floor",     "flower",
    "grass",  "house",       "lamp",      "moon",     "mountain", "person",    "picture",
    "road",   "sand",        "sea",       "sky",      "snow",     "stone",     "sun",
    "table",  "tree",        "wall",      "arm",      "body",     "bulb",      "crown",
    "door",   "frame",       "hair",      "head",     "hub",      "hull",      "leg",
    "mast",   "pane",        "roof",      "sail",     "tail",     "top",       "torso",
    "trunk",  "wheel",       "window",    "asphalt",  "brick",    "fabric",    "foliage",
    "fur",    "glass",       "metal",     "painted",  "rubber",   "skin",      "tile",
    "water",  "wood",        "beach-s",   "desert-s", "field-s",  "lake-s",    "night-s",
    "room-s", "snowfield-s", "street-s",  "banded",   "bubbly",   "chequered", "crosshatched",
    "dotted", "grid",        "sprinkled", "striped",  "woven",    "zigzagged",
};

int mini_label_count(void)
{
    return LABEL_COUNT;
}

const char *mini_label_name(int label)
{
    return names[label];
}
