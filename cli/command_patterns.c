/* cli/command_patterns.c - estimates the patterns of a network from images. */
#include "../attribution/attribution.h"
#include "../attribution/patterns.h"
#include "../base/digest.h"
#include "commands.h"
#include "data_images.h"
#include "next.h"
#include "output.h"
#include "outputs.h"
#include "rehearsal.h"
#include "signals.h"
#include "version.h"

#include <string.h>

enum { SAVE_SHARE = 20 }; // a checkpoint takes at most one part in this many of the time

typedef struct Session {
    const Settings *settings;
    WeightBlob     *blob;
    TrainingSet     set;
    int64_t         images; // of the set, at most --limit
    PatternSums    *sums;
    char            folder[LIMIT_PATH], name[LIMIT_PATH], checkpoint_path[LIMIT_PATH];
    char            key[512];
    Checkpoint      checkpoint;
    double          due; // when the next checkpoint is to be written
    Progress        progress;
    Rehearsal       rehearsal; // of --dry-run
} Session;

static void warn(void *self, const char *sentence)
{
    const Session *session = self;
    note(session->settings, "warning: %s; the sums start over", sentence);
}

static bool begin(void *self, Error *error)
{
    (void)self, (void)error;
    return true;
}

// Checkpoints lie beside the output.
static bool name_checkpoint(Session *session, Error *error)
{
    const char *out = session->settings->out, *slash = strrchr(out, '/');
    int         in = slash ? (int)(slash - out) : 0;
    snprintf(session->folder, LIMIT_PATH, "%.*s", slash ? (in ? in : 1) : 1, slash ? out : ".");
    if (snprintf(session->name, LIMIT_PATH, "%s.checkpoint", slash ? slash + 1 : out) >=
            LIMIT_PATH ||
        !path_join(session->checkpoint_path, session->folder, session->name, error))
        return fail(error, ERROR_USAGE, "the name of the output has more than %d bytes",
                    LIMIT_PATH - 1);
    return true;
}

static bool check_outputs(const Session *session, Error *error)
{
    const Settings *settings = session->settings;
    char            labels[LIMIT_PATH];
    const UsedPath  used[] = {
         {"the data", settings->data},
         {"the labels of the data", training_data_labels(settings->data, labels)},
         {"the weight blob", settings->model}};
    return output_file_check(settings->out, used, 3, error) &&
           output_file_check(session->checkpoint_path, used, 3, error) &&
           output_file_claim(settings, session->checkpoint_path, error);
}

// What the sums depend on.
static void make_key(Session *session)
{
    Sha256 sha;
    char   pixels[65];
    sha256_start(&sha);
    sha256_add(&sha, session->set.pixels,
               3 * (size_t)(session->images * session->set.height * session->set.width));
    sha256_text(&sha, pixels);
    snprintf(session->key, sizeof session->key,
             "patterns %s, weights %s, pixels %s, %lld images, conv %d, kernels %s",
             NEMESIS_VERSION, blob_sha256(session->blob), pixels, (long long)session->images,
             session->settings->conv, engine_isa());
    session->checkpoint =
        (Checkpoint){.folder = session->folder,
                     .key    = session->key,
                     .resume = session->settings->resume && !session->settings->dry_run,
                     .last   = clock_seconds(),
                     .begin  = begin,
                     .warn   = warn,
                     .self   = session,
                     .remedy = "--overwrite starts over"};
    session->due = clock_seconds() + checkpoint_interval();
}

static bool open_session(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    if (!name_checkpoint(session, error) || !check_outputs(session, error) ||
        !blob_open(settings->model, &session->blob, error) ||
        !blob_takes_images(session->blob, error))
        return false;
    if (!data_images_open(&session->set, settings->data, session->blob, error))
        return false;
    session->images = settings->limit && settings->limit < session->set.count ? settings->limit
                                                                              : session->set.count;
    return session->images > 0
               ? patterns_open(&session->sums, session->blob, session->set.height,
                               session->set.width, (ConvMethod)settings->conv, error)
               : fail(error, ERROR_DATA, "%s: has no images", settings->data);
}

static bool load(Session *session, Error *error)
{
    bool                found;
    int64_t             count = 0;
    const SnapshotPart *parts = patterns_state(session->sums, &count);
    make_key(session);
    bool ok = checkpoint_restore(&session->checkpoint, session->name, "sums", parts, count, &found,
                                 error);
    if (ok && found)
        note(session->settings, "%lld of %lld images are done already",
             (long long)patterns_images(session->sums), (long long)session->images);
    return ok;
}

static bool save(Session *session, Error *error)
{
    int64_t             count = 0;
    const SnapshotPart *parts = patterns_state(session->sums, &count);
    double              start = clock_seconds(), took;
    if (!checkpoint_save(&session->checkpoint, session->name, "sums", parts, count, error))
        return false;
    took = clock_seconds() - start;
    double pause =
        took * SAVE_SHARE > checkpoint_interval() ? took * SAVE_SHARE : checkpoint_interval();
    session->due = clock_seconds() + pause;
    return true;
}

// Saves where it is time, and ends where a signal asks for it.
static bool save_or_stop(Session *session, Error *error)
{
    int64_t done  = patterns_images(session->sums);
    bool    stops = *signals_cancel && done < session->images;
    if ((stops || clock_seconds() >= session->due) && !save(session, error))
        return false;
    return !stops ||
           fail(error, ERROR_AGAIN, "interrupted after %lld of %lld images" CHECKPOINT_HINT,
                (long long)done, (long long)session->images);
}

static bool collect(Session *session, Error *error)
{
    const Preparation *p      = blob_preparation(session->blob);
    bool               is_dry = session->settings->dry_run;
    int64_t            cells  = session->set.height * session->set.width;
    float             *planes = memory_new(3 * (size_t)cells, sizeof *planes, error);
    real              *image  = memory_new(3 * (size_t)cells, sizeof *image, error);
    bool               ok     = planes && image;
    while (ok && patterns_images(session->sums) < session->images && !session->rehearsal.stop) {
        int64_t done = patterns_images(session->sums);
        data_images_prepare(&session->set, done, p, planes, image);
        patterns_add(session->sums, image);
        if (is_dry)
            rehearsal_step(&session->rehearsal, done + 1, session->images);
        else
            progress_step(&session->progress, done + 1, session->images);
        ok = is_dry || save_or_stop(session, error);
    }
    progress_end(&session->progress);
    memory_free(planes);
    memory_free(image);
    return ok;
}

// The end of a --dry-run: nothing is kept.
static bool rehearsed(Session *session, Error *error)
{
    Identity      identity = {0};
    RehearsedWork work     = {.result_bytes = patterns_bytes(session->sums)};
    if (*signals_cancel)
        return fail(error, ERROR_AGAIN, "interrupted");
    identity_text(&identity, "version", NEMESIS_VERSION);
    identity_text(&identity, "weights_sha256", blob_sha256(session->blob));
    identity_text(&identity, "conv", word_text(CONV_NAMES, session->settings->conv));
    identity_whole(&identity, "images", (uint64_t)session->images);
    bool ok = rehearsal_tell(&session->rehearsal, &work, session->settings, &identity, error) &&
              output_flush(error);
    identity_free(&identity);
    return ok;
}

static bool finish(Session *session, Error *error)
{
    const Settings *settings = session->settings;
    char            about[1200];
    snprintf(about, sizeof about, "source=nemesis patterns -d %.1000s\nimages=%lld\n",
             settings->data, (long long)session->images);
    if (!patterns_write(session->sums, settings->out, about, error) ||
        !file_remove(session->checkpoint_path, error))
        return false;
    if (settings->json) {
        JsonWriter json = {0};
        json_open_object(&json, NULL);
        json_text(&json, "path", settings->out);
        json_whole(&json, "layers", patterns_layers(session->sums));
        json_whole(&json, "images", session->images);
        json_close(&json);
        return json_print(&json, error);
    }
    print_clean(stdout, settings->out);
    printf(": patterns of %d layers from %lld images\n", patterns_layers(session->sums),
           (long long)session->images);
    return output_flush(error);
}

static bool run(const Settings *settings, Error *error)
{
    Session *session = memory_new(1, sizeof *session, error);
    if (!session)
        return false;
    session->settings = settings;
    progress_start(&session->progress, "patterns", "images", settings);
    rehearsal_start(&session->rehearsal, &session->progress);
    bool ok = open_session(session, error) && load(session, error) && collect(session, error) &&
              (settings->dry_run ? rehearsed(session, error) : finish(session, error));
    patterns_close(session->sums);
    training_set_free(&session->set);
    blob_close(session->blob);
    memory_free(session);
    if (ok && !settings->dry_run) {
        char model[NEXT_WORD], patterns[NEXT_WORD];
        tell_next(settings, "attribute -m %s PHOTO --method pattern --patterns %s -o DIR",
                  shell_word(settings->model, "", model), shell_word(settings->out, "", patterns));
    }
    return ok;
}

static const Option options[] = {
    OPTION_MODEL,
    OPTION_DATA("DATA",
                "a probing set, mini:COUNT:SEED, a folder of class folders, or a CIFAR picture"),
    OPTION_OUT("FILE.nw", "patterns"), OPTION_CONV_EXACT, OPTION_END};

const Verb verb_patterns = {
    .name    = "patterns",
    .inputs  = "",
    .summary = "estimate the patterns that method pattern of `attribute` needs",
    .details = "A pattern is what the input of a unit looks like where the unit is active: the "
               "covariance of input and value, over all images and places. Sums are merged in "
               "double, image by image. FILE.nw.checkpoint holds them; --resume goes on from there "
               "and ends with the same file as an undisturbed run.",
    .example = "nemesis patterns -m demo/mini.nw -d mini:50:1 -o runs/patterns.nw",
    .options = options,
    .shared  = "threads|limit|max-pixels|overwrite|resume|progress|dry-run|" SHARED_BY_ALL,
    .run     = run,
};
