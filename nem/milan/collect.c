/* nem/milan/collect.c - a layer's units, or one of them: exemplars, features, captions. */
#include "milan_private.h"

/* ---- evidence -------------------------------------------------------------------------------- */

bool milan_evidence(Evidence **out, int64_t unit_count, Error *error)
{
    size_t    units    = (size_t)unit_count;
    Evidence *evidence = memory_new(1, sizeof *evidence, error);
    if (!evidence)
        return false;
    evidence->unit_count = unit_count;
    evidence->exemplars  = memory_new(units, sizeof *evidence->exemplars, error);
    evidence->text       = memory_new(units, sizeof *evidence->text, error);
    evidence->score      = memory_new(units, sizeof *evidence->score, error);
    evidence->label      = memory_new(units, sizeof *evidence->label, error);
    *out                 = evidence;
    return evidence->exemplars && evidence->text && evidence->score && evidence->label;
}

void milan_release(Evidence *evidence)
{
    if (!evidence)
        return;
    for (int64_t unit = 0; evidence->text && unit < evidence->unit_count; unit++)
        memory_free(evidence->text[unit]);
    memory_free(evidence->exemplars);
    memory_free(evidence->text);
    memory_free(evidence->score);
    memory_free(evidence->label);
    memory_free(evidence);
}

const Exemplars *milan_exemplars(const Evidence *evidence, int64_t row)
{
    return &evidence->exemplars[row];
}

/* ---- between two pieces of work -------------------------------------------------------------- */

static int64_t images_of(const Collecting *self)
{
    return self->gathering.inputs->probe->image_count;
}

static bool pause(Collecting *self, int64_t done, int64_t total, Error *error)
{
    bool stop = pass_cancelled(self->pass);
    if (pass_saves(self->pass, stop) && !collecting_save(self, error))
        return false;
    return !stop || pass_interrupted(self->pass, done, total, error);
}

static bool pause_gather(void *data, int64_t next, Error *error)
{
    Collecting *self = data;
    self->next       = next;
    return pause(self, next, images_of(self), error);
}

// Images of the set, images through the encoder and captions count alike.
static void show_progress(const Collecting *self, int64_t done)
{
    pass_progress(self->pass, images_of(self) + done,
                  images_of(self) + self->looks.distinct + self->gathering.unit_count);
}

static bool pause_looks(void *data, int64_t done, int64_t images, Error *error)
{
    Collecting *self = data;
    self->next       = done;
    self->images_looked += images;
    show_progress(self, self->images_looked);
    return pause(self, self->images_looked, self->looks.distinct, error);
}

/* ---- phases ---------------------------------------------------------------------------------- */

bool milan_gather(Collecting *self, const ImageSource *images, Error *error)
{
    Stream stream = {0};
    bool   ok     = stream_open(&stream, self->gathering.inputs, images, self->pass, error) &&
              stream_run(&stream, 1, self->next, gather_batch, &self->gathering, pause_gather, self,
                         error) &&
              gather_levels(&self->gathering, error) && collecting_looks(self, error);
    stream_close(&stream);
    self->phase = PHASE_ENCODE;
    self->next  = 0;
    return ok;
}

bool milan_encode(Collecting *self, const ImageSource *images, Error *error)
{
    bool ok     = looks_run(&self->looks, self->milan, &self->gathering, images, self->next,
                            pause_looks, self, error);
    self->phase = PHASE_DECODE;
    self->next  = 0;
    return ok;
}

bool milan_decode(Collecting *self, Error *error)
{
    Milan    *milan    = self->milan;
    Evidence *evidence = self->evidence;
    size_t    count    = (size_t)(milan->exemplar_count * milan->pyramid.features);
    real     *features = memory_new(count, sizeof *features, error);
    bool      ok       = features != NULL;
    for (int64_t unit = self->next; ok && unit < evidence->unit_count; unit++) {
        looks_gather(&self->looks, milan, unit, features);
        ok = decoder_caption(milan->decoder, features, &evidence->text[unit],
                             &evidence->score[unit], error);
        if (ok) {
            self->next = unit + 1;
            show_progress(self, self->looks.distinct + self->next);
            ok = pause(self, self->next, evidence->unit_count, error);
        }
    }
    memory_free(features);
    return ok;
}

bool milan_number(const Explainer *explainer, Evidence *evidence, Error *error)
{
    for (int64_t unit = 0; unit < evidence->unit_count; unit++)
        if (!labels_intern(explainer->labels, evidence->text[unit], &evidence->label[unit], error))
            return false;
    return true;
}

static bool finish(Collecting *self, const Explainer *explainer, bool ok, Evidence **out,
                   Error *error)
{
    ok = ok && milan_number(explainer, self->evidence, error);
    gather_close(&self->gathering);
    looks_close(&self->looks);
    if (ok)
        *out = self->evidence;
    else
        milan_release(self->evidence);
    return ok;
}

bool milan_collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                   Evidence **out, Error *error)
{
    Milan        *milan      = explainer->state;
    const Inputs *inputs     = &explainer->inputs;
    Collecting    collecting = {.milan = milan, .pass = pass};
    bool          ok =
        milan_evidence(&collecting.evidence, inputs->layer.units, error) &&
        gather_open(&collecting.gathering, inputs, milan->rules, 0, inputs->layer.units, error) &&
        collecting_load(&collecting, error);
    if (ok && collecting.phase == PHASE_GATHER)
        ok = milan_gather(&collecting, images, error);
    if (ok && collecting.phase == PHASE_ENCODE)
        ok = milan_encode(&collecting, images, error);
    ok = ok && milan_decode(&collecting, error);
    return finish(&collecting, explainer, ok, out, error);
}

bool milan_collect_unit(const Explainer *explainer, const UnitView *view, Evidence **out,
                        Error *error)
{
    static const Pass none       = {0};
    Milan            *milan      = explainer->state;
    Collecting        collecting = {.milan = milan, .pass = &none};
    Gathering        *gathering  = &collecting.gathering;
    bool              ok         = milan_evidence(&collecting.evidence, 1, error) &&
              gather_open(gathering, &explainer->inputs, milan->rules, view->unit, 1, error);
    for (int64_t image = 0; ok && image < explainer->inputs.probe->image_count; image++)
        ok = gather_map(gathering, 0, image, view->maps[image], error);
    ok = ok && gather_levels(gathering, error) && collecting_looks(&collecting, error) &&
         milan_encode(&collecting, view->images, error) && milan_decode(&collecting, error);
    return finish(&collecting, explainer, ok, out, error);
}
