/* cli/map_tables.c - the tables that `attribute` writes and shows, see map_session.h. */
#include "../format/csv.h"
#include "map_session.h"
#include "output.h"

#include <math.h>
#include <string.h>

enum { ROWS_SHOWN = 24 };
static const double most_growth = 1e5; // of which float32 keeps a hundredth of what it began with

bool map_session_has_relevance(const MapSession *session)
{
    for (int i = 0; i < session->method_count; i++)
        if (session->methods[i]->relevance)
            return true;
    return false;
}
static void start_table(MapSession *session)
{
    static const char *const heads[] = {"image", "method", "class",         "probability",
                                        "beta",  "sum",    "incompleteness"};
    session->table                   = (Table){.columns = 7, .alignment = "llrrrrr"};
    for (int i = 0; i < 7; i++)
        table_cell(&session->table, "%s", heads[i]);
}

bool map_tables_open(MapSession *session, Error *error)
{
    char path[LIMIT_PATH];
    start_table(session);
    if (!path_join(path, session->run.folder.path, "maps.csv", error) ||
        !writer_open(&session->maps, path, error))
        return false;
    writer_text(session->maps,
                "image,method,class,probability,beta,smooth,conv,sum,completeness_error\n");
    if (!map_session_has_relevance(session))
        return true;
    if (!path_join(path, session->run.folder.path, "conservation.csv", error) ||
        !writer_open(&session->account, path, error))
        return false;
    writer_text(session->account,
                "image,method,layer,relevance,bias,stabiliser,dead,size,rule,beta\n");
    return true;
}

static bool publish(Writer **writer, Error *error)
{
    Writer *whole = *writer;
    *writer       = NULL;
    return !whole || writer_publish(whole, error);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void number_field(Writer *writer, double value)
{
    char text[32];
    number_text(value, text);
    writer_text(writer, ",%s", text);
}

// What relevance arrived at each layer and what it kept, then the pixels.
static void write_account(MapSession *session, const Subject *subject, double beta)
{
    const MapRunner *runner = &session->runner;
    const Account   *rows   = &runner->map.account;
    double           lost = 0, largest = 0;
    for (int i = 0; i <= rows->count && rows->count; i++) {
        bool        is_end = i == rows->count;
        AccountSums sums   = is_end ? (AccountSums){.relevance = runner->sum, .size = runner->size}
                                    : runner->account[i];
        csv_write_text(session->account, subject->name);
        writer_text(session->account, ",%s,", runner->job.method->name);
        csv_write_text(session->account, is_end ? "pixels" : rows->rows[i].layer);
        number_field(session->account, sums.relevance);
        number_field(session->account, sums.bias);
        number_field(session->account, sums.stabiliser);
        number_field(session->account, sums.dead);
        number_field(session->account, sums.size);
        writer_text(session->account, ",%s", is_end ? "" : rows->rows[i].rule);
        if (beta > 0)
            number_field(session->account, beta);
        else
            writer_text(session->account, ",");
        writer_text(session->account, "\n");
        largest = fmax(largest, sums.size);
        lost += sums.bias + sums.stabiliser + sums.dead;
    }
    if (rows->count && runner->account[0].relevance != 0) {
        double start                = runner->account[0].relevance;
        double share                = fabs((runner->sum + lost - start) / start);
        session->worst_conservation = fmax(session->worst_conservation, share);
        if (largest / fabs(start) > session->worst_growth) {
            session->worst_growth = largest / fabs(start);
            session->grown        = runner->job.method->name;
        }
    }
}

static void write_row(MapSession *session, const Subject *subject, double beta)
{
    const Settings  *settings = session->settings;
    const MapRunner *runner   = &session->runner;
    Writer          *writer   = session->maps;
    char             sum[32], error[32], probability[32];
    csv_write_text(writer, subject->name);
    writer_text(writer, ",%s,", runner->job.method->name);
    if (session->unit >= 0)
        csv_write_text(writer, settings->explained_unit);
    else
        writer_text(writer, "%lld", (long long)subject->class);
    number_text(subject->probability, probability);
    writer_text(writer, ",%s", session->unit >= 0 ? "" : probability);
    if (beta > 0)
        number_field(writer, beta);
    else
        writer_text(writer, ",");
    writer_text(writer, ",%s,%s", settings->smooth ? settings->smooth : "",
                word_text(CONV_NAMES, settings->conv));
    number_text(runner->sum, sum);
    number_text(runner->completeness_error, error);
    writer_text(writer, ",%s,%s\n", sum, runner->has_completeness ? error : "");
    if (session->done >= ROWS_SHOWN)
        return;
    table_cell(&session->table, "%s", subject->name);
    table_cell(&session->table, "%s", runner->job.method->name);
    if (session->unit >= 0)
        table_cell(&session->table, "%s", settings->explained_unit);
    else
        table_cell(&session->table, "%lld", (long long)subject->class);
    if (session->unit >= 0)
        table_cell(&session->table, "%s", "");
    else
        table_cell(&session->table, "%.4f", subject->probability);
    if (beta > 0)
        table_cell(&session->table, "%g", beta);
    else
        table_cell(&session->table, "%s", session->activation.name);
    table_cell(&session->table, "%.5g", runner->sum);
    if (runner->has_completeness)
        table_cell(&session->table, "%.3g", runner->completeness_error);
    else
        table_cell(&session->table, "%s", "");
}

void map_tables_add(MapSession *session, const Subject *subject, double beta)
{
    write_account(session, subject, beta);
    write_row(session, subject, beta);
    if (session->runner.has_completeness)
        session->worst_completeness =
            fmax(session->worst_completeness, fabs(session->runner.completeness_error));
}

bool map_tables_publish(MapSession *session, Error *error)
{
    return publish(&session->maps, error) && publish(&session->account, error);
}

bool map_tables_show(MapSession *session, Error *error)
{
    bool quiet = session->settings->json;
    if (!table_print(&session->table, quiet ? NULL : stdout, error))
        return false;
    if (session->worst_growth > most_growth)
        note(session->settings,
             "warning: relevance of %s grows to %.1e times what it began with and cancels, so its "
             "map is rounding errors; docs/methods/explanation-maps.md says why (E13)",
             session->grown, session->worst_growth);
    if (quiet)
        return true;
    if (session->done > ROWS_SHOWN)
        printf("and %lld more, in maps.csv\n", (long long)(session->done - ROWS_SHOWN));
    if (session->worst_completeness > 0)
        printf("completeness: pixels add up to f(image) - f(baseline) within %.3g\n",
               session->worst_completeness);
    if (map_session_has_relevance(session))
        printf("conservation: pixels, biases, stabilisers and dead units add up to the start "
               "within %.3g of it\n",
               session->worst_conservation);
    return true;
}
