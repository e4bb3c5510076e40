/* bench/verb_bertscore.c - BERTScore of many descriptions by an encoder of roberta-large's shape,
 * as a verb would do it: the blob read from disk, every text embedded, every pair scored. */
#include "bench.h"

#include "../base/file.h"
#include "../base/parallel.h"
#include "../nem/bertscore.h"
#include "../tests/drawn_roberta.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_TEXTS = 4096, TEXT_BYTES = 16, SHORTEST = 3, LONGEST = 8 };

typedef struct Scores {
    const char *blob;
    const char *texts[MOST_TEXTS];
    int64_t     count;
    double      open; // seconds of the last run, before the first text
    Error       error;
} Scores;

// Blocks behind the seventeenth are never read. Half the room, as who has 2 GB of them will do.
static const DrawnRoberta large = {.width  = 1024,
                                   .heads  = 16,
                                   .hidden = 4096,
                                   .blocks = 17,
                                   .words  = 50265,
                                   .places = 514,
                                   .type   = BLOB_F16};

// By another process, so that the memory it takes is not counted here.
static bool save_blob(const char *path, Error *error)
{
    int   status = 0;
    pid_t child  = fork();
    if (child == 0)
        _exit(drawn_roberta_save(&large, path, NULL) ? 0 : 1);
    return (child > 0 && waitpid(child, &status, 0) == child && status == 0) ||
           fail(error, ERROR_CREATE, "%s: cannot write this blob", path);
}

// Different letters, a token each: with those around a text 5 to 10 tokens, as descriptions have.
static void draw_texts(Scores *scores, char (*room)[TEXT_BYTES])
{
    Random random = random_stream(0, "descriptions");
    for (int64_t i = 0; i < scores->count; i++) {
        uint32_t length = SHORTEST + (uint32_t)(i % (LONGEST - SHORTEST + 1));
        for (uint32_t k = 0; k < length; k++)
            room[i][k] = (char)('a' + random_below(&random, 26));
        scores->texts[i] = room[i];
    }
}

static void score_all(void *data)
{
    Scores    *self  = data;
    BertScore *bert  = NULL;
    double     begin = clock_seconds(), value = 0;
    bool       ok = bertscore_open(&bert, self->blob, NULL, &self->error);
    self->open    = clock_seconds() - begin;
    ok            = ok && bertscore_read(bert, self->texts, self->count, &self->error);
    for (int64_t i = 0; ok && i < self->count; i++)
        ok = bertscore_f1(bert, self->texts[i], self->texts[(i + 1) % self->count], &value,
                          &self->error);
    bertscore_close(bert);
}

static double most_memory(void) // MB
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1e3;
}

// Operations of a token: four square matrices and two of the feed-forward part, a block.
static double flops_of(const Scores *scores)
{
    double tokens = 0, width = (double)large.width, hidden = (double)large.hidden;
    for (int64_t i = 0; i < scores->count; i++)
        tokens += (double)strlen(scores->texts[i]) + 2;
    return tokens * (double)large.blocks * 2 * width * (4 * width + 2 * hidden);
}

static bool measure(const Options *options, Scores *scores, Error *error)
{
    Row    row  = {.verb = "bertscore", .threads = parallel_threads()};
    double wall = clock_seconds(), cpu = clock_cpu_seconds();
    score_all(scores); // once: it takes long, and begins with nothing
    double ms = (clock_seconds() - wall) * 1e3, cpu_ms = (clock_cpu_seconds() - cpu) * 1e3;
    if (scores->error.code != ERROR_NONE)
        return fail(error, scores->error.code, "%s", scores->error.message);
    row.ms         = timing_scaled(timing_of(&ms, &cpu_ms, 1), 1 / (double)scores->count);
    row.flops      = flops_of(scores) / (double)scores->count;
    row.figures[0] = (Figure){"seconds", ms / 1e3};
    row.figures[1] = (Figure){"cpu_seconds", cpu_ms / 1e3};
    row.figures[2] = (Figure){"open_seconds", scores->open};
    row.figures[3] = (Figure){"peak_mb", most_memory()};
    snprintf(row.name, sizeof row.name, "roberta-large, block 17, %lld texts",
             (long long)scores->count);
    row_print(options, &row);
    return true;
}

bool bench_bertscore(const Options *options, Error *error)
{
    char    folder[LIMIT_PATH], path[LIMIT_PATH];
    Scores *scores          = memory_new(1, sizeof *scores, error);
    char(*room)[TEXT_BYTES] = memory_new(MOST_TEXTS, sizeof *room, error);
    bool ok                 = scores && room && folder_temporary(folder, error);
    bool is_there           = ok;
    if (ok) {
        scores->count = options->batch;
        scores->blob  = path;
        draw_texts(scores, room);
        ok = path_join(path, folder, "roberta.nw", error) && save_blob(path, error);
    }
    if (ok) {
        row_header(options, "BERTScore, milliseconds a description");
        ok = measure(options, scores, error);
    }
    if (is_there)
        folder_discard(folder);
    memory_free(scores);
    memory_free(room);
    return ok;
}
