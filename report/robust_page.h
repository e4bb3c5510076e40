/* report/robust_page.h - a page of robustness while it is written, or its section of another page;
 * only the files of this folder include it. */
#ifndef REPORT_ROBUST_PAGE_H
#define REPORT_ROBUST_PAGE_H

#include "page.h"
#include "robust_report.h"

/* The methods of a run in the order of maps.npy. */
typedef struct RobustMethods {
    const char *names[ROBUST_METHODS];
    int         count;
} RobustMethods;

typedef struct RobustPage {
    const RobustReportJob *job;
    Writer                *page;
    RobustMethods          methods[2]; // of each run; pages are ordered by those of the first
    RobustPair            *pairs;      // of two runs
    int64_t                pair_count;
} RobustPage;

/* Lists methods, and pairs the rows of two runs. On failure it is still to be closed. */
bool robust_page_open(RobustPage *page, const RobustReportJob *job, Error *error);
void robust_page_close(RobustPage *page); // accepts a zeroed object

/* Where a run keeps the maps of the method; -1 if it has none. */
int robust_method_place(const RobustMethods *methods, const char *name);

bool robust_has_two(const RobustPage *page);
int  robust_run_count(const RobustPage *page);

/* A number of a row; false where the row has none. */
bool robust_page_number(const RobustRecord *record, int64_t row, const char *column, double *out);

/* Which weights each run is of, and how they were made. */
void robust_page_networks(RobustPage *page);
/* What moves did to maps, on the average over images, in a sentence each. */
void robust_page_findings(RobustPage *page);
/* The first images with their maps, of each run and method; pictures are written beside the page.
 */
bool robust_page_maps(RobustPage *page, Error *error);
/* Every row that is for people. */
void robust_page_rows(RobustPage *page);

#endif
