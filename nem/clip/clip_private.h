/* nem/clip/clip_private.h - what the files of CLIP-Dissect share. */
#ifndef NEM_CLIP_CLIP_PRIVATE_H
#define NEM_CLIP_CLIP_PRIVATE_H

#include "../../base/digest.h"
#include "../../models/embed.h"
#include "../../models/embedded.h"
#include "clip.h"
#include "similarity.h"

enum { CLIP_AIMED = 100, CLIP_STORY_WORDS = 10 };

/* ---- modes ----------------------------------------------------------------------------------- */

typedef struct ClipRules {
    bool recrops;    // photos of the network's size are enlarged and cropped (L10)
    bool sees_files; // the tower sees unperturbed photos as they are, not as the network does (L8)
} ClipRules;

/* ---- concepts -------------------------------------------------------------------------------- */

/* The lines of a list; label m + 1 is concept m. */
typedef struct Concepts {
    char        *bytes;
    const char **text;        // [count + 1], "" first
    int         *category_of; // [count + 1], all 0
    int32_t      count;
} Concepts;

/* Reads a list of concepts (L7). Errors: ERROR_NOT_FOUND, ERROR_DATA, ERROR_MEMORY. */
bool concepts_open(Concepts *out, const char *path, Error *error);
void concepts_close(Concepts *concepts); // accepts a zeroed object

/* ---- the opened method ----------------------------------------------------------------------- */

/* What a clean run found, read back from its folder. */
typedef struct CleanLayer {
    float  *activations; // [units, images]; NULL: no clean run was read
    float  *images;      // [images, width]
    float  *scores;      // [units, concepts], computed when first needed
    double *common;      // [concepts]; NULL where units are not coupled
} CleanLayer;

typedef struct Clip {
    const ClipRules  *rules;
    const Similarity *similarity;
    bool              pools_max, is_anew;
    int64_t           top;   // words shown of a unit
    const char       *cache; // folder of embeddings, or NULL
    const ProbeSet   *probe;
    ImageSource       photos; // as the probing set has them, before a mode crops them
    Concepts          concepts;
    WeightBlob       *blob; // of both towers
    ImageTower        tower;
    bool              has_tower;
    float            *concept_rows; // [concepts, width], when first needed
    int64_t           width;        // of embeddings; 0: not known yet
    CleanLayer        clean;
} Clip;

/* ---- evidence -------------------------------------------------------------------------------- */

struct Evidence {
    int64_t rows;
    float  *scores;      // [rows, concepts]
    double *common;      // [concepts], or NULL (L2)
    float  *activations; // [units, images] of a whole layer, else NULL
    float  *images;      // [images, width], likewise
};

/* Room for the scores of so many units. */
bool clip_evidence(Evidence **out, const Clip *clip, int64_t rows, Error *error);
void clip_release(Evidence *evidence); // NULL allowed

/* How well a concept fits; NAN where there is no answer. */
double clip_score(const Clip *clip, const Evidence *evidence, int64_t row, int32_t concept);
/* The `count` best concepts of a row, the first of the list among equals (L6). Returns how many
 * have an answer. */
int clip_best(const Clip *clip, const Evidence *evidence, int64_t row, int count, int32_t *out);

/* Scores of so many units from their activations [units, images], and what they have in common. */
bool    clip_score_layer(const Clip *clip, const Embeddings *images, const float *activations,
                         int64_t units, const Pass *pass, Evidence **out, Error *error);
int64_t clip_least_images(const Explainer *explainer);
bool    clip_collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                     Evidence **out, Error *error);
/* What the layer answers to the pass's images, activations [units, images]. */
bool clip_activations(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                      float *activations, Error *error);
/* Whether the set has as many images as the similarity needs. */
bool clip_has_images(const Explainer *explainer, Error *error);
/* Scores, from activations and embeddings [images, width] of the whole set, which it takes over. */
bool clip_finish(const Explainer *explainer, float *activations, float *embeddings,
                 const Pass *pass, Evidence **out, Error *error);
/* In pieces (pieces.c). */
extern const MethodPhase clip_phase;
bool clip_piece(const Explainer *explainer, const Pass *pass, int phase, Share share,
                const Pieces *pieces, Error *error);
bool clip_pieces(const Explainer *explainer, const Pass *pass, const Pieces *pieces, Evidence **out,
                 Error *error);
bool clip_collect_unit(const Explainer *explainer, const UnitView *view, Evidence **out,
                       Error *error);

/* ---- embeddings (towers.c) ------------------------------------------------------------------- */

/* Photos in the network's size, enlarged and cropped: an ImageSource is {clip_recropped_load,
 * Clip}. */
bool clip_recropped_load(void *self, int64_t image, float *planes, Error *error);

/* Embeddings of the listed images of a source, rows [count, width]. */
bool clip_embed_images(const Explainer *explainer, const ImageSource *images, const int64_t *list,
                       int64_t count, const Pass *pass, float *rows, Error *error);

/* Those of all images of a source, *rows [images, width], from the cache where it has them. */
bool clip_embed_set(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                    float **rows, Error *error);

/* Fills clip->concept_rows and clip->width if they are not there. */
bool clip_embed_concepts(const Explainer *explainer, const Pass *pass, Error *error);

/* Opens the tower of images, if it is not open: clip->width is then known. */
bool clip_tower(const Explainer *explainer, Error *error);

/* ---- embeddings of other runs (cache.c) ------------------------------------------------------ */

/* Starts a digest of what all embeddings depend on: the towers and the kernels. */
void clip_digest_start(const Clip *clip, Sha256 *sha);
/* *rows [count, width] of this kind ("images") and digest, to be released with memory_free; left as
 * it is where there are none. */
bool clip_cache_load(const Clip *clip, const Pass *pass, const char *kind, const char *digest,
                     int64_t count, float **rows, int64_t *width, Error *error);
bool clip_cache_save(const Clip *clip, const Pass *pass, const char *kind, const char *digest,
                     int64_t count, const float *rows, int64_t width, Error *error);

/* The cosine of an image of the clean run and a concept. */
float clip_cosine(const Clip *clip, int64_t image, int32_t concept);

/* ---- pooling (pool.c) ------------------------------------------------------------------------ */

/* The activation that a map stands for (L1). */
float clip_pooled(const Clip *clip, const float *map, int64_t cells);

/* ---- files of a run (run_files.c) ------------------------------------------------------------ */

extern const char *const clip_files[];
bool clip_write(const Explainer *explainer, const Evidence *evidence, const char *folder,
                Error *error);
bool clip_baseline(Explainer *explainer, const char *folder, Error *error);
/* Scores of all units in the clean run, and what they have in common, if they are not there. */
bool clip_clean_scores(const Explainer *explainer, Error *error);

/* ---- attacks (aim.c) ------------------------------------------------------------------------- */

bool clip_aim(const Explainer *explainer, const UnitRecord *unit, int32_t target, Aim *out,
              Error *error);
bool clip_candidates(const Explainer *explainer, bool *present, Error *error);

/* ---- stories (story.c) ----------------------------------------------------------------------- */

bool clip_story(const Explainer *explainer, const Evidence *evidence, int64_t unit,
                const float *maps, const PeakImage *top, int top_count, Story **out, Error *error);
void clip_story_close(Story *story); // NULL allowed
void clip_story_json(const Explainer *explainer, const Story *story, JsonWriter *json);
bool clip_story_text(const Explainer *explainer, const Story *story, FILE *stream, Error *error);
void clip_story_page(const Explainer *explainer, const Story *story, Writer *page);
void clip_story_caption(const Story *story, int k, Writer *page);

#endif
