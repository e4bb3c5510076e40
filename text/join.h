/* text/join.h - the tokens of one word: neighbours joined by rank until no merge is left. */
#ifndef TEXT_JOIN_H
#define TEXT_JOIN_H

#include "tables.h"

typedef struct Piece {
    int32_t id;            // -1: part of the piece before it
    int32_t before, after; // places of its neighbours, -1 at the ends
} Piece;

typedef struct Candidate {
    int32_t rank, at; // a merge and the place of its left piece
} Candidate;

/* Memory that one word after the other is joined in. */
typedef struct Joiner {
    Piece     *pieces; // [room]; the caller sets the ids of a word's bytes
    Candidate *queue;  // [3 * room]: a heap, the lowest rank and then the first place on top
    int32_t   *made;   // [room]: pieces made by one merge
    size_t     room;
} Joiner;

/* Makes room for a word of so many bytes. */
bool joiner_reserve(Joiner *joiner, size_t bytes, Error *error);
void joiner_free(Joiner *joiner); // accepts a zeroed object

/* Joins pieces[0..count) by ids and writes those that are left to `ids`; returns their number. All
 * places of one merge are joined from left to right before the next merge is looked for, as in the
 * published code, in n log n steps. Source: Sennrich et al., ACL 2016, algorithm 1. */
int32_t joiner_join(Joiner *joiner, const Merges *merges, int32_t count, int32_t *ids);

#endif
