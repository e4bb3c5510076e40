/* cli/map_pages.h - the pages of runs of `attribute` and `manipulate`, for `report`. */
#ifndef CLI_MAP_PAGES_H
#define CLI_MAP_PAGES_H

#include "report_facts.h"

/* Whether runs of a verb have such pages. */
bool verb_has_maps(const char *verb);

/* Writes the pages of the run in folder `told`, whose run.json and facts are at hand. */
bool map_pages_write(const Json *json, const char *told, const Facts *facts, const char *folder,
                     Error *error);

#endif
