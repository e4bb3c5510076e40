/* report/report.h - a run as a folder of plain pages: HTML, CSS, PNG and inline SVG.
 *
 * The page opens from disk, loads nothing from elsewhere and needs no script (a small one adds
 * sorting to the table of units). A run folder holds numbers alone, so the pictures are made anew:
 * one pass over the probing set for the units that are shown, then the attack or the noise again on
 * one image each. Every text that comes from a file is escaped and cut to a length that fits a
 * line.
 *
 * Stories are the numbers behind one label; the page and `explain unit` tell the same ones. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "../attack/attack.h"

/* ---- the numbers behind one label ------------------------------------------------------------ */

enum { STORY_IMAGES = 5 };

typedef struct StoryImage {
    int64_t image;
    float   peak;       // largest activation of the unit's map
    int64_t mask, both; // label-map pixels of the unit's mask; ... that carry its concept
} StoryImage;

/* score = both / (activity + truth - both + epsilon), all counted over the whole probing set. */
typedef struct ConceptSum {
    Concept concept;
    uint64_t both;     // pixels of the unit's mask with the label
    uint64_t activity; // pixels of the mask where the label's category is present
    uint64_t truth;    // pixels with the label
    uint64_t either;   // the union: activity + truth - both
} ConceptSum;

typedef struct UnitStory {
    int64_t    unit;
    float      threshold;
    int64_t    above, values; // activations beyond the threshold, of all
    int64_t    mask, images;  // mask pixels of all images; images that have any
    int        rank_count;
    ConceptSum rank[NEM_TOP]; // the concept and its runners-up; those without a score are left out
    /* The label flips once `leave` of its pixels drop out of the mask, or `join` pixels of the
     * runner-up come in, everything else being equal; 0: cannot happen that way. */
    uint64_t   leave, join;
    int        top_count;
    StoryImage top[STORY_IMAGES]; // images with the highest peaks, highest first
} UnitStory;

/* maps [images, height, width] of the unit over the whole probing set, as dissect_collect gives
 * them. Errors: ERROR_DATA where threshold or concept differ from the record of the clean run. */
bool unit_story_tell(const CleanRun *clean, int64_t unit, const float *maps, UnitStory *out,
                     Error *error);

/* ---- the page -------------------------------------------------------------------------------- */

/* One line of the list of constants, in the order of run.json. */
typedef struct ReportFact {
    const char *group, *name, *value; // group "" for what stands at the top
} ReportFact;

typedef struct ReportJob {
    const char       *verb;    // "dissect", "noise", "attack"
    const char       *network; // architecture
    const char       *layer;
    const char       *seed;
    CleanRun          clean;   // of the run itself, or of its baseline
    UnitBuilder       builder; // the layer for one unit
    const Changes    *changes; // NULL: a clean run
    const Noise      *noise;   // of a noise run, strength aside; else NULL
    const AttackJob  *attack;  // of an attack run; else NULL
    const ReportFact *facts;
    int               fact_count;
    int64_t           unit_limit; // most units with a section of their own; 0: REPORT_UNITS
    const char       *folder;     // exists; index.html is written last
} ReportJob;

enum { REPORT_UNITS = 16 };

/* Errors: those of the sources; ERROR_CREATE, ERROR_IO; ERROR_AGAIN (cancelled). */
bool report_write(const ReportJob *job, Error *error);

#endif
