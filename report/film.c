/* report/film.c - one attack, step by step. */
#include "page.h"

#include <stdio.h>
#include <string.h>

enum { FILM_FRAMES = 12 }; // more steps are shown thinned

typedef struct Film {
    Report          *report;
    const UnitStory *story;
    const ChangeRow *setting;
    int64_t          image;
    float           *first; // [3, height, width]: the photo, which is the state before any step
    double          *loss;  // [steps + 1]
    int              steps, count;
} Film;

static bool is_shown(const Film *film, int step)
{
    int stride = film->steps / FILM_FRAMES + 1;
    return step % stride == 0 || step == film->steps;
}

static size_t image_size(const Report *report)
{
    const ActivationSource *layer = &report->explainer->inputs.layer;
    return (size_t)(3 * layer->image_height * layer->image_width);
}

static bool take_frame(void *self, int step, double loss, const float *planes, const float *map,
                       Error *error)
{
    Film   *film   = self;
    Report *report = film->report;
    Writer *page   = report->page;
    char    photo[64], change[64], words[128];
    if (film->count == 0)
        memcpy(film->first, planes, image_size(report) * sizeof *planes);
    film->loss[film->count++] = loss;
    if (!is_shown(film, step))
        return true;
    snprintf(photo, sizeof photo, "film/%04d.png", step);
    snprintf(change, sizeof change, "film/%04d-change.png", step);
    if (!picture_write(report, photo, planes, error) ||
        !picture_write_change(report, change, film->first, planes, (float)film->setting->strength,
                              error))
        return false;
    writer_text(page, "<li><p><b>step %d</b><br>loss %.5g</p>", step, loss);
    snprintf(words, sizeof words, "the image after %d steps%s", step,
             report->explainer->method->mask ? " with the unit's mask" : "");
    Overlap overlap;
    Shot    shot = {
           photo, words, map, film->story->threshold, film->image, film->setting->clean.label};
    if (!mask_figure(report, &shot, &overlap, error))
        return false;
    snprintf(words, sizeof words, "the perturbation after %d steps, amplified", step);
    plain_figure(report, change, words);
    if (overlap.mask >= 0) {
        writer_text(page, "<p>mask ");
        html_whole(page, (uint64_t)overlap.mask);
        writer_text(page, " px</p>");
    }
    writer_text(page, "</li>\n");
    return true;
}

// The first shown unit with a poisoned image: its index, and the image, or -1.
static int64_t choose_unit(Film *film, int64_t *image)
{
    Report *report = film->report;
    *image         = -1;
    for (int64_t i = 0; i < report->unit_count; i++) {
        film->story   = &report->stories[i];
        film->setting = change_of(report, report->strongest, film->story->unit);
        if (film->setting && film->setting->strength > 0)
            *image = replay_image(report->replay, i, film->story->top, film->story->top_count);
        if (*image >= 0)
            return i;
    }
    return -1;
}

static void write_heading(const Film *film, int64_t image)
{
    const Report *report = film->report;
    Writer       *page   = report->page;
    char          strength[32], method[32];
    strength_text(film->setting, strength);
    method_text(film->setting, method);
    writer_text(page,
                "<section id=\"film\">\n<h2>An attack on unit %lld, step by step</h2>\n<p>Unit "
                "%lld (",
                (long long)film->story->unit, (long long)film->story->unit);
    html_name(page, report->job->clean.record->units[film->story->unit].label_name);
    writer_text(page,
                ") on image %lld, %s at %s before storage. The loss is what the attack lowers; "
                "pixels move at most %s from the photo",
                (long long)image, method, strength, strength);
    if (report->explainer->method->mask)
        writer_text(page, "; masks are cut at %.6g, the threshold of the clean images",
                    (double)film->story->threshold);
    writer_text(page,
                ".%s</p>\n<p class=\"note hint\">The film scrolls sideways \xe2\x86\x92</p>\n"
                "<ol class=\"film\" tabindex=\"0\">\n",
                report->unit_count > 1 ? " <code>nemesis report --film UNIT</code> shows another "
                                         "attacked unit instead."
                                       : "");
}

bool section_film(Report *report, Error *error)
{
    const AttackJob *job  = report->job->attack;
    Film             film = {.report = report, .steps = job->variant == PGD_FGSM ? 1 : job->steps};
    ReplayResult     result = {0};
    int64_t          image, index = choose_unit(&film, &image);
    if (index < 0)
        return true;
    film.image = image;
    film.loss  = memory_new((size_t)film.steps + 1, sizeof *film.loss, error);
    film.first = memory_new(image_size(report), sizeof *film.first, error);
    bool done  = film.loss && film.first;
    if (done) {
        write_heading(&film, image);
        done = replay_run(report->replay, index, image, film.setting,
                          &(ReplayWatch){take_frame, &film}, &result, error);
    }
    if (done) {
        writer_text(report->page, "</ol>\n<figure class=\"narrow\"><figcaption>Loss over the "
                                  "steps</figcaption>\n");
        chart_loss(report, film.loss, film.count);
        writer_text(report->page, "</figure>\n</section>\n");
    }
    memory_free(film.loss);
    memory_free(film.first);
    return done;
}
