/* study/agree_figures.c - figures of two methods over all units, with what chance gives; see
 * agreement.h. */
#include "agreement.h"

#include "quantile.h"

#include <stdlib.h>
#include <string.h>

const char *agree_figure_name(int figure)
{
    static const char *const names[AGREE_FIGURES] = {"same",         "word_overlap", "f1_bert",
                                                     "f1_below_0.3", "f1_below_0.4", "f1_below_0.5",
                                                     "f1_below_0.6", "f1_below_0.7"};
    return names[figure];
}

static bool is_share(int figure)
{
    return figure == AGREE_SAME || figure >= AGREE_KINDS;
}

bool agreement_likeness(Agreement *self, AgreeKind kind, int32_t reference, int32_t candidate,
                        double *out, Error *error)
{
    if (kind == AGREE_BERT)
        return text_table_f1(&self->table, candidate, reference, out, error);
    *out = kind == AGREE_SAME ? reference == candidate
                              : text_table_overlap(&self->table, reference, candidate);
    return true;
}

/* ---- values of units ------------------------------------------------------------------------- */

// What two methods have on each unit: figures are means of these.
typedef struct Values {
    double *of[AGREE_KINDS]; // [count]; BERT: NULL without it
} Values;

static bool has_kind(const Agreement *self, int kind)
{
    return kind != AGREE_BERT || self->table.bert;
}

// `paired[unit]`: the unit of b that stands beside a unit of a.
static bool find_values(Agreement *self, int a, int b, const int64_t *paired, Values *out,
                        Error *error)
{
    for (int kind = 0; kind < AGREE_KINDS; kind++)
        for (int64_t unit = 0; has_kind(self, kind) && unit < self->count; unit++)
            if (!agreement_likeness(self, (AgreeKind)kind, self->ids[a][unit],
                                    self->ids[b][paired[unit]], &out->of[kind][unit], error))
                return false;
    return true;
}

static double value_of(const Values *values, int figure, int64_t unit)
{
    if (figure < AGREE_KINDS)
        return values->of[figure][unit];
    return values->of[AGREE_BERT][unit] < similarity_cuts[figure - AGREE_KINDS];
}

static double mean_of(const Values *values, int figure, int64_t first, int64_t end)
{
    double sum = 0;
    for (int64_t unit = first; unit < end; unit++)
        sum += value_of(values, figure, unit);
    return sum / (double)(end - first);
}

/* ---- intervals ------------------------------------------------------------------------------- */

static AgreeFigure figure_of(const Values *values, int figure, int64_t first, int64_t end,
                             uint64_t seed)
{
    AgreeFigure out = {.value = mean_of(values, figure, first, end), .units = end - first};
    if (is_share(figure))
        wilson_interval((int64_t)(out.value * (double)out.units + 0.5), out.units, &out.low,
                        &out.high);
    else
        bootstrap_mean(values->of[figure] + first, end - first, seed, &out.low, &out.high);
    return out;
}

/* ---- chance ---------------------------------------------------------------------------------- */

static void permute_layers(const Agreement *self, Random *random, int64_t *paired)
{
    for (int64_t unit = 0; unit < self->count; unit++)
        paired[unit] = unit;
    for (int layer = 0; layer < self->layer_count; layer++) {
        int64_t first = self->layer_start[layer];
        for (int64_t left = self->layer_start[layer + 1] - first; left > 1; left--) {
            int64_t drawn = first + (int64_t)random_below(random, (uint32_t)left);
            int64_t last = first + left - 1, kept = paired[last];
            paired[last]  = paired[drawn];
            paired[drawn] = kept;
        }
    }
}

static void group_range(const Agreement *self, int group, int64_t *first, int64_t *end)
{
    *first = group ? self->layer_start[group - 1] : 0;
    *end   = group ? self->layer_start[group] : self->count;
}

// means [groups, AGREE_FIGURES, AGREE_DRAWS].
static bool draw_chance(Agreement *self, int a, int b, uint64_t seed, int64_t *paired,
                        Values *values, double *means, Error *error)
{
    Random random = random_stream(seed, "agreement by chance");
    for (int draw = 0; draw < AGREE_DRAWS; draw++) {
        permute_layers(self, &random, paired);
        if (!find_values(self, a, b, paired, values, error))
            return false;
        for (int group = 0; group <= self->layer_count; group++)
            for (int figure = 0; figure < AGREE_FIGURES; figure++) {
                int64_t first, end;
                group_range(self, group, &first, &end);
                if (figure < AGREE_BERT || self->table.bert)
                    means[(group * AGREE_FIGURES + figure) * AGREE_DRAWS + draw] =
                        mean_of(values, figure, first, end);
            }
    }
    return true;
}

static void add_chance(AgreeFigure *figure, double *means)
{
    for (int draw = 0; draw < AGREE_DRAWS; draw++)
        figure->chance += means[draw] / AGREE_DRAWS;
    middle_of(means, AGREE_DRAWS, &figure->chance_low, &figure->chance_high);
}

/* ---- figures --------------------------------------------------------------------------------- */

typedef struct Room {
    int64_t *paired;
    double  *values, *means;
} Room;

static bool room_open(Room *room, const Agreement *self, Error *error)
{
    size_t groups = (size_t)self->layer_count + 1, units = (size_t)self->count;
    return (room->paired = memory_new(units, sizeof *room->paired, error)) != NULL &&
           (room->values = memory_new(AGREE_KINDS * units, sizeof *room->values, error)) != NULL &&
           (room->means = memory_new(groups * AGREE_FIGURES * AGREE_DRAWS, sizeof *room->means,
                                     error)) != NULL;
}

bool agreement_figures(Agreement *self, int a, int b, uint64_t seed,
                       AgreeFigure (*out)[AGREE_FIGURES], Error *error)
{
    Room   room   = {0};
    Values values = {0};
    bool   ok     = room_open(&room, self, error);
    for (int kind = 0; ok && kind < AGREE_KINDS; kind++)
        values.of[kind] = room.values + kind * self->count;
    for (int64_t unit = 0; ok && unit < self->count; unit++)
        room.paired[unit] = unit;
    ok = ok && find_values(self, a, b, room.paired, &values, error);
    for (int group = 0; ok && group <= self->layer_count; group++)
        for (int figure = 0; figure < AGREE_FIGURES; figure++) {
            int64_t first, end;
            group_range(self, group, &first, &end);
            out[group][figure] = figure < AGREE_BERT || self->table.bert
                                     ? figure_of(&values, figure, first, end, seed)
                                     : (AgreeFigure){0};
        }
    ok = ok && draw_chance(self, a, b, seed, room.paired, &values, room.means, error);
    for (int i = 0; ok && i < (self->layer_count + 1) * AGREE_FIGURES; i++)
        if (out[i / AGREE_FIGURES][i % AGREE_FIGURES].units)
            add_chance(&out[i / AGREE_FIGURES][i % AGREE_FIGURES],
                       room.means + (int64_t)i * AGREE_DRAWS);
    memory_free(room.paired);
    memory_free(room.values);
    memory_free(room.means);
    return ok;
}
