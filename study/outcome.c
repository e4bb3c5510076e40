/* study/outcome.c - what a change of description comes to: another concept, none, or a tie (C26).
 *
 * Everything follows from the rows, at the digits that changes.csv has of them. */
#include "changes.h"

#include <math.h>

// A unit without a concept detects nothing, whatever its score.
static bool detects(const Concept *concept, const Method *method)
{
    return concept->label && is_detector(method, concept->score);
}

ChangeOutcome outcome_of(const ChangeRow *row, const Method *method)
{
    if (!row->changed)
        return OUTCOME_SAME;
    if (row->clean.label && row->clean.score > 0 &&
        row->clean_label_iou >= OUTCOME_KEPT * row->clean.score)
        return OUTCOME_TIE;
    return detects(&row->now, method) ? OUTCOME_OTHER : OUTCOME_NONE;
}

OutcomeCount outcomes_count(const Changes *changes, const ChangeRow *setting, const Method *method,
                            int category)
{
    OutcomeCount count = {0};
    for (int64_t i = 0; i < changes->count; i++) {
        const ChangeRow *row = &changes->rows[i];
        if (!setting_equal(row, setting) || !detects(&row->clean, method) ||
            (category >= 0 && row->clean.category != category))
            continue;
        count.detectors++;
        count.of[outcome_of(row, method)]++;
        count.kept += row->clean_label_iou / row->clean.score;
    }
    if (!method->score_is_share)
        count.kept = (double)NAN;
    else if (count.detectors)
        count.kept /= (double)count.detectors;
    return count;
}
