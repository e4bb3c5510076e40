/* bench/peer.c - see peer.h; the protocol is told in verb_against.c. */
#include "peer.h"

#include "../base/parallel.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char script[] = "bench/peers/start.sh"; // make runs in the project's folder

/* Both pipes close in other children, and so in this one but for its ends. */
static bool start(Peer *peer, char *const arguments[], Error *error)
{
    int                        down[2], up[2];
    pid_t                      child;
    posix_spawn_file_actions_t actions;
    if (pipe2(down, O_CLOEXEC) != 0)
        return fail(error, ERROR_IO, "no pipe for another program");
    if (pipe2(up, O_CLOEXEC) != 0) {
        close(down[0]);
        close(down[1]);
        return fail(error, ERROR_IO, "no pipe for another program");
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO);
    bool ok = posix_spawnp(&child, "sh", &actions, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(down[0]);
    close(up[1]);
    peer->to   = fdopen(down[1], "w");
    peer->from = fdopen(up[0], "r");
    if (ok)
        peer->process = child;
    return ok || fail(error, ERROR_IO, "sh cannot be started");
}

// A line without its end.
static bool read_line(const Peer *peer, char *out, int size)
{
    if (!fgets(out, size, peer->from))
        return false;
    out[strcspn(out, "\n")] = 0;
    return true;
}

bool peer_open(Peer *peer, const PeerWork *work, Error *error)
{
    char threads[16], numbers[4][24], line[sizeof peer->about];
    if (access(script, R_OK) != 0)
        return fail(error, ERROR_NOT_FOUND, "%s: not found; this is run in the project's folder",
                    script);
    const int64_t values[4] = {work->batch, work->m, work->n, work->k};
    snprintf(threads, sizeof threads, "%d", parallel_threads());
    for (int i = 0; i < 4; i++)
        snprintf(numbers[i], sizeof numbers[i], "%lld", (long long)values[i]);
    const char *pass      = work->is_aligned       ? "l2-cosd"
                            : work->input_gradient ? "input-gradient"
                                                   : "forward";
    const char *network[] = {"sh",       script,       work->name,
                             threads,    work->folder, work->is_training ? "train" : "model",
                             work->arch, work->upto,   pass,
                             numbers[0], NULL};
    const char *product[] = {"sh",      script,     work->name, threads,    work->folder,
                             "product", numbers[1], numbers[2], numbers[3], NULL};
    signal(SIGPIPE, SIG_IGN); // a peer that ended is an error of ours, not the end
    if (!start(peer, (char *const *)(uintptr_t)(work->arch ? network : product), error))
        return false;
    if (!peer->to || !peer->from || !read_line(peer, line, sizeof line))
        return fail(error, ERROR_IO, "%s: ended without a word", work->name);
    peer->is_absent = strncmp(line, "absent ", 7) == 0;
    if (!peer->is_absent && strncmp(line, "ready ", 6) != 0)
        return fail(error, ERROR_IO, "%s: said '%.100s', expected ready or absent", work->name,
                    line);
    snprintf(peer->about, sizeof peer->about, "%s", strchr(line, ' ') + 1);
    return true;
}

bool peer_turn(Peer *peer, int repeats, double *ms, Error *error)
{
    char line[128];
    if (fprintf(peer->to, "%d\n", repeats) < 0 || fflush(peer->to) != 0 ||
        !read_line(peer, line, sizeof line))
        return fail(error, ERROR_IO, "%s: ended before its turn was done", peer->about);
    char *end;
    *ms             = strtod(line, &end);
    peer->megabytes = strtod(end, NULL);
    return *ms > 0 ||
           fail(error, ERROR_IO, "%s: said '%s', expected milliseconds", peer->about, line);
}

void peer_close(Peer *peer)
{
    if (peer->to)
        fclose(peer->to); // the end of its input ends it
    if (peer->from)
        fclose(peer->from);
    if (peer->process)
        waitpid((pid_t)peer->process, NULL, 0);
    *peer = (Peer){0};
}
