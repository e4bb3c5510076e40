/* cli/compare_text.c - see compare_text.h. */
#include "compare_text.h"

#include "../format/csv.h"
#include "../study/agreement.h"
#include "agree_tables.h"
#include "bert_options.h"
#include "output.h"
#include "outputs.h"

typedef struct Comparison {
    const Settings *settings;
    Descriptions    lists[2];
    BertScore      *bert;
    Agreement       agreement;
    AgreeFigure (*figures)[AGREE_FIGURES]; // of all units, then of each layer
} Comparison;

/* ---- every unit ------------------------------------------------------------------------------ */

static bool write_unit(Comparison *self, Writer *writer, int64_t unit, Error *error)
{
    const Description *a = agreement_row(&self->agreement, 0, unit),
                      *b = agreement_row(&self->agreement, 1, unit);
    double     overlap   = 0;
    const bool is_same   = self->agreement.ids[0][unit] == self->agreement.ids[1][unit];
    if (!agreement_value(&self->agreement, 0, 1, AGREE_OVERLAP, unit, &overlap, error))
        return false;
    csv_write_text(writer, a->layer);
    writer_text(writer, ",%lld,", (long long)a->unit);
    csv_write_text(writer, a->text);
    writer_text(writer, ",");
    csv_write_text(writer, b->text);
    writer_text(writer, ",%d,%.6g", is_same, overlap);
    if (agreement_has(&self->agreement, AGREE_COSINE))
        agree_write_number(writer,
                           text_table_cosine(&self->agreement.table, self->agreement.ids[0][unit],
                                             self->agreement.ids[1][unit]));
    if (self->bert) {
        const TextTable *table     = &self->agreement.table;
        const char      *reference = table->texts[self->agreement.ids[0][unit]];
        BertValues       values;
        if (!bertscore_values(self->bert, table->texts[self->agreement.ids[1][unit]], &reference, 1,
                              &values, error))
            return false;
        values                  = bertscore_rescaled(self->bert, values);
        const double numbers[3] = {values.precision, values.recall, values.f1};
        for (int k = 0; k < 3; k++)
            agree_write_number(writer, numbers[k]);
    }
    writer_text(writer, "\n");
    return true;
}

static bool write_csv(Comparison *self, Error *error)
{
    Writer *writer = NULL;
    if (!self->settings->out)
        return true;
    if (!writer_open(&writer, self->settings->out, error))
        return false;
    writer_text(writer, "layer,unit,description_a,description_b,same,word_overlap%s%s\n",
                agreement_has(&self->agreement, AGREE_COSINE) ? ",text_cosine" : "",
                self->bert ? ",precision_bert,recall_bert,f1_bert" : "");
    for (int64_t unit = 0; unit < self->agreement.count; unit++)
        if (!write_unit(self, writer, unit, error)) {
            writer_discard(writer);
            return false;
        }
    return writer_publish(writer, error);
}

/* ---- the summary ----------------------------------------------------------------------------- */

static bool print_text(const Comparison *self, Error *error)
{
    const Agreement *agreement = &self->agreement;
    printf("%lld units in both; %lld in A alone, %lld in B alone\n", (long long)agreement->count,
           (long long)agreement->alone[0], (long long)agreement->alone[1]);
    printf("A: ");
    print_name(stdout, self->settings->inputs[0]);
    printf("\nB: ");
    print_name(stdout, self->settings->inputs[1]);
    printf("\n\n");
    return agree_print_figures((const AgreeFigure(*)[AGREE_FIGURES])self->figures, 1, NULL,
                               self->bert, error);
}

static bool print_json(const Comparison *self, Error *error)
{
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    json_text(&json, "a", self->settings->inputs[0]);
    json_text(&json, "b", self->settings->inputs[1]);
    json_whole(&json, "units", self->agreement.count);
    json_whole(&json, "only_a", self->agreement.alone[0]);
    json_whole(&json, "only_b", self->agreement.alone[1]);
    bert_json(self->bert, self->settings, NULL, &json);
    agree_figures_json((const AgreeFigure(*)[AGREE_FIGURES])self->figures, &self->agreement, &json);
    json_close(&json);
    return json_print(&json, error);
}

static bool check_share(const Comparison *self, Error *error)
{
    double changed = 100 * (1 - self->figures[0][AGREE_SAME].value);
    return self->settings->fail_over < 0 || changed <= self->settings->fail_over ||
           fail(error, ERROR_CHECK, "%.2f %% of the units changed, at most %g %% were allowed",
                changed, self->settings->fail_over);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool find_figures(Comparison *self, Error *error)
{
    Agreement *agreement = &self->agreement;
    self->figures = memory_new((size_t)agreement->layer_count + 1, sizeof *self->figures, error);
    return self->figures &&
           agreement_figures(agreement, 0, 1, self->settings->seed, self->figures, error);
}

static bool open(Comparison *self, Error *error)
{
    return agree_output_check(self->settings, 2, output_file_check, error) &&
           agree_read(self->settings, 0, &self->lists[0], error) &&
           agree_read(self->settings, 1, &self->lists[1], error) &&
           bert_open(self->settings, &self->bert, error) &&
           agreement_open(&self->agreement, self->lists, 2, self->bert, error) &&
           agree_embed(self->settings, &self->agreement, error) &&
           (!self->settings->idf || agree_weigh(&self->agreement, self->bert, error));
}

bool compare_text(const Settings *settings, Error *error)
{
    Comparison self = {.settings = settings};
    bool       ok   = open(&self, error) && find_figures(&self, error) && write_csv(&self, error) &&
              (settings->json ? print_json(&self, error) : print_text(&self, error)) &&
              check_share(&self, error);
    memory_free(self.figures);
    agreement_close(&self.agreement);
    bertscore_close(self.bert);
    descriptions_close(&self.lists[0]);
    descriptions_close(&self.lists[1]);
    return ok;
}
