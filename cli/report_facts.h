/* cli/report_facts.h - run.json as the lines of a page. */
#ifndef CLI_REPORT_FACTS_H
#define CLI_REPORT_FACTS_H

#include "../format/json.h"
#include "../report/map_report.h"

enum { FACTS = 160 };

typedef struct Facts {
    ReportFact list[FACTS];
    char      *owned[FACTS]; // texts made of arrays
    int        count;
} Facts;

/* What stands at the top first, then object by object; texts are those of `json`. */
bool facts_collect(const Json *json, Facts *out, Error *error);
void facts_free(Facts *facts); // accepts a zeroed object

/* A member of the document as text; "" if there is none. */
const char *fact_text(const Json *json, const char *name);

#endif
