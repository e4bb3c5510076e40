/* report/robust_report.h - a run of `robustness` as pages: maps as they are, moved at random and
 * attacked; curves of insertion; every row. With a second run of the same images, as of another
 * training, both side by side. */
#ifndef REPORT_ROBUST_REPORT_H
#define REPORT_ROBUST_REPORT_H

#include "../study/robustness.h"
#include "report.h"

/* A run with what its pictures are made of; arrays are owned by who read them. */
typedef struct RobustReportRun {
    const char  *name;    // its folder, as it was named
    const char  *network; // architecture
    const char  *weights; // path
    const char  *recipe;  // how they were made; "": not known
    RobustRecord record;
    float       *photos;   // [shown, 3, height, width] in 0..1
    float       *maps;     // [methods, shown, 3, cells]
    float       *attacked; // [methods, shown, 3, height, width], prepared
    int64_t      methods, shown, height, width;
    bool         has_levels;
    float        step[3], middle[3]; // pixel in 0..1 = prepared * step + middle, if has_levels
} RobustReportRun;

/* Errors: those of the run's files; ERROR_DATA where they contradict each other. */
bool robust_report_read(RobustReportRun *out, const char *folder, Error *error);
void robust_report_close(RobustReportRun *run); // accepts a zeroed object

// A setting beside the weights that two runs do not share.
typedef struct RobustDifference {
    const char *setting, *a, *b;
} RobustDifference;

typedef struct RobustReportJob {
    const RobustReportRun  *runs[2]; // the second NULL: one run alone; both of the same images
    const RobustDifference *differences;
    int                     difference_count;
    const ReportFact       *facts; // of the first
    int                     fact_count;
    const char             *folder; // exists; index.html is written last
} RobustReportJob;

bool robust_report_write(const RobustReportJob *job, Error *error);

/* The same without curves and facts as a section of another page in job->folder. */
bool robust_report_section(const RobustReportJob *job, Writer *page, Error *error);

#endif
