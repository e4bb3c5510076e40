/* nem/dissect/concept.c - from counts to concepts: scores, ties, detectors. */
#include "dissect.h"

// Intersection over union (D15); the union in whole numbers, so that it is exact.
double dissect_iou(const Dissection *dissection, int64_t unit, int32_t label)
{
    const ConceptTally *tally    = &dissection->tally;
    int                 category = dissection->probe->labels[label].category;
    uint64_t            both     = tally->both[unit * tally->label_count + label];
    // A label on two planes makes `both` larger than the mask, but never larger than the truth.
    uint64_t either =
        tally->activity[unit * tally->category_count + category] + (tally->truth[label] - both);
    return (double)both / ((double)either + dissection->epsilon);
}

Concept dissect_best_in(const Dissection *dissection, int64_t unit, int category)
{
    Concept best = {.label = 0, .category = category, .score = 0};
    for (int32_t label = 0; label < dissection->tally.label_count; label++) {
        if (dissection->probe->labels[label].category != category)
            continue;
        double score = dissect_iou(dissection, unit, label);
        if (score > best.score)
            best = (Concept){.label = label, .category = category, .score = score};
    }
    return best;
}

Concept dissect_concept(const Dissection *dissection, int64_t unit)
{
    Concept best = dissect_best_in(dissection, unit, 0);
    for (int category = 1; category < dissection->tally.category_count; category++) {
        Concept next = dissect_best_in(dissection, unit, category);
        if (next.score >= best.score)
            best = next;
    }
    return best;
}

// The order of ranks (D18): it makes the first the unit's concept, ties included.
static bool ranks_before(Concept a, Concept b)
{
    if (a.score != b.score)
        return a.score > b.score;
    return a.category != b.category ? a.category > b.category : a.label < b.label;
}

void dissect_top(const Dissection *dissection, int64_t unit, Concept top[DISSECT_TOP])
{
    const ProbeSet *probe = dissection->probe;
    for (int rank = 0; rank < DISSECT_TOP; rank++)
        top[rank] = (Concept){.label = 0, .category = probe->category_count - 1, .score = 0};
    for (int32_t label = 0; label < probe->label_count; label++) {
        Concept next = {.label    = label,
                        .category = probe->labels[label].category,
                        .score    = dissect_iou(dissection, unit, label)};
        for (int rank = 0; rank < DISSECT_TOP && next.score > 0; rank++)
            if (ranks_before(next, top[rank])) {
                Concept pushed = top[rank];
                top[rank]      = next;
                next           = pushed;
            }
    }
}

/* ---- detectors ------------------------------------------------------------------------------- */

// Detectors by the programs' reports (D19) and by the paper's figures (D20).
bool dissect_detectors(const Dissection *dissection, DetectorCounts *out, Error *error)
{
    const ProbeSet *probe  = dissection->probe;
    DetectorCounts  counts = {0};
    // One bit a convention: a label has one category, so one array serves all of them.
    uint8_t *seen = memory_new((size_t)probe->label_count, sizeof *seen, error);
    if (!seen)
        return false;
    for (int64_t unit = 0; unit < dissection->tally.unit_count; unit++) {
        Concept concept = dissect_concept(dissection, unit);
        if (is_detector(&method_dissection, concept.score)) {
            counts.detectors++;
            seen[concept.label] |= 1;
        }
        for (int category = 0; category < probe->category_count; category++) {
            Concept best = dissect_best_in(dissection, unit, category);
            if (best.score > method_dissection.detector_score) {
                counts.figure_detectors_in[category]++;
                seen[best.label] |= 2;
            }
        }
    }
    for (int32_t label = 0; label < probe->label_count; label++) {
        int category = probe->labels[label].category;
        counts.unique += seen[label] & 1;
        counts.unique_of_category[category] += seen[label] & 1;
        counts.figure_unique += seen[label] >> 1;
        counts.figure_unique_in[category] += seen[label] >> 1;
    }
    memory_free(seen);
    *out = counts;
    return true;
}
