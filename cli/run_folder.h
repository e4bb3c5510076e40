/* cli/run_folder.h - the folder that a run writes into: claims it, compares it with what is there,
 * finishes it with run.json (DESIGN.md, "Run folder").
 *
 * run.json is written last and removed first: a folder that has it is a finished run, whole and of
 * one piece. Result files appear one by one, each complete. Until then unfinished.json has the
 * settings that the checkpoints beside it belong to. One process at a time has the folder. A run
 * that replaces a finished one is made in FOLDER/.next and swapped in when it is whole. */
#ifndef CLI_RUN_FOLDER_H
#define CLI_RUN_FOLDER_H

#include "../base/swap.h"
#include "arguments.h"
#include "../format/json.h"

/* The settings that decide every byte of the results: names and values, in order. Two runs of equal
 * identity have equal results. */
enum { IDENTITY_ENTRIES = 40 };

typedef struct Identity {
    const char *name[IDENTITY_ENTRIES];  // literals
    char       *value[IDENTITY_ENTRIES]; // owned
    int         count;
    Error       error; // sticky
} Identity;

void identity_text(Identity *identity, const char *name, const char *value); // NULL: "(none)"
void identity_whole(Identity *identity, const char *name, uint64_t value);
void identity_number(Identity *identity, const char *name, double value);
void identity_numbers(Identity *identity, const char *name, const NumberList *list);
void identity_free(Identity *identity);                          // accepts a zeroed object
void identity_write(JsonWriter *json, const Identity *identity); // the object "settings"

typedef struct RunFolder {
    char              path[LIMIT_PATH]; // where the run is made: home, or .next in it
    char              home[LIMIT_PATH];
    const ResultKind *kind;
    FileLock          lock;
    bool              is_dry;         // only looked at: nothing is made, locked or removed
    bool              is_new;         // nothing was in it
    bool              replaces;       // home has a finished result, which stays until the new one
    bool              has_begun;      // what an earlier run left is gone, unfinished.json is there
    bool              is_done;        // --resume found a finished run of the same settings
    bool              has_checkpoint; // --resume found an unfinished run of the same settings
} RunFolder;

/* How far a run is, for `nemesis status` (run_progress.c). */
#define PROGRESS_FILE "progress.json"

/* Whether a file in a run folder is of use only until the run is finished: checkpoints, what says
 * how far it is, settled rows. Every ResultKind that ends with run.json has these parts. */
bool is_run_work(const char *name);

extern const ResultKind run_result, page_result; // with run.json; with index.html

/* With --dry-run, only looks whether it could. Makes the folder, or accepts an existing one with
 * --overwrite or --resume; until run_folder_close it is this process's. Errors: ERROR_AGAIN
 * (another process has it), ERROR_CREATE (something is in it and neither was given, or it cannot be
 * made). */
bool run_folder_claim(RunFolder *out, const Settings *settings, const ResultKind *kind,
                      Error *error);

/* With --resume, compares with the run that is there. An unfinished.json that cannot be read is
 * reported, and the run starts over; so does, with --overwrite as well, a run of other settings.
 * Errors: ERROR_CREATE for a run of other settings, naming the first that differs; ERROR_DATA for a
 * run.json that cannot be read. */
bool run_folder_compare(RunFolder *folder, const Settings *settings, const Identity *identity,
                        Error *error);

/* Nothing to do: says so; with --json shows the run.json that is there. */
bool run_folder_show_done(const RunFolder *folder, const Settings *settings, Error *error);

/* Before the first result is written: removes what an earlier run left, run.json first, unless its
 * checkpoint is being continued. */
bool run_folder_begin(const RunFolder *folder, Error *error);

/* Before the first checkpoint is written: the same, and unfinished.json. Does nothing again. */
bool run_folder_start(RunFolder *folder, const Identity *identity, Error *error);

/* Writes run.json: the folder is a finished run. Then the checkpoints go, and the run takes the
 * place of the one it replaces. */
bool run_folder_finish(const RunFolder *folder, const JsonWriter *json, Error *error);

/* For results without run.json: removes what an earlier new one left; the whole new one takes the
 * place of the old one. */
bool run_folder_clear(const RunFolder *folder, Error *error);
bool run_folder_swap(const RunFolder *folder, Error *error);

/* Lets go of the folder; removes it if it was new and is empty. Accepts a zeroed object. */
void run_folder_close(RunFolder *folder);

/* Opens run.json of a finished run; a swap that was cut off is finished first. Errors:
 * ERROR_NOT_FOUND (no run, or not finished), ERROR_DATA.
 */
bool run_folder_read(const char *path, Json *out, Error *error);

/* Notes an unfinished run that is to replace the one in `path`: being made, or given up. It stays,
 * for it may hold hours of work. */
void run_folder_note_next(const char *path, const Settings *settings);

#endif
