/* study/shards.h - the pieces of a run that several machines make, as they lie in one folder.
 *
 * A piece is a snapshot (base/snapshot.h) of what one share of the work came to, under the digest
 * of the plan that cut the work. It appears by one rename as INDEX-SHA256, so it is there whole or
 * not at all, a second one of the same index has the same bytes and takes its place, and nobody
 * waits for a lock. Pieces come from other machines and are not trusted: one counts only if its
 * bytes have the SHA-256 of its name and it is of this plan. */
#ifndef STUDY_SHARDS_H
#define STUDY_SHARDS_H

#include "../base/snapshot.h"

enum { PIECE_NAME = 96, PIECE_STAGE = 32 };

typedef struct Shards {
    char       folder[LIMIT_PATH];
    char       key[65];    // SHA-256 of the plan
    Checkpoint checkpoint; // for those who read pieces; points into this
} Shards;

/* `out` stays where it is. */
bool shards_open(Shards *out, const char *folder, const char *key, Error *error);

/* The stage of a snapshot (checkpoint_save) that is to become a piece. */
void shards_stage(int64_t piece, char out[PIECE_STAGE]);

/* Publishes a finished snapshot of the plan's key and the piece's stage. Errors: ERROR_IO. */
bool shards_publish(const Shards *shards, int64_t piece, const char *snapshot, Error *error);

typedef enum PieceState { PIECE_MISSING, PIECE_DONE, PIECE_BROKEN } PieceState;

typedef struct Piece {
    PieceState  state;
    char        name[PIECE_NAME];   // in the folder, of one that is done
    char        broken[PIECE_NAME]; // a file of this index that does not count; "": none
    const char *wrong;              // why it does not: "is cut short or damaged"
} Piece;

/* What there is of a piece; reads it whole, once. Errors: those of files. */
bool shards_find(Shards *shards, int64_t piece, Piece *out, Error *error);
/* The same, and keeps what was read of one that is done. */
bool shards_load(Shards *shards, int64_t piece, Piece *out, Snapshot *snapshot, Error *error);

/* Removes the files of a piece that do not count. */
bool shards_sweep(Shards *shards, int64_t piece, Error *error);

/* Adds "3,7-9" for the pieces marked from `first` to before `past`: what a scheduler takes as an
 * array. Stops where there is no room, with "...". */
void shards_list(const bool *marked, int64_t first, int64_t past, char *out, size_t size);

#endif
