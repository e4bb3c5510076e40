/* tests/program.c - see program.h. */
#include "program.h"

#include "../base/file.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WORDS = 64, LINE = 8192 };

static const char *program_path(void)
{
    const char *path = getenv("NEMESIS");
    return path && *path ? path : "./nemesis";
}

bool program_exists(void)
{
    return access(program_path(), X_OK) == 0;
}

const char *in_folder(const char *format, ...)
{
    static char slots[64][LIMIT_PATH];
    static int  next;
    char       *path = slots[next++ % 64], name[1024];
    va_list     arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    path_join(path, test_folder(), name, NULL);
    return path;
}

static void redirect(int descriptor, const char *path)
{
    close(descriptor);
    if (!path)
        return;
    int handle = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (handle >= 0 && handle != descriptor) {
        dup2(handle, descriptor);
        close(handle);
    }
}

static pid_t start(char *line, const char *out, const char *err)
{
    char *words[MOST_WORDS + 2];
    int   count    = 0;
    words[count++] = (char *)(uintptr_t)program_path();
    for (char *word = strtok(line, " "); word && count < MOST_WORDS; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
        for (int i = 0; i < 3; i++) // whoever started the tests may have had them ignored
            signal(numbers[i], SIG_DFL);
        redirect(2, err);
        redirect(1, out);
        execv(words[0], words);
        _exit(127);
    }
    return child;
}

static void read_text(const char *path, char *text, size_t size)
{
    FILE  *file = path ? fopen(path, "rb") : NULL;
    size_t got  = file ? fread(text, 1, size - 1, file) : 0;
    text[got]   = 0;
    if (file)
        fclose(file);
}

const Outcome *outcome_read(int code, const char *out, const char *err)
{
    static Outcome slots[2];
    static int     next;
    Outcome       *outcome = &slots[next++ % 2];
    outcome->code          = code;
    read_text(out, outcome->out, sizeof outcome->out);
    read_text(err, outcome->err, sizeof outcome->err);
    return outcome;
}

const Outcome *process_finish(pid_t child, const char *out, const char *err)
{
    int status = 0;
    waitpid(child, &status, 0);
    return outcome_read(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out, err);
}

static void format_line(char line[LINE], const char *format, va_list arguments)
{
    vsnprintf(line, LINE, format, arguments);
}

const Outcome *program_run(const char *format, ...)
{
    char        line[LINE];
    const char *out = in_folder("stdout"), *err = in_folder("stderr");
    va_list     arguments;
    va_start(arguments, format);
    format_line(line, format, arguments);
    va_end(arguments);
    return process_finish(start(line, out, err), out, err);
}

const Outcome *program_run_to(const char *path, const char *format, ...)
{
    char        line[LINE];
    const char *err = in_folder("stderr");
    va_list     arguments;
    va_start(arguments, format);
    format_line(line, format, arguments);
    va_end(arguments);
    return process_finish(start(line, path, err), NULL, err);
}

const Outcome *program_interrupt(int signal_number, const char *path, const char *format, ...)
{
    char            line[LINE];
    const char     *out = in_folder("stdout"), *err = in_folder("stderr");
    struct timespec pause = {.tv_nsec = 10000000};
    siginfo_t       ended = {0};
    va_list         arguments;
    va_start(arguments, format);
    format_line(line, format, arguments);
    va_end(arguments);
    pid_t child = start(line, out, err);
    while (!file_exists(path) && !ended.si_pid &&
           waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT) == 0)
        nanosleep(&pause, NULL);
    kill(child, signal_number);
    return process_finish(child, out, err);
}

bool torch_exists(void)
{
    static int found = -1;
    if (found < 0)
        found = system("/usr/bin/python3 -c 'import torch, numpy' >/dev/null 2>&1") == 0;
    return found;
}

bool same_file(const char *a, const char *b)
{
    Bytes one = {0}, other = {0};
    bool  same = file_read(a, LIMIT_TEXT_FILE, &one, NULL) &&
                file_read(b, LIMIT_TEXT_FILE, &other, NULL) && one.size == other.size &&
                memcmp(one.data, other.data, one.size) == 0;
    bytes_close(&one);
    bytes_close(&other);
    return same;
}
