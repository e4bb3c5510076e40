/* cli/training_log.h - the CSV file of a training: a row a step.
 *
 * It is written with each checkpoint, before it, so a training that goes on from a checkpoint finds
 * every row up to there and drops what came after. */
#ifndef CLI_TRAINING_LOG_H
#define CLI_TRAINING_LOG_H

#include "../training/training.h"

typedef struct TrainingLog {
    const char *path; // NULL: no log is kept, and every call succeeds
    char       *text;
    size_t      size, room;
} TrainingLog;

/* `done`: steps that are done already; rows of these are taken over from the file that is there. */
bool training_log_open(TrainingLog *out, const char *path, int64_t done, Error *error);
void training_log_close(TrainingLog *log); // accepts a zeroed object

/* Steps and epochs count from 1. */
bool training_log_add(TrainingLog *log, int64_t step, int64_t epoch, const TrainerTerms *terms,
                      Error *error);
bool training_log_publish(const TrainingLog *log, Error *error);

#endif
