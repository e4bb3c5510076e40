/* report/page.h - what the files of this folder share; nobody else includes it. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "../study/unit_case.h"
#include "../base/file.h"
#include "report.h"

/* ---- text (html.c) --------------------------------------------------------------------------- */

enum { HTML_NAME_LENGTH = 64, HTML_VALUE_LENGTH = 400 }; // code points shown of a text from a file

/* Text from a file, safe between tags and inside a quoted attribute: & < > " ' are escaped, control
 * characters become blanks, bytes that are not UTF-8 and what utf8_shown hides become U+FFFD. After
 * `most` code points follows an ellipsis. */
void html_text(Writer *page, const char *text, int most);
/* A label as an element of its own: isolated from the text around it. */
void html_name(Writer *page, const char *name);
/* 12345678 -> 12 345 678, with thin no-break spaces. */
void html_whole(Writer *page, uint64_t value);

void html_begin(Writer *page, const ReportJob *job); // up to <main>
void html_end(Writer *page);

extern const char *const style_lines[]; // of style.css; ends with NULL

/* "c0".."c5": the colour of a category. */
const char *category_class(int category);

/* ---- pictures (picture.c) -------------------------------------------------------------------- */

/* Publishes planes [3, height, width] as folder/name. */
bool picture_write(const ReportJob *job, const char *name, const float *planes, Error *error);
/* (after - before) amplified around middle gray: `scale` maps to the ends of the range. */
bool picture_write_change(const ReportJob *job, const char *name, const float *before,
                          const float *after, float scale, Error *error);
/* A photo of the probing set as photos/<image>.png, once; `written` [images]. */
bool picture_write_photo(const ReportJob *job, int64_t image, bool *written, Error *error);

/* ---- masks (outline.c) ----------------------------------------------------------------------- */

/* Where a map of the layer exceeds a threshold, at the resolution of the label maps. */
typedef struct Outliner {
    Resampler *resampler;
    int64_t    height, width; // of the label maps
    float     *large;         // [height, width]
    uint8_t   *mask;          // [height, width]
} Outliner;

bool outliner_open(Outliner *out, const CleanRun *clean, Error *error);
void outliner_close(Outliner *outliner); // accepts a zeroed object
/* Cuts the map; returns the pixels of the mask. */
int64_t outliner_cut(Outliner *outliner, const float *map, float threshold);

/* A picture with the outline of the mask that was cut last; `extra` is appended to the class. */
void outline_figure(Writer *page, const ReportJob *job, const Outliner *outliner, const char *file,
                    const char *description, const char *extra);
/* A picture without one. */
void plain_figure(Writer *page, const ReportJob *job, const char *file, const char *description);

/* ---- charts (chart.c) ------------------------------------------------------------------------ */

void chart_categories(Writer *page, const ProbeSet *probe, const int64_t *detectors);

bool setting_is_noise(const ChangeRow *row);
/* "PGD", "FGSM", "gaussian noise". */
void method_text(const ChangeRow *row, char out[32]);
/* "all units", or "attacked units". */
const char *unit_group(const ChangeRow *row);
/* Strength as people write it: 8/255, or a decimal. */
void strength_text(const ChangeRow *row, char out[32]);

/* Share changed against strength, one chart for each storage. */
void chart_shares(Writer *page, const Changes *changes, const SettingList *list);
void chart_loss(Writer *page, const double *loss, int count);

/* ---- the corruption of one image, again (replay.c) ------------------------------------------- */

typedef struct Replay {
    const ReportJob *job;
    Resampler       *resampler;
    bool            *present; // [label_count]: what a target may be
    UnitCase        *cases;   // of the shown units, in order; attack runs only
    int64_t          case_count;
    float           *clean, *stored; // [3, h, w]: the photo; what a reader of the stored image sees
    float           *perturbed;      // [3, h, w], before storage
    float           *map;            // [h, w] of the stored image
} Replay;

/* Each state of an attack: before the first step, after each, and so the last. */
typedef struct FilmSink {
    bool (*frame)(void *self, int step, double loss, const float *planes, const float *map,
                  Error *error);
    void *self;
} FilmSink;

bool replay_open(Replay *out, const ReportJob *job, const int64_t *units, int64_t count,
                 Error *error);
void replay_close(Replay *replay); // accepts a zeroed object

/* The image to show for a unit, or -1: a poisoned one, among the story's best where possible. */
int64_t replay_image(const Replay *replay, int64_t index, const UnitStory *story);
/* Corrupts the image as `setting` says. `film` may be NULL. Fills clean, perturbed, stored, map. */
bool replay_run(Replay *replay, int64_t index, const UnitStory *story, int64_t image,
                const ChangeRow *setting, const FilmSink *film, Error *error);

/* ---- sections -------------------------------------------------------------------------------- */

/* What the page tells about first: the largest strength, and of those the most exact storage; NULL if
 * the list is empty. */
const ChangeRow *strongest_setting(const SettingList *settings);
void section_overview(Writer *page, const ReportJob *job, const SettingList *settings);
bool section_units(Writer *page, const ReportJob *job, const SettingList *settings, Error *error);
void section_facts(Writer *page, const ReportJob *job);
void section_story(Writer *page, const ReportJob *job, const UnitStory *story);

#endif
