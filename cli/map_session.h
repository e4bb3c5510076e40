/* cli/map_session.h - what one call of `attribute` has open: what was asked, and what it writes. */
#ifndef CLI_MAP_SESSION_H
#define CLI_MAP_SESSION_H

#include "../attribution/runner.h"
#include "../base/file.h"
#include "../format/table.h"
#include "run.h"
#include "subjects.h"

enum { MAP_LAYER_BYTES = 64 };

typedef struct MapSession {
    const Settings  *settings;
    Run              run;
    WeightBlob      *blob, *patterns;
    const MapMethod *methods[ARGUMENT_LIST];
    int              method_count;
    MapMode          mode;
    Composite        rules; // of --rules
    char             layer[MAP_LAYER_BYTES];
    int64_t          unit; // of a layer; -1: a class
    int64_t          copies;
    double           level;
    real            *baseline, *image;
    int64_t          baseline_height, baseline_width;
    Subjects         subjects;
    MapRunner        runner; // of the method at hand
    Writer          *maps, *account;
    Table            table;
    int64_t          done, total;
    double           worst_completeness, worst_conservation;
} MapSession;

/* Reads what was asked for, claims the folder, opens weights, patterns, baseline and inputs, and
 * compares with the run that is there. Errors: ERROR_USAGE, and those of the files. */
bool map_session_open(MapSession *session, Error *error);

/* maps.csv, and conservation.csv where relevance is propagated; a row of each, and of the table
 * for people; what they add up to. Both appear whole. */
bool map_tables_open(MapSession *session, Error *error);
void map_tables_add(MapSession *session, const Subject *subject, double beta);
bool map_tables_publish(MapSession *session, Error *error);
bool map_tables_show(MapSession *session, Error *error);
bool map_session_has_relevance(const MapSession *session);

#endif
