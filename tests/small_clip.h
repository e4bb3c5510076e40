/* tests/small_clip.h - a drawn pair of towers of CLIP's layout, small enough for every test. */
#ifndef TESTS_SMALL_CLIP_H
#define TESTS_SMALL_CLIP_H

#include "blob_builder.h"

enum {
    SMALL_CLIP_WIDTH   = 8,
    SMALL_CLIP_OUTPUTS = 3,
    SMALL_CLIP_ROW     = 12, // places of the tower of texts
    SMALL_CLIP_PATCH   = 4
};

/* The tensors of a tower of texts of one block and two heads with so many tokens and places. */
void small_text_tower(BlobBuilder *builder, int64_t tokens, int64_t places);

/* Both towers as a file: photos of side x side pixels (a multiple of SMALL_CLIP_PATCH), texts in
 * bytes and a few merges ("re", "red"), so that "red" is one token and "blue" four. */
bool small_clip_save(const char *path, int64_t side, uint64_t seed);

#endif
