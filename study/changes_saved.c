/* study/changes_saved.c - change rows in checkpoints.
 *
 * Rows are saved as they lie in memory. Where labels grow their numbers mean nothing to another
 * process, so the texts of all labels are a second part: the n-th of them is that of label n. */
#include "changes.h"

#include <string.h>

_Static_assert(sizeof(ChangeRow) == 136, "every byte of a row has a name");

/* ---- texts ----------------------------------------------------------------------------------- */

// The texts of labels 1 and on, each with its zero. *size is at least 1, so that there is a part.
static char *join_texts(const Labels *labels, size_t *size, Error *error)
{
    size_t total = 1;
    for (int32_t label = 1; label < labels->count; label++)
        total += strlen(labels->text[label]) + 1;
    char *texts = memory_new(total, 1, error);
    for (int32_t label = 1, at = 0; texts && label < labels->count; label++) {
        size_t length = strlen(labels->text[label]) + 1;
        memcpy(texts + at, labels->text[label], length);
        at += (int32_t)length;
    }
    *size = total;
    return texts;
}

// What the labels of the checkpoint are called now.
typedef struct Renumbering {
    int32_t *now; // [count]; label 0 stays 0
    int32_t  count;
} Renumbering;

static bool read_texts(const SnapshotPart *part, Labels *labels, Renumbering *out, bool *fits,
                       Error *error)
{
    const char *texts = part->data;
    *fits             = part->size > 0 && texts[part->size - 1] == 0 && part->size < INT32_MAX;
    out->now          = *fits ? memory_new(part->size, sizeof *out->now, error) : NULL;
    out->count        = 1;
    for (size_t at = 0; out->now && at + 1 < part->size; at += strlen(texts + at) + 1)
        if (!labels_intern(labels, texts + at, &out->now[out->count++], error))
            return false;
    return !*fits || out->now;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool label_fits(int32_t *label, const Labels *labels, const Renumbering *renumbering)
{
    if (*label < 0 || *label >= (renumbering->now ? renumbering->count : labels->count))
        return false;
    if (renumbering->now)
        *label = renumbering->now[*label];
    return true;
}

static bool concept_fits(Concept *concept, const Labels *labels, const Renumbering *renumbering)
{
    return label_fits(&concept->label, labels, renumbering) && concept->category >= 0 &&
           concept->category < labels->category_count;
}

static bool row_fits(ChangeRow *row, const Labels *labels, const Renumbering *renumbering)
{
    uint8_t changed, hit; // what is no bool must not be read as one
    memcpy(&changed, &row->changed, sizeof changed);
    memcpy(&hit, &row->hit, sizeof hit);
    return memchr(row->perturbation, 0, sizeof row->perturbation) &&
           (unsigned)row->store < STORE_ARMS && label_fits(&row->target, labels, renumbering) &&
           concept_fits(&row->clean, labels, renumbering) &&
           concept_fits(&row->now, labels, renumbering) && changed <= 1 && hit <= 1;
}

typedef struct SavedRows {
    SnapshotPart parts[2]; // the second points into `texts`
    int          count;
    char        *texts;
} SavedRows;

static bool saved_rows(SavedRows *out, const Changes *rows, const Labels *labels, Error *error)
{
    *out = (SavedRows){.parts = {{rows->rows, (size_t)rows->count * sizeof *rows->rows}},
                       .count = labels->grown ? 2 : 1};
    if (labels->grown)
        out->parts[1].data = out->texts = join_texts(labels, &out->parts[1].size, error);
    return !labels->grown || out->texts;
}

bool rows_save(const Changes *rows, const Labels *labels, Checkpoint *checkpoint, const char *file,
               const char *phase, Error *error)
{
    SavedRows saved;
    bool      ok = saved_rows(&saved, rows, labels, error) &&
              checkpoint_save(checkpoint, file, phase, saved.parts, saved.count, error);
    memory_free(saved.texts);
    return ok;
}

bool rows_share(const Changes *rows, const Labels *labels, const Pieces *pieces, Error *error)
{
    SavedRows saved;
    bool      ok = saved_rows(&saved, rows, labels, error) &&
              pieces_save(pieces, saved.parts, saved.count, error);
    memory_free(saved.texts);
    return ok;
}

static bool take_rows(Changes *out, Labels *labels, const Snapshot *snapshot, bool *fits,
                      Error *error)
{
    Renumbering renumbering = {0};
    ChangeRow   row;
    size_t      size = snapshot->count ? snapshot->parts[0].size : 0;
    *fits            = snapshot->count == (labels->grown ? 2 : 1) && size % sizeof row == 0;
    bool ok          = !*fits || !labels->grown ||
              read_texts(&snapshot->parts[1], labels, &renumbering, fits, error);
    for (size_t at = 0; ok && *fits && at < size; at += sizeof row) {
        memcpy(&row, (const char *)snapshot->parts[0].data + at, sizeof row);
        *fits = row_fits(&row, labels, &renumbering);
        ok    = !*fits || changes_add(out, &row, error);
    }
    memory_free(renumbering.now);
    return ok;
}

bool rows_load(Changes *out, Labels *labels, Checkpoint *checkpoint, const char *file,
               const char *phase, bool *found, Error *error)
{
    Snapshot snapshot = {0};
    bool     fits     = true;
    if (!checkpoint_load(checkpoint, file, phase, &snapshot, found, error))
        return false;
    bool ok = !*found || take_rows(out, labels, &snapshot, &fits, error);
    snapshot_close(&snapshot);
    return ok && (fits || checkpoint_refuse(checkpoint, file, error));
}

bool rows_join(Changes *out, Labels *labels, const Pieces *pieces, Error *error)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < pieces->count; i++) {
        Snapshot piece  = {0};
        bool     fits   = true;
        int64_t  before = out->count;
        ok              = pieces_load(pieces, i, &piece, error) &&
             take_rows(out, labels, &piece, &fits, error) &&
             ((fits && out->count > before) || pieces_refuse(pieces, i, error));
        snapshot_close(&piece);
    }
    return ok;
}

/* ---- those of a run -------------------------------------------------------------------------- */

static const char rows_file[] = "rows.checkpoint";

bool changes_save(const Changes *changes, const Labels *labels, Checkpoint *checkpoint,
                  Error *error)
{
    return rows_save(changes, labels, checkpoint, rows_file, "", error);
}

bool changes_resume(Changes *out, Labels *labels, Checkpoint *checkpoint, Error *error)
{
    bool found = false;
    *out       = (Changes){0};
    if (rows_load(out, labels, checkpoint, rows_file, "", &found, error))
        return true;
    changes_close(out);
    return false;
}
