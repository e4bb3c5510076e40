/* report/agree_report.h - a run of `agree` as a page, from its summary.csv and agree.csv: how often
 * methods agree, beside chance, over all units and layer by layer; and units with what each method
 * says of them. */
#ifndef REPORT_AGREE_REPORT_H
#define REPORT_AGREE_REPORT_H

#include "report.h"

typedef struct AgreeReportJob {
    const char        *run;     // its folder
    const char *const *methods; // [method_count] names, as the columns of agree.csv
    int                method_count;
    const ReportFact  *facts;
    int                fact_count;
    const char        *folder; // exists; index.html is written last
} AgreeReportJob;

/* Errors: those of the run's files; ERROR_DATA where a column is not there. */
bool agree_report_write(const AgreeReportJob *job, Error *error);

#endif
