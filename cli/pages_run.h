/* cli/pages_run.h - one run of `report`: the run that it tells of, and the folder of its pages.
 * Runs of units, of maps and of robustness are read and shown in a source each. */
#ifndef CLI_PAGES_RUN_H
#define CLI_PAGES_RUN_H

#include "../report/map_report.h"
#include "../report/robust_report.h"
#include "differences.h"
#include "outputs.h"
#include "report_facts.h"
#include "run.h"

// A run that is shown beside another; `told` NULL: none.
typedef struct BesideRun {
    const char *told;
    Json        json;
} BesideRun;

typedef struct PagesRun {
    Settings    settings;        // of this verb, with the folder that was not named
    char        out[LIMIT_PATH]; // that folder
    Run         run;             // of this verb; its folder is claimed by who makes the pages
    const char *told, *verb;     // the run's folder, and the verb that made it
    Json        json;            // its run.json
    Facts       facts;           // the same as lines of a page
    BesideRun   maps;            // of manipulate
    BesideRun   robust[2];
} PagesRun;

/* Each claims the folder once it has read what must not be overwritten, and writes index.html with
 * its pictures there. Errors: those of the run's files, weights and probing set; ERROR_CREATE,
 * ERROR_IO; ERROR_AGAIN (cancelled). */
bool pages_of_units(PagesRun *pages, Error *error);      // describe, dissect, noise, attack
bool pages_of_maps(PagesRun *pages, Error *error);       // attribute, manipulate
bool pages_of_robustness(PagesRun *pages, Error *error); // robustness, one run or two
bool pages_of_agreement(PagesRun *pages, Error *error);  // agree
bool pages_of_accuracy(PagesRun *pages, Error *error);   // accuracy

/* Runs of robustness read for their pages, one or two. Texts are those of the documents. */
typedef struct RobustPages {
    RobustReportRun  runs[2];
    Differences      found;
    RobustDifference differences[DIFFERENCES];
    RobustReportJob  job; // all but facts and folder
} RobustPages;

/* The second NULL or not told: one alone. Errors: those of the runs' files; ERROR_USAGE (they are
 * of other images). To be closed after a failure, too. */
bool robust_pages_open(RobustPages *pages, const BesideRun *first, const BesideRun *second,
                       Error *error);
void robust_pages_close(RobustPages *pages); // accepts a zeroed object

/* What is to be shown of a run of maps, except where the pages are written; texts are those of
 * `json`. Errors: ERROR_DATA. */
bool map_pages_job(const Json *json, const char *told, MapReportJob *out, Error *error);

/* What of each channel of a prepared image is a pixel in 0..1: value * step + middle. False where
 * run.json does not say. */
bool preparation_levels(const Json *json, float step[3], float middle[3]);

/* Claims and clears the folder of the pages. Errors: ERROR_USAGE (it is one of the runs or of the
 * `used` paths), those of run_folder_claim. */
bool pages_begin(PagesRun *pages, const UsedPath *used, int count, Error *error);

#endif
