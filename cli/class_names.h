/* cli/class_names.h - a text file with the name of a class on each line, class 0 first. */
#ifndef CLI_CLASS_NAMES_H
#define CLI_CLASS_NAMES_H

#include "../base/base.h"

typedef struct ClassNames {
    char   *text;  // the file; each line ends with a zero
    char  **lines; // [count], into it
    int64_t count;
} ClassNames;

/* Lines end with LF or CRLF; the last may lack its end. Errors: ERROR_NOT_FOUND, ERROR_DATA (no
 * text; or not `classes` lines, which is what `model` has). */
bool class_names_open(ClassNames *out, const char *path, const char *model, int64_t classes,
                      Error *error);
void class_names_close(ClassNames *names); // accepts a zeroed object

#endif
