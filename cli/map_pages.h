/* cli/map_pages.h - the pages of runs of `attribute` and `manipulate`, for `report`. */
#ifndef CLI_MAP_PAGES_H
#define CLI_MAP_PAGES_H

#include "../report/map_report.h"
#include "report_facts.h"

/* Whether runs of a verb have such pages. */
bool verb_has_maps(const char *verb);

/* What is to be written into `folder` of the run in folder `told`, whose run.json is at hand; all
 * texts are theirs. Errors: ERROR_DATA. */
bool map_pages_job(const Json *json, const char *told, const char *folder, MapReportJob *out,
                   Error *error);

#endif
