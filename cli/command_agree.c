/* cli/command_agree.c - what several methods say of the same units, side by side. */
#include "../base/digest.h"
#include "../format/csv.h"
#include "agree_tables.h"
#include "commands.h"
#include "next.h"
#include "output.h"
#include "version.h"

#include <string.h>

enum { MOST_PAIRS = AGREE_METHODS * (AGREE_METHODS - 1) / 2 };

typedef AgreeFigure Figures[AGREE_FIGURES];

typedef struct Pair {
    int      a, b;
    char     name[2 * 64];
    Figures *figures; // of all units, then of each layer
} Pair;

typedef struct Agree {
    const Settings *settings;
    Run             run;
    Descriptions    lists[AGREE_METHODS];
    int             count;
    BertScore      *bert;
    Agreement       agreement;
    Pair            pairs[MOST_PAIRS];
    int             pair_count;
    AgreeStability  stability;
} Agree;

static bool is_part(const char *relative)
{
    return strcmp(relative, "agree.csv") == 0 || strcmp(relative, "summary.csv") == 0 ||
           strcmp(relative, "unfinished.json") == 0;
}

static const ResultKind agree_result = {"run.json", is_part};

/* ---- methods and their names ----------------------------------------------------------------- */

// As --names says them.
static bool take_names(Agree *self, Error *error)
{
    const char *names = self->settings->method_names;
    for (int m = 0; names && m < self->count; m++) {
        size_t length = strcspn(names, ",");
        if (length == 0 || (m + 1 == self->count) != !names[length])
            return fail(error, ERROR_USAGE, "--names: '%.60s' are not %d names, one of each input",
                        self->settings->method_names, self->count);
        memory_free(self->lists[m].name);
        if (!(self->lists[m].name = memory_text(names, error)))
            return false;
        self->lists[m].name[length] = 0;
        names += length + (names[length] == ',');
    }
    return true;
}

static bool check_names(const Agree *self, Error *error)
{
    for (int m = 0; m < self->count; m++)
        for (int k = 0; k < m; k++)
            if (strcmp(self->lists[m].name, self->lists[k].name) == 0)
                return fail(
                    error, ERROR_USAGE,
                    "inputs %d and %d are both called '%.60s'; --names A,B tells them apart", k + 1,
                    m + 1, self->lists[m].name);
    return true;
}

static bool read_lists(Agree *self, Error *error)
{
    self->count = self->settings->input_count;
    for (int m = 0; m < self->count; m++)
        if (!agree_read(self->settings, m, &self->lists[m], error))
            return false;
    return take_names(self, error) && check_names(self, error);
}

/* ---- what decides the results ---------------------------------------------------------------- */

static void digest_of(const Descriptions *list, char out[65])
{
    Sha256 sha;
    sha256_start(&sha);
    for (int64_t i = 0; i < list->count; i++) {
        const Description *row = &list->rows[i];
        char               text[48];
        snprintf(text, sizeof text, "%lld %d", (long long)row->unit, row->stayed);
        sha256_add(&sha, row->layer, strlen(row->layer) + 1);
        sha256_add(&sha, text, strlen(text) + 1);
        sha256_add(&sha, row->text, strlen(row->text) + 1);
    }
    sha256_text(&sha, out);
}

static void identify(Agree *self)
{
    static const char *const names[AGREE_METHODS]   = {"method_1", "method_2", "method_3",
                                                       "method_4", "method_5", "method_6",
                                                       "method_7", "method_8"};
    static const char *const digests[AGREE_METHODS] = {
        "descriptions_1_sha256", "descriptions_2_sha256", "descriptions_3_sha256",
        "descriptions_4_sha256", "descriptions_5_sha256", "descriptions_6_sha256",
        "descriptions_7_sha256", "descriptions_8_sha256"};
    Identity *identity = &self->run.identity;
    char      digest[65];
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", self->run.verb);
    for (int m = 0; m < self->count; m++) {
        digest_of(&self->lists[m], digest);
        identity_text(identity, names[m], self->lists[m].name);
        identity_text(identity, digests[m], digest);
    }
    bert_identify(self->bert, self->settings, identity);
    identity_whole(identity, "seed", self->settings->seed);
}

/* ---- the work -------------------------------------------------------------------------------- */

static bool find_pairs(Agree *self, Error *error)
{
    size_t groups = (size_t)self->agreement.layer_count + 1;
    for (int a = 0; a < self->count; a++)
        for (int b = a + 1; b < self->count; b++) {
            Pair *pair    = &self->pairs[self->pair_count++];
            *pair         = (Pair){.a = a, .b = b};
            pair->figures = memory_new(groups, sizeof *pair->figures, error);
            snprintf(pair->name, sizeof pair->name, "%.60s, %.60s", self->lists[a].name,
                     self->lists[b].name);
            if (!pair->figures || !agreement_figures(&self->agreement, a, b, self->settings->seed,
                                                     pair->figures, error))
                return false;
        }
    self->stability = agreement_stability(&self->agreement);
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

// A column of a name, or of two.
static void write_head(Writer *writer, const char *what, const char *a, const char *b)
{
    char name[3 * 64];
    snprintf(name, sizeof name, "%s%s%.60s%s%.60s", what, *what ? "_" : "", a, b ? "_" : "",
             b ? b : "");
    writer_text(writer, ",");
    csv_write_text(writer, name);
}

static void write_heads(const Agree *self, Writer *writer)
{
    writer_text(writer, "layer,unit");
    for (int m = 0; m < self->count; m++)
        write_head(writer, "", self->lists[m].name, NULL);
    for (int m = 0; m < self->count; m++)
        if (self->lists[m].has_stayed)
            write_head(writer, "stayed", self->lists[m].name, NULL);
    if (self->stability.methods)
        writer_text(writer, ",stayed_in_all");
    for (int p = 0; p < self->pair_count; p++)
        for (int kind = 0; kind < AGREE_KINDS; kind++)
            if (kind != AGREE_BERT || self->bert)
                write_head(writer, agree_figure_name(kind), self->lists[self->pairs[p].a].name,
                           self->lists[self->pairs[p].b].name);
    writer_text(writer, "\n");
}

// Nothing where nobody tried.
static void write_stayed(Writer *writer, int stayed)
{
    writer_text(writer, stayed < 0 ? "," : stayed ? ",1" : ",0");
}

static bool write_unit(Agree *self, Writer *writer, int64_t unit, Error *error)
{
    Agreement         *agreement = &self->agreement;
    const Description *first     = agreement_row(agreement, 0, unit);
    csv_write_text(writer, first->layer);
    writer_text(writer, ",%lld", (long long)first->unit);
    for (int m = 0; m < self->count; m++) {
        writer_text(writer, ",");
        csv_write_text(writer, agreement_row(agreement, m, unit)->text);
    }
    for (int m = 0; m < self->count; m++)
        if (self->lists[m].has_stayed)
            write_stayed(writer, agreement_row(agreement, m, unit)->stayed);
    if (self->stability.methods)
        write_stayed(writer, agreement_stayed(agreement, unit));
    for (int p = 0; p < self->pair_count; p++)
        for (int kind = 0; kind < AGREE_KINDS; kind++) {
            double value = 0;
            if (kind == AGREE_BERT && !self->bert)
                continue;
            if (!agreement_value(agreement, self->pairs[p].a, self->pairs[p].b, (AgreeKind)kind,
                                 unit, &value, error))
                return false;
            agree_write_number(writer, value);
        }
    writer_text(writer, "\n");
    return true;
}

static bool write_units(Agree *self, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    if (!path_join(path, self->run.folder.path, "agree.csv", error) ||
        !writer_open(&writer, path, error))
        return false;
    write_heads(self, writer);
    for (int64_t unit = 0; unit < self->agreement.count; unit++)
        if (!write_unit(self, writer, unit, error)) {
            writer_discard(writer);
            return false;
        }
    return writer_publish(writer, error);
}

static void write_figure(Writer *writer, const char *a, const char *b, const char *group,
                         const char *name, const AgreeFigure *f)
{
    csv_write_text(writer, a);
    writer_text(writer, ",");
    csv_write_text(writer, b);
    writer_text(writer, ",");
    csv_write_text(writer, group);
    writer_text(writer, ",%s,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%lld\n", name, f->value, f->low, f->high,
                f->chance, f->chance_low, f->chance_high, (long long)f->units);
}

// Stability has no draws: chance is a product of shares.
static void write_stability(const Agree *self, Writer *writer)
{
    const AgreeStability *s = &self->stability;
    if (!s->methods || !s->units)
        return;
    for (int m = 0; m < self->count; m++)
        if (s->stayed[m] >= 0) {
            double low, high;
            wilson_interval(s->stayed[m], s->units, &low, &high);
            csv_write_text(writer, self->lists[m].name);
            writer_text(writer, ",,all,stayed,%.6g,%.6g,%.6g,,,,%lld\n",
                        (double)s->stayed[m] / (double)s->units, low, high, (long long)s->units);
        }
    writer_text(writer, ",,all,stayed_in_all,%.6g,%.6g,%.6g,%.6g,,,%lld\n",
                (double)s->stayed_in_all / (double)s->units, s->low, s->high, s->chance,
                (long long)s->units);
}

static bool write_summary(Agree *self, Error *error)
{
    char    path[LIMIT_PATH];
    Writer *writer = NULL;
    if (!path_join(path, self->run.folder.path, "summary.csv", error) ||
        !writer_open(&writer, path, error))
        return false;
    writer_text(writer, "a,b,group,figure,value,low,high,chance,chance_low,chance_high,units\n");
    for (int p = 0; p < self->pair_count; p++)
        for (int group = 0; group <= self->agreement.layer_count; group++)
            for (int figure = 0; figure < AGREE_FIGURES; figure++) {
                const AgreeFigure *f = &self->pairs[p].figures[group][figure];
                if (f->units)
                    write_figure(writer, self->lists[self->pairs[p].a].name,
                                 self->lists[self->pairs[p].b].name,
                                 agree_group_name(&self->agreement, group),
                                 agree_figure_name(figure), f);
            }
    write_stability(self, writer);
    return writer_publish(writer, error);
}

/* ---- run.json and the terminal --------------------------------------------------------------- */

static void write_methods(const Agree *self, JsonWriter *json)
{
    json_open_array(json, "methods");
    for (int m = 0; m < self->count; m++) {
        char path[LIMIT_PATH];
        json_open_object(json, NULL);
        json_text(json, "name", self->lists[m].name);
        json_whole(json, "units", self->lists[m].count);
        json_whole(json, "not_in_all", self->agreement.alone[m]);
        json_open_array(json, "sources");
        for (int k = 0; descriptions_path(self->settings->inputs[m], k, path); k++) {
            json_open_object(json, NULL);
            run_path(&self->run, "path", path, json);
            json_close(json);
        }
        json_close(json);
        json_close(json);
    }
    json_close(json);
}

static void write_results(const Agree *self, JsonWriter *json)
{
    json_open_array(json, "pairs");
    for (int p = 0; p < self->pair_count; p++) {
        json_open_object(json, NULL);
        json_text(json, "a", self->lists[self->pairs[p].a].name);
        json_text(json, "b", self->lists[self->pairs[p].b].name);
        agree_figures_json((const Figures *)self->pairs[p].figures, &self->agreement, json);
        json_close(json);
    }
    json_close(json);
    if (!self->stability.methods)
        return;
    json_open_object(json, "stability");
    json_whole(json, "methods", self->stability.methods);
    json_whole(json, "units", self->stability.units);
    json_whole(json, "stayed_in_all", self->stability.stayed_in_all);
    json_number(json, "low", self->stability.low);
    json_number(json, "high", self->stability.high);
    json_number(json, "chance", self->stability.chance);
    json_close(json);
}

static bool finish(Agree *self, Error *error)
{
    JsonWriter json = {0};
    run_document_start(&self->run, &json);
    write_methods(self, &json);
    bert_json(self->bert, self->settings, &self->run, &json);
    json_open_object(&json, "counts");
    json_whole(&json, "units", self->agreement.count);
    json_whole(&json, "layers", self->agreement.layer_count);
    json_whole(&json, "draws", AGREE_DRAWS);
    json_close(&json);
    write_results(self, &json);
    bool ok = run_document_end(&self->run, 0, &json, error);
    json_discard(&json);
    return ok;
}

static void tell_stable(const AgreeStability *s)
{
    if (s->methods == 1)
        printf("stable in the one method that was tried");
    else
        printf("stable in all %d methods that were tried", s->methods);
    printf(": %lld of %lld units, %.1f %% (95 %%: %.1f-%.1f", (long long)s->stayed_in_all,
           (long long)s->units, 100 * (double)s->stayed_in_all / (double)s->units, 100 * s->low,
           100 * s->high);
    if (s->methods > 1)
        printf("; %.1f %% if they had nothing to do with each other", 100 * s->chance);
    printf(")\n");
}

static bool show(const Agree *self, Error *error)
{
    const char           *names[MOST_PAIRS];
    Figures               figures[MOST_PAIRS];
    const AgreeStability *s = &self->stability;
    if (self->settings->json)
        return true;
    printf("%lld units that all %d describe\n", (long long)self->agreement.count, self->count);
    for (int m = 0; m < self->count; m++) {
        print_name(stdout, self->lists[m].name);
        printf(": %lld units, %lld not in all\n", (long long)self->lists[m].count,
               (long long)self->agreement.alone[m]);
    }
    printf("\n");
    for (int p = 0; p < self->pair_count; p++) {
        names[p] = self->pairs[p].name;
        memcpy(figures[p], self->pairs[p].figures[0], sizeof figures[p]);
    }
    if (!agree_print_figures((const Figures *)figures, self->pair_count, names, self->bert, error))
        return false;
    if (s->methods && s->units)
        tell_stable(s);
    return true;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool open(Agree *self, Error *error)
{
    const Settings *settings = self->settings;
    if (!agree_output_check(settings, settings->input_count, output_folder_check, error) ||
        !read_lists(self, error) || !bert_open(settings, &self->bert, error) ||
        !run_folder_claim(&self->run.folder, settings, &agree_result, error))
        return false;
    identify(self);
    return run_folder_compare(&self->run.folder, settings, &self->run.identity, error);
}

static bool work(Agree *self, Error *error)
{
    return agreement_open(&self->agreement, self->lists, self->count, self->bert, error) &&
           (!self->settings->idf || agree_weigh(&self->agreement, self->bert, error)) &&
           find_pairs(self, error) && run_folder_begin(&self->run.folder, error) &&
           write_units(self, error) && write_summary(self, error) && finish(self, error) &&
           show(self, error);
}

static bool run(const Settings *settings, Error *error)
{
    static const char *const files[] = {"agree.csv", "summary.csv", "run.json", NULL};
    Agree                   *self    = memory_new(1, sizeof *self, error);
    if (!self)
        return false;
    self->settings = settings;
    run_open(&self->run, verb_agree.name, settings);
    bool ok = open(self, error) &&
              (self->run.folder.is_done ? run_folder_show_done(&self->run.folder, settings, error)
                                        : work(self, error)) &&
              tell_results(settings, files, NULL, error);
    if (ok)
        tell_next_report(settings);
    for (int p = 0; p < self->pair_count; p++)
        memory_free(self->pairs[p].figures);
    agreement_close(&self->agreement);
    bertscore_close(self->bert);
    for (int m = 0; m < self->count; m++)
        descriptions_close(&self->lists[m]);
    run_close(&self->run);
    memory_free(self);
    return ok;
}

static const Option options[] = {
    OPTION_OUT("RUN", "run folder to write"),
    {.name   = "names",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, method_names),
     .value  = "A,B[,...]",
     .help   = "what the inputs are called (default: their folders or files)"},
    OPTIONS_BERT,
    {.name   = "idf",
     .kind   = ARGUMENT_FLAG,
     .offset = offsetof(Settings, idf),
     .help   = "in F1-BERT rare tokens of the first input's descriptions count more"},
    OPTION_END};

const Verb verb_agree = {
    .name        = "agree",
    .inputs      = "RUN|FILE.csv...",
    .input_least = 2,
    .input_most  = AGREE_METHODS,
    .summary     = "what several methods say of the same units, and how often they agree",
    .details     = "Each input is what one method says: a run of any method, a file "
                   "layer,unit,description, or tallies of Network Dissection (LAYER=tally.csv, or "
                   "its name ends in _LAYER); several files of one method are joined by commas. "
                   "Units that all describe stand side by side, and each pair of methods is "
                   "compared by equal texts, by words and with --bert by F1-BERT, beside what "
                   "chance gives: the same descriptions with units permuted within their layers. "
                   "Of runs of noise or attack it tells which units kept their description in "
                   "all.",
    .example     = "nemesis agree runs/dissection runs/milan -o runs/agreement",
    .options     = options,
    .shared      = "threads|seed|overwrite|resume|" SHARED_BY_ALL,
    .run         = run,
};
