/* report/map_page.h - a page of maps while it is written; only the files of this folder include
 * it. */
#ifndef REPORT_MAP_PAGE_H
#define REPORT_MAP_PAGE_H

#include "../study/map_study.h"
#include "map_report.h"
#include "page.h"

/* Rows of measures.csv that differ in the pair alone are a group. */
enum { MAP_GROUPS = MAP_METHODS * 2 * STORE_ARMS * 2 };

typedef struct MapPage {
    const MapReportJob *job;
    MapStudy            study; // of manipulate: methods and pairs
    MapResults          results;
    const MapMeasure   *groups[MAP_GROUPS]; // the first row of each, in order
    int                 group_count;
    double             *values;   // room for a number a row of any table
    int64_t             pictures; // written so far
    Writer             *page;
} MapPage;

/* ---- pictures (map_pictures.c) --------------------------------------------------------------- */

/* Copies RUN/name, a picture, as pictures/NNNN.png, and shows it. */
bool map_picture(MapPage *page, const char *name, const char *description, Error *error);
/* Attacked images of each method, with all that belongs to them. */
bool show_cases(MapPage *page, Error *error);

/* ---- manipulate ------------------------------------------------------------------------------ */

/* The first group of a method and network, attacked or clean as control, or NULL. */
const MapMeasure *group_of(const MapPage *page, int method, bool softplus, bool control);
/* Whether the attack had a fixed beta: then maps are shown of the network with softplus. */
bool   shows_softplus(const MapPage *page, int method);
double median_of(MapPage *page, const MapMeasure *group, const char *measure);
int    measure_index(const char *name); // a column of map_measure_value

void section_measures(MapPage *page);             // map_measures.c: the table
void section_boxes(MapPage *page);                // map_boxes.c: of pairs
bool section_curves(MapPage *page, Error *error); // map_curves.c: steps, and explained again

/* ---- attribute (attribute_page.c) ------------------------------------------------------------ */

bool attribute_page(MapPage *page, Error *error);

#endif
