/* study/map_case.h - one case of a study of maps: the attack on one pair, then its rows. */
#ifndef STUDY_MAP_CASE_H
#define STUDY_MAP_CASE_H

#include "map_machine.h"

/* Room for one case after another; all arrays are owned. */
typedef struct CaseRoom {
    float  *wanted;          // [cells], the map that is aimed at
    float  *before, *target; // of the network that is measured
    float  *shown[3];        // before, target and after, for files
    float  *clean, *planes;  // [3, cells] in 0..1, as it was and as stored
    real   *stored;          // [3, cells], prepared
    real   *logits[2];       // [classes], before and after
    int64_t cells, classes;
} CaseRoom;

bool case_room_open(CaseRoom *out, const MapMachine *machine, Error *error);
void case_room_close(CaseRoom *room); // accepts a zeroed object

/* What is known of a pair before it is attacked. */
typedef struct CaseFacts {
    MapPair pair;
    int64_t index, class, target_class; // predicted by the ReLU network
} CaseFacts;

/* Predicts the classes, and makes the map that is aimed at (M6), into room->wanted. */
void case_begin(CaseFacts *facts, CaseRoom *room, MapMachine *machine);

/* Appends the rows of an attacked image to the results, which have room for them, and fills
 * room->shown. */
bool case_measure(const CaseFacts *facts, CaseRoom *room, MapMachine *machine, MapResults *results,
                  Error *error);
void case_smooth(const CaseFacts *facts, CaseRoom *room, MapMachine *machine, MapResults *results);

/* Room for the rows of all cases; and how many rows so many cases have, from the first on. */
typedef struct RowCounts {
    int64_t cases, measures, smoothings, steps;
} RowCounts;

RowCounts map_rows(const MapStudy *study, int64_t cases);
bool      map_results_open(MapResults *out, const MapStudy *study, Error *error);

/* How many rows of each kind a case of a method has. */
int64_t case_measures(const MapStudy *study, int method);
int64_t case_smoothings(void);
/* Forward passes of what is measured of one pair, about. */
int64_t case_passes(const MapStudy *study, int method);

#endif
