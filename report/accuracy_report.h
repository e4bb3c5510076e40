/* report/accuracy_report.h - a run of `accuracy` as a page, from its accuracy.csv: how often the
 * network is right, and how often it answers as to the clean image, under every setting and in
 * each class. */
#ifndef REPORT_ACCURACY_REPORT_H
#define REPORT_ACCURACY_REPORT_H

#include "report.h"

typedef struct AccuracyReportJob {
    const char       *run; // its folder
    const ReportFact *facts;
    int               fact_count;
    const char       *folder; // exists; index.html is written last
} AccuracyReportJob;

/* Errors: those of the run's file; ERROR_DATA where a column or the clean images are missing. */
bool accuracy_report_write(const AccuracyReportJob *job, Error *error);

#endif
