/* nem/clip/run_files.c - what CLIP-Dissect leaves in a run folder beside units.csv, and reads back.
 *
 * words.csv has the best words of every unit; images.npy [images, width] and concepts.npy
 * [concepts, width] are the embeddings, activations.npy [units, images] the pooled activations:
 * all that scores are computed from. */
#include "../../format/csv.h"
#include "../../format/npy.h"
#include "../units.h"
#include "clip_private.h"

const char *const clip_files[] = {"words.csv", "images.npy", "concepts.npy", "activations.npy",
                                  NULL};

/* ---- writing --------------------------------------------------------------------------------- */

static void write_words(Writer *writer, const Clip *clip, const Evidence *evidence, int32_t *best)
{
    writer_text(writer, "unit,rank,word,similarity\n");
    for (int64_t unit = 0; unit < evidence->rows; unit++) {
        int count = clip_best(clip, evidence, unit, (int)clip->top, best);
        for (int k = 0; k < count; k++) {
            writer_text(writer, "%lld,%d,", (long long)unit, k + 1);
            csv_write_text(writer, clip->concepts.text[best[k] + 1]);
            writer_text(writer, ",");
            units_write_double(writer, clip_score(clip, evidence, unit, best[k]));
            writer_text(writer, "\n");
        }
    }
}

static bool publish_words(const Clip *clip, const Evidence *evidence, const char *folder,
                          Error *error)
{
    char     path[LIMIT_PATH];
    Writer  *writer = NULL;
    int32_t *best   = memory_new((size_t)clip->top, sizeof *best, error);
    bool     ok =
        best && path_join(path, folder, clip_files[0], error) && writer_open(&writer, path, error);
    if (ok) {
        write_words(writer, clip, evidence, best);
        ok = writer_publish(writer, error);
    }
    memory_free(best);
    return ok;
}

static bool publish_array(const char *folder, const char *name, const float *data, int64_t rows,
                          int64_t columns, Error *error)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, name, error) &&
           npy_write(path, data, shape_2d(rows, columns), error);
}

bool clip_write(const Explainer *explainer, const Evidence *evidence, const char *folder,
                Error *error)
{
    const Clip *clip   = explainer->state;
    int64_t     images = explainer->inputs.probe->image_count;
    return publish_words(clip, evidence, folder, error) &&
           publish_array(folder, clip_files[1], evidence->images, images, clip->width, error) &&
           publish_array(folder, clip_files[2], clip->concept_rows, clip->concepts.count,
                         clip->width, error) &&
           publish_array(folder, clip_files[3], evidence->activations, evidence->rows, images,
                         error);
}

/* ---- reading --------------------------------------------------------------------------------- */

// An array of so many rows, and columns unless *columns is 0, which is then set.
static bool read_array(const char *folder, const char *name, int64_t rows, int64_t *columns,
                       float **out, Error *error)
{
    char  path[LIMIT_PATH];
    Shape shape;
    if (!path_join(path, folder, name, error) || !npy_read(path, out, &shape, error))
        return false;
    if (shape.rank != 2 || shape.dim[0] != rows || (*columns && shape.dim[1] != *columns)) {
        memory_free(*out);
        *out = NULL;
        return fail(error, ERROR_DATA, "%s: is %s, expected %lld rows%s", path, SHAPE_TEXT(shape),
                    (long long)rows, *columns ? " of the other arrays' length" : "");
    }
    *columns = shape.dim[1];
    return true;
}

bool clip_baseline(Explainer *explainer, const char *folder, Error *error)
{
    Clip       *clip   = explainer->state;
    CleanLayer *clean  = &clip->clean;
    int64_t     images = explainer->inputs.probe->image_count;
    return read_array(folder, clip_files[1], images, &clip->width, &clean->images, error) &&
           read_array(folder, clip_files[2], clip->concepts.count, &clip->width,
                      &clip->concept_rows, error) &&
           read_array(folder, clip_files[3], explainer->inputs.layer.units, &images,
                      &clean->activations, error);
}

bool clip_clean_scores(const Explainer *explainer, Error *error)
{
    Clip       *clip  = explainer->state;
    CleanLayer *clean = &clip->clean;
    Pass        pass  = {0};
    Embeddings  rows  = {
          .count = explainer->inputs.probe->image_count, .width = clip->width, .rows = clean->images};
    Evidence *all = NULL;
    if (clean->common || clip->similarity->lambda == 0)
        return true;
    if (!clip_score_layer(clip, &rows, clean->activations, explainer->inputs.layer.units, &pass,
                          &all, error))
        return false;
    clean->scores = all->scores;
    clean->common = all->common;
    all->scores   = NULL;
    all->common   = NULL;
    clip_release(all);
    return true;
}
