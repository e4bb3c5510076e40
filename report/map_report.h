/* report/map_report.h - a run of `manipulate` or of `attribute` as a folder of plain pages.
 *
 * Everything is in the run's folder, so neither weights nor images are needed again: pictures are
 * copied, that of the difference is made of two arrays. The page needs no script. Every text that
 * comes from a file is escaped and cut to a length that fits a line, and no name from a file
 * becomes the name of one. */
#ifndef REPORT_MAP_REPORT_H
#define REPORT_MAP_REPORT_H

#include "../base/file.h"

/* One line of the page's list of settings and constants, in the order of run.json. */
typedef struct ReportFact {
    const char *group, *name, *value; // group "" for what stands at the top
} ReportFact;

typedef struct MapReportJob {
    const char       *verb;    // "manipulate" or "attribute"
    const char       *network; // architecture
    const char       *mode, *seed;
    const char       *activation; // of the network, such as ReLU
    bool              is_relu;    // else softplus changes nothing
    const char       *run;        // its folder
    bool              has_pairs;  // of manipulate: cases are in folders pair-000, ...
    float             levels[3];  // of manipulate: pixels in 0..1 a unit of the prepared channel
    const ReportFact *facts;
    int               fact_count;
    const char       *folder; // exists; index.html is written last
} MapReportJob;

/* Writes the page with its pictures into job->folder. Errors: ERROR_NOT_FOUND and ERROR_DATA (a
 * file of the run is not there, or not what its verb writes), ERROR_CREATE, ERROR_IO. */
bool map_report_write(const MapReportJob *job, Error *error);

/* A run of `manipulate` as a section of another page in job->folder: what came of it and its
 * photos with their maps. Errors: as above. */
bool map_report_section(const MapReportJob *job, Writer *page, Error *error);

#endif
