/* report/report.c - from a job to a folder: which units are shown, their pictures, the page. */
#include "page.h"

#include <stdio.h>
#include <stdlib.h>

#define MAP_ROOM ((size_t)1 << 30) // bytes of maps of the units that are shown

typedef struct Report {
    const ReportJob *job;
    SettingList      settings;
    const ChangeRow *strongest; // NULL: a clean run
    int64_t         *units;     // [unit_count] shown, in order
    int64_t          unit_count;
    float           *maps;    // [unit_count, images, height, width]
    UnitStory       *stories; // [unit_count]
    bool            *written; // [images]: photos that are there
    Outliner         outliner;
    Replay           replay;
    Writer          *page;
} Report;

/* ---- which units ----------------------------------------------------------------------------- */

typedef struct Choice {
    int64_t unit;
    double  score;
    bool    changed;
} Choice;

// Changed ones first: they are what the page is about. Then by score.
static int by_interest(const void *a, const void *b)
{
    const Choice *first = a, *second = b;
    if (first->changed != second->changed)
        return first->changed ? -1 : 1;
    if (first->score != second->score)
        return first->score < second->score ? 1 : -1;
    return first->unit < second->unit ? -1 : first->unit > second->unit;
}

static const ChangeRow *strongest_row(const Report *report, int64_t unit)
{
    const Changes *changes = report->job->changes;
    for (int64_t i = 0; changes && report->strongest && i < changes->count; i++) {
        const ChangeRow *row = &changes->rows[i];
        if (row->unit == unit && row->store == report->strongest->store &&
            row->strength == report->strongest->strength)
            return row;
    }
    return NULL;
}

static int64_t limit_of(const Report *report)
{
    const CleanRun *clean = &report->job->clean;
    size_t bytes = (size_t)(clean->probe->image_count * clean->layer.height * clean->layer.width) *
                   sizeof(float);
    int64_t limit = report->job->unit_limit ? report->job->unit_limit : REPORT_UNITS;
    int64_t fit   = (int64_t)(MAP_ROOM / bytes);
    return fit < 1 ? 1 : fit < limit ? fit : limit;
}

// Attacked units, or detectors; where there are none, whatever has a label.
static bool choose_units(Report *report, Error *error)
{
    const RunRecord *record = report->job->clean.record;
    int64_t          limit = limit_of(report), count = 0;
    Choice          *choices = memory_new((size_t)record->unit_count, sizeof *choices, error);
    report->units            = memory_new((size_t)limit, sizeof *report->units, error);
    if (!choices || !report->units) {
        memory_free(choices);
        return false;
    }
    for (int wide = 0; wide < 2 && count == 0; wide++)
        for (int64_t i = 0; i < record->unit_count; i++) {
            const UnitRecord *unit   = &record->units[i];
            const ChangeRow  *change = strongest_row(report, unit->unit);
            double            least  = wide ? 1e-300 : DETECTOR_SCORE;
            bool wanted = report->job->attack ? change != NULL : unit->score >= least;
            if (wanted)
                choices[count++] = (Choice){unit->unit, unit->score, change && change->changed};
        }
    qsort(choices, (size_t)count, sizeof *choices, by_interest);
    report->unit_count = count < limit ? count : limit;
    for (int64_t i = 0; i < report->unit_count; i++)
        report->units[i] = choices[i].unit;
    memory_free(choices);
    return true;
}

/* ---- what is known before the page is written ------------------------------------------------ */

static bool tell_stories(Report *report, Error *error)
{
    const CleanRun *clean = &report->job->clean;
    size_t set   = (size_t)(clean->probe->image_count * clean->layer.height * clean->layer.width);
    report->maps = memory_new((size_t)report->unit_count * set, sizeof *report->maps, error);
    report->stories = memory_new((size_t)report->unit_count, sizeof *report->stories, error);
    if (!report->maps || !report->stories)
        return false;
    if (report->unit_count &&
        !dissect_collect(clean->settings, clean->probe, &clean->images, &clean->layer,
                         report->units, report->unit_count, report->maps, error))
        return false;
    for (int64_t i = 0; i < report->unit_count; i++)
        if (attack_cancelled(clean, error) ||
            !unit_story_tell(clean, report->units[i], report->maps + (size_t)i * set,
                             &report->stories[i], error))
            return false;
    return true;
}

static bool make_folders(const ReportJob *job, Error *error)
{
    static const char *const names[] = {"photos", "units", "film"};
    for (int i = 0; i < (job->attack ? 3 : job->changes ? 2 : 1); i++) {
        char path[LIMIT_PATH];
        if (!path_join(path, job->folder, names[i], error) || !folder_create(path, error))
            return false;
    }
    return true;
}

static bool report_open(Report *report, Error *error)
{
    const ReportJob *job = report->job;
    if (job->changes && !setting_list_open(&report->settings, job->changes, error))
        return false;
    report->strongest = strongest_setting(&report->settings);
    report->written =
        memory_new((size_t)job->clean.probe->image_count, sizeof *report->written, error);
    return report->written && choose_units(report, error) && tell_stories(report, error) &&
           outliner_open(&report->outliner, &job->clean, error) &&
           (!job->changes ||
            replay_open(&report->replay, job, report->units, report->unit_count, error)) &&
           make_folders(job, error);
}

static void report_close(Report *report)
{
    writer_discard(report->page);
    setting_list_close(&report->settings);
    outliner_close(&report->outliner);
    replay_close(&report->replay);
    memory_free(report->units);
    memory_free(report->maps);
    memory_free(report->stories);
    memory_free(report->written);
}

static const float *map_of(const Report *report, int64_t index, int64_t image)
{
    const CleanRun *clean = &report->job->clean;
    int64_t         size  = clean->layer.height * clean->layer.width;
    return report->maps + (index * clean->probe->image_count + image) * size;
}

/* ---- one unit in pictures -------------------------------------------------------------------- */

static bool show_top(Report *report, int64_t index, Error *error)
{
    const UnitStory *story = &report->stories[index];
    Writer          *page  = report->page;
    writer_text(page, "<div class=\"shots top\">\n");
    for (int k = 0; k < story->top_count; k++) {
        const StoryImage *top = &story->top[k];
        char              file[64], words[128];
        snprintf(file, sizeof file, "photos/%06lld.png", (long long)top->image);
        snprintf(words, sizeof words,
                 "image %lld of the probing set, the mask of unit %lld outlined",
                 (long long)top->image, (long long)story->unit);
        if (!picture_write_photo(report->job, top->image, report->written, error))
            return false;
        outliner_cut(&report->outliner, map_of(report, index, top->image), story->threshold);
        writer_text(page, "<figure>");
        outline_figure(page, report->job, &report->outliner, file, words, "");
        writer_text(page, "<figcaption>peak <b>%.5g</b><br>", (double)top->peak);
        html_whole(page, (uint64_t)top->both);
        writer_text(page, " of ");
        html_whole(page, (uint64_t)top->mask);
        writer_text(page, " px on label</figcaption></figure>\n");
    }
    writer_text(page, "</div>\n");
    return true;
}

static void open_shot(Writer *page)
{
    writer_text(page, "<figure>");
}

static void close_shot(Writer *page, const char *caption)
{
    writer_text(page, "<figcaption>%s</figcaption></figure>\n", caption);
}

static bool write_corrupted(Report *report, int64_t unit, const ChangeRow *setting, Error *error)
{
    const Replay *replay = &report->replay;
    float         scale  = (float)setting->strength * (setting_is_noise(setting) ? 3.0f : 1.0f);
    char          name[64];
    snprintf(name, sizeof name, "units/%06lld-change.png", (long long)unit);
    if (!picture_write_change(report->job, name, replay->clean, replay->perturbed, scale, error))
        return false;
    snprintf(name, sizeof name, "units/%06lld-stored.png", (long long)unit);
    return picture_write(report->job, name, replay->stored, error);
}

// Photo, perturbation, stored photo, mask before, mask after: side by side.
static void write_corrupted_row(Report *report, int64_t index, int64_t image,
                                const ChangeRow *setting)
{
    const UnitStory *story  = &report->stories[index];
    const Replay    *replay = &report->replay;
    Writer          *page   = report->page;
    size_t           size =
        (size_t)(3 * report->job->clean.layer.image_height * report->job->clean.layer.image_width);
    char    photo[64], change[64], stored[64], words[160], strength[32], method[32];
    int64_t before, after;
    strength_text(setting, strength);
    method_text(setting, method);
    snprintf(photo, sizeof photo, "photos/%06lld.png", (long long)image);
    snprintf(change, sizeof change, "units/%06lld-change.png", (long long)story->unit);
    snprintf(stored, sizeof stored, "units/%06lld-stored.png", (long long)story->unit);
    writer_text(page, "<h4>Image %lld before and after %s at %s</h4>\n<div class=\"shots pair\">\n",
                (long long)image, method, strength);
    open_shot(page);
    plain_figure(page, report->job, photo, "the photo before");
    close_shot(page, "photo");
    open_shot(page);
    plain_figure(page, report->job, change, "the perturbation, amplified around gray");
    snprintf(words, sizeof words, "perturbation, \xc3\x97%.3g",
             0.5 / (setting->strength * (setting_is_noise(setting) ? 3 : 1)));
    close_shot(page, words);
    open_shot(page);
    plain_figure(page, report->job, stored, "the perturbed photo as stored");
    snprintf(words, sizeof words, "stored as %s, %.1f levels apart at most",
             store_arm_name(setting->store),
             255 * (double)planes_distance(replay->clean, replay->stored, size));
    close_shot(page, words);
    open_shot(page);
    before = outliner_cut(&report->outliner, map_of(report, index, image), story->threshold);
    outline_figure(page, report->job, &report->outliner, photo, "the unit's mask on the photo", "");
    snprintf(words, sizeof words, "mask before, cut at %.6g: %lld px", (double)story->threshold,
             (long long)before);
    close_shot(page, words);
    open_shot(page);
    after = outliner_cut(&report->outliner, replay->map, story->threshold);
    outline_figure(page, report->job, &report->outliner, stored,
                   "the unit's mask on the stored photo", "");
    snprintf(words, sizeof words, "mask after, cut at %.6g: %lld px", (double)story->threshold,
             (long long)after);
    close_shot(page, words);
    writer_text(page, "</div>\n");
}

static bool show_corrupted(Report *report, int64_t index, Error *error)
{
    const UnitStory *story   = &report->stories[index];
    const ChangeRow *setting = strongest_row(report, story->unit);
    int64_t          image   = setting ? replay_image(&report->replay, index, story) : -1;
    if (image < 0 || setting->strength == 0) {
        writer_text(report->page, "<p class=\"note\">No image is poisoned for this unit.</p>\n");
        return true;
    }
    if (!replay_run(&report->replay, index, story, image, setting, NULL, error) ||
        !picture_write_photo(report->job, image, report->written, error) ||
        !write_corrupted(report, story->unit, setting, error))
        return false;
    write_corrupted_row(report, index, image, setting);
    return true;
}

static void write_outcome(Report *report, const UnitStory *story)
{
    const ChangeRow *row  = strongest_row(report, story->unit);
    Writer          *page = report->page;
    char             strength[32], method[32];
    if (!row)
        return;
    strength_text(row, strength);
    method_text(row, method);
    writer_text(page, "<p class=\"outcome\">%s at %s: ", method, strength);
    if (row->changed) {
        writer_text(page, "<b>the label becomes</b> ");
        html_name(page, report->job->clean.probe->labels[row->now.label].name);
        writer_text(page, " (IoU %.4f); ", row->now.score);
    } else {
        writer_text(page, "the label stays; ");
    }
    writer_text(page, "the IoU of the clean label goes from %.4f to %.4f", row->clean.score,
                row->clean_label_iou);
    if (row->target) {
        writer_text(page, "; target ");
        html_name(page, report->job->clean.probe->labels[row->target].name);
        writer_text(page, ": %s, IoU %.4f", row->hit ? "<b>hit</b>" : "missed", row->target_iou);
    }
    writer_text(page, ".</p>\n");
}

static bool show_unit(Report *report, int64_t index, Error *error)
{
    const UnitStory  *story  = &report->stories[index];
    const UnitRecord *record = &report->job->clean.record->units[story->unit];
    Writer           *page   = report->page;
    writer_text(page, "<article class=\"unit\">\n<h3><span>Unit %lld</span> ",
                (long long)story->unit);
    html_name(page, record->label_name);
    writer_text(page, " <span class=\"chip\"><i class=\"dot %s\"></i>",
                category_class(record->category));
    html_text(page, record->category_name, HTML_NAME_LENGTH);
    writer_text(page, "</span> <span class=\"chip\">IoU %.4f</span></h3>\n", record->score);
    write_outcome(report, story);
    if (!show_top(report, index, error))
        return false;
    section_story(page, report->job, story);
    if (report->job->changes && !show_corrupted(report, index, error))
        return false;
    writer_text(page, "</article>\n");
    return true;
}

/* ---- the film -------------------------------------------------------------------------------- */

enum { FILM_FRAMES = 12 }; // more steps are shown thinned

typedef struct Film {
    Report          *report;
    const UnitStory *story;
    const ChangeRow *setting;
    double          *loss;
    int              steps, count;
} Film;

static bool is_shown(const Film *film, int step)
{
    int stride = film->steps / FILM_FRAMES + 1;
    return step % stride == 0 || step == film->steps;
}

static bool take_frame(void *self, int step, double loss, const float *planes, const float *map,
                       Error *error)
{
    Film   *film   = self;
    Report *report = film->report;
    Writer *page   = report->page;
    char    photo[64], change[64], words[128];
    film->loss[film->count++] = loss;
    if (!is_shown(film, step))
        return true;
    snprintf(photo, sizeof photo, "film/%04d.png", step);
    snprintf(change, sizeof change, "film/%04d-change.png", step);
    if (!picture_write(report->job, photo, planes, error) ||
        !picture_write_change(report->job, change, report->replay.clean, planes,
                              (float)film->setting->strength, error))
        return false;
    int64_t mask = outliner_cut(&report->outliner, map, film->story->threshold);
    writer_text(page, "<li><p><b>step %d</b><br>loss %.5g</p>", step, loss);
    snprintf(words, sizeof words, "the image after %d steps with the unit's mask", step);
    outline_figure(page, report->job, &report->outliner, photo, words, "");
    snprintf(words, sizeof words, "the perturbation after %d steps, amplified", step);
    plain_figure(page, report->job, change, words);
    writer_text(page, "<p>mask ");
    html_whole(page, (uint64_t)mask);
    writer_text(page, " px</p></li>\n");
    return true;
}

static bool show_film(Report *report, Error *error)
{
    const AttackJob *job   = report->job->attack;
    int64_t          index = 0, image = -1;
    Film             film = {.report = report};
    while (index < report->unit_count && image < 0) {
        film.story   = &report->stories[index];
        film.setting = strongest_row(report, film.story->unit);
        image        = film.setting && film.setting->strength > 0
                           ? replay_image(&report->replay, index, film.story)
                           : -1;
        index += image < 0;
    }
    if (image < 0)
        return true;
    film.steps = job->method == PGD_FGSM ? 1 : job->steps;
    film.loss  = memory_new((size_t)film.steps + 1, sizeof *film.loss, error);
    if (!film.loss)
        return false;
    Writer *page = report->page;
    char    strength[32], method[32];
    strength_text(film.setting, strength);
    method_text(film.setting, method);
    writer_text(
        page, "<section id=\"film\">\n<h2>An attack, step by step</h2>\n<p>Image %lld, unit %lld (",
        (long long)image, (long long)film.story->unit);
    html_name(page, report->job->clean.record->units[film.story->unit].label_name);
    writer_text(
        page,
        "), %s at %s before storage. The loss is what the attack lowers; pixels move at most "
        "%s from the photo; masks are cut at %.6g.</p>\n<ol class=\"film\" tabindex=\"0\">\n",
        method, strength, strength, (double)film.story->threshold);
    bool done = replay_run(&report->replay, index, film.story, image, film.setting,
                           &(FilmSink){take_frame, &film}, error);
    writer_text(page,
                "</ol>\n<figure class=\"narrow\"><figcaption>Loss over the steps</figcaption>\n");
    if (done)
        chart_loss(page, film.loss, film.count);
    writer_text(page, "</figure>\n</section>\n");
    memory_free(film.loss);
    return done;
}

/* ---- the page -------------------------------------------------------------------------------- */

static bool write_style(const ReportJob *job, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *style = NULL;
    if (!path_join(path, job->folder, "style.css", error) || !writer_open(&style, path, error))
        return false;
    for (int i = 0; style_lines[i]; i++)
        writer_text(style, "%s\n", style_lines[i]);
    return writer_publish(style, error);
}

static bool write_page(Report *report, Error *error)
{
    const ReportJob *job  = report->job;
    Writer          *page = report->page;
    html_begin(page, job);
    section_overview(page, job, &report->settings);
    writer_text(
        page,
        "<section id=\"units\">\n<h2>Units in detail</h2>\n<p>%s. Each photo is one of the "
        "five with the highest activation; the light part, the mask, is where the "
        "unit\xe2\x80\x99s map, enlarged to the label maps, exceeds the threshold that the clean "
        "images gave%s.</p>\n",
        job->attack    ? "The attacked units, changed ones first"
        : job->changes ? "Detectors, changed ones first"
                       : "The detectors with the highest scores",
        job->changes ? ", before and after; the labels after rest on new thresholds" : "");
    for (int64_t i = 0; i < report->unit_count; i++)
        if (attack_cancelled(&job->clean, error) || !show_unit(report, i, error))
            return false;
    writer_text(page, "</section>\n");
    if (job->attack && !show_film(report, error))
        return false;
    if (!section_units(page, job, &report->settings, error))
        return false;
    section_facts(page, job);
    html_end(page);
    return true;
}

bool report_write(const ReportJob *job, Error *error)
{
    Report report = {.job = job};
    char   path[LIMIT_PATH];
    bool   done = path_join(path, job->folder, "index.html", error) && file_remove(path, error) &&
                report_open(&report, error) && write_style(job, error) &&
                writer_open(&report.page, path, error) && write_page(&report, error);
    if (done) {
        Writer *page = report.page;
        report.page  = NULL;
        done         = writer_publish(page, error);
    }
    report_close(&report);
    return done;
}
