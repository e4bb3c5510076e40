/* report/details.c - some units one by one: their best images, their story, and one image before
 * and after. */
#include "page.h"

#include <math.h>
#include <stdio.h>

/* ---- the best images ------------------------------------------------------------------------- */

static bool show_top(Report *report, int64_t index, Error *error)
{
    const UnitStory *story  = &report->stories[index];
    const Method    *method = report->explainer->method;
    Writer          *page   = report->page;
    int32_t          label  = report->job->clean.record->units[story->unit].label;
    Overlap          overlap;
    writer_text(page, "<div class=\"shots top\">\n");
    for (int k = 0; k < story->top_count; k++) {
        const PeakImage *top = &story->top[k];
        char             file[64], words[128], outlined[64] = "";
        snprintf(file, sizeof file, "photos/%06lld.png", (long long)top->image);
        if (method->mask)
            snprintf(outlined, sizeof outlined, ", the mask of unit %lld outlined",
                     (long long)story->unit);
        snprintf(words, sizeof words, "image %lld of the probing set%s", (long long)top->image,
                 outlined);
        if (!picture_write_photo(report, top->image, error))
            return false;
        writer_text(page, "<figure>");
        Shot shot = {file,       words, map_of(report, index, top->image), story->threshold,
                     top->image, label};
        if (!mask_figure(report, &shot, &overlap, error))
            return false;
        writer_text(page, "<figcaption>peak <b>%.5g</b>", (double)top->peak);
        if (story->story && method->story_caption) {
            writer_text(page, "<br>");
            method->story_caption(story->story, k, page);
        }
        writer_text(page, "</figcaption></figure>\n");
    }
    writer_text(page, "</div>\n");
    return true;
}

/* ---- one image before and after -------------------------------------------------------------- */

static void show_plain(Report *report, const char *file, const char *description,
                       const char *caption)
{
    writer_text(report->page, "<figure>");
    plain_figure(report, file, description);
    writer_text(report->page, "<figcaption>%s</figcaption></figure>\n", caption);
}

static bool show_mask(Report *report, const Shot *shot, const char *caption, Error *error)
{
    Overlap overlap;
    writer_text(report->page, "<figure>");
    if (!mask_figure(report, shot, &overlap, error))
        return false;
    writer_text(report->page, "<figcaption>%s %.6g: %lld px</figcaption></figure>\n", caption,
                (double)shot->threshold, (long long)overlap.mask);
    return true;
}

// What maps a perturbation to the ends of the range of a picture.
static double change_scale(const ChangeRow *setting)
{
    return setting->strength * (setting_is_noise(setting) ? 3 : 1);
}

// Photo, perturbation, stored photo, mask before, mask after: side by side.
static bool show_pair(Report *report, int64_t index, int64_t image, const ChangeRow *setting,
                      const ReplayResult *result, const char *change, const char *stored,
                      Error *error)
{
    const UnitStory        *story = &report->stories[index];
    const ActivationSource *layer = &report->explainer->inputs.layer;
    size_t                  size  = (size_t)(3 * layer->image_height * layer->image_width);
    char                    photo[64], words[160], strength[32], method[32];
    strength_text(setting, strength);
    method_text(setting, method);
    snprintf(photo, sizeof photo, "photos/%06lld.png", (long long)image);
    writer_text(report->page,
                "<h4>Image %lld before and after %s at %s</h4>\n<div class=\"shots pair\">\n",
                (long long)image, method, strength);
    show_plain(report, photo, "the photo before", "photo");
    snprintf(words, sizeof words, "perturbation, \xc3\x97%.3g", 0.5 / change_scale(setting));
    show_plain(report, change, "the perturbation, amplified around gray", words);
    snprintf(words, sizeof words, "stored as %s, %.1f levels apart at most",
             store_arm_name(setting->store),
             255 * (double)planes_distance(result->clean, result->stored, size));
    show_plain(report, stored, "the perturbed photo as stored", words);
    if (report->explainer->method->mask) { // both are cut at the clean threshold (C25)
        Shot before       = {photo,
                             "the unit's mask on the photo",
                             map_of(report, index, image),
                             story->threshold,
                             image,
                             setting->clean.label};
        Shot after        = before;
        after.file        = stored;
        after.map         = result->map;
        after.description = "the unit's mask on the stored photo";
        if (!show_mask(report, &before, "mask before, cut at", error) ||
            !show_mask(report, &after, "mask after, cut at the clean threshold", error))
            return false;
    }
    writer_text(report->page, "</div>\n");
    return true;
}

static bool show_corrupted(Report *report, int64_t index, Error *error)
{
    const UnitStory *story   = &report->stories[index];
    const ChangeRow *setting = change_of(report, report->strongest, story->unit);
    ReplayResult     result  = {0};
    char             change[64], stored[64];
    int64_t          image = -1;
    if (setting && setting->strength > 0)
        image = replay_image(report->replay, index, story->top, story->top_count);
    if (image < 0)
        return true;
    snprintf(change, sizeof change, "units/%06lld-change.png", (long long)story->unit);
    snprintf(stored, sizeof stored, "units/%06lld-stored.png", (long long)story->unit);
    if (!replay_run(report->replay, index, image, setting, NULL, &result, error) ||
        !picture_write_photo(report, image, error) ||
        !picture_write_change(report, change, result.clean, result.perturbed,
                              (float)change_scale(setting), error) ||
        !picture_write(report, stored, result.stored, error))
        return false;
    return show_pair(report, index, image, setting, &result, change, stored, error) &&
           show_now(report, index, setting, image, stored, result.map, error);
}

/* ---- one unit -------------------------------------------------------------------------------- */

static void write_outcome(Report *report, int64_t unit)
{
    static const char *const outcome[OUTCOMES] = {
        "", ", too little for a detector", ", a near tie: the old one fits almost as before", ""};
    const ChangeRow *row    = change_of(report, report->strongest, unit);
    const Labels    *labels = report->explainer->labels;
    const char      *score  = report->explainer->method->score_name;
    Writer          *page   = report->page;
    char             strength[32], method[32];
    if (!row)
        return;
    strength_text(row, strength);
    method_text(row, method);
    writer_text(page, "<p class=\"outcome\">%s at %s: ", method, strength);
    if (row->changed) {
        writer_text(page, "<b>the label becomes</b> ");
        html_name(page, labels->text[row->now.label]);
        writer_text(page, " (%s %.4f)%s; ", score, row->now.score,
                    outcome[outcome_of(row, report->explainer->method)]);
    } else if (report->job->attack && !row->poisoned) {
        writer_text(page, "nothing was tried, since the unit has no image to perturb.</p>\n");
        return;
    } else {
        writer_text(page, "the label stays; ");
    }
    if (isnan(row->clean_label_iou))
        writer_text(page, "the %s goes from %.4f to %.4f", score, row->clean.score, row->now.score);
    else
        writer_text(page, "the %s of the clean label goes from %.4f to %.4f", score,
                    row->clean.score, row->clean_label_iou);
    if (row->target && isnan(row->target_iou)) {
        writer_text(page, "; target ");
        html_name(page, labels->text[row->target]);
        writer_text(page, ": %s", row->hit ? "<b>hit</b>" : "missed");
    } else if (row->target) {
        writer_text(page, "; target ");
        html_name(page, labels->text[row->target]);
        writer_text(page, ": %s, %s %.4f", row->hit ? "<b>hit</b>" : "missed", score,
                    row->target_iou);
    }
    writer_text(page, ".</p>\n");
}

static bool show_unit(Report *report, int64_t index, Error *error)
{
    const UnitStory  *story  = &report->stories[index];
    const UnitRecord *record = &report->job->clean.record->units[story->unit];
    const Method     *method = report->explainer->method;
    Writer           *page   = report->page;
    writer_text(page, "<article class=\"unit\">\n<h3><span>Unit %lld</span> ",
                (long long)story->unit);
    html_name(page, record->label_name);
    writer_text(page, " <span class=\"chip\"><i class=\"dot %s\"></i>",
                category_class(record->category_name));
    html_text(page, record->category_name, HTML_NAME_LENGTH);
    writer_text(page, "</span> <span class=\"chip\">%s %.4f</span></h3>\n", method->score_name,
                record->score);
    write_outcome(report, story->unit);
    if (!show_top(report, index, error))
        return false;
    if (story->story && method->story_page)
        method->story_page(report->explainer, story->story, page);
    if (report->job->changes && !show_corrupted(report, index, error))
        return false;
    writer_text(page, "</article>\n");
    return true;
}

static void write_introduction(Report *report)
{
    const ReportJob *job  = report->job;
    Writer          *page = report->page;
    writer_text(page,
                "<section id=\"units\">\n<h2>Units in detail</h2>\n<p>%s. Each photo is one of the "
                "five with the highest activation",
                job->attack    ? "The attacked units, changed ones first"
                : job->changes ? "Detectors, changed ones first"
                               : "The detectors with the highest scores");
    if (report->explainer->method->mask)
        writer_text(page,
                    "; <i class=\"key mask\"></i>yellow is the unit\xe2\x80\x99s mask, where its "
                    "enlarged map exceeds the threshold that the clean images gave%s. A click on a "
                    "picture opens it alone%s",
                    report->explainer->method->label_mask
                        ? "; <i class=\"key label\"></i>blue is where the label maps have the "
                          "unit\xe2\x80\x99s concept"
                        : "",
                    job->changes ? ". Labels after a perturbation rest on a new threshold, so a "
                                   "unit whose label changes is shown with that as well"
                                 : "");
    writer_text(page, ".</p>\n");
}

bool section_details(Report *report, Error *error)
{
    write_introduction(report);
    for (int64_t i = 0; i < report->unit_count; i++)
        if (attack_cancelled(report->job->clean.pass, error) || !show_unit(report, i, error))
            return false;
    writer_text(report->page, "</section>\n");
    return true;
}
