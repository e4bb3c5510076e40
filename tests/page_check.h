/* tests/page_check.h - whether a page is what its writer meant: balanced tags, quoted attributes,
 * no text that could be taken for markup, no event handlers. */
#ifndef TESTS_PAGE_CHECK_H
#define TESTS_PAGE_CHECK_H

#include <stdbool.h>

/* The first problem, or NULL. Static storage. */
const char *page_problem(const char *page);

#endif
