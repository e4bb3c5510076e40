/* nem/clip/method.c - CLIP-Dissect as a row of the table of methods, and its modes. */
#include "../units.h"
#include "clip_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- modes ----------------------------------------------------------------------------------- */

// clipdissect23: the published code of Oikarinen and Weng (L10).
static const ClipRules published = {.recrops = true, .sees_files = true};
static const ClipRules plain     = {0};

static const Mode modes[] = {
    {.name = "clipdissect23", .store = "float", .rules = &published},
    {.name = "clean", .store = "float", .rules = &plain},
};

static void describe_mode(const Mode *mode, JsonWriter *json)
{
    const ClipRules *rules = mode->rules;
    json_flag(json, "recrops", rules->recrops);
    json_flag(json, "tower_sees_files", rules->sees_files);
}

/* ---- options --------------------------------------------------------------------------------- */

static const MethodOption options[] = {
    {.name  = "clip",
     .kind  = METHOD_FILE,
     .value = "FILE.nw",
     .help  = "the two towers that photos and words are embedded by (default: built-in ones, which "
              "know the mini world)"},
    {.name  = "concepts",
     .kind  = METHOD_FILE,
     .value = "FILE.txt",
     .help  = "words to name units by, one a line"},
    {.name    = "similarity",
     .kind    = METHOD_CHOICE,
     .value   = SIMILARITY_NAMES,
     .initial = "soft-wpmi",
     .help    = "how well a word fits a unit"},
    {.name    = "pool",
     .kind    = METHOD_CHOICE,
     .value   = "mean|max",
     .initial = "mean",
     .help    = "the number a unit's activation map stands for"},
    {.name    = "coupling",
     .kind    = METHOD_CHOICE,
     .value   = "frozen|anew",
     .initial = "frozen",
     .help    = "when one unit is explained again: what a word has in common with the units of the "
                "layer is the clean run's, or computed anew"},
    {.name    = "top",
     .kind    = METHOD_COUNT,
     .value   = "N",
     .initial = "5",
     .help    = "words of each unit in words.csv"},
    {.name  = "cache",
     .kind  = METHOD_FOLDER,
     .value = "DIR",
     .help  = "keeps embeddings of photos and words for other runs, which find them by what they "
              "were computed from"},
};

static bool is_set(const Explainer *explainer, const char *name, const char *value)
{
    const char *set = method_value(explainer, name);
    return set && strcmp(set, value) == 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void close_clip(Explainer *explainer)
{
    Clip *clip = explainer->state;
    if (!clip)
        return;
    image_tower_close(&clip->tower);
    blob_close(clip->blob);
    concepts_close(&clip->concepts);
    memory_free(clip->concept_rows);
    memory_free(clip->clean.activations);
    memory_free(clip->clean.images);
    memory_free(clip->clean.scores);
    memory_free(clip->clean.common);
    memory_free(clip);
    explainer->state = NULL;
}

static bool open_files(const Explainer *explainer, Clip *clip, Error *error)
{
    const char *towers = method_value(explainer, "clip");
    const char *words  = method_value(explainer, "concepts");
    if (!words)
        return fail(error, ERROR_USAGE,
                    "CLIP-Dissect names units by words of a list: --concepts FILE.txt says which");
    return concepts_open(&clip->concepts, words, error) &&
           blob_open_or_embedded(towers, "clip", &clip->blob, error) &&
           blob_takes_images(clip->blob, error);
}

static bool open_clip(Explainer *explainer, Error *error)
{
    static const char *const category = "concept";
    Clip                    *clip     = memory_new(1, sizeof *clip, error);
    if (!clip)
        return false;
    explainer->state = clip;
    *clip            = (Clip){.rules      = explainer->mode->rules,
                              .similarity = similarity_named(method_value(explainer, "similarity")),
                              .pools_max  = is_set(explainer, "pool", "max"),
                              .is_anew    = is_set(explainer, "coupling", "anew"),
                              .probe      = explainer->inputs.probe,
                              .photos     = explainer->inputs.images};
    if (!clip->similarity)
        return fail(error, ERROR_USAGE, "--similarity: expected one of %s", SIMILARITY_NAMES);
    if (!open_files(explainer, clip, error))
        return false;
    clip->top = strtoll(method_value(explainer, "top"), NULL, 10);
    if (clip->top > clip->concepts.count)
        clip->top = clip->concepts.count;
    clip->cache = method_value(explainer, "cache");
    if (clip->rules->recrops && !clip->probe->is_photos)
        explainer->inputs.images = (ImageSource){clip_recropped_load, clip};
    *explainer->labels = (Labels){.count          = clip->concepts.count + 1,
                                  .text           = clip->concepts.text,
                                  .category_of    = clip->concepts.category_of,
                                  .category_count = 1,
                                  .category       = &category};
    return true;
}

/* ---- what it says ---------------------------------------------------------------------------- */

// In place of NaN, which is lower than any score and which no file holds (L6).
static const double NO_ANSWER = -1e6;

static Concept explain(const Explainer *explainer, const Evidence *evidence, int64_t row)
{
    const Clip *clip = explainer->state;
    int32_t     best = 0;
    if (!clip_best(clip, evidence, row, 1, &best))
        return (Concept){.score = NO_ANSWER};
    return (Concept){.label = best + 1, .score = clip_score(clip, evidence, row, best)};
}

static double score_of(const Explainer *explainer, const Evidence *evidence, int64_t row,
                       int32_t label)
{
    double score = label ? clip_score(explainer->state, evidence, row, label - 1) : NO_ANSWER;
    return isnan(score) ? NO_ANSWER : score;
}

const Method method_clip_dissect = {
    .name       = "clip-dissect",
    .title      = "CLIP-Dissect",
    .score_name = "similarity",
    .score_says = "How well a word fits the photos that the unit is most active on; soft-wpmi and "
                  "wpmi: better than it fits the units of the layer on average, in logarithms.",
    .detector_score = 0, // above what the word has in common with the layer (L14)
    .sees_pixels    = true,
    .reads_class    = true,
    .modes          = modes,
    .mode_count     = sizeof modes / sizeof *modes,
    .options        = options,
    .option_count   = sizeof options / sizeof *options,
    .open           = open_clip,
    .close          = close_clip,
    .least_images   = clip_least_images,
    .collect        = clip_collect,
    .phases         = &clip_phase,
    .phase_count    = 1,
    .collect_piece  = clip_piece,
    .collect_pieces = clip_pieces,
    .collect_unit   = clip_collect_unit,
    .baseline       = clip_baseline,
    .release        = clip_release,
    .explain        = explain,
    .score_of       = score_of,
    .files          = clip_files,
    .write          = clip_write,
    .read           = units_read,
    .describe_mode  = describe_mode,
    .aim            = clip_aim,
    .candidates     = clip_candidates,
    .story          = clip_story,
    .story_close    = clip_story_close,
    .story_json     = clip_story_json,
    .story_text     = clip_story_text,
    .story_page     = clip_story_page,
    .story_caption  = clip_story_caption,
};
