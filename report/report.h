/* report/report.h - a run as a folder of plain pages: HTML, CSS, PNG and inline SVG.
 *
 * The page opens from disk, loads nothing from elsewhere and needs no script (a small one adds
 * sorting to the table of units). A run folder holds numbers alone, so the pictures are made anew:
 * one pass over the probing set for the units that are shown, then the attack or the noise again on
 * one image each. Every text that comes from a file is escaped and cut to a length that fits a
 * line.
 *
 * Nothing here knows an explanation method: the method of the clean run gives labels, scores, masks
 * and the section on each unit. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "../study/study.h"
#include "map_report.h"

/* ---- how one unit came by its concept; for pages and for `explain unit` ---------------------- */

/* The numbers behind one unit's concept, and the images that it answers to most strongly. */

typedef struct UnitStory {
    int64_t   unit;
    float     threshold; // 0 where the method has none
    int       top_count;
    PeakImage top[STORY_IMAGES];
    Story    *story; // the method's; NULL where it tells none
} UnitStory;

/* Makes a story from the unit's maps [images, height, width] over the whole probing set, as
 * maps_collect gives them. Errors: ERROR_DATA where they do not agree with what the clean run
 * found. */
bool unit_story_tell(const CleanRun *clean, int64_t unit, const float *maps, UnitStory *out,
                     Error *error);
void unit_story_close(UnitStory *story, const Method *method); // accepts a zeroed object

/* ---- the page -------------------------------------------------------------------------------- */

struct RobustReportJob; // robust_report.h

typedef struct ReportJob {
    const char                   *verb;    // that made the run: "dissect", "noise", ...
    const char                   *network; // architecture
    const char                   *layer;
    const char                   *seed;
    CleanRun                      clean;   // of the run itself, or of its baseline
    const Changes                *changes; // NULL: a clean run
    const Noise                  *noise;   // of a noise run, strength aside; else NULL
    const AttackJob              *attack;  // of an attack run; else NULL
    const ReportFact             *facts;
    int                           fact_count;
    const MapReportJob           *maps; // a run of `manipulate` that is shown beside it; NULL: none
    const struct RobustReportJob *robust; // runs of `robustness`, one or two; NULL: none
    const int64_t *film_unit;  // attacked, shown step by step; NULL: the first on the page
    int64_t        unit_limit; // most units with a section of their own; 0: REPORT_UNITS
    const char    *folder;     // exists; index.html is written last
} ReportJob;

enum { REPORT_UNITS = 16 };

/* Writes the page with its pictures into job->folder. Errors: those of the sources; ERROR_USAGE (a
 * film of a unit that was not perturbed); ERROR_CREATE, ERROR_IO; ERROR_AGAIN (cancelled). */
bool report_write(const ReportJob *job, Error *error);

#endif
