/* cli/training_log.c - see training_log.h. */
#include "training_log.h"

#include "../base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char header[] = "step,epoch,loss,ce,l2,cosd,hessian,other,rate,gradient_norm\n";

static bool append(TrainingLog *log, const char *text, size_t length, Error *error)
{
    if (log->size + length > log->room) {
        size_t room = 2 * (log->size + length) + 4096;
        void  *more = memory_grow(log->text, log->size, room, 1, error);
        if (!more)
            return false;
        log->text = more;
        log->room = room;
    }
    memcpy(log->text + log->size, text, length);
    log->size += length;
    return true;
}

// Whole rows of steps up to `done`.
static bool take_over(TrainingLog *log, int64_t done, Error *error)
{
    Bytes file = {0};
    if (!file_read(log->path, LIMIT_TEXT_FILE, &file, error))
        return false;
    const char *text = (const char *)file.data, *end;
    bool        ok   = true;
    for (; ok && (end = strchr(text, '\n')); text = end + 1) {
        long long step = strtoll(text, NULL, 10);
        if (step >= 1 && step <= done)
            ok = append(log, text, (size_t)(end - text) + 1, error);
    }
    bytes_close(&file);
    return ok;
}

bool training_log_open(TrainingLog *out, const char *path, int64_t done, Error *error)
{
    *out = (TrainingLog){.path = path};
    return !path || (append(out, header, strlen(header), error) &&
                     (done == 0 || !file_exists(path) || take_over(out, done, error)));
}

void training_log_close(TrainingLog *log)
{
    memory_free(log->text);
    *log = (TrainingLog){0};
}

bool training_log_add(TrainingLog *log, int64_t step, int64_t epoch, const TrainerTerms *terms,
                      Error *error)
{
    const double numbers[] = {terms->loss,    terms->ce,    terms->l2,   terms->cosd,
                              terms->hessian, terms->other, terms->rate, terms->gradient_norm};
    char         row[256];
    int          used = snprintf(row, sizeof row, "%lld,%lld", (long long)step, (long long)epoch);
    if (!log->path)
        return true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        used += isnan(numbers[i])
                    ? snprintf(row + used, sizeof row - (size_t)used, ",")
                    : snprintf(row + used, sizeof row - (size_t)used, ",%.9g", numbers[i]);
    used += snprintf(row + used, sizeof row - (size_t)used, "\n");
    return append(log, row, (size_t)used, error);
}

bool training_log_publish(const TrainingLog *log, Error *error)
{
    return !log->path || file_publish(log->path, log->text, log->size, error);
}
