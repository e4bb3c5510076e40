/* cli/map_session.h - what one call of `attribute` has open: what was asked, and what it writes. */
#ifndef CLI_MAP_SESSION_H
#define CLI_MAP_SESSION_H

#include "../attribution/runner.h"
#include "../base/file.h"
#include "../format/table.h"
#include "run.h"
#include "subjects.h"

enum { MAP_LAYER_BYTES = 64 };

/* What the tables say of one map that is done. */
typedef struct MapRecord {
    double  sum, size, completeness_error;
    int64_t has_completeness, rows; // of the account: as many sums
} MapRecord;

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
    Activation       activation; // before what is explained
    real            *baseline, *image;
    int64_t          baseline_height, baseline_width;
    Subjects         subjects;
    MapRunner        runner; // of the method at hand
    Writer          *maps, *account;
    Table            table;
    int64_t          done, total;
    int64_t          bytes;       // of the maps that --dry-run made, on disk
    MapRecord       *records;     // [total], of maps that are done
    AccountSums     *sums;        // theirs, one behind the other
    int64_t          saved_count; // maps that a checkpoint has
    int64_t          sum_count, sum_room;
    double           worst_completeness, worst_conservation;
    double           worst_growth; // of relevance, its size over what it began with
    const char      *grown;        // method of that map
} MapSession;

/* Reads what was asked for, claims the folder, opens weights, patterns, baseline and inputs, and
 * compares with the run that is there. Errors: ERROR_USAGE, and those of the files. */
bool map_session_open(MapSession *session, Error *error);

/* What is known of maps that are done goes into a checkpoint now and then: opened once `total` is
 * known; taken for map number `done` into the runner of its method, in place of running it, while
 * done < saved_count; added after a map was made and its files written. Errors: ERROR_MEMORY,
 * ERROR_IO; ERROR_DATA (the checkpoint contradicts the run). */
bool map_saved_open(MapSession *session, Error *error);
bool map_saved_take(MapSession *session, Error *error);
bool map_saved_add(MapSession *session, Error *error);

/* maps.csv, and conservation.csv where relevance is propagated; a row of each, and of the table
 * for people; what they add up to. Both appear whole. */
bool map_tables_open(MapSession *session, Error *error);
void map_tables_add(MapSession *session, const Subject *subject, double beta);
bool map_tables_publish(MapSession *session, Error *error);
bool map_tables_show(MapSession *session, Error *error);
bool map_session_has_relevance(const MapSession *session);

#endif
