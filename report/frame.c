/* report/frame.c - what stands around the sections of a page. */
#include "page.h"

void page_begin(Writer *page, const char *verb, const char *subject)
{
    writer_text(page,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n<title>nemesis: %s of ",
                verb);
    html_text(page, subject, HTML_NAME_LENGTH);
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

void page_end(Writer *page, const char *origin, bool has_sortable_tables)
{
    writer_text(page, "</main>\n<footer><p>%s</p></footer>\n", origin);
    if (has_sortable_tables)
        writer_text(page, "<script>\n");
    for (size_t i = 0; has_sortable_tables && i < sizeof script_lines / sizeof *script_lines; i++)
        writer_text(page, "%s\n", script_lines[i]);
    writer_text(page, "%s</body>\n</html>\n", has_sortable_tables ? "</script>\n" : "");
}
