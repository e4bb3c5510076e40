/* cli/method_options.h - what explanation methods can be told, as options of verbs: made from the
 * rows of the table of methods, so that no verb knows which options there are. */
#ifndef CLI_METHOD_OPTIONS_H
#define CLI_METHOD_OPTIONS_H

#include "../nem/method.h"
#include "run_folder.h"

/* The index-th option of any method, each name once; NULL past the last. */
const MethodOption *method_option_row(int index);
/* The index-th of those that a verb takes; NULL past the last. Their values are
 * Settings.of_methods, which are NULL where nothing was given. */
const Option *method_option(MethodOptionsTaken taken, int index);

/* What the options of one method are set to, in the order of its row. */
typedef struct MethodValues {
    const char *value[METHOD_OPTIONS];      // NULL: not given
    char        sha256[METHOD_OPTIONS][65]; // of files; "" for others and where none was given
} MethodValues;

/* As the command line says, or else initially. Errors: ERROR_USAGE for an option that was given and
 * is of other methods only. */
bool method_values_given(const Method *method, const Settings *settings, MethodValues *out,
                         Error *error);
/* Reads the files once for their SHA-256. Errors: those of files, with the option's name. */
bool method_values_digest(const Method *method, MethodValues *values, Error *error);
/* What stands in a run's settings where a blob of the program serves in place of a file: "built-in"
 * and its SHA-256. False: there is none for this option. */
enum { METHOD_EMBEDDED_TEXT = 80 };
bool method_embedded(const MethodOption *option, char out[METHOD_EMBEDDED_TEXT]);
/* Files are what they hold, not where they lie. */
void method_values_identify(const Method *method, const MethodValues *values, Identity *identity);

#endif
