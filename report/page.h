/* report/page.h - a report while it is written, and the pieces of its page; only the files of this
 * folder include it. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "../base/file.h"
#include "report.h"

/* A report while it is written. */
typedef struct Report {
    const ReportJob *job;
    const Explainer *explainer; // of the clean run
    SettingList      settings;
    const ChangeRow *strongest; // what the page tells about first; NULL: a clean run
    int64_t         *units;     // [unit_count] shown with a section of their own, in order
    int64_t          unit_count;
    float           *maps;    // [unit_count, images, height, width]
    UnitStory       *stories; // [unit_count]
    Replay          *replay;  // NULL: a clean run
    float           *room;    // [map_height, map_width], for masks
    uint8_t         *mask;    // [map_height, map_width], the one that was cut last
    uint8_t         *label;   // [map_height, map_width], where that image shows the label
    bool            *written; // [images]: photos that are there
    Writer          *page;
} Report;

/* ---- pictures (picture.c) -------------------------------------------------------------------- */

/* Publishes planes [3, height, width] as folder/name. */
bool picture_write(const Report *report, const char *name, const float *planes, Error *error);
/* (after - before) amplified around middle gray: `scale` maps to the ends of the range. */
bool picture_write_change(const Report *report, const char *name, const float *before,
                          const float *after, float scale, Error *error);
/* A photo of the probing set as photos/<image>.png, once. */
bool picture_write_photo(Report *report, int64_t image, Error *error);

/* ---- figures (figure.c) ---------------------------------------------------------------------- */

const float *map_of(const Report *report, int64_t index, int64_t image); // of units[index]
/* A picture; `description` is for those who cannot see it. */
void plain_figure(Report *report, const char *file, const char *description);

/* What is drawn on a picture: the unit's mask, and the places of its concept. */
typedef struct Shot {
    const char  *file, *description; // as of plain_figure
    const float *map;                // the unit's, of this picture
    float        threshold;
    int64_t      image; // whose labels are shown
    int32_t      label; // 0: none
} Shot;

/* Pixels of the unit's mask (-1 where the method has none), of its concept's places, of both. */
typedef struct Overlap {
    int64_t mask, label, both;
} Overlap;

/* Cuts both masks of a shot. */
bool overlap_find(Report *report, const Shot *shot, Overlap *out, Error *error);
/* A picture with these masks on it. */
bool mask_figure(Report *report, const Shot *shot, Overlap *out, Error *error);

/* ---- charts (chart.c) ------------------------------------------------------------------------ */

void chart_categories(Report *report, const int64_t *detectors);
/* Detectors of each concept, the most frequent first. */
bool chart_concepts(Report *report, Error *error);
/* Share changed against strength, one chart for each storage. */
void chart_shares(Report *report);
void chart_loss(Report *report, const double *loss, int count);

/* ---- settings (settings.c) ------------------------------------------------------------------- */

/* The largest strength, and of those the most exact storage; NULL if the list is empty. */
const ChangeRow *strongest_setting(const SettingList *settings);
/* The row of a unit under a setting, NULL if there is none. */
const ChangeRow *change_of(const Report *report, const ChangeRow *setting, int64_t unit);

bool setting_is_noise(const ChangeRow *row);
/* "PGD", "FGSM", "gaussian noise". */
void method_text(const ChangeRow *row, char out[32]);
/* "all units", or "attacked units". */
const char *unit_group(const ChangeRow *row);
/* Strength as people write it: 8/255, or a decimal. */
void strength_text(const ChangeRow *row, char out[32]);

/* ---- parts of the page ----------------------------------------------------------------------- */

bool style_write(const char *folder, Error *error); // style.css

void page_begin(Writer *page, const char *verb, const char *subject); // up to <body>
/* `origin` says in the footer where the page is from. */
void page_end(Writer *page, const char *origin, bool has_sortable_tables);

/* What a changed unit is said to detect under a setting, from the perturbed picture `file` on,
 * which shows `image` and to which the unit answers with `map`. Nothing where it has not changed.
 */
bool show_now(Report *report, int64_t index, const ChangeRow *setting, int64_t image,
              const char *file, const float *map, Error *error);

bool section_overview(Report *report, Error *error);
bool section_reading(Report *report, Error *error); // what the words mean
bool section_details(Report *report, Error *error); // units[] in pictures
bool section_film(Report *report, Error *error);    // an attack, step by step
bool section_units(Report *report, Error *error);   // every unit in a table
void section_facts(Writer *page, const ReportFact *facts, int count);

#endif
