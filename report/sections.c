/* report/sections.c - the parts of the page that are numbers and words. */
#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HINT_TABLE "<p class=\"note hint\">The table scrolls sideways \xe2\x86\x92</p>\n"

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
        if (!unit->label || !is_detector(method, unit->score) || unit->category < 0)
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

static OutcomeCount outcomes_of(const Report *report, const ChangeRow *setting)
{
    return outcomes_count(report->job->changes, setting, report->explainer->method, -1);
}

// What the changes of the detectors come to (C26).
static void write_outcomes(Report *report, const ChangeRow *setting)
{
    OutcomeCount now = outcomes_of(report, setting);
    if (now.detectors == 0)
        return;
    writer_text(
        report->page,
        " Of the %lld detectors among them %lld detect another concept now and %lld nothing "
        "any more, %lld change by a near tie, %lld keep their label",
        (long long)now.detectors, (long long)now.of[OUTCOME_OTHER], (long long)now.of[OUTCOME_NONE],
        (long long)now.of[OUTCOME_TIE], (long long)now.of[OUTCOME_SAME]);
    if (isnan(now.kept))
        writer_text(report->page, ".");
    else
        writer_text(report->page, "; on average %.0f\xc2\xa0%% of the old %s is left.",
                    100 * now.kept, report->explainer->method->score_name);
}

// Nothing was tried on these: they are no sign of robustness.
static void write_untouched(Report *report, int64_t count)
{
    if (report->job->attack && count)
        writer_text(report->page,
                    " <b>%lld</b> of the attacked units %s <b>left untouched</b>, for want of an "
                    "image to perturb (no concept, or their own as the target): they count as "
                    "unchanged because nothing was tried, not because they are robust.",
                    (long long)count, count == 1 ? "was" : "were");
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
    write_untouched(report, share.untouched);
    write_outcomes(report, strongest);
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

// Detectors stand beside all units only where they are not the same.
static void write_share_heads(Report *report, bool targeted, bool two_groups)
{
    const SettingList *settings = &report->settings;
    const Method      *method   = report->explainer->method;
    writer_text(
        report->page,
        HINT_TABLE
        "<div class=\"scroll wide\" tabindex=\"0\" role=\"region\" aria-label=\"Shares\">"
        "<table>\n<caption>Units whose label changed, with 95 %% Wilson intervals, and what "
        "becomes of the detectors</caption>\n<thead><tr><th scope=\"col\">strength</th>"
        "<th scope=\"col\">stored as</th><th scope=\"colgroup\" colspan=\"3\">%s</th>%s%s"
        "<th scope=\"col\">other concept</th><th scope=\"col\">none</th>"
        "<th scope=\"col\">tie</th>",
        unit_group(settings->rows[0]),
        targeted ? "<th scope=\"colgroup\" colspan=\"3\">targets hit</th>" : "",
        two_groups ? "<th scope=\"colgroup\" colspan=\"3\">detectors</th>" : "");
    if (method->score_is_share)
        writer_text(report->page, "<th scope=\"col\">%s kept</th>", method->score_name);
    writer_text(report->page, "<th scope=\"col\">images poisoned</th></tr></thead>\n<tbody>\n");
}

static void write_share_row(Report *report, const ChangeRow *setting, bool targeted,
                            bool two_groups)
{
    ChangeGroup  detectors = group_detectors(report->explainer->method);
    ChangeShare  all       = share_of(report, setting);
    ChangeShare  some      = changes_share(report->job->changes, setting, detectors);
    OutcomeCount now       = outcomes_of(report, setting);
    Writer      *page      = report->page;
    bool         control   = setting->strength == 0;
    char         name[32];
    strength_text(setting, name);
    writer_text(page, "<tr%s><th scope=\"row\">%s</th><td>%s</td>",
                control ? " class=\"control\"" : "", name, store_arm_name(setting->store));
    write_share_cells(page, all.changed, all.units, all.share, all.low, all.high);
    if (targeted)
        write_share_cells(page, all.hits, all.targeted, all.hit_share, all.hit_low, all.hit_high);
    if (two_groups)
        write_share_cells(page, some.changed, some.units, some.share, some.low, some.high);
    for (int i = OUTCOME_OTHER; i <= OUTCOME_TIE; i++)
        writer_text(page, "<td>%lld</td>", (long long)now.of[i]);
    if (now.detectors && !isnan(now.kept))
        writer_text(page, "<td>%.1f %%</td>", 100 * now.kept);
    else if (report->explainer->method->score_is_share)
        writer_text(page, "<td>\xe2\x80\x93</td>");
    if (control) // the same images are stored, none is perturbed
        writer_text(page, "<td>\xe2\x80\x93</td></tr>\n");
    else
        writer_text(page, "<td>%.1f %%</td></tr>\n", 100 * all.fraction);
}

static void write_share_table(Report *report)
{
    const ReportJob   *job      = report->job;
    const SettingList *settings = &report->settings;
    ChangeShare        all      = share_of(report, settings->rows[0]);
    bool               targeted = job->attack && job->attack->target.kind != TARGET_NONE;
    OutcomeCount       now      = outcomes_of(report, settings->rows[0]);
    bool               two      = now.detectors > 0 && now.detectors < all.units;
    write_share_heads(report, targeted, two);
    for (int i = 0; i < settings->count; i++)
        write_share_row(report, settings->rows[i], targeted, two);
    writer_text(report->page, "</tbody></table></div>\n");
}

// The last part of a path.
static const char *folder_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static bool has_film(const Report *report)
{
    for (int64_t i = 0; report->job->attack && i < report->unit_count; i++) {
        const ChangeRow *row = change_of(report, report->strongest, report->units[i]);
        if (row && row->strength > 0 && row->poisoned)
            return true;
    }
    return false;
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
    else if (!isfinite(method->detector_score))
        writer_text(page, "<p class=\"lead\"><b>%lld of %lld units</b> have a description.</p>\n",
                    (long long)totals->detectors, (long long)units);
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
    writer_text(
        page,
        "</dl>\n<nav aria-label=\"On this page\"><a href=\"#reading\">How to read this page</a>"
        "%s<a href=\"#units\">Units in detail</a>%s%s<a href=\"#all\">All units</a><a "
        "href=\"#constants\">Constants</a></nav>\n"
        "</header>\n",
        has_film(report) ? "<a href=\"#film\">An attack, step by step</a>" : "",
        job->maps ? "<a href=\"#maps\">A map that was moved</a>" : "",
        job->robust ? "<a href=\"#robust\">How far maps move</a>" : "");
}

bool section_overview(Report *report, Error *error)
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
    else if (!chart_concepts(report, error))
        return false;
    writer_text(page, "</div>\n");
    if (changes)
        write_share_table(report);
    writer_text(page, "</section>\n");
    return true;
}

/* ---- every unit ------------------------------------------------------------------------------ */

enum { CHANGE_COLUMNS = 8 };

static void write_change_cell(Report *report, const ChangeRow *row)
{
    if (!row) {
        writer_text(report->page, "<td class=\"none\">\xe2\x80\x93</td>");
    } else if (report->job->attack && !row->poisoned) {
        writer_text(report->page, "<td class=\"none\">untouched</td>");
    } else if (row->changed) {
        writer_text(report->page, "<td class=\"changed\">\xe2\x86\x92 ");
        html_name(report->page, report->explainer->labels->text[row->now.label]);
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

// Columns of changes: the most telling settings first, which stand last in the list.
static const ChangeRow *change_column(const Report *report, int column)
{
    int count = report->settings.count;
    return column < count && column < CHANGE_COLUMNS ? report->settings.rows[count - 1 - column]
                                                     : NULL;
}

static void write_unit_row(Report *report, const UnitRecord *unit, bool changes)
{
    const ChangeRow *setting;
    Writer          *page = report->page;
    writer_text(page, "<tr><th scope=\"row\" data-value=\"%lld\">%lld</th><td>",
                (long long)unit->unit, (long long)unit->unit);
    html_name(page, unit->label_name);
    writer_text(page, "</td><td><i class=\"dot %s\"></i>", category_class(unit->category_name));
    html_text(page, unit->category_name, HTML_NAME_LENGTH);
    writer_text(page, "</td><td data-value=\"%.9g\">%.4f</td>", unit->score, unit->score);
    for (int i = 0; changes && (setting = change_column(report, i)); i++)
        write_change_cell(report, change_of(report, setting, unit->unit));
    if (report->explainer->method->threshold)
        writer_text(page, "<td data-value=\"%.9g\">%.5g</td>", (double)unit->threshold,
                    (double)unit->threshold);
    writer_text(page, "</tr>\n");
}

static void write_unit_heads(Report *report, bool changes)
{
    const Method    *method = report->explainer->method;
    const ChangeRow *setting;
    Writer          *page = report->page;
    writer_text(page,
                "<thead><tr><th scope=\"col\" data-sort=\"number\">unit</th>"
                "<th scope=\"col\" data-sort=\"text\">label</th>"
                "<th scope=\"col\" data-sort=\"text\">category</th><th scope=\"col\" "
                "data-sort=\"number\" aria-sort=\"descending\">%s</th>",
                method->score_name);
    for (int i = 0; changes && (setting = change_column(report, i)); i++) {
        char name[32];
        strength_text(setting, name);
        writer_text(page, "<th scope=\"col\" data-sort=\"text\">%s, %s</th>", name,
                    store_arm_name(setting->store));
    }
    writer_text(page, "%s</tr></thead>\n",
                method->threshold ? "<th scope=\"col\" data-sort=\"number\">threshold</th>" : "");
}

static void write_unit_table(Report *report, const UnitRecord *const *units, int64_t count,
                             bool changes, const char *caption)
{
    if (changes && report->settings.count)
        writer_text(report->page, HINT_TABLE);
    writer_text(
        report->page,
        "<div class=\"scroll tall\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table "
        "class=\"sortable\">\n<caption>%s, best first</caption>\n",
        caption, caption);
    write_unit_heads(report, changes);
    writer_text(report->page, "<tbody>\n");
    for (int64_t i = 0; i < count; i++)
        write_unit_row(report, units[i], changes);
    writer_text(report->page, "</tbody></table></div>\n");
}

// Units that were attacked come first, the others are folded away.
bool section_units(Report *report, Error *error)
{
    const RunRecord   *record = report->job->clean.record;
    const UnitRecord **order  = memory_new((size_t)record->unit_count, sizeof *order, error);
    Writer            *page   = report->page;
    int64_t            first  = 0, rest;
    if (!order)
        return false;
    for (int told = 1; told >= 0; told--) {
        rest = first;
        for (int64_t i = 0; i < record->unit_count; i++) {
            const UnitRecord *unit = &record->units[i];
            bool              row =
                !report->job->attack || change_of(report, report->strongest, unit->unit) != NULL;
            if (row == told)
                order[first++] = unit;
        }
        qsort(order + rest, (size_t)(first - rest), sizeof *order, by_score);
    }
    writer_text(page, "<section id=\"all\">\n<h2>All units</h2>\n");
    if (report->job->attack && rest > 0 && rest < record->unit_count) {
        write_unit_table(report, order, rest, true, "Attacked units");
        writer_text(page, "<details><summary>%lld units that were not attacked</summary>\n",
                    (long long)(record->unit_count - rest));
        write_unit_table(report, order + rest, record->unit_count - rest, false, "Other units");
        writer_text(page, "</details>\n");
    } else {
        write_unit_table(report, order, record->unit_count, true, "Every unit of the layer");
    }
    writer_text(page, "</section>\n");
    memory_free(order);
    return true;
}

/* ---- constants ------------------------------------------------------------------------------- */

void section_facts(Writer *page, const ReportFact *facts, int count)
{
    const char *group = NULL;
    writer_text(page,
                "<section id=\"constants\">\n<h2>Constants</h2>\n<p>Everything run.json says about "
                "this run.</p>\n<div class=\"facts\">\n");
    for (int i = 0; i < count; i++) {
        const ReportFact *fact = &facts[i];
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
