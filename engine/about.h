/* engine/about.h - the text in a weight blob: lines `key=value` about the network.
 *
 * No key twice, no control characters, every line ends with a newline; at most 64 KiB and 256
 * lines. `path` is only used in messages. Errors: ERROR_DATA with the rule that was broken,
 * ERROR_MEMORY. */
#ifndef ENGINE_ABOUT_H
#define ENGINE_ABOUT_H

#include "blob.h"

typedef struct AboutLine {
    const char *key, *value; // zero-terminated, in About.text
} AboutLine;

typedef struct About {
    char      *text;
    AboutLine *lines;
    int        count;
} About;

/* On failure `about` is still to be closed. */
bool about_parse(About *about, const void *bytes, size_t size, const char *path, Error *error);
void about_close(About *about); // accepts a zeroed object

const char *about_value(const About *about, const char *key); // or NULL

/* A number in low..high, or what *value was where the key is not there. */
bool about_number(const About *about, const char *path, const char *key, double low, double high,
                  double *value, Error *error);

/* How images are prepared; the keys it needs are listed in DESIGN.md, "Weight blob". A network that
 * takes no images (a text tower) has none of them: *has_any is false then. */
bool about_preparation(const About *about, const char *path, Preparation *out, bool *has_any,
                       Error *error);

#endif
