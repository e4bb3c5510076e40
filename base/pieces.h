/* base/pieces.h - what the pieces of some work found: a snapshot each, made on other machines and
 * not trusted (study/shards.h keeps them). Whoever puts work together reads them in order. */
#ifndef BASE_PIECES_H
#define BASE_PIECES_H

#include "snapshot.h"

/* The pieces that one phase of the work needs, and where what it finds is kept. */
typedef struct Pieces {
    int64_t     first, count; // neighbours among all pieces of the work
    const char *folder;       // where they lie
    bool (*load)(void *self, int64_t piece, Snapshot *out, Error *error); // counts over all pieces
    bool (*save)(void *self, const SnapshotPart *parts, int64_t count, Error *error);
    void *self;
} Pieces;

/* `index` counts from 0 within `count`. */
bool pieces_load(const Pieces *pieces, int64_t index, Snapshot *out, Error *error);
bool pieces_save(const Pieces *pieces, const SnapshotPart *parts, int64_t count, Error *error);

/* The error for a piece that contradicts the work: digest and plan were right, so this is a defect
 * or a forgery. Returns false. */
bool pieces_refuse(const Pieces *pieces, int64_t index, Error *error);

#endif
