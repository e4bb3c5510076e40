/* tests/program.h - runs the built ./nemesis (or $NEMESIS) and keeps what it says. */
#ifndef TESTS_PROGRAM_H
#define TESTS_PROGRAM_H

#include "../base/base.h"

#include <sys/types.h>

typedef struct Outcome {
    int  code;         // exit code; 128 + signal if it was killed
    char out[1 << 16]; // what reached stdout and stderr, zero-terminated, cut if longer
    char err[1 << 13];
} Outcome;

/* Whether there is a program to run. */
bool program_exists(void);

/* The words of a formatted line, split at blanks, as arguments. Static storage, two slots. */
const Outcome *program_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with stdout going to `path` (NULL: stdout is closed). */
const Outcome *program_run_to(const char *path, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Starts the program, sends `signal_number` once there is a file `path`, waits for its end. */
const Outcome *program_interrupt(int signal_number, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What a run left in the files its streams went to (NULL: no text). Static storage, two slots. */
const Outcome *outcome_read(int code, const char *out, const char *err);
/* The same after the end of a process. */
const Outcome *process_finish(pid_t child, const char *out, const char *err);

/* Whether /usr/bin/python3 has PyTorch and NumPy, for the other half of a test. Looked up once. */
bool torch_exists(void);

/* Whether two files exist and hold the same bytes. */
bool same_file(const char *a, const char *b);

/* A path below the test's folder. Static storage, 64 slots. */
const char *in_folder(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
