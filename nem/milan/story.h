/* nem/milan/story.h - one unit's caption told with its exemplars; only the files of this folder
 * include it. */
#ifndef NEM_MILAN_STORY_H
#define NEM_MILAN_STORY_H

#include "../../image/image.h"
#include "milan_private.h"

struct Story {
    char     *text;
    double    score;
    Exemplars exemplars;
    double    share[MILAN_EXEMPLARS]; // of an exemplar's pixels that are shown to the captioner
    uint8_t  *sheet;                  // all of them as one PNG
    size_t    sheet_bytes;
};

enum { SHEET_COLUMNS = 5, SHEET_TILE = 112 }; // most pixels of a tile's side

/* A picture of exemplars side by side, darkened where they are not shown to the captioner. */
typedef struct Sheet {
    const Milan  *milan;
    const Inputs *inputs;
    int64_t       step; // pixels of the encoder's image for one of a tile
    Image         image;
    float        *planes; // [3, image_height, image_width]
    uint8_t      *bytes;  // [3, height, width]
    float        *room;   // [height, width]
    uint8_t      *mask;   // [height, width]
} Sheet;

bool sheet_open(Sheet *sheet, const Explainer *explainer, int64_t exemplars, Error *error);
void sheet_close(Sheet *sheet);
/* Puts one exemplar in its place; *share of its pixels are shown. */
bool sheet_add(Sheet *sheet, int64_t rank, int64_t image, const float *map, float level,
               double *share, Error *error);

#endif
