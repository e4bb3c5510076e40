/* tests/test_jpeg_turbo.c - JPEG against libjpeg-turbo itself and published files.
 *
 * The comparison with cjpeg and djpeg makes NEMESIS_JPEG_FILES random files (default 300). */
#include "test.h"
#include "pictures.h"
#include "../base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* ---- against libjpeg-turbo ------------------------------------------------------------------- */

static bool have_tools(void)
{
    return system("command -v cjpeg djpeg >/dev/null 2>&1") == 0;
}

static bool command_output(const char *command, Bytes *out)
{
    char path[LIMIT_PATH], line[2 * LIMIT_PATH];
    snprintf(path, sizeof path, "%s/output", test_folder());
    snprintf(line, sizeof line, "%s >%s 2>/dev/null", command, path);
    int status = system(line);
    return (status == 0 || WEXITSTATUS(status) == 2) &&
           file_read(path, LIMIT_IMAGE_FILE, out, NULL);
}

// A picture from the PGM or PPM that djpeg writes.
static bool pnm_read(const Bytes *bytes, Image *out)
{
    int  width, height, at = 0;
    char kind;
    if (sscanf((const char *)bytes->data, "P%c %d %d 255%n", &kind, &width, &height, &at) != 3 ||
        at == 0)
        return false;
    *out = picture_make(width, height, kind == '6' ? 3 : 1);
    if (bytes->size - (size_t)at - 1 != picture_bytes(out))
        return false;
    memcpy(out->pixels, bytes->data + at + 1, picture_bytes(out));
    return true;
}

static void pnm_write(const Image *picture, const char *path)
{
    FILE *file = fopen(path, "wb");
    fprintf(file, "P%d\n%d %d\n255\n", picture->channels == 3 ? 6 : 5, picture->width,
            picture->height);
    fwrite(picture->pixels, 1, picture_bytes(picture), file);
    fclose(file);
}

// What djpeg makes of a file; false if it refuses. Its status 2 means warnings (stray bytes).
static bool djpeg_decode(const char *path, Image *out)
{
    char  command[LIMIT_PATH + 64];
    Bytes pnm = {0};
    snprintf(command, sizeof command, "djpeg -pnm '%s'", path);
    bool done = command_output(command, &pnm) && pnm_read(&pnm, out);
    bytes_close(&pnm);
    return done;
}

static int files_wanted(void)
{
    const char *text = getenv("NEMESIS_JPEG_FILES");
    return text && atoi(text) > 0 ? atoi(text) : 300;
}

// Options of cjpeg that choose what the file looks like inside.
static void options_random(Random *random, char *out, size_t room, const char *script)
{
    static const char *const samplings[] = {
        "1x1",         "2x1",         "1x2",         "2x2",         "4x1",         "1x4",
        "4x2",         "2x4",         "2x2,1x2,1x1", "2x2,2x1,1x1", "2x1,1x1,2x1", "1x2,1x1,1x2",
        "2x2,1x2,2x1", "4x1,2x1,1x1", "1x4,1x2,1x1", "1x1,2x1,1x2", "4x2,2x2,1x1", "1x1,2x2,1x1"};
    enum { SAMPLINGS = sizeof samplings / sizeof samplings[0] };
    int size = snprintf(out, room, "-quality %u -sample %s", 1 + random_below(random, 100),
                        samplings[random_below(random, SAMPLINGS)]);
    static const char *const extras[] = {" -progressive", " -optimize", " -grayscale", " -rgb",
                                         " -baseline"};
    for (size_t i = 0; i < sizeof extras / sizeof extras[0]; i++)
        if (random_below(random, i == 0 ? 2 : 5) == 0)
            size += snprintf(out + size, room - (size_t)size, "%s", extras[i]);
    if (random_below(random, 3) == 0)
        size += snprintf(out + size, room - (size_t)size, " -restart %u%s",
                         1 + random_below(random, 5), random_below(random, 2) ? "B" : "");
    if (!strstr(out, "-progressive") && !strstr(out, "-grayscale") && random_below(random, 6) == 0)
        snprintf(out + size, room - (size_t)size, " -scans %s", script);
}

static void decoder_equals_djpeg_on_random_files(void)
{
    if (!have_tools())
        SKIP("cjpeg and djpeg are not installed");
    char script[LIMIT_PATH], source[LIMIT_PATH], jpeg[LIMIT_PATH];
    snprintf(script, sizeof script, "%s/scans", test_folder());
    snprintf(source, sizeof source, "%s/source", test_folder());
    snprintf(jpeg, sizeof jpeg, "%s/file.jpg", test_folder());
    CHECK(file_publish(script, "0;\n2;\n1;\n", 9, NULL)); // three scans, not interleaved
    Random random = random_stream(test_seed(), "jpeg decode");
    int    made = 0, equal = 0;
    for (int i = 0; made < files_wanted() && i < 2 * files_wanted(); i++) {
        int width     = 1 + (int)random_below(&random, 200),
            height    = 1 + (int)random_below(&random, 200);
        Image picture = picture_random(&random, width, height, 3), decoded = {0}, wanted = {0};
        char  options[256 + LIMIT_PATH], command[4 * LIMIT_PATH];
        Bytes bytes = {0};
        Error error = {0};
        options_random(&random, options, sizeof options, script);
        pnm_write(&picture, source);
        snprintf(command, sizeof command, "cjpeg %s -outfile %s %s 2>/dev/null", options, jpeg,
                 source);
        if (system(command) == 0 && file_read(jpeg, LIMIT_IMAGE_FILE, &bytes, NULL)) {
            bool same = jpeg_decode(bytes.data, bytes.size, jpeg, &decoded, &error) &&
                        djpeg_decode(jpeg, &wanted) && pictures_equal(&decoded, &wanted);
            made++;
            equal += same;
            if (!same)
                printf("  %dx%d %s: differs %s\n", width, height, options, error.message);
        }
        bytes_close(&bytes);
        image_free(&wanted);
        image_free(&decoded);
        image_free(&picture);
    }
    printf("  %d of %d files equal\n", equal, made);
    CHECK(made > 0 && equal == made);
}

static void encoder_equals_cjpeg(void)
{
    if (!have_tools())
        SKIP("cjpeg and djpeg are not installed");
    static const char *const names[] = {"2x2", "2x1", "1x1"};
    char                     source[LIMIT_PATH], command[2 * LIMIT_PATH];
    Random                   random = random_stream(test_seed(), "jpeg encode");
    int                      equal = 0, made = 0;
    snprintf(source, sizeof source, "%s/source", test_folder());
    for (int i = 0; i < files_wanted() / 5; i++) {
        int width     = 1 + (int)random_below(&random, 200),
            height    = 1 + (int)random_below(&random, 200);
        Image picture = picture_random(&random, width, height, random_below(&random, 6) ? 3 : 1);
        JpegSampling sampling = (JpegSampling)random_below(&random, 3);
        pnm_write(&picture, source);
        for (int q = 0; q < 5; q++) {
            int      quality = q == 0 ? 75 : q == 1 ? 100 : 1 + (int)random_below(&random, 99);
            Bytes    wanted  = {0};
            uint8_t *file    = NULL;
            size_t   size    = 0;
            // With -sample cjpeg writes a useless factor into gray files; its default does not.
            snprintf(command, sizeof command, "cjpeg -baseline -quality %d %s%s %s", quality,
                     picture.channels == 3 ? "-sample " : "",
                     picture.channels == 3 ? names[sampling] : "", source);
            bool same = command_output(command, &wanted) &&
                        jpeg_encode(&picture, quality, sampling, &file, &size, NULL) &&
                        size == wanted.size && !memcmp(file, wanted.data, size);
            made++;
            equal += same;
            if (!same)
                printf("  %dx%dx%d quality %d sampling %s differs\n", width, height,
                       picture.channels, quality, names[sampling]);
            memory_free(file);
            bytes_close(&wanted);
        }
        image_free(&picture);
    }
    printf("  %d of %d files equal\n", equal, made);
    CHECK(made > 0 && equal == made);
}

/* ---- published files ------------------------------------------------------------------------- */

static int largest_difference(const Image *a, const Image *b)
{
    int largest = 0;
    if (a->width != b->width || a->height != b->height || a->channels != b->channels)
        return 256;
    for (size_t i = 0; i < picture_bytes(a); i++) {
        int difference = abs(a->pixels[i] - b->pixels[i]);
        largest        = difference > largest ? difference : largest;
    }
    return largest;
}

/* The PNG beside a file, made by another JPEG library: libjpeg-turbo itself differs from it by
 * `listed` (JPEG_INDEX.tsv; where it lists more than 2 the reference has 16 bits). */
static bool matches_reference(const char *path, const Image *image, int listed)
{
    char  png[LIMIT_PATH];
    Bytes bytes     = {0};
    Image reference = {0}, wanted = {0}, found = {0};
    snprintf(png, sizeof png, "%.*s.png", (int)(strrchr(path, '.') - path), path);
    bool fine = file_read(png, LIMIT_IMAGE_FILE, &bytes, NULL) &&
                png_decode(bytes.data, bytes.size, png, &reference, NULL) &&
                image_to_rgb(&reference, &wanted, NULL) && image_to_rgb(image, &found, NULL) &&
                largest_difference(&wanted, &found) <= (listed > 2 ? 2 : listed);
    image_free(&reference);
    image_free(&wanted);
    image_free(&found);
    bytes_close(&bytes);
    return fine;
}

// Files that libjpeg decodes and we refuse: arithmetic coding, and a scan that ends too early.
static bool refused_on_purpose(const char *name)
{
    return strstr(name, "crashtest") || strstr(name, "testimgari") ||
           strstr(name, "partial_progressive");
}

/* Every file of the index: what a libjpeg-turbo program refuses is refused, what it accepts is
 * equal, no file crashes. */
static void published_files(void)
{
    const char *index = test_data("decoder/JPEG_INDEX.tsv");
    Bytes       list  = {0};
    if (!index || !file_read(index, LIMIT_TEXT_FILE, &list, NULL))
        SKIP("decoder/JPEG_INDEX.tsv is not there");
    char   *line       = strchr((char *)(uintptr_t)list.data, '\n');
    int     references = 0, compared = 0, decoded_count = 0, files = 0;
    int64_t blocks = memory_live_blocks();
    bool    tools  = have_tools();
    while (line && line[1]) {
        char name[LIMIT_PATH];
        line++;
        size_t name_size = strcspn(line, "\t");
        snprintf(name, sizeof name, "decoder/%.*s", (int)name_size, line);
        size_t      line_size = strcspn(line, "\n");
        const char *verdict   = line + line_size;
        for (int tab = 0; verdict > line && tab < 2; tab++) // the last two columns
            while (*--verdict != '\t')
                ;
        bool        accepted  = !strncmp(verdict + 1, "ok", 2);
        const char *reference = memchr(verdict, '=', line_size - (size_t)(verdict - line));
        const char *path      = test_data(name);
        Bytes       bytes     = {0};
        Image       image = {0}, wanted = {0};
        Error       error = {0};
        line              = strchr(line, '\n');
        if (!CHECK(path && file_read(path, LIMIT_IMAGE_FILE, &bytes, NULL)))
            continue;
        files++;
        bool done = image_decode(bytes.data, bytes.size, name, &image, &error);
        CHECK(done || error.code == ERROR_DATA);
        if (done && !accepted)
            printf("  accepted: %s\n", name);
        CHECK(!done || accepted);
        if (!done && accepted && !refused_on_purpose(name))
            CHECK_TEXT(error.message, "");
        if (reference && done && !strstr(name, "testorig")) { // its PNG shows something else
            references++;
            if (!CHECK(matches_reference(path, &image, atoi(reference + 1))))
                printf("  differs: %s\n", name);
        }
        if (done && tools && !image.is_cmyk && djpeg_decode(path, &wanted)) {
            compared++;
            if (!CHECK(pictures_equal(&image, &wanted)))
                printf("  differs from djpeg: %s\n", name);
        }
        decoded_count += done;
        image_free(&wanted);
        image_free(&image);
        bytes_close(&bytes);
    }
    printf("  %d files, %d decoded; equal: %d to references, %d to djpeg\n", files, decoded_count,
           references, compared);
    CHECK(references >= 33 && (!tools || compared >= 40) && memory_live_blocks() == blocks);
    bytes_close(&list);
}

static void published_orientations(void)
{
    for (int turn = 1; turn <= 6; turn += 5) {
        char name[64];
        snprintf(name, sizeof name, "decoder/exif/Portrait_%d.jpg", turn);
        const char *path  = test_data(name);
        Bytes       bytes = {0};
        Image       image = {0};
        if (!path || !file_read(path, LIMIT_IMAGE_FILE, &bytes, NULL))
            SKIP("decoder/exif is not there");
        CHECK(jpeg_decode(bytes.data, bytes.size, name, &image, NULL));
        CHECK(image.orientation == turn);
        image_free(&image);
        bytes_close(&bytes);
    }
}

SUITE(jpeg_turbo)
{
    RUN(decoder_equals_djpeg_on_random_files);
    RUN(encoder_equals_cjpeg);
    RUN(published_files);
    RUN(published_orientations);
}
