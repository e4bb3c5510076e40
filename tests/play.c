/* tests/play.c - see play.h. */
#include "play.h"

#include "../cli/commands.h"
#include "../format/json.h"
#include "../base/file.h"
#include "faults.h"
#include "nem_world.h"
#include "small_captioner.h"
#include "small_clip.h"
#include "small_inputs.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_WORDS = 64 };

const char *play_blob, *play_probe;

bool play_inputs(int images)
{
    static char blob_path[LIMIT_PATH], probe_path[LIMIT_PATH];
    World      *world = world_draw(3, images, 8, 8);
    bool        ok    = world && world_write(world, "probe");
    snprintf(blob_path, sizeof blob_path, "%s", in_folder("net.nw"));
    snprintf(probe_path, sizeof probe_path, "%s", ok ? world->folder : "");
    world_free(world);
    play_blob  = blob_path;
    play_probe = probe_path;
    return ok && make_blob(blob_path, 1);
}

const char *play_photo(int64_t image)
{
    ProbeSet    set  = {0};
    const char *path = probe_open(&set, play_probe, NULL, NULL) ? photo_path(&set, image) : NULL;
    probe_close(&set);
    return path;
}

static bool copy_photo(int image, const char *class)
{
    char        path[LIMIT_PATH];
    Bytes       bytes = {0};
    const char *photo = play_photo(image);
    if (!photo || !file_read(photo, 1 << 20, &bytes, NULL))
        return false;
    snprintf(path, sizeof path, "%.4000s/%d%s", class, image, strrchr(photo, '.'));
    bool ok = file_publish(path, bytes.data, bytes.size, NULL);
    bytes_close(&bytes);
    return ok;
}

const char *play_classes(int images)
{
    static char folder[LIMIT_PATH];
    char class[2][LIMIT_PATH];
    snprintf(folder, sizeof folder, "%s", in_folder("classes"));
    snprintf(class[0], sizeof class[0], "%.4000s/a", folder);
    snprintf(class[1], sizeof class[1], "%.4000s/b", folder);
    bool ok = folder_create(folder, NULL) && folder_create(class[0], NULL) &&
              folder_create(class[1], NULL);
    for (int i = 0; ok && i < images; i++)
        ok = copy_photo(i, class[i >= (images + 1) / 2]);
    return ok ? folder : NULL;
}

const char *play_captioner(void)
{
    static char  path[LIMIT_PATH];
    BlobBuilder *builder = small_captioner();
    snprintf(path, sizeof path, "%s", in_folder("captioner.nw"));
    CHECK(blob_builder_save(builder, path, NULL));
    blob_builder_free(builder);
    return path;
}

const char *play_words(void)
{
    static const char list[] = "red\nblue\ndark sky\n";
    static char       options[LINE];
    char              towers[LIMIT_PATH];
    snprintf(towers, sizeof towers, "%s", in_folder("clip.nw"));
    CHECK(small_clip_save(towers, 16, 1));
    CHECK(file_publish(in_folder("words.txt"), list, sizeof list - 1, NULL));
    snprintf(options, sizeof options,
             "--method clip-dissect --clip %s --concepts %s --similarity cosine", towers,
             in_folder("words.txt"));
    return options;
}

/* ---- running --------------------------------------------------------------------------------- */

static int run_words(const char *line)
{
    static char copy[LINE];
    const char *words[MOST_WORDS + 1] = {"nemesis"};
    int         count                 = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word && count < MOST_WORDS; word = strtok(NULL, " "))
        words[count++] = word;
    return nemesis_run(count, words);
}

// Points a descriptor at a file; returns a copy of what it was.
static int redirect(int descriptor, const char *path)
{
    int kept   = fcntl(descriptor, F_DUPFD_CLOEXEC, 100);
    int handle = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    dup2(handle, descriptor);
    close(handle);
    return kept;
}

const Outcome *play_call(int (*call)(void *self), void *self)
{
    fflush(stdout);
    fflush(stderr);
    int out = redirect(1, in_folder("stdout")), err = redirect(2, in_folder("stderr"));
    int code = call(self);
    fflush(stdout);
    fflush(stderr);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    return outcome_read(code, in_folder("stdout"), in_folder("stderr"));
}

static int call_words(void *line)
{
    return run_words(line);
}

const Outcome *play(const char *format, ...)
{
    char    line[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return play_call(call_words, line);
}

static int64_t *operations; // shared with forks

int64_t play_operations(void)
{
    return *operations;
}

pid_t play_start(void (*prepare)(void *self), void *self, const char *line)
{
    if (!operations)
        operations = mmap(NULL, sizeof *operations, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(stdout);
    pid_t child = operations == MAP_FAILED ? -1 : fork();
    if (child == 0) {
        redirect(1, in_folder("stdout"));
        redirect(2, in_folder("stderr"));
        if (prepare)
            prepare(self);
        int code = run_words(line);
        fflush(stdout);
        *operations = faults_seen();
        _exit(code);
    }
    return child;
}

const Outcome *play_result(pid_t child)
{
    return process_finish(child, in_folder("stdout"), in_folder("stderr"));
}

int play_open_handles(void)
{
    int  count  = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

/* ---- trees ----------------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// Calls `visit` for every name in a folder but . and ..; stops at the first false.
static bool each(const char *path, bool (*visit)(void *self, const char *name), void *self)
{
    DIR *folder = opendir(path);
    bool ok     = true;
    for (struct dirent *entry; ok && folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ok = visit(self, entry->d_name);
    if (folder)
        closedir(folder);
    return ok;
}

static bool remove_name(void *self, const char *name)
{
    char path[LIMIT_PATH];
    if (path_join(path, self, name, NULL))
        play_remove(path);
    return true;
}

void play_remove(const char *path)
{
    if (is_folder(path))
        each(path, remove_name, (void *)(uintptr_t)path);
    remove(path);
}

typedef struct Pair {
    const char *wanted, *found;
    bool        complete, tidy;
    bool        done; // the command succeeded
} Pair;

static bool copy_name(void *self, const char *name)
{
    const Pair *pair = self;
    char        from[LIMIT_PATH], to[LIMIT_PATH];
    return path_join(from, pair->wanted, name, NULL) && path_join(to, pair->found, name, NULL) &&
           play_copy_tree(from, to);
}

bool play_copy_tree(const char *from, const char *to)
{
    Pair  pair  = {.wanted = from, .found = to};
    Bytes bytes = {0};
    if (is_folder(from))
        return (mkdir(to, 0777) == 0 || is_folder(to)) && each(from, copy_name, &pair);
    bool ok =
        file_read(from, LIMIT_TEXT_FILE, &bytes, NULL) && write_bytes(to, bytes.data, bytes.size);
    bytes_close(&bytes);
    return ok;
}

static bool tell(const char *path, const char *what)
{
    printf("  %s: %s\n", path, what);
    return false;
}

// Whether a file belongs to a run that is not finished: then it may hold fewer rows.
static bool is_work(const char *name, bool complete)
{
    size_t length = strlen(name);
    if (!complete && (!strcmp(name, "changes.csv") || !strcmp(name, "summary.csv")))
        return true; // of settled rows: a little later there is a run.json
    return !strcmp(name, ".next") || !strcmp(name, ".new") || !strcmp(name, "changes.csv.part") ||
           !strcmp(name, "unfinished.json") || !strcmp(name, "progress.json") ||
           !strcmp(name, ".lock") || (length > 11 && !strcmp(name + length - 11, ".checkpoint"));
}

static bool is_json(const char *path)
{
    Bytes bytes = {0};
    Json  json  = {0};
    bool  ok    = file_read(path, JSON_BYTES, &bytes, NULL) &&
              json_read(bytes.data, bytes.size, path, &json, NULL);
    json_free(&json);
    bytes_close(&bytes);
    return ok;
}

static bool found_name(void *self, const char *name)
{
    const Pair *pair = self;
    char        wanted[LIMIT_PATH], found[LIMIT_PATH];
    if (!path_join(wanted, pair->wanted, name, NULL) || !path_join(found, pair->found, name, NULL))
        return false;
    // A replacement that failed leaves its work beside the old run, for --overwrite --resume.
    if (!pair->done && !strcmp(name, ".next"))
        return true;
    if (is_work(name, pair->complete))
        return !pair->complete || !pair->tidy || tell(found, "is left");
    if (strstr(name, ".tmp-"))
        return !pair->tidy || tell(found, "a temporary file is left");
    if (!strcmp(name, "run.json"))
        return is_json(found) || tell(found, "is no JSON");
    return play_same_tree(wanted, found, false, pair->tidy);
}

static bool wanted_name(void *self, const char *name)
{
    const Pair *pair = self;
    char        wanted[LIMIT_PATH], found[LIMIT_PATH];
    if (!path_join(wanted, pair->wanted, name, NULL) || !path_join(found, pair->found, name, NULL))
        return false;
    if (!file_exists(found))
        return tell(found, "is missing");
    return !is_folder(wanted) ||
           each(wanted, wanted_name, &(Pair){.wanted = wanted, .found = found});
}

bool play_same_tree(const char *wanted, const char *found, bool complete, bool tidy)
{
    char run[LIMIT_PATH];
    bool done = complete;
    if (!file_exists(found))
        return !complete || tell(found, "is missing");
    if (!is_folder(found))
        return same_file(wanted, found) || tell(found, "has other bytes");
    // A folder with run.json claims to be a finished run.
    complete  = complete || (path_join(run, found, "run.json", NULL) && file_exists(run));
    Pair pair = {
        .wanted = wanted, .found = found, .complete = complete, .done = done, .tidy = tidy};
    return each(found, found_name, &pair) && (!complete || each(wanted, wanted_name, &pair));
}
