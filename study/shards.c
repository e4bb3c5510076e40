/* study/shards.c - see shards.h. */
#include "shards.h"
#include "../base/digest.h"

#include <stdio.h>
#include <string.h>

// What is wrong is told by shards_find.
static void say_nothing(void *self, const char *sentence)
{
    (void)self;
    (void)sentence;
}

bool shards_open(Shards *out, const char *folder, const char *key, Error *error)
{
    if (strlen(folder) >= sizeof out->folder || strlen(key) >= sizeof out->key)
        return fail(error, ERROR_USAGE, "%.60s: has too long a path", folder);
    *out = (Shards){.checkpoint = {.resume = true, .warn = say_nothing}};
    snprintf(out->folder, sizeof out->folder, "%s", folder);
    snprintf(out->key, sizeof out->key, "%s", key);
    out->checkpoint.folder = out->folder;
    out->checkpoint.key    = out->key;
    return true;
}

void shards_stage(int64_t piece, char out[PIECE_STAGE])
{
    snprintf(out, PIECE_STAGE, "piece %lld", (long long)piece);
}

/* ---- names: INDEX-SHA256 --------------------------------------------------------------------- */

static void name_of_bytes(const Bytes *bytes, int64_t piece, char out[PIECE_NAME])
{
    char text[65];
    sha256_of(bytes->data, bytes->size, text);
    snprintf(out, PIECE_NAME, "%lld-%s", (long long)piece, text);
}

static bool name_of(const char *path, int64_t piece, char out[PIECE_NAME], Error *error)
{
    Bytes bytes = {0};
    if (!file_read(path, SIZE_MAX, &bytes, error))
        return false;
    name_of_bytes(&bytes, piece, out);
    bytes_close(&bytes);
    return true;
}

bool shards_publish(const Shards *shards, int64_t piece, const char *snapshot, Error *error)
{
    char name[PIECE_NAME], path[LIMIT_PATH];
    return name_of(snapshot, piece, name, error) && path_join(path, shards->folder, name, error) &&
           file_rename(snapshot, path, error);
}

static bool is_of_index(const char *name, int64_t piece)
{
    char start[32];
    int  length = snprintf(start, sizeof start, "%lld-", (long long)piece);
    return strncmp(name, start, (size_t)length) == 0;
}

/* ---- finding --------------------------------------------------------------------------------- */

// NULL: the file is a piece of this plan, and here it is. Else why it is none.
static const char *check(Shards *shards, int64_t piece, const char *name, const char *path,
                         Snapshot *out, Error *error)
{
    char     wanted[PIECE_NAME], stage[PIECE_STAGE];
    Snapshot snapshot = {0};
    bool     found    = false;
    shards_stage(piece, stage);
    if (!checkpoint_load(&shards->checkpoint, name, stage, &snapshot, &found, error))
        return "cannot be read";
    if (found)
        name_of_bytes(&snapshot.file, piece, wanted);
    else if (!name_of(path, piece, wanted, error)) // read again, to say what is wrong
        return "cannot be read";
    bool is_whole = strcmp(name, wanted) == 0;
    if (found && is_whole)
        *out = snapshot;
    else
        snapshot_close(&snapshot);
    return !is_whole ? "is cut short or damaged"
           : found   ? NULL
                     : "is of another plan or another version";
}

// May take the snapshot of one with nothing wrong.
typedef bool FileVisit(void *self, const char *name, const char *wrong, Snapshot *snapshot,
                       Error *error);

// Every file of an index. One that another process took away meanwhile was not there.
static bool each_file(Shards *shards, int64_t piece, FileVisit *visit, void *self, Error *error)
{
    char  **names = NULL;
    int64_t count = 0;
    bool    ok    = folder_list(shards->folder, &names, &count, error);
    for (int64_t i = 0; ok && i < count; i++) {
        Error    problem  = {0};
        Snapshot snapshot = {0};
        char     path[LIMIT_PATH];
        if (!is_of_index(names[i], piece) || strlen(names[i]) >= PIECE_NAME ||
            !path_join(path, shards->folder, names[i], NULL))
            continue;
        const char *wrong = check(shards, piece, names[i], path, &snapshot, &problem);
        if (!problem.code)
            ok = visit(self, names[i], wrong, &snapshot, error);
        else if (problem.code != ERROR_NOT_FOUND || file_exists(path))
            ok = fail(error, problem.code, "%s", problem.message);
        snapshot_close(&snapshot);
    }
    names_free(names, count);
    return ok;
}

typedef struct Found {
    Piece    piece;
    Snapshot snapshot;
} Found;

static bool take(void *self, const char *name, const char *wrong, Snapshot *snapshot, Error *error)
{
    Found *found = self;
    Piece *piece = &found->piece;
    (void)error;
    snprintf(wrong ? piece->broken : piece->name, PIECE_NAME, "%s", name);
    if (wrong)
        piece->wrong = wrong;
    piece->state = !wrong || piece->state == PIECE_DONE ? PIECE_DONE : PIECE_BROKEN;
    if (!wrong) {
        snapshot_close(&found->snapshot);
        found->snapshot = *snapshot;
        *snapshot       = (Snapshot){0};
    }
    return true;
}

bool shards_load(Shards *shards, int64_t piece, Piece *out, Snapshot *snapshot, Error *error)
{
    Found found = {.piece.state = PIECE_MISSING};
    if (!each_file(shards, piece, take, &found, error)) {
        snapshot_close(&found.snapshot);
        return false;
    }
    *out      = found.piece;
    *snapshot = found.snapshot;
    return true;
}

bool shards_find(Shards *shards, int64_t piece, Piece *out, Error *error)
{
    Snapshot snapshot = {0};
    bool     ok       = shards_load(shards, piece, out, &snapshot, error);
    snapshot_close(&snapshot);
    return ok;
}

static bool remove_broken(void *self, const char *name, const char *wrong, Snapshot *snapshot,
                          Error *error)
{
    const Shards *shards = self;
    char          path[LIMIT_PATH];
    (void)snapshot;
    return !wrong || (path_join(path, shards->folder, name, error) && file_remove(path, error));
}

bool shards_sweep(Shards *shards, int64_t piece, Error *error)
{
    return each_file(shards, piece, remove_broken, shards, error);
}

void shards_list(const bool *marked, int64_t first, int64_t past, char *out, size_t size)
{
    size_t used = 0;
    out[0]      = 0;
    for (int64_t i = first; i < past; i++) {
        char    text[48];
        int64_t last = i;
        if (!marked[i])
            continue;
        while (last + 1 < past && marked[last + 1])
            last++;
        int length = last == i
                         ? snprintf(text, sizeof text, "%s%lld", used ? "," : "", (long long)i)
                         : snprintf(text, sizeof text, "%s%lld-%lld", used ? "," : "", (long long)i,
                                    (long long)last);
        if (used + (size_t)length + 4 >= size) {
            snprintf(out + used, size - used, "...");
            return;
        }
        used += (size_t)snprintf(out + used, size - used, "%s", text);
        i = last;
    }
}
