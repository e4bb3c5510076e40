/* report/report.c - from a job to a folder: which units are shown, what is known of them, the page.
 */
#include "page.h"
#include "robust_report.h"

#include <stdlib.h>

#define MAP_ROOM ((size_t)1 << 30) // bytes of maps of the units that are shown

// Numbers of one unit's maps over the probing set.
static size_t map_values(const Report *report)
{
    const Inputs *inputs = &report->explainer->inputs;
    return (size_t)(inputs->probe->image_count * inputs->layer.height * inputs->layer.width);
}

/* ---- which units ----------------------------------------------------------------------------- */

typedef struct Choice {
    int64_t unit;
    double  score;
    int     interest;
} Choice;

// The unit of the film, then changed ones, which the page is about. Then by score.
static int by_interest(const void *a, const void *b)
{
    const Choice *first = a, *second = b;
    if (first->interest != second->interest)
        return first->interest > second->interest ? -1 : 1;
    if (first->score != second->score)
        return first->score < second->score ? 1 : -1;
    return first->unit < second->unit ? -1 : first->unit > second->unit;
}

static int64_t limit_of(const Report *report)
{
    int64_t limit = report->job->unit_limit ? report->job->unit_limit : REPORT_UNITS;
    int64_t fit   = (int64_t)(MAP_ROOM / (map_values(report) * sizeof *report->maps));
    return fit < 1 ? 1 : fit < limit ? fit : limit;
}

static bool is_film_unit(const Report *report, int64_t unit)
{
    return report->job->film_unit && *report->job->film_unit == unit;
}

static bool check_film(const Report *report, Error *error)
{
    const int64_t   *unit = report->job->film_unit;
    const ChangeRow *row  = unit ? change_of(report, report->strongest, *unit) : NULL;
    if (!unit || (row && row->poisoned))
        return true;
    return fail(error, ERROR_USAGE, "unit %lld %s, so there is no film of it", (long long)*unit,
                row ? "had no image to perturb" : "was not attacked");
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
            const ChangeRow  *change = change_of(report, report->strongest, unit->unit);
            bool              told =
                unit->label && (wide || is_detector(report->explainer->method, unit->score));
            if (report->job->attack ? change != NULL : told)
                choices[count++] = (Choice){unit->unit, unit->score,
                                            is_film_unit(report, unit->unit) ? 2
                                            : change && change->changed      ? 1
                                                                             : 0};
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
    const CleanRun *clean  = &report->job->clean;
    size_t          values = map_values(report);
    report->maps    = memory_new((size_t)report->unit_count * values, sizeof *report->maps, error);
    report->stories = memory_new((size_t)report->unit_count, sizeof *report->stories, error);
    if (!report->maps || !report->stories)
        return false;
    if (report->unit_count && !maps_collect(&report->explainer->inputs, report->units,
                                            report->unit_count, clean->pass, report->maps, error))
        return false;
    for (int64_t i = 0; i < report->unit_count; i++)
        if (attack_cancelled(clean->pass, error) ||
            !unit_story_tell(clean, report->units[i], map_of(report, i, 0), &report->stories[i],
                             error))
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
    const ReportJob *job   = report->job;
    const ProbeSet  *probe = report->explainer->inputs.probe;
    size_t           cells = (size_t)(probe->map_height * probe->map_width);
    if (job->changes && !setting_list_open(&report->settings, job->changes, error))
        return false;
    report->strongest = strongest_setting(&report->settings);
    report->room      = memory_new(cells, sizeof *report->room, error);
    report->mask      = memory_new(cells, sizeof *report->mask, error);
    report->label     = memory_new(cells, sizeof *report->label, error);
    report->written   = memory_new((size_t)probe->image_count, sizeof *report->written, error);
    return report->room && report->mask && report->label && report->written &&
           check_film(report, error) && choose_units(report, error) &&
           tell_stories(report, error) &&
           (!job->changes || replay_open(&report->replay, &job->clean, job->noise, job->attack,
                                         report->units, report->unit_count, error)) &&
           make_folders(job, error);
}

static void report_close(Report *report)
{
    writer_discard(report->page);
    setting_list_close(&report->settings);
    replay_close(report->replay);
    for (int64_t i = 0; report->stories && i < report->unit_count; i++)
        unit_story_close(&report->stories[i], report->explainer->method);
    memory_free(report->stories);
    memory_free(report->units);
    memory_free(report->maps);
    memory_free(report->room);
    memory_free(report->mask);
    memory_free(report->label);
    memory_free(report->written);
}

/* ---- the page -------------------------------------------------------------------------------- */

static bool write_page(Report *report, Error *error)
{
    page_begin(report->page, report->job->verb, report->job->layer);
    if (!section_overview(report, error) || !section_reading(report, error) ||
        (report->job->attack && !section_film(report, error)) || !section_details(report, error) ||
        (report->job->maps && !map_report_section(report->job->maps, report->page, error)) ||
        (report->job->robust && !robust_report_section(report->job->robust, report->page, error)) ||
        !section_units(report, error))
        return false;
    section_facts(report->page, report->job->facts, report->job->fact_count);
    page_end(report->page,
             "Made by nemesis from the files of the run; the pictures were computed again for this "
             "page.",
             true);
    return true;
}

bool report_write(const ReportJob *job, Error *error)
{
    Report report = {.job = job, .explainer = job->clean.explainer};
    char   path[LIMIT_PATH];
    bool   done = path_join(path, job->folder, "index.html", error) && file_remove(path, error) &&
                report_open(&report, error) && style_write(job->folder, error) &&
                writer_open(&report.page, path, error) && write_page(&report, error);
    if (done) {
        Writer *page = report.page;
        report.page  = NULL;
        done         = writer_publish(page, error);
    }
    report_close(&report);
    return done;
}
