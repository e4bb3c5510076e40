/* tests/test.h - the harness: a claim a test, exact where possible.
 *
 * A suite registers itself:   SUITE(quantile) { RUN(values_in_order); RUN(ties); }
 * Run:  tests [--list] [--seed N] [--without NAME]... [NAME...]
 * runs suites or tests whose name contains a NAME, or all, but none that contains one `without`.
 * Real data is found in $NEMESIS_DATA (default ../shared/data); a test that needs it and does not
 * find it calls SKIP. The last line is `N passed, N failed, N skipped`; exit 1 if any failed. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include "../base/base.h"

typedef void TestFunction(void);

typedef struct TestSuite {
    const char       *name;
    TestFunction     *run;
    struct TestSuite *next;
} TestSuite;

void test_register(TestSuite *suite);
void test_run(const char *name, TestFunction *function);
bool test_check(bool passed, const char *file, int line, const char *text);
bool test_check_close(double found, double wanted, double bound, const char *file, int line,
                      const char *text);
bool test_check_text(const char *found, const char *wanted, const char *file, int line);
void test_skip(const char *reason);

/* A malformed input of this format was refused: with ERROR_DATA and a message that holds `message`.
 * The kinds are counted by format and told at the end of the run. */
bool test_refused(const char *format, const Error *error, const char *message, const char *file,
                  int line);

/* Path of a file of the shared real data, or NULL if it is not there. Static storage, four slots.
 */
const char *test_data(const char *relative);

/* A fresh folder for this test's files, removed when the test ends. */
const char *test_folder(void);

uint64_t test_seed(void);

#define SUITE(suite_name)                                                                          \
    static void                              suite_name##_suite(void);                             \
    __attribute__((constructor)) static void suite_name##_register(void)                           \
    {                                                                                              \
        static TestSuite suite = {#suite_name, suite_name##_suite, NULL};                          \
        test_register(&suite);                                                                     \
    }                                                                                              \
    static void suite_name##_suite(void)

#define RUN(function)             test_run(#function, function)
#define CHECK(condition)          test_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_CLOSE(f, w, bound)  test_check_close((f), (w), (bound), __FILE__, __LINE__, #f)
#define CHECK_TEXT(found, wanted) test_check_text((found), (wanted), __FILE__, __LINE__)
#define CHECK_REFUSED(format, error, message)                                                      \
    test_refused((format), (error), (message), __FILE__, __LINE__)
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!CHECK(condition))                                                                     \
            return;                                                                                \
    } while (0)
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        test_skip(reason);                                                                         \
        return;                                                                                    \
    } while (0)

#endif
