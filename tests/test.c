/* tests/test.c - runs the registered suites and counts. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static TestSuite   *suites;
static int          passed, failed, skipped;
static bool         test_failed, test_skipped, only_list;
static const char **filters, **left_out;
static int          filter_count, left_out_count;
static const char  *suite_name;
static char         folder[1024];
static uint64_t     seed = 1;

enum { FORMATS = 16 };
static struct {
    const char *name;
    int         count;
} kinds[FORMATS]; // of malformed inputs that were refused

void test_register(TestSuite *suite)
{
    TestSuite **place = &suites;
    while (*place && strcmp((*place)->name, suite->name) < 0)
        place = &(*place)->next;
    suite->next = *place;
    *place      = suite;
}

static bool is_among(const char *name, const char *const *parts, int count)
{
    for (int i = 0; i < count; i++)
        if (strstr(name, parts[i]) || strstr(suite_name, parts[i]))
            return true;
    return false;
}

static bool wanted(const char *name)
{
    return (filter_count == 0 || is_among(name, filters, filter_count)) &&
           !is_among(name, left_out, left_out_count);
}

static void remove_tree(const char *path) // NOLINT(misc-no-recursion): as deep as the folder
{
    DIR *handle = opendir(path);
    if (handle) {
        struct dirent *entry;
        while ((entry = readdir(handle))) {
            char child[4096];
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
                continue;
            snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
            remove_tree(child);
        }
        closedir(handle);
    }
    remove(path);
}

void test_run(const char *name, TestFunction *function)
{
    if (!wanted(name))
        return;
    if (only_list) {
        printf("%s.%s\n", suite_name, name);
        return;
    }
    test_failed = test_skipped = false;
    double start               = clock_seconds();
    function();
    double seconds = clock_seconds() - start;
    if (folder[0]) {
        remove_tree(folder);
        folder[0] = 0;
    }
    const char *verdict = test_failed ? "FAILED" : test_skipped ? "skipped" : "ok";
    printf("%-8s%s.%s", verdict, suite_name, name);
    if (seconds >= 1)
        printf(" (%.1f s)", seconds);
    printf("\n");
    fflush(stdout);
    failed += test_failed;
    skipped += !test_failed && test_skipped;
    passed += !test_failed && !test_skipped;
}

bool test_check(bool ok, const char *file, int line, const char *text)
{
    if (!ok) {
        printf("  %s:%d: not true: %s\n", file, line, text);
        test_failed = true;
    }
    return ok;
}

bool test_check_close(double found, double want, double bound, const char *file, int line,
                      const char *text)
{
    double error = fabs(found - want);
    bool   ok    = error <= bound; // false for NaN
    if (!ok) {
        printf("  %s:%d: %s is %.9g, wanted %.9g, error %.3g, bound %.3g\n", file, line, text,
               found, want, error, bound);
        test_failed = true;
    }
    return ok;
}

bool test_check_text(const char *found, const char *want, const char *file, int line)
{
    bool ok = found && want && strcmp(found, want) == 0;
    if (!ok) {
        printf("  %s:%d: text is \"%s\", wanted \"%s\"\n", file, line, found ? found : "(null)",
               want ? want : "(null)");
        test_failed = true;
    }
    return ok;
}

static void count_kind(const char *format)
{
    for (int i = 0; i < FORMATS; i++)
        if (!kinds[i].name || !strcmp(kinds[i].name, format)) {
            kinds[i].name = format;
            kinds[i].count++;
            return;
        }
}

static void print_kinds(void)
{
    int sum = 0;
    for (int i = 0; i < FORMATS && kinds[i].name; i++) {
        printf("%s %s %d", i ? "," : "malformed kinds refused:", kinds[i].name, kinds[i].count);
        sum += kinds[i].count;
    }
    if (sum > 0)
        printf(", %d in all\n", sum);
}

bool test_refused(const char *format, const Error *error, const char *message, const char *file,
                  int line)
{
    count_kind(format);
    bool ok = error->code == ERROR_DATA && strstr(error->message, message);
    if (!ok) {
        printf("  %s:%d: exit %d and \"%s\", wanted \"%s\"\n", file, line, (int)error->code,
               error->message, message);
        test_failed = true;
    }
    return ok;
}

void test_skip(const char *reason)
{
    printf("  skipped: %s\n", reason);
    test_skipped = true;
}

const char *test_data(const char *relative)
{
    static char slots[4][4096];
    static int  slot;
    const char *root = getenv("NEMESIS_DATA");
    char       *path = slots[slot++ % 4];
    snprintf(path, sizeof slots[0], "%s/%s", root && *root ? root : "../shared/data", relative);
    struct stat info;
    return stat(path, &info) == 0 ? path : NULL;
}

const char *test_folder(void)
{
    if (!folder[0]) {
        const char *below = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/nemesis-test-XXXXXX", below && *below ? below : "/tmp");
        if (!mkdtemp(folder)) {
            printf("  cannot create a folder %s\n", folder);
            exit(1);
        }
    }
    return folder;
}

uint64_t test_seed(void)
{
    return seed;
}

int main(int argc, char **argv)
{
    filters  = calloc((size_t)argc, sizeof *filters);
    left_out = calloc((size_t)argc, sizeof *left_out);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list"))
            only_list = true;
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--without") && i + 1 < argc)
            left_out[left_out_count++] = argv[++i];
        else
            filters[filter_count++] = argv[i];
    }
    for (TestSuite *suite = suites; suite; suite = suite->next) {
        suite_name = suite->name;
        suite->run();
    }
    free(filters);
    free(left_out);
    print_kinds();
    if (!only_list)
        printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed > 0 || (!only_list && passed + skipped == 0);
}
