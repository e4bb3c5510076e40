/* base/file_place.c - see file.h: which file a path stands for, whatever its spelling. */
#include "file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

// The path a link stands for. False if `path` is no link.
static bool follow_link(char path[LIMIT_PATH])
{
    char    target[LIMIT_PATH], joined[LIMIT_PATH];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = 0;
    char *slash    = strrchr(path, '/');
    if (target[0] == '/' || !slash) {
        memcpy(path, target, (size_t)length + 1);
        return true;
    }
    *slash = 0;
    if (!path_join(joined, path, target, NULL))
        return false;
    memcpy(path, joined, strlen(joined) + 1);
    return true;
}

bool path_follow(char path[LIMIT_PATH])
{
    for (int i = 0; i < MOST_LINKS; i++)
        if (!follow_link(path))
            return true;
    return false;
}

// Puts a part before the rest; "" and "." are no parts, ".." takes the next one of the rest away.
static void prepend(char rest[LIMIT_PATH], const char *part, int *up)
{
    size_t length = strlen(part), old = strlen(rest);
    if (!*part || strcmp(part, ".") == 0)
        return;
    if (strcmp(part, "..") == 0) {
        ++*up;
        return;
    }
    if (*up > 0) {
        --*up;
        return;
    }
    if (length + old + 2 > LIMIT_PATH)
        return;
    memmove(rest + length + 1, rest, old + 1);
    memcpy(rest, part, length);
    rest[length] = '/';
}

typedef struct Place { // of the deepest folder that is there, and what is not there below it
    dev_t device;
    ino_t inode;
    char  rest[LIMIT_PATH];
} Place;

static bool place_of(const char *text, Place *out)
{
    struct stat info;
    char        path[LIMIT_PATH];
    int         up = 0, links = 0;
    if (strlen(text) >= LIMIT_PATH)
        return false;
    memcpy(path, text, strlen(text) + 1);
    out->rest[0] = 0;
    while (stat(path, &info) != 0) {
        if (links < MOST_LINKS && follow_link(path)) {
            links++;
            continue;
        }
        char *slash = strrchr(path, '/');
        prepend(out->rest, slash ? slash + 1 : path, &up);
        if (!slash)
            memcpy(path, ".", 2);
        else if (slash == path)
            path[1] = 0;
        else
            *slash = 0;
        if (strcmp(path, "/") == 0 && stat(path, &info) != 0)
            return false;
    }
    out->device = info.st_dev;
    out->inode  = info.st_ino;
    return true;
}

bool path_is_same(const char *a, const char *b)
{
    Place first, second;
    return place_of(a, &first) && place_of(b, &second) && first.device == second.device &&
           first.inode == second.inode && strcmp(first.rest, second.rest) == 0;
}

bool path_is_below(const char *path, const char *folder)
{
    struct stat info, wanted;
    char        text[PATH_MAX];
    if (!realpath(path, text) || stat(folder, &wanted) != 0)
        return false;
    for (char *slash; (slash = strrchr(text, '/')); *slash = 0) {
        if (slash == text)
            break;
        if (stat(text, &info) == 0 && info.st_dev == wanted.st_dev && info.st_ino == wanted.st_ino)
            return true;
    }
    return false;
}

bool path_between(char out[LIMIT_PATH], const char *folder, const char *path)
{
    char   from[PATH_MAX], to[PATH_MAX];
    size_t same = 0, used = 0;
    if (!realpath(folder, from) || !realpath(path, to))
        return false;
    for (size_t i = 0; from[i] == to[i] || (!from[i] && to[i] == '/') || (from[i] == '/' && !to[i]);
         i++) {
        if (from[i] == '/' || !from[i] || to[i] == '/' || !to[i])
            same = i;
        if (!from[i] || !to[i])
            break;
    }
    for (const char *at = from + same; *at; at++)
        if (*at == '/' && at[1])
            used += (size_t)snprintf(out + used, used < LIMIT_PATH ? LIMIT_PATH - used : 0, "../");
    const char *rest = to + same + (to[same] == '/');
    if (used + strlen(rest) + 2 > LIMIT_PATH)
        return false;
    memcpy(out + used, rest, strlen(rest) + 1);
    if (!*out)
        memcpy(out, ".", 2);
    return true;
}
