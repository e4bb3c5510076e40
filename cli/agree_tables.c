/* cli/agree_tables.c - see agree_tables.h. */
#include "agree_tables.h"

#include "../models/embedded.h"
#include "output.h"

#include <math.h>

/* ---- outputs --------------------------------------------------------------------------------- */

bool agree_output_check(const Settings *settings, int count, OutputCheck *check, Error *error)
{
    UsedPath bert[] = {{"the encoder", settings->bert}, {"the baselines", settings->bert_baseline}};
    if (!settings->out)
        return true;
    for (int i = 0; i < count; i++) {
        char path[LIMIT_PATH];
        for (int k = 0; descriptions_path(settings->inputs[i], k, path); k++) {
            UsedPath used = {"a list of descriptions", path};
            if (!check(settings->out, &used, 1, error))
                return false;
        }
    }
    return check(settings->out, bert, 2, error);
}

bool agree_read(const Settings *settings, int index, Descriptions *out, Error *error)
{
    char path[LIMIT_PATH];
    for (int k = 0; descriptions_path(settings->inputs[index], k, path); k++) {
        if (!folder_exists(path))
            continue;
        run_folder_note_next(path, settings);
        if (!swap_settle(path, &run_result, error))
            return false;
    }
    return descriptions_read(out, settings->inputs[index], error);
}

bool agree_embed(const Settings *settings, Agreement *agreement, Error *error)
{
    WeightBlob *towers = NULL;
    Error       lack   = {0};
    bool        ok     = embedded_open("clip", &towers, error);
    if (ok && !text_table_embed(&agreement->table, towers, &lack)) {
        if (lack.code == ERROR_DATA)
            note(settings, "no cosine of texts: %s", lack.message);
        else
            ok = fail(error, lack.code, "%s", lack.message);
    }
    blob_close(towers);
    return ok;
}

bool agree_weigh(const Agreement *agreement, BertScore *bert, Error *error)
{
    const char **texts = memory_new((size_t)agreement->count, sizeof *texts, error);
    for (int64_t unit = 0; texts && unit < agreement->count; unit++)
        texts[unit] = agreement->table.texts[agreement->ids[0][unit]];
    bool ok = texts && bertscore_weigh(bert, texts, agreement->count, error);
    memory_free(texts);
    return ok;
}

/* ---- figures --------------------------------------------------------------------------------- */

static bool is_share(int figure)
{
    return figure == AGREE_SAME || figure >= AGREE_KINDS;
}

static void number_cell(Table *table, int figure, double value)
{
    if (is_share(figure))
        table_cell(table, "%.1f %%", 100 * value);
    else
        table_cell(table, "%.3f", value);
}

static void range_cell(Table *table, int figure, double low, double high)
{
    if (is_share(figure))
        table_cell(table, "%.1f-%.1f", 100 * low, 100 * high);
    else
        table_cell(table, "%.3f to %.3f", low, high);
}

static const char *figure_told(int figure)
{
    static const char *const told[AGREE_FIGURES] = {
        "same text",     "word overlap",  "text cosine",   "F1-BERT",      "F1-BERT < 0.3",
        "F1-BERT < 0.4", "F1-BERT < 0.5", "F1-BERT < 0.6", "F1-BERT < 0.7"};
    return told[figure];
}

bool agree_print_figures(const AgreeFigure (*figures)[AGREE_FIGURES], int pairs,
                         const char *const *names, const BertScore *bert, Error *error)
{
    static const char *const heads[] = {"", "value", "95 %", "by chance", "95 % of draws"};
    Table                    table   = {.columns = 5 + (names != NULL), .alignment = "lrrrr"};
    char                     told[128];
    if (names) {
        table.alignment = "llrrrr";
        table_cell(&table, "methods");
    }
    for (int i = 0; i < 5; i++)
        table_cell(&table, "%s", heads[i]);
    for (int pair = 0; pair < pairs; pair++)
        for (int figure = 0; figure < AGREE_FIGURES; figure++) {
            const AgreeFigure *f = &figures[pair][figure];
            if (!f->units)
                continue;
            if (names)
                table_cell(&table, "%s", figure ? "" : names[pair]);
            table_cell(&table, "%s", figure_told(figure));
            number_cell(&table, figure, f->value);
            range_cell(&table, figure, f->low, f->high);
            number_cell(&table, figure, f->chance);
            range_cell(&table, figure, f->chance_low, f->chance_high);
        }
    if (!table_print(&table, stdout, error))
        return false;
    printf("by chance: %d draws, units permuted within their layers\n", AGREE_DRAWS);
    if (bert) {
        bert_told(bert, told);
        printf("F1-BERT: %s\n", told);
    }
    return true;
}

const char *agree_group_name(const Agreement *agreement, int group)
{
    return group ? agreement_row(agreement, 0, agreement->layer_start[group - 1])->layer : "all";
}

void agree_figures_json(const AgreeFigure (*figures)[AGREE_FIGURES], const Agreement *agreement,
                        JsonWriter *json)
{
    json_open_array(json, "figures");
    for (int group = 0; group <= agreement->layer_count; group++)
        for (int figure = 0; figure < AGREE_FIGURES; figure++) {
            const AgreeFigure *f = &figures[group][figure];
            if (!f->units)
                continue;
            json_open_object(json, NULL);
            json_text(json, "group", agree_group_name(agreement, group));
            json_text(json, "figure", agree_figure_name(figure));
            json_number(json, "value", f->value);
            json_number(json, "low", f->low);
            json_number(json, "high", f->high);
            json_number(json, "chance", f->chance);
            json_number(json, "chance_low", f->chance_low);
            json_number(json, "chance_high", f->chance_high);
            json_whole(json, "units", f->units);
            json_close(json);
        }
    json_close(json);
}

void agree_write_number(Writer *writer, double value)
{
    if (isnan(value))
        writer_text(writer, ",");
    else
        writer_text(writer, ",%.6g", value);
}
