/* bench/folder.c - temporary folders that go with the program, however it ends. */
#include "bench.h"

#include "../base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A process of its own waits for the end of this one, even by a signal that cannot be caught: then
// nobody holds the other end of the pipe any more.
static void remove_at_the_end(const char *path)
{
    int  ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        setsid(); // signals to the program's group do not reach it
        close(ends[1]);
        for (int descriptor = 0; descriptor < 3; descriptor++)
            close(descriptor); // who reads the program's output waits for the program alone
        while (read(ends[0], &byte, 1) > 0)
            ;
        folder_discard(path);
        _exit(0);
    }
    close(ends[0]);
}

bool folder_temporary(char out[LIMIT_PATH], Error *error)
{
    const char *parent = getenv("TMPDIR");
    snprintf(out, LIMIT_PATH, "%s/nemesis-bench-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(out))
        return fail(error, ERROR_CREATE, "%s: cannot create this folder", out);
    remove_at_the_end(out);
    return true;
}

void folder_discard(const char *path) // NOLINT(misc-no-recursion): as deep as the folder
{
    DIR           *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char child[LIMIT_PATH];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            path_join(child, path, entry->d_name, NULL) && unlink(child) != 0)
            folder_discard(child);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}
