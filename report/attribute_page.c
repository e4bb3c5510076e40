/* report/attribute_page.c - the page of a run of `attribute`: photos, maps, overlays, and what the
 * numbers of a map add up to. */
#include "../format/csv.h"
#include "../format/html.h"
#include "map_page.h"

#include <math.h>
#include <string.h>

enum { PICTURED_IMAGES = 12, ROWS_SHOWN = 5000, NAME = 400 };

typedef struct Columns {
    int image, method, class, probability, beta, sum, completeness;
} Columns;

typedef struct AccountColumns {
    int image, method, layer, relevance, bias, stabiliser, dead, size, rule, beta;
} AccountColumns;

/* The two tables of a run. */
typedef struct Tables {
    Csv           *maps, *account; // account NULL: nothing propagates relevance
    Columns        at;
    AccountColumns in;
    int64_t        images, methods, pictured;
} Tables;

/* ---- tables ---------------------------------------------------------------------------------- */

static bool read_account(const MapPage *page, Tables *tables, Error *error)
{
    char            path[LIMIT_PATH];
    AccountColumns *in = &tables->in;
    if (!path_join(path, page->job->run, "conservation.csv", error))
        return false;
    if (!file_exists(path))
        return true;
    return csv_read(&tables->account, path, error) &&
           csv_need(tables->account, "image", &in->image, error) &&
           csv_need(tables->account, "method", &in->method, error) &&
           csv_need(tables->account, "layer", &in->layer, error) &&
           csv_need(tables->account, "relevance", &in->relevance, error) &&
           csv_need(tables->account, "bias", &in->bias, error) &&
           csv_need(tables->account, "stabiliser", &in->stabiliser, error) &&
           csv_need(tables->account, "dead", &in->dead, error) &&
           csv_need(tables->account, "size", &in->size, error) &&
           csv_need(tables->account, "rule", &in->rule, error) &&
           csv_need(tables->account, "beta", &in->beta, error);
}

static bool read_maps(const MapPage *page, Tables *tables, Error *error)
{
    char     path[LIMIT_PATH];
    Columns *at = &tables->at;
    return path_join(path, page->job->run, "maps.csv", error) &&
           csv_read(&tables->maps, path, error) &&
           csv_need(tables->maps, "image", &at->image, error) &&
           csv_need(tables->maps, "method", &at->method, error) &&
           csv_need(tables->maps, "class", &at->class, error) &&
           csv_need(tables->maps, "probability", &at->probability, error) &&
           csv_need(tables->maps, "beta", &at->beta, error) &&
           csv_need(tables->maps, "sum", &at->sum, error) &&
           csv_need(tables->maps, "completeness_error", &at->completeness, error);
}

static const char *text_at(const Tables *tables, int64_t row, int column)
{
    return csv_name(tables->maps, row, column);
}

// Rows stand method after method, and of each all images in the same order.
static void count_images(Tables *tables)
{
    int64_t     rows = csv_row_count(tables->maps);
    const char *last = "";
    for (int64_t i = 0; i < rows; i++) {
        const char *method = text_at(tables, i, tables->at.method);
        tables->images +=
            strcmp(method, text_at(tables, 0, tables->at.method)) == 0 &&
            strcmp(text_at(tables, i, tables->at.beta), text_at(tables, 0, tables->at.beta)) == 0;
        tables->methods += strcmp(method, last) != 0;
        last = method;
    }
    tables->pictured = tables->images < PICTURED_IMAGES ? tables->images : PICTURED_IMAGES;
}

// A name becomes part of a path below the run's folder, so it may not lead elsewhere.
static bool check_names(const MapPage *page, const Tables *tables, Error *error)
{
    for (int64_t i = 0; i < csv_row_count(tables->maps); i++) {
        const char *image = text_at(tables, i, tables->at.image);
        if (strchr(image, '/'))
            return fail(error, ERROR_DATA, "%s/maps.csv: '%.40s' is not the name of an image",
                        page->job->run, image);
        if (!map_method_named(text_at(tables, i, tables->at.method)))
            return fail(error, ERROR_DATA, "%s/maps.csv: '%.40s' is not a method of maps",
                        page->job->run, text_at(tables, i, tables->at.method));
    }
    return csv_row_count(tables->maps) > 0 ||
           fail(error, ERROR_DATA, "%s/maps.csv: has no rows", page->job->run);
}

/* ---- pictures -------------------------------------------------------------------------------- */

static bool is_there(const MapPage *page, const char *name)
{
    char path[LIMIT_PATH];
    return path_join(path, page->job->run, name, NULL) && file_exists(path);
}

// The file of a row's map: with its beta in the name where a run has several.
static void name_map(const MapPage *page, const Tables *tables, int64_t row, const char *ending,
                     char out[NAME])
{
    const char *image = text_at(tables, row, tables->at.image);
    const char *name  = text_at(tables, row, tables->at.method);
    snprintf(out, NAME, "%.255s-%s%s", image, name, ending);
    if (!is_there(page, out))
        snprintf(out, NAME, "%.255s-%s-beta%.32s%s", image, name,
                 text_at(tables, row, tables->at.beta), ending);
}

static bool show_map(MapPage *page, const Tables *tables, int64_t row, Error *error)
{
    char        map[NAME], overlay[NAME];
    const char *beta = text_at(tables, row, tables->at.beta);
    name_map(page, tables, row, ".png", map);
    name_map(page, tables, row, "-overlay.png", overlay);
    bool has_overlay = is_there(page, overlay);
    writer_text(page->page, "<figure><div class=\"%s\">", has_overlay ? "two" : "one");
    if (!map_picture(page, map, "the map", error) ||
        (has_overlay && !map_picture(page, overlay, "the map over the photo in gray", error)))
        return false;
    writer_text(page->page, "</div><figcaption><b>%s</b>", text_at(tables, row, tables->at.method));
    if (*beta) {
        writer_text(page->page, ", softplus with beta ");
        html_text(page->page, beta, 24);
    }
    writer_text(page->page, "</figcaption></figure>\n");
    return true;
}

static void write_class(MapPage *page, const Tables *tables, int64_t row)
{
    double probability;
    bool   is_class = csv_number(tables->maps, row, tables->at.probability, &probability, NULL);
    writer_text(page->page, is_class ? "class " : "unit ");
    html_text(page->page, text_at(tables, row, tables->at.class), HTML_NAME_LENGTH);
    if (is_class)
        writer_text(page->page, ", probability %.3f", probability);
}

static bool show_image(MapPage *page, const Tables *tables, int64_t index, Error *error)
{
    const char *image = text_at(tables, index, tables->at.image);
    char        photo[NAME];
    snprintf(photo, sizeof photo, "%.255s-photo.png", image);
    writer_text(page->page, "<div class=\"unit\"><h3>");
    html_name(page->page, image);
    writer_text(page->page, "<span class=\"chip\">");
    write_class(page, tables, index);
    writer_text(page->page, "</span></h3>\n<div class=\"pairs\">\n");
    if (is_there(page, photo)) {
        writer_text(page->page, "<figure class=\"whole\">");
        if (!map_picture(page, photo, "the photo, as the network sees it", error))
            return false;
        writer_text(page->page, "<figcaption><b>photo</b>, as the network sees it</figcaption>"
                                "</figure>\n");
    }
    for (int64_t i = index; i < csv_row_count(tables->maps); i += tables->images)
        if (strcmp(text_at(tables, i, tables->at.image), image) == 0 &&
            !show_map(page, tables, i, error))
            return false;
    writer_text(page->page, "</div></div>\n");
    return true;
}

static bool section_images(MapPage *page, const Tables *tables, Error *error)
{
    writer_text(
        page->page,
        "<section id=\"pictures\">\n<h2>Maps</h2>\n<p class=\"note\">A map alone is black "
        "at 0, and white at what 99 of 100 of its values do not exceed; where it has "
        "negative values, those are blue and positive ones red. Beside it, it lies over "
        "the photo in gray, as opaque as it is large. A click opens a picture alone.</p>\n");
    for (int64_t i = 0; i < tables->pictured; i++)
        if (!show_image(page, tables, i, error))
            return false;
    if (tables->images > tables->pictured)
        writer_text(page->page, "<p>%lld more images are in the run\xe2\x80\x99s folder.</p>\n",
                    (long long)(tables->images - tables->pictured));
    writer_text(page->page, "</section>\n");
    return true;
}

/* ---- what maps add up to --------------------------------------------------------------------- */

// What became of the relevance that one map began with.
typedef struct Shares {
    double  start, pixels, bias, stabiliser, dead;
    int64_t first, rows; // in conservation.csv; no rows: no relevance
} Shares;

static double number_at(const Csv *csv, int64_t row, int column, Error *error)
{
    double value = 0;
    return csv_number(csv, row, column, &value, error) ? value : (double)NAN;
}

static bool is_of_map(const Tables *tables, int64_t row, int64_t map)
{
    const AccountColumns *in = &tables->in;
    return strcmp(csv_name(tables->account, row, in->image),
                  text_at(tables, map, tables->at.image)) == 0 &&
           strcmp(csv_name(tables->account, row, in->method),
                  text_at(tables, map, tables->at.method)) == 0 &&
           strcmp(csv_name(tables->account, row, in->beta),
                  text_at(tables, map, tables->at.beta)) == 0;
}

// Both tables have the maps in the same order: *next is the first row that no map has taken yet.
static Shares take_shares(const Tables *tables, int64_t map, int64_t *next)
{
    Shares shares = {.first = *next};
    for (;
         tables->account && *next < csv_row_count(tables->account) && is_of_map(tables, *next, map);
         shares.rows++, (*next)++) {
        const AccountColumns *in        = &tables->in;
        double                relevance = number_at(tables->account, *next, in->relevance, NULL);
        shares.start                    = shares.rows ? shares.start : relevance;
        shares.pixels                   = relevance;
        shares.bias += number_at(tables->account, *next, in->bias, NULL);
        shares.stabiliser += number_at(tables->account, *next, in->stabiliser, NULL);
        shares.dead += number_at(tables->account, *next, in->dead, NULL);
    }
    return shares;
}

static void write_share(MapPage *page, const Shares *shares, double part)
{
    double share = shares->rows ? part / shares->start : (double)NAN;
    if (fabs(share) < 100)
        writer_text(page->page, "<td>%.2f %%</td>", 100 * share);
    else if (isfinite(share))
        writer_text(page->page, "<td>%.1e times</td>", share);
    else
        writer_text(page->page, "<td class=\"none\">\xe2\x80\x93</td>");
}

static void write_number(MapPage *page, const Tables *tables, int64_t row, int column)
{
    double value;
    if (csv_number(tables->maps, row, column, &value, NULL))
        writer_text(page->page, "<td>%.4g</td>", value);
    else
        writer_text(page->page, "<td class=\"none\">\xe2\x80\x93</td>");
}

static void write_row(MapPage *page, const Tables *tables, int64_t row, int64_t *next)
{
    const char *beta   = text_at(tables, row, tables->at.beta);
    Shares      shares = take_shares(tables, row, next);
    if (row >= ROWS_SHOWN)
        return;
    writer_text(page->page, "<tr><th scope=\"row\">");
    html_name(page->page, text_at(tables, row, tables->at.image));
    writer_text(page->page, "</th><td>%s</td><td>", text_at(tables, row, tables->at.method));
    html_text(page->page, text_at(tables, row, tables->at.class), HTML_NAME_LENGTH);
    writer_text(page->page, "</td>");
    write_number(page, tables, row, tables->at.probability);
    writer_text(page->page, "<td>");
    html_text(page->page, *beta ? beta : page->job->activation, 24);
    writer_text(page->page, "</td>");
    write_number(page, tables, row, tables->at.sum);
    write_number(page, tables, row, tables->at.completeness);
    if (shares.rows)
        writer_text(page->page, "<td>%.4g</td>", shares.start);
    else
        writer_text(page->page, "<td class=\"none\">\xe2\x80\x93</td>");
    write_share(page, &shares, shares.pixels);
    write_share(page, &shares, shares.bias);
    write_share(page, &shares, shares.stabiliser);
    write_share(page, &shares, shares.dead);
    writer_text(page->page, "</tr>\n");
}

static void section_sums(MapPage *page, const Tables *tables)
{
    int64_t rows = csv_row_count(tables->maps), next = 0;
    writer_text(
        page->page,
        "<section id=\"sums\">\n<h2>What maps add up to</h2>\n<p>The sum is that of the "
        "attribution, before a map takes its sign and scale. Integrated gradients should add up "
        "to the change of the explained value from the baseline to the image; the completeness "
        "error is what they miss. Relevance begins with the start value, and what does not reach "
        "the pixels has stayed in biases, stabilisers and dead units: the last four columns add up "
        "to 100\xc2\xa0%%. Shares of both signs may be many times the start and cancel; such "
        "a map is what rounding left of them.</p>\n<p class=\"note hint\">The table scrolls "
        "sideways "
        "\xe2\x86\x92</p>\n"
        "<div class=\"scroll wide tall\" tabindex=\"0\" role=\"region\" aria-label=\"Sums\">"
        "<table>\n<caption>Every map of the run</caption>\n<thead><tr>"
        "<th scope=\"col\">image</th><th scope=\"col\">method</th><th scope=\"col\">class</th>"
        "<th scope=\"col\">probability</th><th scope=\"col\">beta</th><th scope=\"col\">sum</th>"
        "<th scope=\"col\">completeness error</th><th scope=\"col\">start value</th>"
        "<th scope=\"col\">pixels</th><th scope=\"col\">biases</th><th scope=\"col\">stabilisers"
        "</th><th scope=\"col\">dead units</th></tr></thead>\n<tbody>\n");
    for (int64_t i = 0; i < rows && i < ROWS_SHOWN; i++)
        write_row(page, tables, i, &next);
    writer_text(page->page, "</tbody></table></div>\n");
    if (rows > ROWS_SHOWN)
        writer_text(page->page, "<p>%lld more are in maps.csv.</p>\n",
                    (long long)(rows - ROWS_SHOWN));
    writer_text(page->page, "</section>\n");
}

/* ---- layer by layer -------------------------------------------------------------------------- */

static void write_layer(MapPage *page, const Tables *tables, int64_t row)
{
    const AccountColumns *in        = &tables->in;
    const int             numbers[] = {in->relevance, in->bias, in->stabiliser, in->dead, in->size};
    writer_text(page->page, "<tr><th scope=\"row\">");
    html_name(page->page, csv_name(tables->account, row, in->layer));
    writer_text(page->page, "</th><td>");
    html_text(page->page, csv_name(tables->account, row, in->rule), HTML_NAME_LENGTH);
    writer_text(page->page, "</td>");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        writer_text(page->page, "<td>%.4g</td>", number_at(tables->account, row, numbers[i], NULL));
    writer_text(page->page, "</tr>\n");
}

static void write_layers(MapPage *page, const Tables *tables, int64_t map, const Shares *shares)
{
    const char *method = text_at(tables, map, tables->at.method);
    const char *beta   = text_at(tables, map, tables->at.beta);
    writer_text(page->page, "<details><summary>%s%s", method, *beta ? ", beta " : "");
    html_text(page->page, beta, 24);
    writer_text(page->page,
                "</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                "aria-label=\"Layers of %s\"><table>\n<thead><tr><th "
                "scope=\"col\">layer</th><th scope=\"col\">rule</th><th scope=\"col\">relevance "
                "that arrives</th><th scope=\"col\">biases keep</th><th scope=\"col\">stabilisers "
                "keep</th><th scope=\"col\">dead units keep</th><th scope=\"col\">sum of sizes</th>"
                "</tr></thead>\n<tbody>\n",
                method);
    for (int64_t i = shares->first; i < shares->first + shares->rows; i++)
        write_layer(page, tables, i);
    writer_text(page->page, "</tbody></table></div></details>\n");
}

// Of the first image: every composite of relevance in a table that opens.
static void section_layers(MapPage *page, const Tables *tables)
{
    int64_t next = 0;
    writer_text(page->page, "<section id=\"layers\">\n<h2>Relevance, layer by layer</h2>\n<p>Of "
                            "the image ");
    html_name(page->page, text_at(tables, 0, tables->at.image));
    writer_text(page->page, ", from the output down to the pixels.</p>\n");
    for (int64_t i = 0; i < csv_row_count(tables->maps); i++) {
        Shares shares = take_shares(tables, i, &next);
        if (shares.rows &&
            strcmp(text_at(tables, i, tables->at.image), text_at(tables, 0, tables->at.image)) == 0)
            write_layers(page, tables, i, &shares);
    }
    writer_text(page->page, "</section>\n");
}

/* ---- the page -------------------------------------------------------------------------------- */

static void write_header(MapPage *page, const Tables *tables)
{
    Writer *out = page->page;
    writer_text(out,
                "<header>\n<p class=\"kicker\">nemesis \xc2\xb7 attribute report</p>\n<h1>Which "
                "pixels counted in %lld image%s, by %lld method%s</h1>\n<p class=\"source\">Maps "
                "of ",
                (long long)tables->images, tables->images == 1 ? "" : "s",
                (long long)tables->methods, tables->methods == 1 ? "" : "s");
    html_name(out, page->job->network);
    writer_text(out, ", mode <b>");
    html_text(out, page->job->mode, HTML_NAME_LENGTH);
    writer_text(out, "</b>, seed ");
    html_text(out, page->job->seed, 24);
    writer_text(out,
                "</p>\n<nav aria-label=\"On this page\"><a href=\"#pictures\">Maps</a><a "
                "href=\"#sums\">What maps add up to</a>%s<a href=\"#constants\">Constants</a>"
                "</nav>\n</header>\n<main>\n",
                tables->account ? "<a href=\"#layers\">Layer by layer</a>" : "");
}

bool attribute_page(MapPage *page, Error *error)
{
    Tables tables = {0};
    bool   ok     = read_maps(page, &tables, error) && read_account(page, &tables, error) &&
              check_names(page, &tables, error);
    if (ok) {
        count_images(&tables);
        write_header(page, &tables);
        ok = section_images(page, &tables, error);
    }
    if (ok) {
        section_sums(page, &tables);
        if (tables.account)
            section_layers(page, &tables);
    }
    csv_close(tables.maps);
    csv_close(tables.account);
    return ok;
}
