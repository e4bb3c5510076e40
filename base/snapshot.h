/* base/snapshot.h - checkpoints: unfinished work on disk, from which a killed run goes on.
 *
 * A checkpoint file holds a snapshot: a list of arrays (parts), the digest of a key that names
 * everything they depend on, and a checksum. It is published whole. What is read back is either
 * what was written for the same key, or nothing; a damaged file is reported and counts as none.
 * Arrays are written as they lie in memory, so another byte order or another version of the program
 * counts as another key. */
#ifndef BASE_SNAPSHOT_H
#define BASE_SNAPSHOT_H

#include "file.h"

/* Ends the sentence of an ERROR_AGAIN after a checkpoint. */
#define CHECKPOINT_HINT "; the same command with --resume goes on from there"

typedef struct SnapshotPart {
    const void *data;
    size_t      size;
} SnapshotPart;

/* The checkpoints of one run. A run has few files, each written again and again. A run does its
 * work in phases, and each file says for which phase (`stage`) it was written; one of another phase
 * counts as not there. */
typedef struct Checkpoint {
    const char *folder;
    const char *key;    // what all results depend on
    bool        resume; // whether what is in the folder may be continued
    double      last;   // clock_seconds of the last one, or of the start
    /* Called before anything is written: makes the folder ready. NULL: files are only read, and
     * somebody else makes them. */
    bool (*begin)(void *self, Error *error);
    /* Called with one sentence about a file that cannot be used. */
    void (*warn)(void *self, const char *sentence);
    void       *self;
    const char *remedy; // ends the sentence about one that contradicts the run
} Checkpoint;

/* Seconds from one checkpoint to the next: ten; tests ask for less. */
double checkpoint_interval(void);
void   checkpoint_interval_set(double seconds);

/* Whether it is time for the next checkpoint. */
bool checkpoint_due(const Checkpoint *checkpoint);

/* Publishes folder/name. Cost: a copy to disk and a sync. */
bool checkpoint_save(Checkpoint *checkpoint, const char *name, const char *stage,
                     const SnapshotPart *parts, int64_t count, Error *error);

typedef struct Snapshot {
    Bytes         file;
    SnapshotPart *parts; // point into the file
    int64_t       count;
} Snapshot;

/* Looks for folder/name of this key and stage. *found false: there is none, or it was damaged.
 * Errors: ERROR_MEMORY, ERROR_IO, ERROR_NOT_FOUND (it is there and cannot be opened). */
bool checkpoint_load(Checkpoint *checkpoint, const char *name, const char *stage, Snapshot *out,
                     bool *found, Error *error);
void snapshot_close(Snapshot *snapshot); // accepts a zeroed object

/* Reads a checkpoint of exactly these parts into where they point. *found false, and nothing is
 * written: there is none, or `checkpoint` is NULL. Errors: also ERROR_DATA where parts have other
 * sizes (checkpoint_refuse); what they say is for the caller to check. */
bool checkpoint_restore(Checkpoint *checkpoint, const char *name, const char *stage,
                        const SnapshotPart *parts, int64_t count, bool *found, Error *error);

/* The error where the parts that were found contradict the run. Checksum and key were right, so
 * this is a defect or a forgery. Returns false. */
bool checkpoint_refuse(const Checkpoint *checkpoint, const char *name, Error *error);

/* Copies part `index` if it is there and has exactly `size` bytes. */
bool snapshot_copy(const Snapshot *snapshot, int64_t index, void *to, size_t size);
/* Copies the parts from `first` on to where parts[count] point, as they were listed to save them.
 * All or nothing: false, and nothing is written, if one is not there or has another size. */
bool snapshot_copy_all(const Snapshot *snapshot, int64_t first, const SnapshotPart *parts,
                       int64_t count);

#endif
