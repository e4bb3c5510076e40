/* nem/dissect/method.c - Network Dissection as a row of the table of methods. */
#include "dissect_private.h"

#include <string.h>

/* ---- opening --------------------------------------------------------------------------------- */

static void close_dissector(Explainer *explainer)
{
    Dissector *dissector = explainer->state;
    if (!dissector)
        return;
    resampler_close(dissector->resampler);
    memory_free(dissector->text);
    memory_free(dissector->category_of);
    memory_free(dissector);
    explainer->state = NULL;
}

static bool open_dissector(Explainer *explainer, Error *error)
{
    const ProbeSet *probe = explainer->inputs.probe;
    size_t          count = (size_t)probe->label_count;
    if (explainer->inputs.layer.is_class_token)
        return fail(
            error, ERROR_USAGE,
            "a class token has no places to compare with label maps, so its units cannot be "
            "dissected; the layer's name without :class has the maps of the patches, and "
            "`activations` takes the class token");
    Dissector *dissector = memory_new(1, sizeof *dissector, error);
    if (!dissector)
        return false;
    explainer->state       = dissector;
    dissector->text        = memory_new(count, sizeof *dissector->text, error);
    dissector->category_of = memory_new(count, sizeof *dissector->category_of, error);
    if (!dissector->text || !dissector->category_of ||
        !resampler_open(&dissector->resampler, explainer->mode->rules, probe,
                        explainer->inputs.layer.height, explainer->inputs.layer.width, error))
        return false;
    for (size_t label = 0; label < count; label++) {
        dissector->text[label]        = probe->labels[label].name;
        dissector->category_of[label] = probe->labels[label].category;
    }
    *explainer->labels = (Labels){.count          = probe->label_count,
                                  .text           = dissector->text,
                                  .category_of    = dissector->category_of,
                                  .category_count = probe->category_count,
                                  .category       = (const char *const *)probe->category};
    return true;
}

/* ---- clean runs ------------------------------------------------------------------------------ */

static void release(Evidence *evidence)
{
    if (evidence)
        dissection_close(&evidence->dissection);
    memory_free(evidence);
}

static bool collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                    Evidence **out, Error *error)
{
    Evidence *evidence = memory_new(1, sizeof *evidence, error);
    if (!evidence || !dissect_layer(&evidence->dissection, explainer->mode->rules,
                                    &explainer->inputs, images, pass, error)) {
        memory_free(evidence);
        return false;
    }
    *out = evidence;
    return true;
}

static bool collect_unit(const Explainer *explainer, const UnitView *view, Evidence **out,
                         Error *error)
{
    Evidence *evidence = memory_new(1, sizeof *evidence, error);
    if (!evidence || !dissect_unit(&evidence->dissection, explainer->mode->rules,
                                   &explainer->inputs, view->maps, error)) {
        memory_free(evidence);
        return false;
    }
    *out = evidence;
    return true;
}

static Concept explain(const Explainer *explainer, const Evidence *evidence, int64_t row)
{
    (void)explainer;
    return dissect_concept(&evidence->dissection, row);
}

static double score_of(const Explainer *explainer, const Evidence *evidence, int64_t row,
                       int32_t label)
{
    (void)explainer;
    return dissect_iou(&evidence->dissection, row, label);
}

static float threshold(const Evidence *evidence, int64_t row)
{
    return evidence->dissection.threshold[row];
}

static const char *const files[] = {"tally.csv", "quantile.npy", NULL};

static bool write_files(const Explainer *explainer, const Evidence *evidence, const char *folder,
                        Error *error)
{
    (void)explainer;
    return dissection_write(&evidence->dissection, folder, error);
}

/* ---- attacks: where the label maps have the labels ------------------------------------------- */

typedef struct LabelAim {
    const PlaneCache *planes;
    const Resampler  *resampler;
    PlaneScratch      scratch;
    int64_t          *images;
    int32_t           source, target;
    int64_t           mask_count;
} LabelAim;

// Where any label map of the image has the label (C8).
static bool fill_masks(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error)
{
    LabelAim *aim = self;
    memset(target, 0, (size_t)aim->mask_count);
    return planes_mask(aim->planes, image, aim->source, &aim->scratch, source, NULL, error) &&
           (!aim->target ||
            planes_mask(aim->planes, image, aim->target, &aim->scratch, target, NULL, error));
}

static void enlarge(const void *self, const float *map, float *out)
{
    const LabelAim *aim = self;
    resampler_map(aim->resampler, map, out);
}

static void transpose(const void *self, const float *weights, float *out)
{
    const LabelAim *aim = self;
    resampler_transpose(aim->resampler, weights, out);
}

static void close_aim(void *self)
{
    LabelAim *aim = self;
    plane_scratch_free(&aim->scratch);
    memory_free(aim->images);
    memory_free(aim);
}

// Lists the images with either label: the poisoned ones (C7).
static int64_t list_images(const LabelAim *aim, bool *marked, int64_t total)
{
    const int32_t labels[] = {aim->source, aim->target};
    int64_t       used     = 0;
    for (int k = 0; k < 2 && labels[k]; k++) {
        int64_t count = planes_images_with(aim->planes, labels[k], aim->images);
        for (int64_t i = 0; i < count; i++)
            marked[aim->images[i]] = true;
    }
    for (int64_t image = 0; image < total; image++)
        if (marked[image])
            aim->images[used++] = image;
    return used;
}

static bool aim_at_labels(const Explainer *explainer, const UnitRecord *unit, AimTarget target,
                          Aim *out, Error *error)
{
    const Inputs    *inputs    = &explainer->inputs;
    const Dissector *dissector = explainer->state;
    size_t           total     = (size_t)inputs->probe->image_count;
    LabelAim        *aim       = memory_new(1, sizeof *aim, error);
    int64_t         *images    = memory_new(total, sizeof *images, error);
    bool            *marked    = memory_new(total, sizeof *marked, error);
    if (!aim || !images || !marked) {
        memory_free(aim);
        memory_free(images);
        memory_free(marked);
        return false;
    }
    *aim = (LabelAim){.planes     = inputs->label_planes,
                      .resampler  = dissector->resampler,
                      .images     = images,
                      .source     = unit->label,
                      .target     = target.label,
                      .mask_count = inputs->probe->map_height * inputs->probe->map_width};
    *out = (Aim){.images      = images,
                 .image_count = list_images(aim, marked, (int64_t)total),
                 .mask_count  = aim->mask_count,
                 .masks       = fill_masks,
                 .enlarge     = enlarge,
                 .transpose   = transpose,
                 .threshold   = unit->threshold,
                 .self        = aim,
                 .close       = close_aim};
    memory_free(marked);
    return true;
}

// The labels that occur in the set: what a random target is drawn from (C13).
static bool candidates(const Explainer *explainer, bool *present, Error *error)
{
    (void)error;
    for (int64_t image = 0; image < explainer->inputs.probe->image_count; image++) {
        int                count;
        const LabelPixels *labels = planes_labels(explainer->inputs.label_planes, image, &count);
        for (int i = 0; i < count; i++)
            present[labels[i].label] = true;
    }
    present[0] = false;
    return true;
}

/* ---- pictures -------------------------------------------------------------------------------- */

// The pixels of the enlarged map above the threshold (D11).
static int64_t mask(const Explainer *explainer, const float *map, float threshold, float *room,
                    uint8_t *mask)
{
    const Dissector *dissector = explainer->state;
    const ProbeSet  *probe     = explainer->inputs.probe;
    int64_t          count     = 0;
    resampler_map(dissector->resampler, map, room);
    for (int64_t i = 0; i < probe->map_height * probe->map_width; i++) {
        mask[i] = room[i] > threshold;
        count += mask[i];
    }
    return count;
}

// The pixels whose labels are what a mask is compared with (D12).
static bool label_mask(const Explainer *explainer, int64_t image, int32_t label, uint8_t *mask,
                       Error *error)
{
    PlaneScratch scratch = {0};
    bool         done =
        planes_mask(explainer->inputs.label_planes, image, label, &scratch, mask, NULL, error);
    plane_scratch_free(&scratch);
    return done;
}

/* ---- what a mode is -------------------------------------------------------------------------- */

static void describe_mode(const Mode *mode, JsonWriter *json)
{
    static const char *const upsamplers[] = {"half-pixel", "pillow", "field-grid"};
    const DissectRules      *rules        = mode->rules;
    json_whole(json, "quantile_entry", rules->quantile_entry);
    json_whole(json, "quantile_entries", rules->quantile_entries);
    json_text(json, "upsampler", upsamplers[rules->upsampler]);
    json_text(json, "category_presence",
              rules->presence == PRESENCE_IN_MASK ? "in mask" : "in image");
    json_number(json, "iou_epsilon", rules->epsilon);
    json_flag(json, "label_0_leaks", rules->label0_leaks);
    json_whole(json, "triples_per_image", rules->triples_per_image);
    json_text(json, "category_left_out", mode->without_category);
}

const Method method_dissection = {
    .name           = "dissection",
    .title          = "Network Dissection",
    .score_name     = "IoU",
    .score_says     = "How well a unit fits a concept: pixels in both mask and concept over pixels "
                      "in either, over all photos.",
    .detector_score = 0.04,
    .score_is_share = true,
    .needs_label_maps = true,
    .modes            = dissect_modes,
    .mode_count       = DISSECT_MODES,
    .open             = open_dissector,
    .close            = close_dissector,
    .collect          = collect,
    .phases           = dissect_phases,
    .phase_count      = DISSECT_PIECE_PHASES,
    .collect_piece    = dissect_piece,
    .collect_pieces   = dissect_pieces,
    .collect_unit     = collect_unit,
    .release          = release,
    .explain          = explain,
    .score_of         = score_of,
    .threshold        = threshold,
    .files            = files,
    .write            = write_files,
    .read             = dissection_read,
    .describe_mode    = describe_mode,
    .summary_json     = dissect_summary_json,
    .summary_text     = dissect_summary_text,
    .aim              = aim_at_labels,
    .candidates       = candidates,
    .mask             = mask,
    .label_mask       = label_mask,
    .story            = dissect_story,
    .story_close      = dissect_story_close,
    .story_json       = dissect_story_json,
    .story_text       = dissect_story_text,
    .story_page       = dissect_story_page,
    .story_caption    = dissect_story_caption,
};
