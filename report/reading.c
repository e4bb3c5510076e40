/* report/reading.c - a box for those who have never seen such a page: its words, one sentence each,
 * beside the picture on which mask and concept meet best. */
#include "page.h"

#include <math.h>
#include <stdio.h>

/* ---- the picture ----------------------------------------------------------------------------- */

typedef struct Example {
    int64_t index, image; // of units[index]; index -1: none
    int64_t mask, both;   // pixels of the mask; ... that carry the label
    double  overlap;      // both / either
} Example;

static bool weigh(Report *report, int64_t index, int64_t image, Example *best, Error *error)
{
    const UnitStory *story = &report->stories[index];
    int32_t          label = report->job->clean.record->units[story->unit].label;
    Overlap          found;
    if (!label)
        return true;
    Shot shot = {"", "", map_of(report, index, image), story->threshold, image, label};
    if (!overlap_find(report, &shot, &found, error))
        return false;
    int64_t either  = found.mask + found.label - found.both;
    double  overlap = either ? (double)found.both / (double)either : 0;
    if (overlap > best->overlap)
        *best = (Example){index, image, found.mask, found.both, overlap};
    return true;
}

static bool find_example(Report *report, Example *best, Error *error)
{
    const Method *method = report->explainer->method;
    *best                = (Example){.index = -1};
    for (int64_t i = 0; method->mask && method->label_mask && i < report->unit_count; i++)
        for (int k = 0; k < report->stories[i].top_count; k++)
            if (!weigh(report, i, report->stories[i].top[k].image, best, error))
                return false;
    return true;
}

static bool show_example(Report *report, const Example *example, Error *error)
{
    const UnitStory  *story  = &report->stories[example->index];
    const UnitRecord *record = &report->job->clean.record->units[story->unit];
    Writer           *page   = report->page;
    char              file[64];
    Overlap           overlap;
    snprintf(file, sizeof file, "photos/%06lld.png", (long long)example->image);
    Shot shot = {file,
                 "a photo with the mask of a unit and the places of its concept",
                 map_of(report, example->index, example->image),
                 story->threshold,
                 example->image,
                 record->label};
    if (!picture_write_photo(report, example->image, error))
        return false;
    writer_text(page, "<figure>");
    if (!mask_figure(report, &shot, &overlap, error))
        return false;
    writer_text(page,
                "<figcaption><i class=\"key mask\"></i><b>yellow</b>: the mask of unit %lld, where "
                "it is active. <i class=\"key label\"></i><b>blue</b>: where the label maps have ",
                (long long)story->unit);
    html_name(page, record->label_name);
    writer_text(page, ". %lld of the mask\xe2\x80\x99s %lld pixels lie there. ",
                (long long)example->both, (long long)example->mask);
    writer_text(page,
                "On this photo the overlap is %.2f of what both cover together.</figcaption>"
                "</figure>\n",
                example->overlap);
    return true;
}

/* ---- the words ------------------------------------------------------------------------------- */

static void write_word(Writer *page, const char *word, const char *sentence)
{
    writer_text(page, "<dt>%s</dt><dd>%s</dd>\n", word, sentence);
}

static void write_words(Report *report)
{
    const ReportJob *job    = report->job;
    const Method    *method = report->explainer->method;
    Writer          *page   = report->page;
    writer_text(page, "<dl>\n");
    write_word(page, "Unit",
               "One channel of one layer: it answers to a photo with a map of "
               "activations, high where it sees what it responds to.");
    write_word(page, "Probing set",
               method->needs_label_maps
                   ? "The photos the units are tried on, in which people, or a "
                     "program, marked concepts."
                   : "The photos the units are tried on.");
    if (method->mask)
        write_word(page, "Mask",
                   "The pixels at which the enlarged map exceeds the unit\xe2\x80\x99s "
                   "threshold; a peak is the largest activation of a map.");
    write_word(page, method->score_name,
               method->score_says ? method->score_says : "How well a unit fits a concept.");
    if (isfinite(method->detector_score))
        writer_text(page,
                    "<dt>Detector</dt><dd>A unit whose best concept has a score of at least "
                    "%.4g.</dd>\n",
                    method->detector_score);
    else
        write_word(page, "Detector", "Here every unit with a description counts as one.");
    if (method->needs_label_maps)
        write_word(page, "-c", "Names of colours end in -c, as in the Broden data set.");
    if (job->attack) {
        write_word(page, "PGD, FGSM",
                   "Ways to change a photo step by step so that one unit answers "
                   "less to its concept; FGSM takes a single step.");
        write_word(page, "eps",
                   "The most that a value of a pixel may move, in levels: 8/255 is 8 of "
                   "the 255 levels of an ordinary photo.");
    }
    if (job->noise)
        write_word(page, "Noise",
                   "Random numbers added to every pixel; std is their strength on "
                   "a scale where black is 0 and white is 1.");
    if (job->changes) {
        write_word(page, "Stored as",
                   "How a changed photo is kept before it is measured: as exact "
                   "numbers (float), 8-bit (png8), or JPEG of quality 75.");
        write_word(page, "Control", "The same photos, stored the same way, without any change.");
        write_word(page, "Outcome",
                   "Of detectors that change: another concept, none (no detector "
                   "any more), or a tie (the old concept keeps 90 % of its score).");
    }
    writer_text(page, "</dl>\n");
}

bool section_reading(Report *report, Error *error)
{
    Example example;
    if (!find_example(report, &example, error))
        return false;
    writer_text(report->page,
                "<section id=\"reading\">\n<h2>How to read this page</h2>\n"
                "<div class=\"reading%s\">\n",
                example.index < 0 ? " words" : "");
    if (example.index >= 0 && !show_example(report, &example, error))
        return false;
    write_words(report);
    writer_text(report->page, "</div>\n</section>\n");
    return true;
}
