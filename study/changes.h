/* study/changes.h - the list of change rows, as changes.c, changes_csv.c and summary.c share it. */
#ifndef STUDY_CHANGES_H
#define STUDY_CHANGES_H

#include "study.h"

/* Same perturbation, strength and storage. */
bool setting_equal(const ChangeRow *a, const ChangeRow *b);

/* The row of the same setting and unit, or NULL. `changes` may be NULL. */
const ChangeRow *changes_find(const Changes *changes, const ChangeRow *like);

/* Whether a unit with this clean concept is counted. */
bool group_holds(ChangeGroup group, const Concept *clean);
/* Whether no row before this one is of its setting. */
bool is_first_of_setting(const Changes *changes, int64_t index);

/* similarity.csv of a run folder. */
bool similarity_write(const Changes *changes, const Explainer *explainer, const char *folder,
                      Error *error);

/* summary.csv of a run folder. */
bool summary_write(const Changes *changes, const Explainer *explainer, const char *folder,
                   Error *error);

#endif
