/* tests/small_inputs.h - a small network and probing set on disk, for runs of the program. */
#ifndef TESTS_SMALL_INPUTS_H
#define TESTS_SMALL_INPUTS_H

#include "../probe/probe.h"
#include "program.h"
#include "test.h"

enum { SMALL_UNITS = 6, SMALL_IMAGES = 70, SMALL_SIDE = 16 };

/* Paths of the running test, set by make_inputs. conv22 has SMALL_UNITS units and the label maps'
 * size; the logits are ten. */
extern const char *blob, *probe;

bool make_inputs(void);
bool make_blob(const char *path, uint64_t seed);
/* The same with photos resized by their short side and cropped. */
bool make_cropping_blob(const char *path, uint64_t seed, const char *resize_short);

/* Dissects conv22 into `name` below the test's folder with `more` options; returns the run's path.
 */
const char *dissect(const char *name, const char *more);

/* The first photo of the set; any photo of this one. Static storage. */
const char *first_photo(void);
const char *photo_path(const ProbeSet *set, int64_t image);

int count_lines(const char *path);

#define NEED_PROGRAM()                                                                             \
    do {                                                                                           \
        if (!program_exists())                                                                     \
            SKIP("there is no ./nemesis");                                                         \
    } while (0)

#define NEED_INPUTS()                                                                              \
    do {                                                                                           \
        NEED_PROGRAM();                                                                            \
        REQUIRE(make_inputs());                                                                    \
    } while (0)

#endif
