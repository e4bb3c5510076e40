/* tests/published.h - published networks through the converter, and published numbers to compare
 * with. NULL where there is no data, no python3, or in the double build; then the test is to be skipped. */
#ifndef TESTS_PUBLISHED_H
#define TESTS_PUBLISHED_H

#include "../engine/blob.h"

/* weights/convert.py with these options on a file or folder of the shared data. */
WeightBlob *published_network(const char *relative, const char *options);

/* The numbers of one array (float32, float64, int16, int32 or int64) of an .npz archive of the shared
 * data, to be released with memory_free. There are to be `count`. */
double *published_numbers(const char *archive, const char *name, int64_t count);

/* The texts of such an array of texts, UTF-8, [count]; the array and its texts, which follow it in
 * the same memory, are released with one memory_free. */
char **published_texts(const char *archive, const char *name, int64_t count);

/* The largest distance of found[i] from want[i] by the largest want[i]. */
double published_error(const real *found, const double *want, int64_t count);

#endif
