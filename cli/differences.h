/* cli/differences.h - settings in which two finished runs differ, for verbs that compare runs. */
#ifndef CLI_DIFFERENCES_H
#define CLI_DIFFERENCES_H

#include "../format/json.h"
#include "arguments.h"

enum { DIFFERENCES = 64 };

// A setting that the two runs do not share.
typedef struct Difference {
    const char *name, *a, *b;
} Difference;

/* Texts live as long as the documents they are from. */
typedef struct Differences {
    Difference list[DIFFERENCES];
    int        count;
} Differences;

/* A setting of a run.json, NULL if it is none. */
const char *setting_text(const Json *json, const char *name);

/* Adds one if both are there and differ. */
void differences_add(Differences *differences, const char *name, const char *a, const char *b);
/* Adds all settings of both but those named, a list that ends with NULL. */
void differences_find(Differences *differences, const Json *a, const Json *b,
                      const char *const *but);

/* Adds the digests of what the probing set of each holds: photos, label maps, tables. */
void differences_add_files(Differences *differences, const Json *a, const Json *b);

void differences_tell(const Differences *differences, const Settings *settings); // as notes
void differences_json(const Differences *differences, JsonWriter *json); // the array "differences"

#endif
