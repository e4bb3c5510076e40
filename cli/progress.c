/* cli/progress.c - see progress.h. */
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_LEAST = 8, BAR_MOST = 24 };

void progress_start(Progress *progress, const char *what, const char *counted,
                    const Settings *settings)
{
    bool bar = settings->progress == PROGRESS_BAR ||
               (settings->progress == PROGRESS_AUTO && isatty(STDERR_FILENO));
    double now = clock_seconds();
    *progress  = (Progress){.what    = what,
                            .counted = counted,
                            .bar     = bar,
                            .spacing = 0.25,
                            .silent  = settings->progress == PROGRESS_NONE ||
                                      (settings->quiet && settings->progress == PROGRESS_AUTO),
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

// Every second of them goes, and what comes is twice as far apart.
static void thin_marks(Progress *progress)
{
    int kept = 0;
    for (int i = 0; i < progress->mark_count; i += 2)
        progress->marks[kept++] = progress->marks[i];
    progress->mark_count = kept;
    progress->spacing *= 2;
}

/* Work does not go at one pace (an attack has phases, a machine has other work), so the rate is
 * that of the later half of the time, but of a quarter of a minute at least. */
void progress_note(Progress *progress, double now, int64_t done, int64_t total)
{
    enum { LEAST_SECONDS = 15 };
    ProgressMark *marks = progress->marks;
    int           from  = 0, count;
    if (progress->mark_count == PROGRESS_MARKS)
        thin_marks(progress);
    count = progress->mark_count;
    if (count == 0 || now - marks[count - 1].time >= progress->spacing)
        marks[progress->mark_count++] = (ProgressMark){now, done};
    double span = (now - marks[0].time) / 2;
    span        = span > LEAST_SECONDS ? span : LEAST_SECONDS;
    while (from + 1 < count && now - marks[from + 1].time >= span)
        from++;
    double elapsed  = now - marks[from].time;
    progress->done  = done;
    progress->total = total;
    progress->rate  = elapsed > 0 ? (double)(done - marks[from].done) / elapsed : 0;
}

double progress_left(const Progress *progress)
{
    return progress->rate > 0 ? (double)(progress->total - progress->done) / progress->rate : -1;
}

int terminal_columns(void)
{
    struct winsize size;
    const char    *text = getenv("COLUMNS");
    uint64_t       columns;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return text && whole_parse(text, &columns) && columns > 0 && columns < 10000 ? (int)columns
                                                                                 : 80;
}

void count_text(int64_t count, char out[32])
{
    char digits[24];
    int  length = snprintf(digits, sizeof digits, "%lld", (long long)count), used = 0;
    for (int i = 0; i < length; i++) {
        bool behind_digit = i > 0 && digits[i - 1] != '-';
        if (behind_digit && (length - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = 0;
}

// "attack [####....] ": the name, and a bar where `room` characters leave one.
static void head_text(const Progress *progress, int room, char out[PROGRESS_TEXT])
{
    char bar[BAR_MOST + 1] = "";
    int  width             = room - (int)strlen(progress->what) - 4;
    width                  = width > BAR_MOST ? BAR_MOST : width;
    for (int i = 0; width >= BAR_LEAST && i < width; i++)
        bar[i] = (double)i * (double)progress->total < (double)progress->done * width ? '#' : '.';
    snprintf(out, PROGRESS_TEXT, *bar ? "%.32s [%s] " : "%.32s ", progress->what, bar);
}

// What is said of a run, the longest form first; false past the last.
static bool form_text(const Progress *progress, double rate, int form, char out[PROGRESS_TEXT])
{
    char   done[32], total[32], left[32];
    double percent = 100 * (double)progress->done / (double)progress->total;
    count_text(progress->done, done);
    count_text(progress->total, total);
    duration_text(rate > 0 ? (double)(progress->total - progress->done) / rate : 0, left);
    if (rate <= 0)
        snprintf(out, PROGRESS_TEXT, "%s of %s %s", done, total, progress->counted);
    else if (form == 0)
        snprintf(out, PROGRESS_TEXT, "%s of %s %s, %.1f/s, %s left", done, total, progress->counted,
                 rate, left);
    else if (form == 1)
        snprintf(out, PROGRESS_TEXT, "%s of %s %s, %s left", done, total, progress->counted, left);
    else if (form == 2)
        snprintf(out, PROGRESS_TEXT, "%.0f %%, %s left", percent, left);
    else
        snprintf(out, PROGRESS_TEXT, "%.0f %%", percent);
    return form < 4;
}

void progress_text(const Progress *progress, double rate, int columns, char out[PROGRESS_TEXT])
{
    char head[PROGRESS_TEXT], words[PROGRESS_TEXT];
    for (int form = 0; form_text(progress, rate, form, words); form++) {
        head_text(progress, columns - 1 - (int)strlen(words), head);
        snprintf(out, PROGRESS_TEXT, "%.48s%.100s", head, words);
        if ((int)strlen(out) < columns)
            return;
    }
    snprintf(out, PROGRESS_TEXT, "%.*s", columns > 0 ? columns - 1 : 0, words);
}

void progress_step(void *self, int64_t done, int64_t total)
{
    Progress *progress = self;
    double    now      = clock_seconds();
    char      text[PROGRESS_TEXT];
    progress_note(progress, now, done, total);
    if (progress->watch && now - progress->watched >= WATCH_SECONDS) {
        progress->watched = now;
        progress->watch(progress->watch_self);
    }
    if (progress->silent || done <= 0 || total <= 0 ||
        now - progress->printed < (progress->bar ? 0.1 : 10.0))
        return;
    progress->printed = now;
    if (progress->bar) {
        progress_text(progress, progress->rate, terminal_columns(), text);
        fprintf(stderr, "\r%s\033[K", text);
    } else {
        form_text(progress, progress->rate, 0, text);
        fprintf(stderr, "%s: %s\n", progress->what, text);
    }
    fflush(stderr);
}

void progress_end(Progress *progress)
{
    if (progress->bar && !progress->silent && progress->printed > 0)
        fprintf(stderr, "\r\033[K");
}
