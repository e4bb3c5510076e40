/* report/now.c - what a unit is said to detect after a perturbation: its mask at the new threshold
 * beside the places of its new concept, on pictures where the two meet. */
#include "page.h"

#include <math.h>
#include <stdio.h>

enum { PLACES = 4 };

typedef struct Places {
    int64_t image[PLACES], both[PLACES]; // the most pixels in both masks first
    int     count;
} Places;

static void keep_place(Places *places, int64_t image, int64_t both)
{
    int at = places->count;
    while (at > 0 && places->both[at - 1] < both)
        at--;
    if (at == PLACES)
        return;
    places->count += places->count < PLACES;
    for (int k = places->count - 1; k > at; k--) {
        places->image[k] = places->image[k - 1];
        places->both[k]  = places->both[k - 1];
    }
    places->image[at] = image;
    places->both[at]  = both;
}

static Shot shot_of(const char *file, const float *map, const ChangeRow *setting, int64_t image)
{
    return (Shot){.file        = file,
                  .description = "the unit's mask at the new threshold and the new concept",
                  .map         = map,
                  .threshold   = setting->new_threshold,
                  .image       = image,
                  .label       = setting->now.label};
}

// Of an attack, photos that it leaves alone: their clean maps are what the new label rests on.
// Noise is on all of them; there the clean maps only choose.
static bool find_places(Report *report, int64_t index, const ChangeRow *setting, Places *places,
                        Error *error)
{
    const Inputs *inputs = &report->explainer->inputs;
    for (int64_t image = 0; image < inputs->probe->image_count; image++) {
        const float *map  = map_of(report, index, image);
        Shot         shot = shot_of("", map, setting, image);
        Overlap      overlap;
        if ((report->job->attack && replay_poisons(report->replay, index, image)) ||
            map_peak(map, inputs->layer.height * inputs->layer.width) <= setting->new_threshold)
            continue;
        if (!overlap_find(report, &shot, &overlap, error))
            return false;
        if (overlap.both)
            keep_place(places, image, overlap.both);
    }
    return true;
}

static bool show_shot(Report *report, const Shot *shot, bool perturbed, Error *error)
{
    Overlap overlap;
    writer_text(report->page, "<figure>");
    if (!mask_figure(report, shot, &overlap, error))
        return false;
    writer_text(report->page, "<figcaption>image %lld%s: ", (long long)shot->image,
                perturbed ? ", perturbed" : "");
    if (overlap.mask) {
        writer_text(report->page, "%lld of %lld px on ", (long long)overlap.both,
                    (long long)overlap.mask);
        html_name(report->page, report->explainer->labels->text[shot->label]);
    } else {
        writer_text(report->page, "no pixel above the threshold");
    }
    writer_text(report->page, "</figcaption></figure>\n");
    return true;
}

static bool show_place(Report *report, int64_t index, const ChangeRow *setting, int64_t image,
                       Error *error)
{
    ReplayResult result;
    char         file[64];
    if (!replay_poisons(report->replay, index, image)) {
        snprintf(file, sizeof file, "photos/%06lld.png", (long long)image);
        Shot shot = shot_of(file, map_of(report, index, image), setting, image);
        return picture_write_photo(report, image, error) && show_shot(report, &shot, false, error);
    }
    snprintf(file, sizeof file, "units/%06lld-now-%06lld.png", (long long)setting->unit,
             (long long)image);
    if (!replay_run(report->replay, index, image, setting, NULL, &result, error) ||
        !picture_write(report, file, result.stored, error))
        return false;
    Shot shot = shot_of(file, result.map, setting, image);
    return show_shot(report, &shot, true, error);
}

static void write_words(Report *report, int64_t index, const ChangeRow *setting, bool some)
{
    Writer     *page = report->page;
    const char *name = report->explainer->labels->text[setting->now.label];
    writer_text(page, "<h4>%s: ",
                is_detector(report->explainer->method, setting->now.score)
                    ? "What it is said to detect now"
                    : "What fits it best now, too little for a detector");
    html_name(page, name);
    writer_text(page,
                "</h4>\n<p class=\"note\">Yellow is the mask at the new threshold, %.6g (clean: "
                "%.6g), blue is where the label maps have ",
                (double)setting->new_threshold, (double)report->stories[index].threshold);
    html_name(page, name);
    writer_text(page, ". The perturbed photo from above%s.</p>\n<div class=\"shots now\">\n",
                !some                 ? "; on no other photo do the two meet"
                : report->job->attack ? ", then photos the attack left alone, on which the two "
                                        "meet in most pixels"
                                      : ", then photos on which the two meet");
}

bool show_now(Report *report, int64_t index, const ChangeRow *setting, int64_t image,
              const char *file, const float *map, Error *error)
{
    const Method *method = report->explainer->method;
    Places        places = {0};
    if (!setting->changed || !setting->now.label || !method->mask || !method->label_mask ||
        isnan(setting->new_threshold))
        return true;
    Shot shot = shot_of(file, map, setting, image);
    if (!find_places(report, index, setting, &places, error))
        return false;
    write_words(report, index, setting, places.count > 0);
    if (!show_shot(report, &shot, true, error))
        return false;
    for (int k = 0; k < places.count; k++)
        if (places.image[k] != shot.image &&
            !show_place(report, index, setting, places.image[k], error))
            return false;
    writer_text(report->page, "</div>\n");
    return true;
}
