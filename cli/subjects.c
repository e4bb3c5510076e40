/* cli/subjects.c - see subjects.h. */
#include "subjects.h"
#include "../attribution/attribution.h"
#include "../base/file.h"
#include "../format/npy.h"
#include "../probe/picture.h"
#include "output.h"

#include <math.h>
#include <string.h>

/* ---- arrays ---------------------------------------------------------------------------------- */

static bool check_array(const char *path, const float *values, Shape shape, Error *error)
{
    if (shape.rank != 4 || shape.dim[1] != 3)
        return fail(error, ERROR_DATA, "%s: is %s, expected [n, 3, h, w]", path, SHAPE_TEXT(shape));
    int64_t count = shape_elements(shape);
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return fail(error, ERROR_DATA, "%s: element %lld is %g, expected finite numbers", path,
                        (long long)i, (double)values[i]);
    return true;
}

bool subjects_array_read(const char *path, float **out, Shape *shape, Error *error)
{
    float *values = NULL;
    if (!npy_read(path, &values, shape, error))
        return false;
    if (!check_array(path, values, *shape, error)) {
        memory_free(values);
        return false;
    }
    *out = values;
    return true;
}

// Keeps the array that was read last.
static bool load_array(Subjects *subjects, const char *path, Error *error)
{
    float *values = NULL;
    Shape  shape;
    if (subjects->loaded == path)
        return true;
    if (!subjects_array_read(path, &values, &shape, error))
        return false;
    memory_free(subjects->values);
    subjects->values = values;
    subjects->shape  = shape;
    subjects->loaded = path;
    return true;
}

/* ---- the list -------------------------------------------------------------------------------- */

// The file name without its ending.
static const char *base_name(const char *path, int *length)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    *length         = (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name));
    return name;
}

static bool add_subject(Subjects *subjects, Subject subject, int64_t of, Error *error)
{
    char        name[LIMIT_PATH];
    int         length = 0;
    const char *base   = base_name(subject.path, &length);
    if (of > 1)
        snprintf(name, sizeof name, "%.*s-%04lld", length, base, (long long)subject.index);
    else
        snprintf(name, sizeof name, "%.*s", length, base);
    for (int64_t i = 0; i < subjects->count; i++)
        if (strcmp(subjects->list[i].name, name) == 0)
            return fail(error, ERROR_USAGE,
                        "%s and %s: maps of both would be named '%s'; explain them in two runs",
                        subjects->list[i].path, subject.path, name);
    if (subjects->count == subjects->room) {
        int64_t  room = subjects->room ? 2 * subjects->room : 16;
        Subject *more = memory_grow(subjects->list, (size_t)subjects->count, (size_t)room,
                                    sizeof *subjects->list, error);
        if (!more)
            return false;
        subjects->list = more;
        subjects->room = room;
    }
    subject.name = memory_text(name, error);
    if (!subject.name)
        return false;
    subjects->list[subjects->count++] = subject;
    return true;
}

static bool list_array(Subjects *subjects, const char *path, int64_t most, Error *error)
{
    if (!load_array(subjects, path, error))
        return false;
    int64_t count = subjects->shape.dim[0];
    for (int64_t i = 0; i < count && subjects->count < most; i++)
        if (!add_subject(subjects,
                         (Subject){.path   = path,
                                   .index  = i,
                                   .height = subjects->shape.dim[2],
                                   .width  = subjects->shape.dim[3]},
                         count, error))
            return false;
    return true;
}

// A photo among several that cannot be read is reported and left out.
static bool list_photo(Subjects *subjects, const Settings *settings, const char *path,
                       float *planes, Error *error)
{
    const Preparation *p       = blob_preparation(subjects->blob);
    Error              problem = {0};
    if (picture_planes(path, p, planes, &problem))
        return add_subject(
            subjects, (Subject){.path = path, .index = -1, .height = p->height, .width = p->width},
            1, error);
    if (settings->input_count == 1 || problem.code == ERROR_MEMORY)
        return fail(error, problem.code, "%s", problem.message);
    note(settings, "skipped: %s", problem.message);
    subjects->skipped++;
    return true;
}

static bool list_inputs(Subjects *subjects, const Settings *settings, Error *error)
{
    int64_t most   = settings->limit ? settings->limit : INT64_MAX;
    float  *planes = NULL;
    bool    ok     = true;
    for (int i = 0; ok && i < settings->input_count && subjects->count < most; i++) {
        const char *path = settings->inputs[i];
        if (npy_is_name(path)) {
            ok = list_array(subjects, path, most, error);
            continue;
        }
        ok = blob_takes_images(subjects->blob, error);
        if (ok && !planes) {
            const Preparation *p = blob_preparation(subjects->blob);
            planes = memory_new(3 * (size_t)(p->height * p->width), sizeof *planes, error);
        }
        ok = ok && planes && list_photo(subjects, settings, path, planes, error);
    }
    memory_free(planes);
    if (ok && subjects->count == 0)
        return fail(error, ERROR_NOT_FOUND, "none of the %d inputs can be read",
                    settings->input_count);
    return ok;
}

bool subjects_open(Subjects *out, const Settings *settings, WeightBlob *blob, Error *error)
{
    Subjects subjects = {.blob = blob};
    if (!list_inputs(&subjects, settings, error)) {
        subjects_close(&subjects);
        return false;
    }
    *out = subjects;
    return true;
}

void subjects_close(Subjects *subjects)
{
    for (int64_t i = 0; i < subjects->count; i++)
        memory_free(subjects->list[i].name);
    memory_free(subjects->list);
    memory_free(subjects->values);
    *subjects = (Subjects){0};
}

/* ---- pixels ---------------------------------------------------------------------------------- */

static bool load_photo(const char *path, WeightBlob *blob, real *out, Error *error)
{
    const Preparation *p      = blob_preparation(blob);
    int64_t            cells  = p->height * p->width;
    float             *planes = memory_new(3 * (size_t)cells, sizeof *planes, error);
    bool               ok     = planes && picture_planes(path, p, planes, error);
    if (ok)
        pixels_prepare(p, planes, cells, out);
    memory_free(planes);
    return ok;
}

bool subject_load(Subjects *subjects, int64_t index, real *out, Error *error)
{
    const Subject *subject = &subjects->list[index];
    int64_t        values  = 3 * subject->height * subject->width;
    if (subject->index < 0)
        return load_photo(subject->path, subjects->blob, out, error);
    if (!load_array(subjects, subject->path, error))
        return false;
    for (int64_t i = 0; i < values; i++)
        out[i] = (real)subjects->values[subject->index * values + i];
    return true;
}

bool subject_read(const char *path, WeightBlob *blob, real **out, int64_t *height, int64_t *width,
                  Error *error)
{
    Settings settings = {.inputs = &path, .input_count = 1, .limit = 1};
    Subjects one      = {0};
    real    *image    = NULL;
    bool     ok       = subjects_open(&one, &settings, blob, error);
    if (ok && one.list[0].index >= 0 && one.shape.dim[0] > 1)
        ok = fail(error, ERROR_DATA, "%s: holds %lld images, expected a single one", path,
                  (long long)one.shape.dim[0]);
    if (ok) {
        *height = one.list[0].height;
        *width  = one.list[0].width;
        image   = memory_new(3 * (size_t)(*height * *width), sizeof *image, error);
        ok      = image && subject_load(&one, 0, image, error);
    }
    subjects_close(&one);
    if (ok)
        *out = image;
    else
        memory_free(image);
    return ok;
}

/* ---- classes --------------------------------------------------------------------------------- */

bool subject_label(const Subject *subject, int64_t *out, Error *error)
{
    const char *path = subject->path;
    char        folder[LIMIT_PATH], above[LIMIT_PATH], other[LIMIT_PATH];
    char      **names = NULL;
    int64_t     count = 0, place = 0;
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (!path_join(above, folder, "..", error) || !folder_list(above, &names, &count, error))
        return false;
    bool found = false;
    for (int64_t i = 0; i < count && !found; i++) {
        bool is_folder = path_join(other, above, names[i], NULL) && folder_exists(other);
        found          = is_folder && path_is_same(other, folder);
        place += is_folder && !found;
    }
    names_free(names, count);
    *out = place;
    return found || fail(error, ERROR_USAGE,
                         "--class label: %s lies in no folder that stands for a class", path);
}

static bool choose_class(Subject *subject, const char *class, const real *logits, int64_t classes,
                         Error *error)
{
    uint64_t number = 0;
    subject->class  = 0;
    if (strcmp(class, "label") == 0) {
        if (subject->index >= 0)
            return fail(error, ERROR_USAGE, "--class label: the images of %s have no label",
                        subject->path);
        if (!subject_label(subject, &subject->class, error))
            return false;
    } else if (strcmp(class, "predicted") == 0) {
        subject->class = logits_predicted(logits, classes);
    } else if (whole_parse(class, &number) && number < (uint64_t)classes) {
        subject->class = (int64_t)number;
    } else {
        return fail(error, ERROR_USAGE,
                    "--class: '%s' is not predicted, label or a class in 0..%lld", class,
                    (long long)classes - 1);
    }
    if (subject->class >= classes)
        return fail(error, ERROR_USAGE, "%s: has label %lld, the network has %lld classes",
                    subject->path, (long long)subject->class, (long long)classes);
    subject->probability = logits_probability(logits, classes, subject->class);
    return true;
}

// A network for images of this size, unless the one that is open is.
static bool reopen(LayerRunner *runner, Subjects *subjects, const Subject *subject, ConvMethod conv,
                   Error *error)
{
    NetworkRequest request = {.batch     = 1,
                              .unit      = -1,
                              .raw_input = true,
                              .height    = subject->height,
                              .width     = subject->width,
                              .conv      = conv};
    if (runner->plan && runner->image_height == subject->height &&
        runner->image_width == subject->width)
        return true;
    layer_runner_close(runner);
    return layer_runner_open(runner, subjects->blob, &request, error);
}

bool subjects_choose(Subjects *subjects, const char *class, ConvMethod conv, Error *error)
{
    LayerRunner runner = {0};
    bool        ok     = true;
    for (int64_t i = 0; ok && i < subjects->count; i++) {
        Subject *subject = &subjects->list[i];
        ok               = reopen(&runner, subjects, subject, conv, error);
        int64_t classes  = ok ? runner.units : 1;
        real   *image    = memory_new(3 * (size_t)(subject->height * subject->width), sizeof *image,
                                 ok ? error : NULL);
        real   *logits   = memory_new((size_t)classes, sizeof *logits, ok ? error : NULL);
        ok               = ok && image && logits && subject_load(subjects, i, image, error);
        if (ok) {
            layer_runner_run(&runner, image, 1, logits);
            ok = choose_class(subject, class, logits, classes, error);
        }
        memory_free(image);
        memory_free(logits);
    }
    layer_runner_close(&runner);
    return ok;
}
