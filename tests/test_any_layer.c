/* tests/test_any_layer.c - layers other than VGG's, and 32x32 networks, in dissect, noise and
 * attack.
 *
 * The mini world is the probing set, as it is for 64x64 pixels and halved for 32x32. Weights are
 * drawn, so concepts mean nothing; counts, controls and the direction of an attack do. */
#include "drawn_network.h"
#include "small_inputs.h"

#include "../base/file.h"
#include "../image/image.h"
#include "../mini/mini.h"
#include "../format/csv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 24 };

/* ---- the mini world in half the size --------------------------------------------------------- */

// Photos are resized, of label maps every second cell of every second row stays.
static bool halve_picture(const char *path)
{
    Image    image = {0}, half = {0};
    Bytes    file   = {0};
    uint8_t *bytes  = NULL;
    size_t   size   = 0;
    bool     is_map = strstr(path, ".png") != NULL;
    bool     ok     = file_read(path, LIMIT_IMAGE_FILE, &file, NULL) &&
              image_decode(file.data, file.size, path, &image, NULL) &&
              image_resize(&image, image.width / 2, image.height / 2, RESIZE_BILINEAR, &half, NULL);
    for (int y = 0; ok && is_map && y < half.height; y++)
        for (int x = 0; x < half.width; x++)
            memcpy(half.pixels + (y * half.width + x) * half.channels,
                   image.pixels + (2 * y * image.width + 2 * x) * image.channels,
                   (size_t)image.channels);
    ok = ok &&
         (is_map ? png_encode(&half, &bytes, &size, NULL)
                 : jpeg_encode(&half, MINI_QUALITY, JPEG_444, &bytes, &size, NULL)) &&
         file_publish(path, bytes, size, NULL);
    image_free(&image);
    image_free(&half);
    bytes_close(&file);
    memory_free(bytes);
    return ok;
}

static bool halve_pictures(const char *folder, const Csv *index)
{
    bool ok = true;
    for (int64_t row = 0; ok && row < csv_row_count(index); row++)
        for (int column = 0; ok && column < csv_column_count(index); column++) {
            char names[1024], path[LIMIT_PATH], *rest = NULL;
            snprintf(names, sizeof names, "%s", csv_text(index, row, column));
            for (char *name = strtok_r(names, ";", &rest); ok && name;
                 name       = strtok_r(NULL, ";", &rest))
                if (strchr(name, '/')) {
                          snprintf(path, sizeof path, "%s/images/%s", folder, name);
                          ok = halve_picture(path);
                }
        }
    return ok;
}

static bool halve_set(const char *folder)
{
    static const char was[] = ",64,64,32,32,", is[] = ",32,32,16,16,";
    Bytes             file  = {0};
    Csv              *index = NULL;
    char              path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/index.csv", folder);
    bool ok = file_read(path, LIMIT_TEXT_FILE, &file, NULL) &&
              csv_open(&index, file.data, file.size, path, NULL) && halve_pictures(folder, index);
    char *text = ok ? memory_text((const char *)file.data, NULL) : NULL;
    for (char *at = text ? strstr(text, was) : NULL; at; at = strstr(at, was))
        memcpy(at, is, sizeof is - 1);
    ok = text && file_publish(path, text, strlen(text), NULL);
    memory_free(text);
    csv_close(index);
    bytes_close(&file);
    return ok;
}

/* ---- dissect, noise, attack ------------------------------------------------------------------ */

static double column_sum(const Csv *csv, const char *name, double strength)
{
    double sum = 0, value = 0, of_row = 0;
    for (int64_t row = 0; row < csv_row_count(csv); row++) {
        CHECK(csv_number(csv, row, csv_column(csv, "strength"), &of_row, NULL) &&
              csv_number(csv, row, csv_column(csv, name), &value, NULL));
        sum += fabs(of_row - strength) < 1e-6 ? value : 0;
    }
    return sum;
}

static Csv *read_changes(const char *run)
{
    Bytes file = {0};
    Csv  *csv  = NULL;
    char  path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/changes.csv", run);
    CHECK(file_read(path, LIMIT_TEXT_FILE, &file, NULL) &&
          csv_open(&csv, file.data, file.size, path, NULL));
    bytes_close(&file);
    return csv;
}

static void check_layer(const char *network, int64_t side, const char *layer, int units)
{
    const char *model = in_folder("net.nw"), *set = in_folder("set"), *clean = in_folder("clean");
    const char *noisy = in_folder("noise"), *attacked = in_folder("attack");
    REQUIRE(folder_create(set, NULL) && mini_write(set, 0, IMAGES, NULL, NULL, NULL));
    REQUIRE(side == MINI_SIDE || halve_set(set));
    REQUIRE(drawn_network(network, side, model));
    REQUIRE(program_run("dissect -m %s -l %s -d %s -o %s -q", model, layer, set, clean)->code == 0);
    CHECK(count_lines(in_folder("clean/tally.csv")) == 1 + units);

    REQUIRE(program_run("noise --baseline %s --type gaussian --std 0.1 --store float -o %s -q",
                        clean, noisy)
                ->code == 0);
    Csv *rows = read_changes(noisy);
    REQUIRE(rows && csv_row_count(rows) == 2 * units);
    CHECK(column_sum(rows, "changed", 0) == 0); // the control
    CHECK(column_sum(rows, "changed", 0.1) > 0);
    csv_close(rows);

    REQUIRE(program_run("attack --baseline %s -u 0-2 --eps 8/255 --steps 4 --store float -o %s -q",
                        clean, attacked)
                ->code == 0);
    rows = read_changes(attacked);
    REQUIRE(rows && csv_row_count(rows) == 2 * 3);
    double eps = 8.0 / 255;
    CHECK(column_sum(rows, "changed", 0) == 0);
    CHECK(column_sum(rows, "poisoned", eps) > 0);
    CHECK_CLOSE(column_sum(rows, "linf_before_store", eps) / 3, eps, 1e-6);
    CHECK(column_sum(rows, "clean_label_iou", eps) < 0.9 * column_sum(rows, "clean_iou", eps));
    csv_close(rows);
}

static void a_stage_of_a_cifar_network_at_32_pixels(void)
{
    NEED_PROGRAM();
    check_layer("resnet20", 32, "layer2", 32);
}

static void a_stage_of_a_bottleneck_network(void)
{
    NEED_PROGRAM();
    check_layer("resnet50_v2", MINI_SIDE, "layer2", 64);
}

static void a_block_of_concatenations(void)
{
    NEED_PROGRAM();
    check_layer("densenet121", MINI_SIDE, "denseblock1", 56);
}

static bool describe_words(const char *layers, const char *out)
{
    return program_run("describe --method clip-dissect --similarity cosine -m %s -d %s "
                       "--concepts %s -l %s -q -o %s",
                       in_folder("vit.nw"), in_folder("set"), in_folder("list.txt"), layers, out)
               ->code == 0;
}

// A method that reads class tokens reads them of each layer.
static void class_tokens_of_several_layers(void)
{
    static const char        list[]   = "red\nblue\ndoor\n";
    static const char *const layers[] = {"encoder_layer_0", "encoder_layer_1"};
    NEED_PROGRAM();
    REQUIRE(drawn_network("vit", MINI_SIDE, in_folder("vit.nw")));
    REQUIRE(file_publish(in_folder("list.txt"), list, sizeof list - 1, NULL));
    REQUIRE(program_run("mini --images 30 -o %s -q", in_folder("set"))->code == 0);
    REQUIRE(describe_words("encoder_layer_0,encoder_layer_1", in_folder("all")));
    for (int i = 0; i < 2; i++) {
        REQUIRE(describe_words(layers[i], in_folder("%s", layers[i])));
        CHECK(same_file(in_folder("%s/units.csv", layers[i]),
                        in_folder("all/%s/units.csv", layers[i])));
    }
}

SUITE(any_layer)
{
    RUN(a_stage_of_a_cifar_network_at_32_pixels);
    RUN(a_stage_of_a_bottleneck_network);
    RUN(a_block_of_concatenations);
    RUN(class_tokens_of_several_layers);
}
