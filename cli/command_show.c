/* cli/command_show.c - the numbers of an array: one, a grid of them, or a picture. */
#include "../base/file.h"
#include "../format/npy.h"
#include "../image/image.h"
#include "commands.h"
#include "output.h"
#include "palette.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_WIDTH   = 79,
    LIST_ROWS    = 12, // of a slice of one axis
    GRID_ROWS    = 32, // of two axes that fit a line
    CORNER_ROWS  = 8,  // of two axes that do not
    FIRST_ROWS   = 4,  // of more axes
    JSON_VALUES  = 4096,
    PICTURE_SIDE = 256, // pictures grow towards it by whole pixels
    ALL          = -1   // an axis that the index leaves open
};

/* What INDEX leaves of an array. */
typedef struct Slice {
    const char *path;
    Shape       whole, shape;
    int64_t     index[SHAPE_MAX_RANK]; // of each axis of `whole`, or ALL
    float      *values;                // [shape], owned
    size_t      count;
    size_t      finite_count; // the three below are of the finite ones; 0 if there are none
    float       smallest, largest;
    double      mean;
} Slice;

/* ---- reading --------------------------------------------------------------------------------- */

// "3,:,8": a number or ':' for each leading axis; the axes it does not name stay open.
static bool index_read(const char *text, Slice *slice, Error *error)
{
    for (int axis = 0; axis < SHAPE_MAX_RANK; axis++)
        slice->index[axis] = ALL;
    for (int axis = 0; text; axis++) {
        char     part[24];
        size_t   length = strcspn(text, ",");
        uint64_t number = 0;
        snprintf(part, sizeof part, "%.*s", (int)(length < 23 ? length : 23), text);
        bool is_open = strcmp(part, ":") == 0;
        if (length >= sizeof part || (!is_open && !whole_parse(part, &number)))
            return fail(error, ERROR_USAGE,
                        "index: '%s' is not a number or ':' for each axis, separated by commas",
                        part);
        if (axis >= slice->whole.rank)
            return fail(error, ERROR_USAGE,
                        "index: has more parts than %s has axes; the shape is %s", slice->path,
                        SHAPE_TEXT(slice->whole));
        if (!is_open && number >= (uint64_t)slice->whole.dim[axis])
            return fail(
                error, ERROR_USAGE,
                "index: axis %d of %s counts from 0 to %lld, so there is no %s; the shape is %s",
                axis, slice->path, (long long)slice->whole.dim[axis] - 1, part,
                SHAPE_TEXT(slice->whole));
        if (!is_open)
            slice->index[axis] = (int64_t)number;
        text = text[length] ? text + length + 1 : NULL;
    }
    return true;
}

// Copies what the index leaves out of data[whole], in order.
static bool slice_take(Slice *slice, const float *data, Error *error)
{
    int64_t from[SHAPE_MAX_RANK] = {0}, to[SHAPE_MAX_RANK] = {1, 1, 1, 1};
    int64_t size[SHAPE_MAX_RANK] = {1, 1, 1, 1};
    for (int axis = 0; axis < slice->whole.rank; axis++) {
        bool is_open = slice->index[axis] == ALL;
        size[axis]   = slice->whole.dim[axis];
        from[axis]   = is_open ? 0 : slice->index[axis];
        to[axis]     = is_open ? size[axis] : from[axis] + 1;
        if (is_open)
            slice->shape.dim[slice->shape.rank++] = size[axis];
    }
    slice->values = memory_new((size_t)shape_elements(slice->shape), sizeof *slice->values, error);
    if (!slice->values)
        return false;
    for (int64_t a = from[0]; a < to[0]; a++)
        for (int64_t b = from[1]; b < to[1]; b++)
            for (int64_t c = from[2]; c < to[2]; c++)
                for (int64_t d = from[3]; d < to[3]; d++)
                    slice->values[slice->count++] =
                        data[((a * size[1] + b) * size[2] + c) * size[3] + d];
    return true;
}

static void slice_measure(Slice *slice)
{
    double sum = 0;
    for (size_t i = 0; i < slice->count; i++) {
        float value = slice->values[i];
        if (!isfinite(value))
            continue;
        bool is_first   = slice->finite_count++ == 0;
        slice->smallest = is_first || value < slice->smallest ? value : slice->smallest;
        slice->largest  = is_first || value > slice->largest ? value : slice->largest;
        sum += (double)value;
    }
    slice->mean = slice->finite_count ? sum / (double)slice->finite_count : 0;
}

static bool slice_open(Slice *out, const char *path, const char *index, Error *error)
{
    float *data = NULL;
    *out        = (Slice){.path = path};
    bool ok     = npy_read(path, &data, &out->whole, error) && index_read(index, out, error) &&
              slice_take(out, data, error);
    memory_free(data);
    if (ok)
        slice_measure(out);
    return ok;
}

/* ---- text ------------------------------------------------------------------------------------ */

// The fewest digits that read back as the same float.
static void float_text(float value, char out[32])
{
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(out, 32, "%.*g", digits, (double)value);
        if (strtof(out, NULL) == value)
            return;
    }
}

static void print_heading(const Slice *slice)
{
    char smallest[32], largest[32];
    float_text(slice->smallest, smallest);
    float_text(slice->largest, largest);
    print_clean(stdout, slice->path);
    if (slice->shape.rank < slice->whole.rank) {
        for (int axis = 0; axis < slice->whole.rank; axis++) {
            printf("%s", axis ? "," : " [");
            if (slice->index[axis] == ALL)
                printf(":");
            else
                printf("%lld", (long long)slice->index[axis]);
        }
        printf("]: %s of", SHAPE_TEXT(slice->shape));
    } else {
        printf(":");
    }
    printf(" %s float32\n", SHAPE_TEXT(slice->whole));
    printf("smallest %s, largest %s, mean %.6g", smallest, largest, slice->mean);
    if (slice->finite_count < slice->count)
        printf(", not finite %zu", slice->count - slice->finite_count);
    printf("\n");
}

// Rows of the last axis, as many columns as a line has room for; a single row goes on in the next
// line, behind the number of its first element. "..." stands for what is left out.
static void print_grid(const Slice *slice)
{
    int    rank    = slice->shape.rank;
    size_t columns = (size_t)slice->shape.dim[rank - 1];
    size_t rows    = slice->count / columns;
    size_t most    = rank == 1 ? LIST_ROWS : FIRST_ROWS;
    int    width = 1, label_width = rank == 1 ? 8 : 0;
    char   text[32];
    for (size_t i = 0; i < slice->count; i++) {
        int length = snprintf(text, sizeof text, "%.4g", (double)slice->values[i]);
        width      = length > width ? length : width;
    }
    size_t fit = (size_t)((LINE_WIDTH - label_width) / (width + 1));
    if (rank == 1)
        rows = (columns + fit - 1) / fit;
    if (rank == 2)
        most = columns > fit ? CORNER_ROWS : GRID_ROWS;
    for (size_t row = 0; row < rows && row < most; row++) {
        size_t first = rank == 1 ? row * fit : row * columns;
        size_t left  = rank == 1 ? columns - first : columns;
        if (rank == 1)
            printf("%6zu: ", first);
        for (size_t i = 0; i < left && i < fit; i++)
            printf("%s%*.4g", i ? " " : "", width, (double)slice->values[first + i]);
        printf("%s\n", rank > 1 && left > fit ? " ..." : "");
    }
    if (rows > most)
        printf("...\n");
}

static void print_slice(const Slice *slice)
{
    char text[32];
    if (slice->shape.rank > 0) {
        print_heading(slice);
        print_grid(slice);
        return;
    }
    float_text(slice->values[0], text);
    printf("%s\n", text);
}

static void shape_json(JsonWriter *json, const char *key, Shape shape)
{
    json_open_array(json, key);
    for (int axis = 0; axis < shape.rank; axis++)
        json_whole(json, NULL, shape.dim[axis]);
    json_close(json);
}

static bool print_json(const Slice *slice, const char *picture, Error *error)
{
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    json_text(&json, "path", slice->path);
    json_text(&json, "type", "float32");
    shape_json(&json, "shape", slice->whole);
    json_open_array(&json, "index"); // null: an open axis
    for (int axis = 0; axis < slice->whole.rank; axis++)
        if (slice->index[axis] == ALL)
            json_text(&json, NULL, NULL);
        else
            json_whole(&json, NULL, slice->index[axis]);
    json_close(&json);
    shape_json(&json, "slice", slice->shape);
    json_natural(&json, "not_finite", slice->count - slice->finite_count);
    json_number(&json, "smallest", slice->finite_count ? (double)slice->smallest : (double)NAN);
    json_number(&json, "largest", slice->finite_count ? (double)slice->largest : (double)NAN);
    json_number(&json, "mean", slice->finite_count ? slice->mean : (double)NAN);
    json_open_array(&json, "first_values");
    for (size_t i = 0; i < slice->count && i < JSON_VALUES; i++)
        json_number(&json, NULL, (double)slice->values[i]);
    json_close(&json);
    if (picture)
        json_text(&json, "picture", picture);
    json_close(&json);
    return json_print(&json, error);
}

/* ---- pictures -------------------------------------------------------------------------------- */

/* How numbers become colours. */
typedef enum Palette {
    PALETTE_COLOURS, // three channels in 0..255, as they are
    PALETTE_CHANGES, // three channels around 0, which is gray
    PALETTE_HEAT,    // 0 is black, then red, yellow, white
    PALETTE_SIGNS    // below 0 is blue, 0 white, above red
} Palette;

/* A slice looked at as a picture. */
typedef struct Canvas {
    int64_t height, width, channels;             // 1 or 3 channels
    int64_t row_step, column_step, channel_step; // between numbers
    int64_t scale;                               // pixels of a side for one number
    Palette palette;
    float   reach; // the number, or its magnitude, at the end of the palette; > 0
} Canvas;

static bool canvas_choose(Canvas *out, const Slice *slice, Error *error)
{
    const int64_t *dim = slice->shape.dim;
    if (slice->shape.rank == 2)
        *out = (Canvas){
            .height = dim[0], .width = dim[1], .channels = 1, .row_step = dim[1], .column_step = 1};
    else if (slice->shape.rank == 3 && dim[2] == 3)
        *out = (Canvas){.height       = dim[0],
                        .width        = dim[1],
                        .channels     = 3,
                        .row_step     = 3 * dim[1],
                        .column_step  = 3,
                        .channel_step = 1};
    else if (slice->shape.rank == 3 && dim[0] == 3)
        *out = (Canvas){.height       = dim[1],
                        .width        = dim[2],
                        .channels     = 3,
                        .row_step     = dim[2],
                        .column_step  = 1,
                        .channel_step = dim[1] * dim[2]};
    else
        return fail(error, ERROR_USAGE,
                    "--out: %s of %s is no picture, expected [h, w], [h, w, 3] or [3, h, w]; more "
                    "axes can be fixed, as in 0,5",
                    SHAPE_TEXT(slice->shape), slice->path);
    int64_t side = out->height > out->width ? out->height : out->width;
    out->scale   = side < PICTURE_SIDE ? PICTURE_SIDE / side : 1;
    if (!image_size_is_fine(out->width * out->scale, out->height * out->scale))
        return fail(error, ERROR_DATA, "%s: %lldx%lld is too large a picture", slice->path,
                    (long long)out->width, (long long)out->height);
    bool has_signs = slice->smallest < 0;
    if (out->channels == 3)
        out->palette = has_signs || slice->largest > 255 ? PALETTE_CHANGES : PALETTE_COLOURS;
    else
        out->palette = has_signs ? PALETTE_SIGNS : PALETTE_HEAT;
    out->reach = out->palette == PALETTE_COLOURS ? 255 : fmaxf(-slice->smallest, slice->largest);
    out->reach = out->reach > 0 ? out->reach : 1;
    return true;
}

// The colour of numbers divided by the reach; what is not finite counts as 0.
static void paint(const Canvas *canvas, const float *values, uint8_t rgb[3])
{
    float share[3];
    for (int c = 0; c < 3; c++) {
        float value = values[canvas->channels == 3 ? c * canvas->channel_step : 0];
        share[c]    = isfinite(value) ? value / canvas->reach : 0;
    }
    switch (canvas->palette) {
    case PALETTE_COLOURS:
        for (int c = 0; c < 3; c++)
            rgb[c] = palette_level(share[c]);
        break;
    case PALETTE_CHANGES:
        for (int c = 0; c < 3; c++)
            rgb[c] = palette_level(0.5f + 0.5f * share[c]);
        break;
    case PALETTE_HEAT:
        palette_heat(share[0], rgb);
        break;
    case PALETTE_SIGNS:
        palette_signs(share[0], rgb);
        break;
    }
}

static bool canvas_write(const Canvas *canvas, const Slice *slice, const char *path, Error *error)
{
    Image    image = {.width       = (int)(canvas->width * canvas->scale),
                      .height      = (int)(canvas->height * canvas->scale),
                      .channels    = 3,
                      .orientation = 1};
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    image.pixels   = memory_new(3 * (size_t)image.width * (size_t)image.height, 1, error);
    if (!image.pixels)
        return false;
    for (int64_t y = 0; y < image.height; y++)
        for (int64_t x = 0; x < image.width; x++)
            paint(canvas,
                  slice->values + y / canvas->scale * canvas->row_step +
                      x / canvas->scale * canvas->column_step,
                  image.pixels + 3 * (y * image.width + x));
    bool ok = png_encode(&image, &bytes, &size, error) && file_publish(path, bytes, size, error);
    memory_free(bytes);
    image_free(&image);
    return ok;
}

static void print_picture(const Canvas *canvas, const char *path)
{
    char reach[32];
    float_text(canvas->reach, reach);
    print_clean(stdout, path);
    printf(": %lldx%lld numbers, %lldx%lld pixels each; ", (long long)canvas->width,
           (long long)canvas->height, (long long)canvas->scale, (long long)canvas->scale);
    switch (canvas->palette) {
    case PALETTE_COLOURS:
        printf("colours 0 to 255\n");
        break;
    case PALETTE_CHANGES:
        printf("gray 0, dark -%s, bright %s\n", reach, reach);
        break;
    case PALETTE_HEAT:
        printf("black 0, white %s\n", reach);
        break;
    case PALETTE_SIGNS:
        printf("blue -%s, white 0, red %s\n", reach, reach);
        break;
    }
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool run(const Settings *settings, Error *error)
{
    const char *out    = settings->out;
    size_t      length = out ? strlen(out) : 0;
    Slice       slice  = {0};
    Canvas      canvas = {0};
    if (out && (length < 5 || strcmp(out + length - 4, ".png") != 0))
        return fail(error, ERROR_USAGE, "--out: '%s' does not end in .png", out);
    bool ok = slice_open(&slice, settings->inputs[0],
                         settings->input_count > 1 ? settings->inputs[1] : NULL, error);
    if (ok && out)
        ok = canvas_choose(&canvas, &slice, error) && canvas_write(&canvas, &slice, out, error);
    if (ok && settings->json)
        ok = print_json(&slice, out, error);
    else if (ok && out)
        print_picture(&canvas, out);
    else if (ok)
        print_slice(&slice);
    memory_free(slice.values);
    return ok;
}

static const Option options[] = {{.name   = "out",
                                  .letter = 'o',
                                  .kind   = ARGUMENT_TEXT,
                                  .offset = offsetof(Settings, out),
                                  .value  = "FILE.png",
                                  .help = "also a picture of the slice, enlarged by whole pixels"},
                                 OPTION_END};

const Verb verb_show = {
    .name        = "show",
    .inputs      = "FILE.npy [INDEX]",
    .input_least = 1,
    .input_most  = 2,
    .summary     = "the numbers of an array, or a picture of them",
    .details = "INDEX fixes axes, counted from 0, first axis first: of an array of 96x8x8, 3,2,5 "
               "is one number, 3 a plane of 8x8, and :,2,5 a row of 96. One number is printed "
               "alone with all its digits; of more, the shape, the smallest, the largest and the "
               "mean, and as many as fit on a screen. A picture shows two axes in heat colours "
               "(blue and red where numbers have signs), and [h, w, 3] or [3, h, w] in colour.",
    .example = "nemesis show runs/clean/quantile.npy",
    .options = options,
    .shared  = "max-pixels|" SHARED_BY_ALL,
    .run     = run,
};
