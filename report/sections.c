/* report/sections.c - the parts of the page that are numbers and words. */
#include "page.h"

#include <stdlib.h>
#include <string.h>

/* ---- overview -------------------------------------------------------------------------------- */

typedef struct Totals {
    int64_t detectors, concepts;
    int64_t detectors_of[PROBE_MAX_CATEGORIES];
} Totals;

static Totals count_detectors(const Report *report)
{
    const RunRecord *record = report->job->clean.record;
    const Method    *method = report->explainer->method;
    Totals           totals = {0};
    for (int64_t i = 0; i < record->unit_count; i++) {
        const UnitRecord *unit = &record->units[i];
        bool              seen = false;
        if (!is_detector(method, unit->score) || unit->category < 0)
            continue;
        totals.detectors++;
        totals.detectors_of[unit->category]++;
        for (int64_t k = 0; k < i && !seen; k++)
            seen = is_detector(method, record->units[k].score) &&
                   record->units[k].label == unit->label;
        totals.concepts += !seen;
    }
    return totals;
}

static void write_tile(Writer *page, const char *name, uint64_t value)
{
    writer_text(page, "<div><dt>%s</dt><dd>", name);
    html_whole(page, value);
    writer_text(page, "</dd></div>\n");
}

static ChangeShare share_of(const Report *report, const ChangeRow *setting)
{
    return changes_share(report->job->changes, setting, group_all());
}

// The strongest setting in one sentence, with its control.
static void write_finding(Report *report)
{
    const SettingList *settings  = &report->settings;
    const ChangeRow   *strongest = report->strongest, *control = NULL;
    Writer            *page = report->page;
    char               name[32], method[32];
    for (int i = 0; i < settings->count; i++)
        if (settings->rows[i]->strength == 0 && settings->rows[i]->store == strongest->store)
            control = settings->rows[i];
    ChangeShare share = share_of(report, strongest);
    strength_text(strongest, name);
    method_text(strongest, method);
    writer_text(page,
                "<p class=\"lead\">Under %s at %s, stored as %s, <b>%lld of %lld%s units "
                "(%.1f\xc2\xa0%%)</b> change their label; the 95\xc2\xa0%% interval is %.1f to "
                "%.1f\xc2\xa0%%.",
                method, name, store_arm_name(strongest->store), (long long)share.changed,
                (long long)share.units, report->job->attack ? " attacked" : "", 100 * share.share,
                100 * share.low, 100 * share.high);
    if (control && control != strongest) {
        ChangeShare none = share_of(report, control);
        writer_text(page,
                    " The control, which is stored the same way without any perturbation, changes "
                    "%lld (%.1f\xc2\xa0%%).",
                    (long long)none.changed, 100 * none.share);
    }
    writer_text(page, "</p>\n");
}

static void write_share_cells(Writer *page, int64_t part, int64_t whole, double share, double low,
                              double high)
{
    writer_text(page, "<td>%lld/%lld</td><td><b>%.1f %%</b></td><td>%.1f\xe2\x80\x93%.1f</td>",
                (long long)part, (long long)whole, 100 * share, 100 * low, 100 * high);
}

static void write_share_table(Report *report)
{
    const ReportJob   *job       = report->job;
    const SettingList *settings  = &report->settings;
    ChangeGroup        detectors = group_detectors(report->explainer->method);
    Writer            *page      = report->page;
    bool               targeted  = job->attack && job->attack->target.kind != TARGET_NONE;
    writer_text(page,
                "<div class=\"scroll\"><table>\n<caption>Units whose label changed, with 95 %% "
                "Wilson intervals</caption>\n<thead><tr><th scope=\"col\">storage</th>"
                "<th scope=\"col\">strength</th><th scope=\"col\">images poisoned</th>"
                "<th scope=\"colgroup\" colspan=\"3\">%s</th>"
                "<th scope=\"colgroup\" colspan=\"3\">detectors</th>%s</tr></thead>\n<tbody>\n",
                unit_group(settings->rows[0]),
                targeted ? "<th scope=\"colgroup\" colspan=\"3\">targets hit</th>" : "");
    for (int i = 0; i < settings->count; i++) {
        const ChangeRow *setting = settings->rows[i];
        ChangeShare      all     = share_of(report, setting);
        char             name[32];
        strength_text(setting, name);
        writer_text(page, "<tr%s><td>%s</td><th scope=\"row\">%s</th><td>%.1f %%</td>",
                    setting->strength == 0 ? " class=\"control\"" : "",
                    store_arm_name(setting->store), name, 100 * all.fraction);
        write_share_cells(page, all.changed, all.units, all.share, all.low, all.high);
        ChangeShare some = changes_share(job->changes, setting, detectors);
        write_share_cells(page, some.changed, some.units, some.share, some.low, some.high);
        if (targeted)
            write_share_cells(page, all.hits, all.targeted, all.hit_share, all.hit_low,
                              all.hit_high);
        writer_text(page, "</tr>\n");
    }
    writer_text(page, "</tbody></table></div>\n");
}

// The last part of a path.
static const char *folder_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void write_header(Report *report, const Totals *totals)
{
    const ReportJob *job    = report->job;
    const Method    *method = report->explainer->method;
    const ProbeSet  *probe  = report->explainer->inputs.probe;
    int64_t          units  = job->clean.record->unit_count;
    Writer          *page   = report->page;
    writer_text(page,
                "<header>\n<p class=\"kicker\">nemesis \xc2\xb7 %s report</p>\n<h1>What the %lld "
                "units of ",
                job->verb, (long long)units);
    html_name(page, job->layer);
    writer_text(page, " stand for%s</h1>\n", job->changes ? ", and how that changes" : "");
    if (report->strongest)
        write_finding(report);
    else
        writer_text(page,
                    "<p class=\"lead\"><b>%lld of %lld units</b> are detectors: the %s of their "
                    "concept is at least %.4g.</p>\n",
                    (long long)totals->detectors, (long long)units, method->score_name,
                    method->detector_score);
    writer_text(page, "<p class=\"source\">%s of ", method->title);
    html_name(page, job->network);
    writer_text(page, " on ");
    html_name(page, folder_name(probe->folder));
    writer_text(page, ", mode <b>%s</b>, seed ", report->explainer->mode->name);
    html_text(page, job->seed, 24);
    writer_text(page, "</p>\n<dl class=\"tiles\">\n");
    write_tile(page, "units", (uint64_t)units);
    write_tile(page, "detectors", (uint64_t)totals->detectors);
    write_tile(page, "concepts among them", (uint64_t)totals->concepts);
    write_tile(page, "images", (uint64_t)probe->image_count);
    writer_text(page,
                "</dl>\n<nav aria-label=\"On this page\"><a href=\"#units\">Units in detail</a>%s"
                "<a href=\"#all\">All units</a><a href=\"#constants\">Constants</a></nav>\n"
                "</header>\n",
                job->attack ? "<a href=\"#film\">An attack, step by step</a>" : "");
}

void section_overview(Report *report)
{
    bool    changes = report->job->changes != NULL;
    Totals  totals  = count_detectors(report);
    Writer *page    = report->page;
    write_header(report, &totals);
    writer_text(page,
                "<main>\n<section>\n<h2>Overview</h2>\n<div class=\"charts\">\n<figure>\n"
                "<figcaption>Detectors by category%s</figcaption>\n",
                changes ? ", before" : "");
    chart_categories(report, totals.detectors_of);
    writer_text(page, "</figure>\n");
    if (changes)
        chart_shares(report);
    writer_text(page, "</div>\n");
    if (changes)
        write_share_table(report);
    writer_text(page, "</section>\n");
}

/* ---- every unit ------------------------------------------------------------------------------ */

enum { CHANGE_COLUMNS = 8 };

static void write_change_cell(Report *report, const ChangeRow *row)
{
    if (!row) {
        writer_text(report->page, "<td class=\"none\">not attacked</td>");
    } else if (row->changed) {
        writer_text(report->page, "<td class=\"changed\">\xe2\x86\x92 ");
        html_name(report->page, report->explainer->labels.text[row->now.label]);
        writer_text(report->page, "</td>");
    } else {
        writer_text(report->page, "<td class=\"none\">same</td>");
    }
}

static int by_score(const void *a, const void *b)
{
    const UnitRecord *first  = *(const UnitRecord *const *)a,
                     *second = *(const UnitRecord *const *)b;
    if (first->score != second->score)
        return first->score < second->score ? 1 : -1;
    return first->unit < second->unit ? -1 : first->unit > second->unit;
}

static void write_unit_row(Report *report, const UnitRecord *unit)
{
    const SettingList *settings = &report->settings;
    Writer            *page     = report->page;
    writer_text(page, "<tr><th scope=\"row\" data-value=\"%lld\">%lld</th><td>",
                (long long)unit->unit, (long long)unit->unit);
    html_name(page, unit->label_name);
    writer_text(page, "</td><td><i class=\"dot %s\"></i>", category_class(unit->category));
    html_text(page, unit->category_name, HTML_NAME_LENGTH);
    writer_text(page, "</td><td data-value=\"%.9g\">%.4f</td>", unit->score, unit->score);
    if (report->explainer->method->threshold)
        writer_text(page, "<td data-value=\"%.9g\">%.5g</td>", (double)unit->threshold,
                    (double)unit->threshold);
    for (int i = 0; i < settings->count && i < CHANGE_COLUMNS; i++)
        write_change_cell(report, change_of(report, settings->rows[i], unit->unit));
    writer_text(page, "</tr>\n");
}

static void write_unit_heads(Report *report)
{
    const SettingList *settings = &report->settings;
    const Method      *method   = report->explainer->method;
    Writer            *page     = report->page;
    writer_text(page,
                "<thead><tr><th scope=\"col\" data-sort=\"number\">unit</th>"
                "<th scope=\"col\" data-sort=\"text\">label</th>"
                "<th scope=\"col\" data-sort=\"text\">category</th><th scope=\"col\" "
                "data-sort=\"number\" aria-sort=\"descending\">%s</th>%s",
                method->score_name,
                method->threshold ? "<th scope=\"col\" data-sort=\"number\">threshold</th>" : "");
    for (int i = 0; i < settings->count && i < CHANGE_COLUMNS; i++) {
        char name[32];
        strength_text(settings->rows[i], name);
        writer_text(page, "<th scope=\"col\" data-sort=\"text\">%s, %s</th>", name,
                    store_arm_name(settings->rows[i]->store));
    }
    writer_text(page, "</tr></thead>\n");
}

bool section_units(Report *report, Error *error)
{
    const RunRecord   *record = report->job->clean.record;
    const UnitRecord **order  = memory_new((size_t)record->unit_count, sizeof *order, error);
    Writer            *page   = report->page;
    if (!order)
        return false;
    writer_text(page,
                "<section id=\"all\">\n<h2>All units</h2>\n<div class=\"scroll tall\" "
                "tabindex=\"0\" role=\"region\" aria-label=\"All units\"><table "
                "class=\"sortable\">\n<caption>Every unit of the layer, best first</caption>\n");
    write_unit_heads(report);
    for (int64_t i = 0; i < record->unit_count; i++)
        order[i] = &record->units[i];
    qsort(order, (size_t)record->unit_count, sizeof *order, by_score);
    writer_text(page, "<tbody>\n");
    for (int64_t i = 0; i < record->unit_count; i++)
        write_unit_row(report, order[i]);
    writer_text(page, "</tbody></table></div>\n</section>\n");
    memory_free(order);
    return true;
}

/* ---- constants ------------------------------------------------------------------------------- */

void section_facts(Report *report)
{
    const ReportJob *job   = report->job;
    Writer          *page  = report->page;
    const char      *group = NULL;
    writer_text(page,
                "<section id=\"constants\">\n<h2>Constants</h2>\n<p>Everything run.json says about "
                "this run.</p>\n<div class=\"facts\">\n");
    for (int i = 0; i < job->fact_count; i++) {
        const ReportFact *fact = &job->facts[i];
        if (!group || strcmp(group, fact->group) != 0) {
            writer_text(page, "%s<div><h3>", group ? "</dl></div>\n" : "");
            html_text(page, *fact->group ? fact->group : "run", HTML_NAME_LENGTH);
            writer_text(page, "</h3>\n<dl>\n");
            group = fact->group;
        }
        writer_text(page, "<dt>");
        html_text(page, fact->name, HTML_NAME_LENGTH);
        writer_text(page, "</dt><dd>");
        html_text(page, fact->value, HTML_VALUE_LENGTH);
        writer_text(page, "</dd>\n");
    }
    writer_text(page, "%s</div>\n</section>\n", group ? "</dl></div>\n" : "");
}
