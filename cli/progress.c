/* cli/progress.c - see progress.h. */
#include "progress.h"

#include <unistd.h>

void progress_start(Progress *progress, const char *what, const Settings *settings)
{
    bool bar = settings->progress == PROGRESS_BAR ||
               (settings->progress == PROGRESS_AUTO && isatty(STDERR_FILENO));
    double now = clock_seconds();
    *progress  = (Progress){.what    = what,
                            .bar     = bar,
                            .silent  = settings->quiet || settings->progress == PROGRESS_NONE,
                            .start   = now,
                            .mark    = now,
                            .printed = bar ? 0 : now};
}

void duration_text(double seconds, char out[32])
{
    long whole = (long)(seconds + 0.5);
    if (seconds < 59.95)
        snprintf(out, 32, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(out, 32, "%ld min %02ld s", whole / 60, whole % 60);
    else
        snprintf(out, 32, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
}

/* Work does not go at one pace (an attack begins with cheap passes), so the rate is that of the
 * last quarter of a minute. */
static double recent_rate(Progress *progress, double now)
{
    enum { SPAN_SECONDS = 15 };
    if (now - progress->mark >= SPAN_SECONDS) {
        progress->rate   = (double)(progress->done - progress->marked) / (now - progress->mark);
        progress->mark   = now;
        progress->marked = progress->done;
    }
    double elapsed = now - progress->start;
    return progress->rate > 0 ? progress->rate : elapsed > 0 ? (double)progress->done / elapsed : 0;
}

void progress_step(void *self, int64_t done, int64_t total)
{
    enum { WIDTH = 24 };
    Progress *progress = self;
    double    now      = clock_seconds();
    progress->done     = done;
    progress->total    = total;
    double rate        = recent_rate(progress, now);
    if (progress->silent || done <= 0 || total <= 0 ||
        now - progress->printed < (progress->bar ? 0.1 : 10.0))
        return;
    progress->printed = now;
    char left[32];
    duration_text(rate > 0 ? (double)(total - done) / rate : 0, left);
    if (progress->bar) {
        char bar[WIDTH + 1];
        for (int i = 0; i < WIDTH; i++)
            bar[i] = (double)i * (double)total < (double)done * WIDTH ? '#' : '.';
        bar[WIDTH] = 0;
        fprintf(stderr, "\r%s [%s] %lld/%lld, %.1f/s, %s left   ", progress->what, bar,
                (long long)done, (long long)total, rate, left);
    } else {
        fprintf(stderr, "%s: %lld of %lld, %.1f/s, %s left\n", progress->what, (long long)done,
                (long long)total, rate, left);
    }
    fflush(stderr);
}

void progress_end(Progress *progress)
{
    if (progress->bar && !progress->silent && progress->printed > 0)
        fprintf(stderr, "\r\033[K");
}
