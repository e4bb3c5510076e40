/* mini/mini.h - the mini world: drawn photos of which it is known what every pixel shows.
 *
 * A probing set that is drawn need not be downloaded: scenes with objects made of parts and
 * materials, and boards of one texture. Image `index` of a seed depends on nothing else, and
 * everything is integer arithmetic on the words of the counter-based generator, so the bytes are
 * the same on every machine. Masks are exact: a label map keeps every second pixel of every second
 * row.
 *
 * Layout of the files: Broden's (D22 to D27). The set has everything in it that makes Broden
 * awkward to read: several planes of parts, a label in two categories (wall), whole-image labels
 * beside maps (sky), scenes dropped to label 0, boards without objects, two textures on a board.
 * Errors: ERROR_CREATE, ERROR_IO, ERROR_MEMORY. */
#ifndef MINI_MINI_H
#define MINI_MINI_H

#include "../base/base.h"

enum {
    MINI_SIDE    = 64, // pixels of a photo
    MINI_MAP     = 32, // cells of a label map
    MINI_PIXELS  = MINI_SIDE * MINI_SIDE,
    MINI_CELLS   = MINI_MAP * MINI_MAP,
    MINI_QUALITY = 92 // of the photos' JPEG
};

typedef enum MiniCategory {
    MINI_COLOR,
    MINI_OBJECT,
    MINI_PART,
    MINI_MATERIAL,
    MINI_SCENE,
    MINI_TEXTURE,
    MINI_CATEGORIES
} MiniCategory;

typedef enum MiniMap {
    MINI_MAP_COLOR,
    MINI_MAP_OBJECT,
    MINI_MAP_PART,    // of objects
    MINI_MAP_SUBPART, // parts of parts: pane, hub, hair
    MINI_MAP_MATERIAL,
    MINI_MAPS
} MiniMap;

typedef struct MiniImage {
    uint8_t pixels[MINI_PIXELS * 3];     // RGB, interleaved
    uint8_t maps[MINI_MAPS][MINI_CELLS]; // label numbers, 0: none
    uint8_t backdrop;                    // object label of the whole image besides the map, or 0
    uint8_t scene;                       // label; 0 also where it was dropped for being rare
    uint8_t textures[2];                 // labels, 0: none
    bool    is_board; // one texture everywhere: no objects, parts, materials, scene
    int     kind;     // 0..mini_kind_count()-1: what a classifier is to tell
} MiniImage;

/* Draws image `index` of the world of this seed. */
void mini_draw(uint64_t seed, int64_t index, MiniImage *out);

/* Kinds: main object and scene ("car street"), or the texture of a board ("striped"). */
int         mini_kind_count(void);
const char *mini_kind_name(int kind); // static storage, four slots

/* Labels are numbered from 1. */
int         mini_label_count(void); // including label 0
const char *mini_label_name(int label);

/* Writes `images` images in Broden's layout into an existing folder; index.csv comes last, so that
 * a set with an index is complete. `progress` (NULL allowed) is called after every image, by one
 * thread at a time; false from it ends the work with ERROR_AGAIN. */
bool mini_write(const char *folder, uint64_t seed, int64_t images,
                bool (*progress)(void *self, int64_t done, int64_t total), void *self,
                Error *error);

#endif
