/* nem/clip/pieces.c - CLIP-Dissect on several machines: each share of the images is run through the
 * layer and the tower; the scores, which need all images, are computed where pieces meet. */
#include "clip_private.h"

#include <string.h>

const MethodPhase clip_phase = {"activations and embeddings", CUT_IMAGES};

/* What a share of the images has: activations [units, count], embeddings [count, width]. */
typedef struct ImagesSeen {
    int64_t first, past;
    float  *activations, *embeddings;
} ImagesSeen;

static void list_seen(const ImagesSeen *seen, int64_t units, int64_t width, SnapshotPart parts[2])
{
    size_t count = (size_t)(seen->past - seen->first);
    parts[0]     = (SnapshotPart){seen->activations, (size_t)units * count * sizeof(float)};
    parts[1]     = (SnapshotPart){seen->embeddings, count * (size_t)width * sizeof(float)};
}

static bool open_seen(ImagesSeen *out, int64_t units, int64_t width, Error *error)
{
    size_t count     = (size_t)(out->past - out->first);
    out->activations = memory_new((size_t)units * count, sizeof *out->activations, error);
    out->embeddings  = memory_new(count * (size_t)width, sizeof *out->embeddings, error);
    return out->activations && out->embeddings;
}

static void close_seen(ImagesSeen *seen)
{
    memory_free(seen->activations);
    memory_free(seen->embeddings);
}

static bool see_activations(const Explainer *explainer, const Pass *pass, ImagesSeen *seen,
                            Error *error)
{
    int64_t units = explainer->inputs.layer.units, images = explainer->inputs.probe->image_count;
    int64_t count = seen->past - seen->first;
    float  *all   = memory_new((size_t)(units * images), sizeof *all, error);
    bool    ok    = all && clip_activations(explainer, &explainer->inputs.images, pass, all, error);
    for (int64_t unit = 0; ok && unit < units; unit++)
        memcpy(seen->activations + unit * count, all + unit * images + seen->first,
               (size_t)count * sizeof *all);
    memory_free(all);
    return ok;
}

static bool see_embeddings(const Explainer *explainer, const Pass *pass, ImagesSeen *seen,
                           Error *error)
{
    int64_t  count = seen->past - seen->first;
    int64_t *list  = memory_new((size_t)count, sizeof *list, error);
    Pass     tower = pass_within(pass, "images" PASS_FILE_ENDING, pass->phase);
    for (int64_t i = 0; list && i < count; i++)
        list[i] = seen->first + i;
    bool ok = list && clip_embed_images(explainer, &explainer->inputs.images, list, count, &tower,
                                        seen->embeddings, error);
    memory_free(list);
    return ok;
}

bool clip_piece(const Explainer *explainer, const Pass *pass, int phase, Share share,
                const Pieces *pieces, Error *error)
{
    const Clip  *clip  = explainer->state;
    int64_t      units = explainer->inputs.layer.units;
    ImagesSeen   seen  = {0};
    SnapshotPart parts[2];
    (void)phase;
    (void)share; // the pass has it
    pass_images(pass, explainer->inputs.probe->image_count, &seen.first, &seen.past);
    bool ok = clip_has_images(explainer, error) && clip_tower(explainer, error) &&
              open_seen(&seen, units, clip->width, error) &&
              see_activations(explainer, pass, &seen, error) &&
              see_embeddings(explainer, pass, &seen, error);
    if (ok) {
        list_seen(&seen, units, clip->width, parts);
        ok = pieces_save(pieces, parts, 2, error);
    }
    close_seen(&seen);
    return ok;
}

// Puts the images of one piece in their place among all.
static bool place(const Explainer *explainer, const Pieces *pieces, int64_t index,
                  float *activations, float *embeddings, Error *error)
{
    int64_t      width  = ((const Clip *)explainer->state)->width;
    int64_t      units  = explainer->inputs.layer.units;
    int64_t      images = explainer->inputs.probe->image_count;
    Pass         pass   = {.share = {index, pieces->count}};
    ImagesSeen   seen   = {0};
    Snapshot     piece  = {0};
    SnapshotPart parts[2];
    pass_images(&pass, images, &seen.first, &seen.past);
    bool ok = open_seen(&seen, units, width, error) && pieces_load(pieces, index, &piece, error);
    if (ok) {
        list_seen(&seen, units, width, parts);
        ok = (piece.count == 2 && snapshot_copy_all(&piece, 0, parts, 2)) ||
             pieces_refuse(pieces, index, error);
    }
    int64_t count = seen.past - seen.first;
    for (int64_t unit = 0; ok && unit < units; unit++)
        memcpy(activations + unit * images + seen.first, seen.activations + unit * count,
               (size_t)count * sizeof *activations);
    if (ok)
        memcpy(embeddings + seen.first * width, seen.embeddings, parts[1].size);
    snapshot_close(&piece);
    close_seen(&seen);
    return ok;
}

bool clip_pieces(const Explainer *explainer, const Pass *pass, const Pieces *pieces, Evidence **out,
                 Error *error)
{
    const Clip *clip        = explainer->state;
    size_t      images      = (size_t)explainer->inputs.probe->image_count;
    float      *activations = NULL, *embeddings = NULL;
    bool        ok = clip_has_images(explainer, error) && clip_tower(explainer, error) &&
              clip_embed_concepts(explainer, pass, error);
    if (ok) {
        activations =
            memory_new(images * (size_t)explainer->inputs.layer.units, sizeof *activations, error);
        embeddings = memory_new(images * (size_t)clip->width, sizeof *embeddings, error);
    }
    ok = activations && embeddings;
    for (int64_t i = 0; ok && i < pieces->count; i++)
        ok = place(explainer, pieces, i, activations, embeddings, error);
    if (ok)
        return clip_finish(explainer, activations, embeddings, pass, out, error);
    memory_free(activations);
    memory_free(embeddings);
    return false;
}
