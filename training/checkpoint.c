/* training/checkpoint.c - a training as a blob. A checkpoint has `state.first.<weight>` and
 * `state.second.<weight>`, and in its text the lines training_step, training_settings and
 * training_epoch: images of the epoch so far, how many were right, the sums of trainer_epoch. */
#include "trainer.h"

#include "../base/file.h"
#include "../base/words.h"
#include "../models/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 1 << 16, NAME_BYTES = 96, SETTINGS_BYTES = 1024 };

static const char *const moment_names[2]    = {"state.first", "state.second"};
static const char *const statistic_names[2] = {"running_mean", "running_var"};

__attribute__((format(printf, 2, 3))) static void append(char        out[SETTINGS_BYTES],
                                                         const char *format, ...)
{
    size_t  used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out + used, SETTINGS_BYTES - used, format, arguments);
    va_end(arguments);
}

// Everything that decides the bits; a checkpoint of other settings is another training.
static void describe(const Trainer *trainer, char out[SETTINGS_BYTES])
{
    const TrainSettings     *s                              = &trainer->settings;
    const Optimiser         *o                              = &s->optimiser;
    const ObjectiveSettings *objective                      = &s->objective;
    char                     milestones[SETTINGS_BYTES / 4] = "";
    for (int i = 0; i < s->schedule.count; i++) {
        size_t used = strlen(milestones);
        snprintf(milestones + used, sizeof milestones - used, " %lld",
                 (long long)s->schedule.milestones[i]);
    }
    snprintf(
        out, SETTINGS_BYTES,
        "%s rate %.17g momentum %.17g nesterov %d beta2 %.17g epsilon %.17g decay %.17g batch "
        "%lld last %d epochs %lld seed %llu flip %d shift %d crop %lld images %lld schedule "
        "%d%s clip %.17g softplus %.17g objective %s l2 %.17g cos %.17g hessian %.17g attached "
        "%d difference %d perturbation %s %.17g attack %.17g %lld",
        word_text(OPTIMISER_NAMES, (int)o->kind), o->rate, o->momentum, o->nesterov, o->beta2,
        o->epsilon, o->weight_decay, (long long)s->batch, !s->drop_last, (long long)s->epochs,
        (unsigned long long)s->seed, s->flip, s->shift, (long long)s->crop,
        (long long)trainer->set->count, (int)s->schedule.kind, milestones, s->clip,
        (double)s->softplus_beta, word_text(OBJECTIVE_NAMES, objective->row), objective->lambda_l2,
        objective->lambda_cos, objective->lambda_hessian, objective->is_attached,
        objective->by_difference, word_text(PERTURBATION_NAMES, (int)objective->perturbation),
        objective->perturb_eps, objective->attack_eps, (long long)objective->attack_steps);
    append(out, " convolutions %d", (int)s->conv);
    if (s->start[0])
        append(out, " from %s", s->start);
    if (trainer->pictures)
        append(out, " pictures %016llx", (unsigned long long)trainer->pictures);
    if (objective->mode)
        append(out, " compat %s", objective_mode(objective->mode)->name);
    if (objective->attack_inputs &&
        strcmp(word_text(OBJECTIVE_NAMES, objective->row), "triplet") == 0)
        append(out, " inputs %lld", (long long)objective->attack_inputs);
    if (objective_data(objective) != DATA_CLASSES)
        append(out, " captions %016llx",
               (unsigned long long)captions_digest(trainer->set->captions));
}

// True if `text` has a line with the key of `line` (up to =), both ended by newlines.
static bool has_key(const char *text, const char *line)
{
    size_t length = strcspn(line, "=\n") + 1;
    for (; *text; text += strcspn(text, "\n") + 1)
        if (strncmp(text, line, length) == 0)
            return true;
    return false;
}

/* Appends the lines of `lines` whose keys `out` does not have yet. */
static void join_lines(char *out, const char *lines)
{
    for (size_t length; *lines; lines += length) {
        length      = strcspn(lines, "\n") + 1;
        size_t used = strlen(out);
        if (!has_key(out, lines) && used + length < TEXT_BYTES) {
            memcpy(out + used, lines, length);
            out[used + length] = 0;
        }
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool restore_moments(Trainer *trainer, WeightBlob *blob, Error *error)
{
    for (int moment = 0; moment < 2; moment++)
        for (int i = 0; i < trainer->whole.list.weight_count; i++) {
            const TrainableWeight *weight = &trainer->whole.list.weights[i];
            const real            *data   = NULL;
            char                   name[96];
            snprintf(name, sizeof name, "%s.%s", moment_names[moment], weight->name);
            if (!blob_find(blob, name, weight->shape, &data, error))
                return false;
            memcpy(trainer->moments[moment][i], data,
                   (size_t)shape_elements(weight->shape) * sizeof(real));
        }
    return true;
}

// Without the line, which checkpoints of earlier programs lack, an epoch begins its sums anew.
static bool restore_epoch(Trainer *trainer, const char *line)
{
    int64_t within = trainer->done % trainer_steps_per_epoch(trainer);
    double *sums[TERM_COUNT];
    char   *next;
    if (!line)
        return true;
    term_places(&trainer->sums, sums);
    trainer->sums.images = strtoll(line, &next, 10);
    trainer->correct     = strtoll(next, &next, 10);
    for (int i = 0; i < TERM_COUNT; i++)
        *sums[i] = strtod(next, &next);
    return (within == 0 || trainer->sums.images == within * trainer->settings.batch) &&
           trainer->correct >= 0 && trainer->correct <= trainer->sums.images && !*next;
}

// Bytes of the first two words.
static int two_words(const char *text)
{
    size_t first = strcspn(text, " ");
    return (int)(first + (text[first] ? 1 + strcspn(text + first + 1, " ") : 0));
}

// Names the first setting that differs, with the word before it, which mostly says what it is.
static bool fail_other(const WeightBlob *blob, const char *found, const char *expected,
                       Error *error)
{
    size_t      length;
    const char *there = found, *here = expected;
    for (const char *a = found, *b = expected; *a || *b;) {
        length = strcspn(a, " ");
        if (length != strcspn(b, " ") || strncmp(a, b, length) != 0)
            break;
        there = a;
        here  = b;
        a += length + (a[length] == ' ');
        b += length + (b[length] == ' ');
    }
    return fail(error, ERROR_USAGE,
                "%s: belongs to a training of other settings: '%.*s' there, '%.*s' here; "
                "--overwrite without --resume begins anew",
                blob_path(blob), two_words(there), there, two_words(here), here);
}

bool trainer_restore(Trainer *trainer, WeightBlob *blob, Error *error)
{
    const BlobTensor *about = blob_lookup(blob, "about");
    const char       *step  = blob_about(blob, "training_step"),
               *found       = blob_about(blob, "training_settings"),
               *epoch       = blob_about(blob, "training_epoch");
    char settings[SETTINGS_BYTES];
    trainer->about = memory_new(about->bytes + 1, 1, error);
    if (!trainer->about)
        return false;
    char       *end  = trainer->about;
    const char *text = about->data;
    for (size_t at = 0, length; at < about->bytes; at += length) {
        const char *newline = memchr(text + at, '\n', about->bytes - at);
        length              = newline ? (size_t)(newline - (text + at)) + 1 : about->bytes - at;
        if (strncmp(text + at, "training_", 9) != 0) {
            memcpy(end, text + at, length);
            end += length;
        }
    }
    if (!step)
        return true;
    describe(trainer, settings);
    if (!found || strcmp(found, settings) != 0)
        return fail_other(blob, found ? found : "", settings, error);
    trainer->done = strtoll(step, NULL, 10);
    if (trainer->done < 0 || trainer->done > trainer_steps(trainer))
        return fail(error, ERROR_DATA, "%s: is at step %s, expected 0 to %lld", blob_path(blob),
                    step, (long long)trainer_steps(trainer));
    if (!restore_epoch(trainer, epoch))
        return fail(error, ERROR_DATA,
                    "%s: the sums of its epoch are '%.80s', not those of step %s", blob_path(blob),
                    epoch, step);
    return restore_moments(trainer, blob, error);
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct TensorList {
    BlobTensor *tensors;
    char (*names)[NAME_BYTES];
    int count;
} TensorList;

/* Room for weights with both moments, the statistics of norms, and what is not trained. */
static bool list_open(TensorList *out, const Trainer *trainer, Error *error)
{
    const Trainables *list = &trainer->whole.list;
    size_t            room = 3 * (size_t)list->weight_count + 2 * (size_t)list->norm_count +
                  (size_t)blob_tensor_count(trainer->blob);
    out->tensors = memory_new(room, sizeof *out->tensors, error);
    out->names   = memory_new(room, sizeof *out->names, error);
    return out->tensors && out->names;
}

static void list_close(TensorList *list)
{
    memory_free(list->tensors);
    memory_free(list->names);
}

static void add_tensor(TensorList *list, const char *base, const char *part, Shape shape,
                       const real *data)
{
    snprintf(list->names[list->count], sizeof list->names[0], "%s%s%s", base, part[0] ? "." : "",
             part);
    list->tensors[list->count] = (BlobTensor){
        .name = list->names[list->count], .type = BLOB_F32, .shape = shape, .data = data};
    list->count++;
}

// Whether a tensor of the first blob stays as it is: words, an encoder that is not trained.
static bool is_kept(const Trainer *trainer, const char *name)
{
    for (int i = 0; i < trainer->norm_count; i++) {
        size_t length = strlen(trainer->whole.list.norms[i].name);
        if (strncmp(name, trainer->whole.list.norms[i].name, length) == 0 && name[length] == '.')
            return false;
    }
    return strcmp(name, "about") != 0 && strncmp(name, "state.", 6) != 0 &&
           !trainable_weight(&trainer->whole.list, name);
}

static void list_tensors(const Trainer *trainer, bool with_state, TensorList *out)
{
    for (int i = 0; i < trainer->whole.list.weight_count; i++) {
        const TrainableWeight *weight = &trainer->whole.list.weights[i];
        add_tensor(out, weight->name, "", weight->shape,
                   plan_input(trainer->whole.plan, weight->node));
        for (int moment = 0; with_state && moment < 2; moment++)
            add_tensor(out, moment_names[moment], weight->name, weight->shape,
                       trainer->moments[moment][i]);
    }
    for (int i = 0; i < trainer->norm_count; i++)
        for (int part = 0; part < 2; part++)
            add_tensor(out, trainer->whole.list.norms[i].name, statistic_names[part],
                       shape_1d(trainer->whole.list.norms[i].channels),
                       trainer->statistics[part][i]);
    for (int i = 0; i < blob_tensor_count(trainer->blob); i++) {
        const BlobTensor *tensor = blob_tensor(trainer->blob, i);
        if (is_kept(trainer, tensor->name))
            out->tensors[out->count++] = *tensor;
    }
}

static void write_state(const Trainer *trainer, char about[TEXT_BYTES])
{
    char         settings[SETTINGS_BYTES];
    TrainerTerms sums = trainer->sums;
    double      *places[TERM_COUNT];
    describe(trainer, settings);
    int used = snprintf(
        about, TEXT_BYTES, "training_step=%lld\ntraining_settings=%s\ntraining_epoch=%lld %lld",
        (long long)trainer->done, settings, (long long)sums.images, (long long)trainer->correct);
    term_places(&sums, places);
    for (int i = 0; i < TERM_COUNT; i++)
        used += snprintf(about + used, (size_t)(TEXT_BYTES - used), " %.17g", *places[i]);
    snprintf(about + used, (size_t)(TEXT_BYTES - used), "\n");
}

bool trainer_save(const Trainer *trainer, const char *path, bool with_state, const char *note,
                  Error *error)
{
    uint8_t   *bytes = NULL;
    size_t     size  = 0;
    TensorList list  = {0};
    char      *about = memory_new(TEXT_BYTES, 1, error);
    bool       ok    = about && list_open(&list, trainer, error);
    if (ok) {
        if (with_state)
            write_state(trainer, about);
        join_lines(about, note ? note : "");
        join_lines(about, trainer->about);
        list_tensors(trainer, with_state, &list);
        ok = blob_encode(list.tensors, list.count, about, &bytes, &size, error) &&
             file_publish(path, bytes, size, error);
    }
    memory_free(bytes);
    memory_free(about);
    list_close(&list);
    return ok;
}
