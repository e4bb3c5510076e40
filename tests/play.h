/* tests/play.h - the program inside this process, or in a fork of it, on very small inputs. */
#ifndef TESTS_PLAY_H
#define TESTS_PLAY_H

#include "program.h"

#include <stdarg.h>
#include <sys/types.h>

enum { LINE = 8192 };

/* Paths of the running test, set by play_inputs: a probing set of a few photos of 16 x 16, and the
 * blob of a network whose conv22 has six units. */
extern const char *play_blob, *play_probe;

bool        play_inputs(int images);
const char *play_photo(int64_t image);
/* The blob of a small captioner for MILAN, in the running test's folder. */
const char *play_captioner(void);
/* Options of CLIP-Dissect by a small pair of towers and a list of words, in the running test's
 * folder, with a similarity that few images are enough for. */
const char *play_words(void);
/* A new folder of two class folders with the first photos of the set; NULL if it cannot be made. */
const char *play_classes(int images);

/* Runs the words of a formatted line through nemesis_run. Static storage, two slots. Say -t 1: then
 * the process may fork. */
const Outcome *play(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Its exit code and what it says, of a call that gets `self`. */
const Outcome *play_call(int (*call)(void *self), void *self);

/* The words of a line in a fork, after `prepare(self)` there (NULL allowed); returns its process.
 * Its output goes to files play_result reads. */
pid_t play_start(void (*prepare)(void *self), void *self, const char *line);
/* Waits for its end. */
const Outcome *play_result(pid_t child);
/* File operations that the last fork to come to its end by itself counted (faults.h). */
int64_t play_operations(void);

int play_open_handles(void); // descriptors of this process

/* Folders and files. */
void play_remove(const char *path);
bool play_copy_tree(const char *from, const char *to);
/* Whether every result below `found` is one of `wanted`, byte for byte. run.json must be JSON;
 * files of unfinished work do not count. complete: and every file of `wanted` is there, which must
 * be so beside a run.json. tidy: and no temporary file, and none of finished work. Tells the first
 * that is not right. */
bool play_same_tree(const char *wanted, const char *found, bool complete, bool tidy);

#endif
