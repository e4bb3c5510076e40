/* study/agreement.c - see agreement.h: which units all methods describe, and single values. */
#include "agreement.h"

#include <string.h>

/* ---- units that all describe ----------------------------------------------------------------- */

// Moves the other methods up to a unit of the first; false where one of them lacks it.
static bool find_unit(const Agreement *self, const Description *unit, int64_t *at)
{
    bool is_there = true;
    for (int m = 1; m < self->method_count; m++) {
        const Descriptions *list = &self->methods[m];
        while (at[m] < list->count && descriptions_compare(&list->rows[at[m]], unit) < 0)
            at[m]++;
        is_there &= at[m] < list->count && descriptions_compare(&list->rows[at[m]], unit) == 0;
    }
    return is_there;
}

static bool join(Agreement *self, Error *error)
{
    int64_t at[AGREE_METHODS] = {0}, most = self->methods[0].count;
    if (self->method_count < 1 || self->method_count > AGREE_METHODS)
        return fail(error, ERROR_USAGE, "expected descriptions by 1 to %d methods", AGREE_METHODS);
    for (int m = 0; m < self->method_count; m++)
        if (!(self->rows[m] = memory_new((size_t)most, sizeof **self->rows, error)))
            return false;
    for (; at[0] < most; at[0]++) {
        if (!find_unit(self, &self->methods[0].rows[at[0]], at))
            continue;
        for (int m = 0; m < self->method_count; m++)
            self->rows[m][self->count] = at[m];
        self->count++;
    }
    for (int m = 0; m < self->method_count; m++)
        self->alone[m] = self->methods[m].count - self->count;
    const Description *a = &self->methods[0].rows[0];
    return self->count > 0 ||
           fail(error, ERROR_DATA,
                "no unit is described in all of them; the first of %.60s is unit %lld of layer "
                "'%.40s'%s",
                self->methods[0].name, (long long)a->unit, a->layer,
                self->method_count > 1 ? ", layers have to be called the same" : "");
}

static bool find_layers(Agreement *self, Error *error)
{
    self->layer_start = memory_new((size_t)self->count + 1, sizeof *self->layer_start, error);
    for (int64_t i = 0; self->layer_start && i < self->count; i++)
        if (i == 0 ||
            strcmp(agreement_row(self, 0, i)->layer, agreement_row(self, 0, i - 1)->layer) != 0)
            self->layer_start[self->layer_count++] = i;
    if (self->layer_start)
        self->layer_start[self->layer_count] = self->count;
    return self->layer_start != NULL;
}

static bool open_table(Agreement *self, BertScore *bert, Error *error)
{
    int64_t      all   = self->count * self->method_count;
    const char **texts = memory_new((size_t)all, sizeof *texts, error);
    int32_t     *ids   = memory_new((size_t)all, sizeof *ids, error);
    for (int64_t i = 0; texts && i < all; i++)
        texts[i] = agreement_row(self, (int)(i / self->count), i % self->count)->text;
    bool ok      = texts && ids && text_table_open(&self->table, texts, all, bert, ids, error);
    self->ids[0] = ids; // the others are behind it
    for (int m = 1; m < self->method_count; m++)
        self->ids[m] = ids + m * self->count;
    memory_free(texts);
    return ok;
}

bool agreement_open(Agreement *out, const Descriptions *methods, int method_count, BertScore *bert,
                    Error *error)
{
    Agreement self = {.methods = methods, .method_count = method_count};
    if (!join(&self, error) || !find_layers(&self, error) || !open_table(&self, bert, error)) {
        agreement_close(&self);
        return false;
    }
    *out = self;
    return true;
}

void agreement_close(Agreement *self)
{
    for (int m = 0; m < AGREE_METHODS; m++)
        memory_free(self->rows[m]);
    memory_free(self->ids[0]);
    memory_free(self->layer_start);
    text_table_close(&self->table);
    *self = (Agreement){0};
}

const Description *agreement_row(const Agreement *self, int method, int64_t unit)
{
    return &self->methods[method].rows[self->rows[method][unit]];
}

bool agreement_value(Agreement *self, int a, int b, AgreeKind kind, int64_t unit, double *out,
                     Error *error)
{
    return agreement_likeness(self, kind, self->ids[a][unit], self->ids[b][unit], out, error);
}

/* ---- stability ------------------------------------------------------------------------------- */

int agreement_stayed(const Agreement *self, int64_t unit)
{
    int all = 1;
    for (int m = 0; m < self->method_count; m++)
        if (self->methods[m].has_stayed) {
            int stayed = agreement_row(self, m, unit)->stayed;
            all        = all < 0 || stayed < 0 ? -1 : all & stayed;
        }
    return all;
}

AgreeStability agreement_stability(const Agreement *self)
{
    AgreeStability out = {.chance = 1};
    for (int m = 0; m < AGREE_METHODS; m++) {
        bool is_tried = m < self->method_count && self->methods[m].has_stayed;
        out.stayed[m] = is_tried ? 0 : -1;
        out.methods += is_tried;
    }
    for (int64_t unit = 0; out.methods && unit < self->count; unit++) {
        int stayed = agreement_stayed(self, unit);
        if (stayed < 0)
            continue;
        out.units++;
        out.stayed_in_all += stayed;
        for (int m = 0; m < self->method_count; m++)
            if (out.stayed[m] >= 0)
                out.stayed[m] += agreement_row(self, m, unit)->stayed;
    }
    for (int m = 0; m < self->method_count && out.units; m++)
        if (out.stayed[m] >= 0)
            out.chance *= (double)out.stayed[m] / (double)out.units;
    wilson_interval(out.stayed_in_all, out.units, &out.low, &out.high);
    return out;
}
