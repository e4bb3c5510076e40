/* report/html.c - text that is safe in a page, and the frame around the sections. */
#include "page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *entity_of(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return c < 0x20 || c == 0x7f ? " " : NULL;
    }
}

void html_text(Writer *page, const char *text, int most)
{
    const unsigned char *at   = (const unsigned char *)text;
    size_t               left = strlen(text);
    for (int shown = 0; left > 0; shown++) {
        int         length = utf8_length(at, left), step = length ? length : 1;
        const char *entity = length == 1 ? entity_of(*at) : NULL;
        if (shown == most) {
            writer_text(page, "\xe2\x80\xa6");
            return;
        }
        if (entity)
            writer_text(page, "%s", entity);
        else if (!utf8_shown(at, left))
            writer_text(page, "\xef\xbf\xbd");
        else
            writer_bytes(page, at, (size_t)length);
        at += step;
        left -= (size_t)step;
    }
}

void html_name(Writer *page, const char *name)
{
    writer_text(page, "<bdi class=\"name\">");
    if (*name)
        html_text(page, name, HTML_NAME_LENGTH);
    else
        writer_text(page, "no label");
    writer_text(page, "</bdi>");
}

void html_whole(Writer *page, uint64_t value)
{
    char digits[24];
    int  length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    for (int i = 0; i < length; i++)
        writer_text(page, "%s%c", i && (length - i) % 3 == 0 && length > 4 ? "\xe2\x80\xaf" : "",
                    digits[i]);
}

const char *category_class(int category)
{
    static const char *const classes[] = {"c0", "c1", "c2", "c3", "c4", "c5"};
    return classes[category % 6];
}

void html_begin(Writer *page, const ReportJob *job)
{
    writer_text(page,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n<title>nemesis: %s of ",
                job->verb);
    html_text(page, job->layer, HTML_NAME_LENGTH);
    writer_text(page, "</title>\n<link rel=\"icon\" href=\"data:,\">\n"
                      "<link rel=\"stylesheet\" href=\"style.css\">\n</head>\n<body>\n");
}

// Turns the headings of sortable columns into buttons. The table is complete and sorted without it.
static const char *const script_lines[] = {
    "document.querySelectorAll('table.sortable').forEach(function (table) {",
    "  var body = table.tBodies[0];",
    "  table.querySelectorAll('th[data-sort]').forEach(function (head) {",
    "    var button = document.createElement('button');",
    "    while (head.firstChild) button.appendChild(head.firstChild);",
    "    head.appendChild(button);",
    "    button.addEventListener('click', function () {",
    "      var up = head.getAttribute('aria-sort') === 'descending' ||",
    "        (!head.hasAttribute('aria-sort') && head.dataset.sort === 'text');",
    "      var value = function (row) {",
    "        var cell = row.cells[head.cellIndex];",
    "        if (head.dataset.sort === 'number') return Number(cell.dataset.value);",
    "        return cell.textContent;",
    "      };",
    "      table.querySelectorAll('th').forEach(function (other) {",
    "        other.removeAttribute('aria-sort');",
    "      });",
    "      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');",
    "      Array.from(body.rows).sort(function (a, b) {",
    "        var x = value(a), y = value(b);",
    "        return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);",
    "      }).forEach(function (row) { body.appendChild(row); });",
    "    });",
    "  });",
    "});",
};

void html_end(Writer *page)
{
    writer_text(page,
                "</main>\n<footer><p>Made by nemesis from the files of the run; the pictures were "
                "computed again for this page.</p></footer>\n<script>\n");
    for (size_t i = 0; i < sizeof script_lines / sizeof *script_lines; i++)
        writer_text(page, "%s\n", script_lines[i]);
    writer_text(page, "</script>\n</body>\n</html>\n");
}
