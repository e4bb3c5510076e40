/* nem/dissect/story_show.c - the numbers behind one label as JSON, as text and on a page. */
#include "dissect_private.h"

#include "../../format/table.h"

/* ---- JSON ------------------------------------------------------------------------------------ */

static void write_rank(const Labels *labels, const ConceptSum *sum, JsonWriter *json)
{
    json_open_object(json, NULL);
    json_text(json, "category", labels->category[sum->concept.category]);
    json_text(json, "label", labels->text[sum->concept.label]);
    json_natural(json, "intersect", sum->both);
    json_natural(json, "activation", sum->activity);
    json_natural(json, "truth", sum->truth);
    json_natural(json, "union", sum->either);
    json_number(json, "iou", sum->concept.score);
    json_close(json);
}

static void write_top(const ProbeSet *probe, const StoryImage *top, JsonWriter *json)
{
    json_open_object(json, NULL);
    json_whole(json, "image", top->peak.image);
    json_text(json, "path", probe_image_path(probe, top->peak.image));
    json_number(json, "peak", (double)top->peak.peak);
    json_whole(json, "mask_pixels", top->mask);
    json_whole(json, "on_label", top->both);
    json_close(json);
}

void dissect_story_json(const Explainer *explainer, const Story *story, JsonWriter *json)
{
    json_number(json, "threshold", (double)story->threshold);
    json_whole(json, "activations_above", story->above);
    json_whole(json, "activations", story->values);
    json_whole(json, "mask_pixels", story->mask);
    json_whole(json, "mask_images", story->images);
    json_open_array(json, "concepts");
    for (int i = 0; i < story->rank_count; i++)
        write_rank(explainer->labels, &story->rank[i], json);
    json_close(json);
    json_open_object(json, "margin");
    json_natural(json, "leave", story->leave);
    json_close(json);
    json_open_array(json, "top_images");
    for (int i = 0; i < story->top_count; i++)
        write_top(explainer->inputs.probe, &story->top[i], json);
    json_close(json);
}

/* ---- text ------------------------------------------------------------------------------------ */

static bool print_ranks(const Labels *labels, const Story *story, FILE *stream, Error *error)
{
    Table             table     = {.columns = 7, .alignment = "llrrrrr"};
    const char *const headers[] = {"label", "category", "intersect", "activation",
                                   "truth", "union",    "IoU"};
    for (int i = 0; i < table.columns; i++)
        table_cell(&table, "%s", headers[i]);
    for (int i = 0; i < story->rank_count; i++) {
        const ConceptSum *sum = &story->rank[i];
        table_cell(&table, "%s", labels->text[sum->concept.label]);
        table_cell(&table, "%s", labels->category[sum->concept.category]);
        table_cell(&table, "%llu", (unsigned long long)sum->both);
        table_cell(&table, "%llu", (unsigned long long)sum->activity);
        table_cell(&table, "%llu", (unsigned long long)sum->truth);
        table_cell(&table, "%llu", (unsigned long long)sum->either);
        table_cell(&table, "%.6f", sum->concept.score);
    }
    return table_print(&table, stream, error);
}

static void print_margin(const Labels *labels, const Story *story, FILE *stream)
{
    if (story->rank_count == 0) {
        fprintf(stream, "\nno label: the mask meets none\n");
        return;
    }
    const ConceptSum *best = &story->rank[0];
    fprintf(stream, "\nIoU = %llu / (%llu + %llu - %llu) = %.6f\n", (unsigned long long)best->both,
            (unsigned long long)best->activity, (unsigned long long)best->truth,
            (unsigned long long)best->both, best->concept.score);
    if (story->rank_count < 2 || !story->leave)
        return;
    fprintf(stream, "margin: the label falls behind ");
    print_name(stream, labels->text[story->rank[1].concept.label]);
    fprintf(stream, " once %llu of its pixels leave the mask, the weakest first\n",
            (unsigned long long)story->leave);
}

static bool print_top(const ProbeSet *probe, const Story *story, FILE *stream, Error *error)
{
    Table             table     = {.columns = 4, .alignment = "rrrl"};
    const char *const headers[] = {"peak", "mask", "on label", "image"};
    for (int i = 0; i < table.columns; i++)
        table_cell(&table, "%s", headers[i]);
    for (int i = 0; i < story->top_count; i++) {
        const StoryImage *top = &story->top[i];
        table_cell(&table, "%.6g", (double)top->peak.peak);
        table_cell(&table, "%lld", (long long)top->mask);
        table_cell(&table, "%lld", (long long)top->both);
        table_cell(&table, "%s", probe_image_path(probe, top->peak.image));
    }
    return table_print(&table, stream, error);
}

bool dissect_story_text(const Explainer *explainer, const Story *story, FILE *stream, Error *error)
{
    fprintf(stream,
            "threshold %.9g: %lld of %lld activations are larger (%.3f %%)\n"
            "mask: %lld pixels in %lld images\n\n",
            (double)story->threshold, (long long)story->above, (long long)story->values,
            100 * (double)story->above / (double)story->values, (long long)story->mask,
            (long long)story->images);
    bool ok = print_ranks(explainer->labels, story, stream, error);
    print_margin(explainer->labels, story, stream);
    fprintf(stream, "\n");
    return print_top(explainer->inputs.probe, story, stream, error) && ok;
}

/* ---- page ------------------------------------------------------------------------------------ */

static void page_fraction(Writer *page, const ConceptSum *sum)
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

static void page_ranks(Writer *page, const Labels *labels, const Story *story)
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
                    category_class(labels->category[sum->concept.category]));
        html_name(page, labels->text[sum->concept.label]);
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

static void page_margin(Writer *page, const Labels *labels, const Story *story)
{
    if (story->rank_count < 2) {
        writer_text(page,
                    "<p>No other label meets the mask: only an empty overlap would change this "
                    "one.</p>\n");
        return;
    }
    if (!story->leave)
        return;
    writer_text(page, "<p><b>Margin.</b> On the clean photos the label falls behind ");
    html_name(page, labels->text[story->rank[1].concept.label]);
    writer_text(page, " once ");
    html_whole(page, story->leave);
    writer_text(page, " of the ");
    html_whole(page, story->rank[0].both);
    writer_text(page, " shared pixels have left the mask, the weakest first.</p>\n");
}

static void page_threshold(Writer *page, const Story *story)
{
    writer_text(page, "<p><b>Threshold.</b> %.6g: ", (double)story->threshold);
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
}

void dissect_story_page(const Explainer *explainer, const Story *story, Writer *page)
{
    writer_text(page, "<div class=\"story\">\n<div>\n");
    page_threshold(page, story);
    if (story->rank_count) {
        page_fraction(page, &story->rank[0]);
        writer_text(
            page,
            "<p class=\"note\">Shared pixels over mask (where the label\xe2\x80\x99s category "
            "is present) plus label minus shared.</p>\n");
        page_margin(page, explainer->labels, story);
        writer_text(page, "</div>\n<div>\n");
        page_ranks(page, explainer->labels, story);
    } else {
        writer_text(page, "<p>The mask meets no label of the probing set.</p>\n");
    }
    writer_text(page, "</div>\n</div>\n");
}

void dissect_story_caption(const Story *story, int k, Writer *page)
{
    html_whole(page, (uint64_t)story->top[k].both);
    writer_text(page, " of ");
    html_whole(page, (uint64_t)story->top[k].mask);
    writer_text(page, " px on label");
}
