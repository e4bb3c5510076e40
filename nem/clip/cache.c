/* nem/clip/cache.c - embeddings kept from run to run in a folder (L9), as snapshots: each is found
 * by the digest of all that it was computed from, and one that is torn counts as not there. */
#include "../../base/digest.h"
#include "../../engine/engine.h"
#include "clip_private.h"

#include <stdio.h>
#include <string.h>

typedef struct Shelf {
    Checkpoint  files;
    const char *folder;
    const Pass *pass;
    char        name[64];
} Shelf;

static bool make_folder(void *self, Error *error)
{
    const Shelf *shelf = self;
    return folder_create(shelf->folder, error);
}

static void pass_on(void *self, const char *sentence)
{
    const Shelf      *shelf = self;
    const Checkpoint *run   = shelf->pass->checkpoint;
    if (run && run->warn)
        run->warn(run->self, sentence);
}

static void shelf_open(Shelf *shelf, const Clip *clip, const Pass *pass, const char *kind,
                       const char *digest)
{
    *shelf       = (Shelf){.folder = clip->cache, .pass = pass};
    shelf->files = (Checkpoint){.folder = clip->cache,
                                .key    = digest,
                                .resume = true,
                                .begin  = make_folder,
                                .warn   = pass_on,
                                .self   = shelf};
    snprintf(shelf->name, sizeof shelf->name, "%s-%.16s.embeddings", kind, digest);
}

bool clip_cache_load(const Clip *clip, const Pass *pass, const char *kind, const char *digest,
                     int64_t count, float **rows, int64_t *width, Error *error)
{
    Shelf    shelf;
    Snapshot snapshot = {0};
    bool     found    = false, ok;
    shelf_open(&shelf, clip, pass, kind, digest);
    if (!checkpoint_load(&shelf.files, shelf.name, kind, &snapshot, &found, error))
        return false;
    ok         = true;
    size_t row = (size_t)count * sizeof **rows;
    if (found && snapshot.count == 1 && snapshot.parts[0].size > 0 &&
        snapshot.parts[0].size % row == 0) {
        float *made = memory_new(snapshot.parts[0].size, 1, error);
        ok          = made && snapshot_copy(&snapshot, 0, made, snapshot.parts[0].size);
        if (ok) {
            *width = (int64_t)(snapshot.parts[0].size / row);
            *rows  = made;
        } else {
            memory_free(made);
        }
    }
    snapshot_close(&snapshot);
    return ok;
}

bool clip_cache_save(const Clip *clip, const Pass *pass, const char *kind, const char *digest,
                     int64_t count, const float *rows, int64_t width, Error *error)
{
    Shelf        shelf;
    SnapshotPart part = {rows, (size_t)(count * width) * sizeof *rows};
    shelf_open(&shelf, clip, pass, kind, digest);
    return checkpoint_save(&shelf.files, shelf.name, kind, &part, 1, error);
}

void clip_digest_start(const Clip *clip, Sha256 *sha)
{
    sha256_start(sha);
    sha256_add(sha, blob_sha256(clip->blob), 64);
    sha256_add(sha, engine_isa(), strlen(engine_isa()) + 1);
}
