/* report/sections.c - the parts of the page that are numbers and words. */
#include "page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- overview -------------------------------------------------------------------------------- */

typedef struct Totals {
    int64_t detectors, concepts;
    int64_t detectors_of[PROBE_MAX_CATEGORIES];
} Totals;

static Totals count_detectors(const ReportJob *job)
{
    const RunRecord *record = job->clean.record;
    Totals           totals = {0};
    for (int64_t i = 0; i < record->unit_count; i++) {
        const UnitRecord *unit = &record->units[i];
        bool              seen = false;
        if (unit->score < DETECTOR_SCORE)
            continue;
        totals.detectors++;
        totals.detectors_of[unit->category]++;
        for (int64_t k = 0; k < i && !seen; k++)
            seen =
                record->units[k].score >= DETECTOR_SCORE && record->units[k].label == unit->label;
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

const ChangeRow *strongest_setting(const SettingList *settings)
{
    const ChangeRow *best = NULL;
    for (int i = 0; i < settings->count; i++) {
        const ChangeRow *row = settings->rows[i];
        if (!best || row->strength > best->strength ||
            (row->strength == best->strength && row->store < best->store))
            best = row;
    }
    return best;
}

// The strongest setting in one sentence, with its control.
static void write_finding(Writer *page, const ReportJob *job, const SettingList *settings)
{
    const ChangeRow *strongest = strongest_setting(settings), *control = NULL;
    char             name[32], method[32];
    for (int i = 0; i < settings->count; i++)
        if (settings->rows[i]->strength == 0 && settings->rows[i]->store == strongest->store)
            control = settings->rows[i];
    ChangeShare share = changes_share(job->changes, strongest, GROUP_ALL, 0);
    strength_text(strongest, name);
    method_text(strongest, method);
    writer_text(
        page,
        "<p class=\"lead\">Under %s at %s, stored as %s, <b>%lld of %lld%s units "
        "(%.1f\xc2\xa0%%)</b> change their label; the 95\xc2\xa0%% interval is %.1f to %.1f\xc2\xa0%%.",
        method, name, store_arm_name(strongest->store), (long long)share.changed,
        (long long)share.units, job->attack ? " attacked" : "", 100 * share.share, 100 * share.low,
        100 * share.high);
    if (control && control != strongest) {
        ChangeShare none = changes_share(job->changes, control, GROUP_ALL, 0);
        writer_text(page,
                    " The control, which is stored the same way without any perturbation, changes "
                    "%lld (%.1f\xc2\xa0%%).",
                    (long long)none.changed, 100 * none.share);
    }
    writer_text(page, "</p>\n");
}

static void write_share_cells(Writer *page, const ChangeShare *share)
{
    writer_text(page, "<td>%lld/%lld</td><td><b>%.1f %%</b></td><td>%.1f\xe2\x80\x93%.1f</td>",
                (long long)share->changed, (long long)share->units, 100 * share->share,
                100 * share->low, 100 * share->high);
}

static void write_share_table(Writer *page, const ReportJob *job, const SettingList *settings)
{
    bool targeted = job->attack && job->attack->target.kind != TARGET_NONE;
    writer_text(page,
                "<div class=\"scroll\"><table>\n<caption>Units whose label changed, with 95 %% "
                "Wilson intervals</caption>\n<thead><tr><th scope=\"col\">storage</th>"
                "<th scope=\"col\">strength</th><th scope=\"col\">images poisoned</th>"
                "<th scope=\"colgroup\" colspan=\"3\">%s</th>"
                "<th scope=\"colgroup\" colspan=\"3\">detectors</th>%s</tr></thead>\n<tbody>\n",
                unit_group(settings->rows[0]),
                targeted ? "<th scope=\"colgroup\" colspan=\"3\">targets hit</th>" : "");
    for (int i = 0; i < settings->count; i++) {
        const ChangeRow *setting   = settings->rows[i];
        ChangeShare      all       = changes_share(job->changes, setting, GROUP_ALL, 0);
        ChangeShare      detectors = changes_share(job->changes, setting, GROUP_DETECTORS, 0);
        char             name[32];
        strength_text(setting, name);
        writer_text(page, "<tr%s><td>%s</td><th scope=\"row\">%s</th><td>%.1f %%</td>",
                    setting->strength == 0 ? " class=\"control\"" : "",
                    store_arm_name(setting->store), name, 100 * all.fraction);
        write_share_cells(page, &all);
        write_share_cells(page, &detectors);
        if (targeted)
            writer_text(page,
                        "<td>%lld/%lld</td><td><b>%.1f %%</b></td><td>%.1f\xe2\x80\x93%.1f</td>",
                        (long long)all.hits, (long long)all.targeted, 100 * all.hit_share,
                        100 * all.hit_low, 100 * all.hit_high);
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

void section_overview(Writer *page, const ReportJob *job, const SettingList *settings)
{
    const CleanRun *clean  = &job->clean;
    Totals          totals = count_detectors(job);
    writer_text(page,
                "<header>\n<p class=\"kicker\">nemesis \xc2\xb7 %s report</p>\n<h1>What the %lld "
                "units of ",
                job->verb, (long long)clean->record->unit_count);
    html_name(page, job->layer);
    writer_text(page, " stand for%s</h1>\n", job->changes ? ", and how that changes" : "");
    if (job->changes && settings->count)
        write_finding(page, job, settings);
    else
        writer_text(
            page,
            "<p class=\"lead\"><b>%lld of %lld units</b> are detectors: the mask of their "
            "strongest activations overlaps one concept with an IoU of at least %.2f.</p>\n",
            (long long)totals.detectors, (long long)clean->record->unit_count, DETECTOR_SCORE);
    writer_text(page, "<p class=\"source\">");
    html_name(page, job->network);
    writer_text(page, " on ");
    html_name(page, folder_name(clean->probe->folder));
    writer_text(page, ", mode <b>%s</b>, seed ", clean->settings->mode_name);
    html_text(page, job->seed, 24);
    writer_text(page, "</p>\n<dl class=\"tiles\">\n");
    write_tile(page, "units", (uint64_t)clean->record->unit_count);
    write_tile(page, "detectors", (uint64_t)totals.detectors);
    write_tile(page, "concepts among them", (uint64_t)totals.concepts);
    write_tile(page, "images", (uint64_t)clean->probe->image_count);
    writer_text(
        page,
        "</dl>\n<nav aria-label=\"On this page\"><a href=\"#units\">Units in detail</a>%s"
        "<a href=\"#all\">All units</a><a href=\"#constants\">Constants</a></nav>\n"
        "</header>\n<main>\n<section>\n<h2>Overview</h2>\n<div class=\"charts\">\n<figure>\n"
        "<figcaption>Detectors by category%s</figcaption>\n",
        job->attack ? "<a href=\"#film\">An attack, step by step</a>" : "",
        job->changes ? ", before" : "");
    chart_categories(page, clean->probe, totals.detectors_of);
    writer_text(page, "</figure>\n");
    if (job->changes)
        chart_shares(page, job->changes, settings);
    writer_text(page, "</div>\n");
    if (job->changes)
        write_share_table(page, job, settings);
    writer_text(page, "</section>\n");
}

/* ---- one unit in numbers --------------------------------------------------------------------- */

static void write_fraction(Writer *page, const ConceptSum *sum)
{
    writer_text(page, "<p class=\"sum\"><span>IoU =</span> <span class=\"fraction\"><span>");
    html_whole(page, sum->both);
    writer_text(page, "</span><span>");
    html_whole(page, sum->activity);
    writer_text(page, " + ");
    html_whole(page, sum->truth);
    writer_text(page, " \xe2\x88\x92 ");
    html_whole(page, sum->both);
    writer_text(page, "</span></span> <span>= <b>%.4f</b></span></p>\n", sum->concept.score);
}

static void write_ranks(Writer *page, const ReportJob *job, const UnitStory *story)
{
    writer_text(
        page,
        "<div class=\"scroll\"><table class=\"ranks\">\n<caption>The label and its runners-up, "
        "in pixels of the label maps</caption>\n<thead><tr><th scope=\"col\">concept</th>"
        "<th scope=\"col\">in both</th><th scope=\"col\">mask</th><th scope=\"col\">label</th>"
        "<th scope=\"col\">IoU</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < story->rank_count; i++) {
        const ConceptSum *sum = &story->rank[i];
        writer_text(page, "<tr><th scope=\"row\"><i class=\"dot %s\"></i>",
                    category_class(sum->concept.category));
        html_name(page, job->clean.probe->labels[sum->concept.label].name);
        writer_text(page, "</th><td>");
        html_whole(page, sum->both);
        writer_text(page, "</td><td>");
        html_whole(page, sum->activity);
        writer_text(page, "</td><td>");
        html_whole(page, sum->truth);
        writer_text(page, "</td><td>%.4f</td></tr>\n", sum->concept.score);
    }
    writer_text(page, "</tbody></table></div>\n");
}

static void write_margin(Writer *page, const ReportJob *job, const UnitStory *story)
{
    if (story->rank_count < 2) {
        writer_text(page,
                    "<p>No other label meets the mask: only an empty overlap would change this "
                    "one.</p>\n");
        return;
    }
    writer_text(page, "<p><b>Margin.</b> The label flips to ");
    html_name(page, job->clean.probe->labels[story->rank[1].concept.label].name);
    writer_text(page, " once ");
    html_whole(page, story->leave);
    writer_text(page, " of the ");
    html_whole(page, story->rank[0].both);
    writer_text(page, " shared pixels leave the mask");
    if (story->join) {
        writer_text(page, ", or ");
        html_whole(page, story->join);
        writer_text(page, " pixels of the runner-up come in");
    }
    writer_text(page, ".</p>\n");
}

void section_story(Writer *page, const ReportJob *job, const UnitStory *story)
{
    writer_text(page, "<div class=\"story\">\n<div>\n<p><b>Threshold.</b> %.6g: ",
                (double)story->threshold);
    html_whole(page, (uint64_t)story->above);
    writer_text(page, " of ");
    html_whole(page, (uint64_t)story->values);
    writer_text(page, " activations are larger (%.2f\xc2\xa0%%). Above it lie ",
                100 * (double)story->above / (double)story->values);
    html_whole(page, (uint64_t)story->mask);
    writer_text(page, " pixels in ");
    html_whole(page, (uint64_t)story->images);
    writer_text(page, " %s: the unit\xe2\x80\x99s mask.</p>\n",
                story->images == 1 ? "image" : "images");
    if (story->rank_count) {
        write_fraction(page, &story->rank[0]);
        writer_text(
            page,
            "<p class=\"note\">Shared pixels over mask (where the label\xe2\x80\x99s category "
            "is present) plus label minus shared.</p>\n");
        write_margin(page, job, story);
        writer_text(page, "</div>\n<div>\n");
        write_ranks(page, job, story);
    } else {
        writer_text(page, "<p>The mask meets no label of the probing set.</p>\n");
    }
    writer_text(page, "</div>\n</div>\n");
}

/* ---- every unit ------------------------------------------------------------------------------ */

enum { CHANGE_COLUMNS = 8 };

static const ChangeRow *change_of(const ReportJob *job, const ChangeRow *setting, int64_t unit)
{
    for (int64_t i = 0; i < job->changes->count; i++) {
        const ChangeRow *row = &job->changes->rows[i];
        if (row->unit == unit && row->store == setting->store && row->strength == setting->strength)
            return row;
    }
    return NULL;
}

static void write_change_cell(Writer *page, const ReportJob *job, const ChangeRow *row)
{
    if (!row) {
        writer_text(page, "<td class=\"none\">not attacked</td>");
    } else if (row->changed) {
        writer_text(page, "<td class=\"changed\">\xe2\x86\x92 ");
        html_name(page, job->clean.probe->labels[row->now.label].name);
        writer_text(page, "</td>");
    } else {
        writer_text(page, "<td class=\"none\">same</td>");
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

static void write_unit_row(Writer *page, const ReportJob *job, const SettingList *settings,
                           const UnitRecord *unit)
{
    writer_text(page, "<tr><th scope=\"row\" data-value=\"%lld\">%lld</th><td>",
                (long long)unit->unit, (long long)unit->unit);
    html_name(page, unit->label_name);
    writer_text(page, "</td><td><i class=\"dot %s\"></i>", category_class(unit->category));
    html_text(page, unit->category_name, HTML_NAME_LENGTH);
    writer_text(page, "</td><td data-value=\"%.9g\">%.4f</td><td data-value=\"%.9g\">%.5g</td>",
                unit->score, unit->score, (double)unit->threshold, (double)unit->threshold);
    for (int i = 0; i < settings->count && i < CHANGE_COLUMNS; i++)
        write_change_cell(page, job, change_of(job, settings->rows[i], unit->unit));
    writer_text(page, "</tr>\n");
}

bool section_units(Writer *page, const ReportJob *job, const SettingList *settings, Error *error)
{
    const RunRecord   *record = job->clean.record;
    const UnitRecord **order  = memory_new((size_t)record->unit_count, sizeof *order, error);
    if (!order)
        return false;
    writer_text(
        page, "<section id=\"all\">\n<h2>All units</h2>\n<div class=\"scroll tall\" tabindex=\"0\" "
              "role=\"region\" aria-label=\"All units\"><table class=\"sortable\">\n<caption>Every "
              "unit of the layer, best first</caption>\n<thead><tr><th scope=\"col\" "
              "data-sort=\"number\">unit</th><th scope=\"col\" data-sort=\"text\">label</th>"
              "<th scope=\"col\" data-sort=\"text\">category</th><th scope=\"col\" "
              "data-sort=\"number\" aria-sort=\"descending\">IoU</th><th scope=\"col\" "
              "data-sort=\"number\">threshold</th>");
    for (int i = 0; i < settings->count && i < CHANGE_COLUMNS; i++) {
        char name[32];
        strength_text(settings->rows[i], name);
        writer_text(page, "<th scope=\"col\" data-sort=\"text\">%s, %s</th>", name,
                    store_arm_name(settings->rows[i]->store));
    }
    writer_text(page, "</tr></thead>\n<tbody>\n");
    for (int64_t i = 0; i < record->unit_count; i++)
        order[i] = &record->units[i];
    qsort(order, (size_t)record->unit_count, sizeof *order, by_score);
    for (int64_t i = 0; i < record->unit_count; i++)
        write_unit_row(page, job, settings, order[i]);
    writer_text(page, "</tbody></table></div>\n</section>\n");
    memory_free(order);
    return true;
}

/* ---- constants ------------------------------------------------------------------------------- */

void section_facts(Writer *page, const ReportJob *job)
{
    const char *group = NULL;
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
