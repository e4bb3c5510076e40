/* nem/dissect/modes.c - the modes as data: which published program each constant follows.
 *
 * All that a mode decides stands here and nowhere else in the program. docs/methods/compat-modes.md
 * has the same table in words. */
#include "dissect_private.h"

#include <math.h>

enum { QUANTILE_ENTRIES = 1000 };

// The threshold's entry of 1000 is the one for a tail of 0.005 (D2, Q6).
#define EVERY_MODE                                                                                 \
    .quantile_entry = 994, .quantile_entries = QUANTILE_ENTRIES, .store_bytes = (size_t)768 << 20

// corrupt23 and clean count alike; they part ways when images are attacked and stored. Maps grow by
// half-pixel centres, a category is present where the mask meets it, and the IoU has a small term
// below the line.
static const DissectRules corrupt23 = {
    EVERY_MODE,
    .upsampler = UPSAMPLE_HALF_PIXEL,
    .presence  = PRESENCE_IN_MASK,
    .epsilon   = 1e-10,
};

// Maps grow by Pillow's rule (Q8), and label 0 counts as a label (Q7).
static const DissectRules lite = {
    EVERY_MODE,       .upsampler = UPSAMPLE_PILLOW, .presence = PRESENCE_IN_MASK,
    .epsilon = 1e-10, .label0_leaks = true,
};

// Cells are placed by their receptive fields (Q8), a category is present wherever the image has it
// (Q3), and an image keeps at most 2048 counts (Q9).
static const DissectRules nd2017 = {
    EVERY_MODE,       .upsampler = UPSAMPLE_FIELD_GRID, .presence = PRESENCE_IN_IMAGE,
    .epsilon = 1e-20, .triples_per_image = 2048,
};

// The default store (Q1), one objective for 64 images (Q4), masks from images that were not
// prepared for the network (Q5), VGG layers after their ReLU (Q2), a category left out (Q10).
const Mode dissect_modes[DISSECT_MODES] = {
    {.name      = "corrupt23",
     .store     = "jpeg75",
     .coupled   = true,
     .raw_masks = true,
     .rules     = &corrupt23},
    {.name = "clean", .store = "float", .rules = &corrupt23},
    {.name             = "lite",
     .store            = "float",
     .post_relu        = true,
     .without_category = "material",
     .rules            = &lite},
    {.name = "nd2017", .store = "float", .post_relu = true, .rules = &nd2017},
};

const DissectRules *dissect_rules(const char *mode)
{
    const Mode *found = mode_named(&method_dissection, mode);
    return found ? found->rules : NULL;
}

bool dissect_set_alpha(DissectRules *rules, double alpha, Error *error)
{
    // 1000 * (1 - 0.005) - 1 is a hair off 994: a relative rounding error must not move the entry.
    double entry = floor(QUANTILE_ENTRIES * (1 - alpha) - 1 + 1e-9);
    if (!(alpha > 0 && alpha < 1) || entry < 0)
        return fail(error, ERROR_USAGE, "alpha is %g, expected a number between 0 and 0.999",
                    alpha);
    rules->quantile_entry   = (int)entry;
    rules->quantile_entries = QUANTILE_ENTRIES;
    return true;
}
