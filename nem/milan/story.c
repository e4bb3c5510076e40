/* nem/milan/story.c - one unit's caption, with what it was written from. */
#include "story.h"

#include "../../format/table.h"

/* ---- telling --------------------------------------------------------------------------------- */

static bool fill_sheet(Story *story, const Explainer *explainer, const float *maps, Error *error)
{
    const ActivationSource *layer = &explainer->inputs.layer;
    const Exemplars        *found = &story->exemplars;
    Sheet                   sheet = {0};
    bool                    ok    = sheet_open(&sheet, explainer, found->count, error);
    for (int64_t rank = 0; ok && rank < found->count; rank++)
        ok = sheet_add(&sheet, rank, found->image[rank],
                       maps + found->image[rank] * layer->height * layer->width, found->level,
                       &story->share[rank], error);
    ok = ok && png_encode(&sheet.image, &story->sheet, &story->sheet_bytes, error);
    sheet_close(&sheet);
    return ok;
}

bool milan_story(const Explainer *explainer, const Evidence *evidence, int64_t unit,
                 const float *maps, const PeakImage *top, int top_count, Story **out, Error *error)
{
    Story *story = memory_new(1, sizeof *story, error);
    (void)unit;
    (void)top;
    (void)top_count;
    if (!story)
        return false;
    story->score     = evidence->score[0];
    story->exemplars = evidence->exemplars[0];
    story->text      = memory_text(evidence->text[0], error);
    if (!story->text || !fill_sheet(story, explainer, maps, error)) {
        milan_story_close(story);
        return false;
    }
    *out = story;
    return true;
}

void milan_story_close(Story *story)
{
    if (!story)
        return;
    memory_free(story->text);
    memory_free(story->sheet);
    memory_free(story);
}

/* ---- JSON and text --------------------------------------------------------------------------- */

void milan_story_json(const Explainer *explainer, const Story *story, JsonWriter *json)
{
    json_text(json, "caption", story->text);
    json_number(json, "pmi", story->score);
    json_number(json, "level", (double)story->exemplars.level);
    json_open_array(json, "exemplars");
    for (int64_t rank = 0; rank < story->exemplars.count; rank++) {
        int64_t image = story->exemplars.image[rank];
        json_open_object(json, NULL);
        json_whole(json, "image", image);
        json_text(json, "file", probe_image_path(explainer->inputs.probe, image));
        json_number(json, "activation", (double)story->exemplars.peak[rank]);
        json_number(json, "shown", story->share[rank]);
        json_close(json);
    }
    json_close(json);
}

bool milan_story_text(const Explainer *explainer, const Story *story, FILE *stream, Error *error)
{
    Table             table     = {.columns = 4, .alignment = "rrrl"};
    const char *const headers[] = {"rank", "activation", "shown", "exemplar"};
    fprintf(stream, "caption: ");
    print_name(stream, *story->text ? story->text : "(empty)");
    fprintf(
        stream,
        "\nPMI %.6f: log p of the caption given the exemplars, less a share of its log p by the "
        "language model\nshown to the captioner is what exceeds %.9g, the level of the top "
        "hundredth\n\n",
        story->score, (double)story->exemplars.level);
    for (int i = 0; i < table.columns; i++)
        table_cell(&table, "%s", headers[i]);
    for (int64_t rank = 0; rank < story->exemplars.count; rank++) {
        table_cell(&table, "%lld", (long long)rank + 1);
        table_cell(&table, "%.6g", (double)story->exemplars.peak[rank]);
        table_cell(&table, "%.1f %%", 100 * story->share[rank]);
        table_cell(&table, "%s",
                   probe_image_path(explainer->inputs.probe, story->exemplars.image[rank]));
    }
    return table_print(&table, stream, error);
}

/* ---- page ------------------------------------------------------------------------------------ */

// Base 64 (RFC 4648), so that a page needs no file beside it for the sheet.
static void write_base64(Writer *page, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t left  = size - i < 3 ? (uint32_t)(size - i) : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        char     text[4];
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        for (uint32_t k = 0; k < 4; k++)
            text[k] = (char)(k > left ? '=' : digits[group >> (18 - 6 * k) & 63]);
        writer_bytes(page, text, 4);
    }
}

void milan_story_page(const Explainer *explainer, const Story *story, Writer *page)
{
    (void)explainer;
    writer_text(page, "<div class=\"story\">\n<div>\n<p><b>Caption.</b> ");
    html_text(page, *story->text ? story->text : "(empty)", HTML_VALUE_LENGTH);
    writer_text(
        page,
        "</p>\n<p>Its PMI is %.4f: how much likelier the captioner finds it with the "
        "exemplars than its language model without.</p>\n<p><b>Level.</b> %.6g, which a "
        "hundredth of the unit\xe2\x80\x99s activations exceed. The captioner sees of "
        "each exemplar where the enlarged map does.</p>\n</div>\n<div>\n<p><b>Exemplars.</b> "
        "The %lld images with the highest activations, row by row, dark where they are "
        "not seen.</p>\n<p><img style=\"width:100%%\" alt=\"the exemplars of the unit\" "
        "src=\"data:image/png;base64,",
        story->score, (double)story->exemplars.level, (long long)story->exemplars.count);
    write_base64(page, story->sheet, story->sheet_bytes);
    writer_text(page, "\"></p>\n</div>\n</div>\n");
}

void milan_story_caption(const Story *story, int k, Writer *page)
{
    writer_text(page, "%.1f\xc2\xa0%% shown", 100 * story->share[k]);
}
