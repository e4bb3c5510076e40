/* format/html.h - writes text into HTML pages so that no name from a file can become markup. */
#ifndef FORMAT_HTML_H
#define FORMAT_HTML_H

#include "../base/file.h"

enum { HTML_NAME_LENGTH = 64, HTML_VALUE_LENGTH = 400 }; // code points shown of a text from a file

/* Text from a file, safe between tags and inside a quoted attribute: & < > " ' are escaped, control
 * characters become blanks, bytes that are not UTF-8 and what utf8_shown hides become U+FFFD. After
 * `most` code points follows an ellipsis. */
void html_text(Writer *page, const char *text, int most);
/* A label as an element of its own: isolated from the text around it. */
void html_name(Writer *page, const char *name);
/* 12345678 -> 12 345 678, with thin no-break spaces. */
void html_whole(Writer *page, uint64_t value);
/* "c0".."c5": the class that gives a category its colour, the same in every data set: Broden's six
 * have one each, other names share them. "" is none. */
const char *category_class(const char *category);

#endif
