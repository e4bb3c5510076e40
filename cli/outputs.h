/* cli/outputs.h - the paths of a command: inputs that are not there are told together, and an
 * output is never an input of the same command, nor another of its outputs. */
#ifndef CLI_OUTPUTS_H
#define CLI_OUTPUTS_H

#include "arguments.h"

/* Something a command reads, or writes elsewhere. */
typedef struct UsedPath {
    const char *what; // as a sentence calls it: "the baseline"
    const char *path; // NULL: not there, nothing to compare
} UsedPath;

/* Names all inputs that are not there, if more than one is; a single one is told best by who opens
 * it. Errors: ERROR_NOT_FOUND. */
bool inputs_check(const UsedPath *used, int count, Error *error);

/* Refuses, before anything is touched, an output that is one of the used paths through any
 * spelling, link or hard link. Errors: ERROR_USAGE. */
bool output_folder_check(const char *output, const UsedPath *used, int count, Error *error);

/* The same for a single file, which may not replace a file in a used folder either, nor be a
 * folder. Errors: also ERROR_CREATE. */
bool output_file_check(const char *output, const UsedPath *used, int count, Error *error);

/* For verbs that write one file and keep unfinished work in a checkpoint beside it: neither is
 * replaced unless that is asked for. A run that was killed between its last two files has both.
 * Errors: ERROR_CREATE. */
bool output_file_claim(const Settings *settings, const char *checkpoint, Error *error);

#endif
