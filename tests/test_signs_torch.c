/* tests/test_signs_torch.c - the signs PGD follows, beside those of PyTorch in float64.
 * tests/signs_torch.py is the other side. */
#include "program.h"
#include "test.h"

#include "../attack/unit_network.h"
#include "../base/file.h"
#include "../probe/probe.h"

#include <stdio.h>
#include <stdlib.h>

enum { IMAGES = 4, SIDE = 224, CELLS = 14, PIXELS = IMAGES * 3 * SIDE * SIDE, UNITS = 4 };

static const int64_t units[UNITS] = {7, 77, 147, 217};

static bool convert(const char *from, const char *to)
{
    char command[4096];
    snprintf(command, sizeof command, "python3 weights/convert.py '%s' -o '%s' >/dev/null 2>&1",
             from, to);
    return system(command) == 0;
}

// Photos of the probing set, far apart.
static bool load_pixels(float *pixels)
{
    ProbeSet probe = {0};
    bool     done  = probe_open(&probe, test_data("broden_mini"), NULL, NULL);
    for (int i = 0; done && i < IMAGES; i++) {
        ImageSource images = probe_images(&probe);
        done               = images.load(images.self, i * (probe.image_count / IMAGES),
                                         pixels + (size_t)i * 3 * SIDE * SIDE, NULL);
    }
    probe_close(&probe);
    return done;
}

// A square of each map, as a concept's mask is.
static void draw_weights(float *weights)
{
    for (int i = 0; i < IMAGES * CELLS * CELLS; i++) {
        int n = i / (CELLS * CELLS), y = i / CELLS % CELLS, x = i % CELLS;
        weights[i] = y >= 2 * n && y < 2 * n + 5 && x >= 9 - 3 * n && x < 14 - 3 * n ? 0.04f : 0;
    }
}

static bool write_gradients(WeightBlob *blob, ConvMethod conv, const float *pixels,
                            const float *weights, const char *path)
{
    BlobLayer   layer   = {blob, "layer3", false, conv};
    UnitBuilder builder = unit_builder(&layer);
    float      *all     = memory_new((size_t)UNITS * PIXELS, sizeof *all, NULL);
    bool        done    = all != NULL;
    for (int u = 0; done && u < UNITS; u++) {
        UnitNetwork net = {0};
        done            = unit_network_open(&net, &builder, units[u], IMAGES, SIDE, SIDE, NULL);
        for (int i = 0; done && i < IMAGES * CELLS * CELLS; i++)
            plan_input(pgd_plan(net.pgd), net.weights)[i] = weights[i];
        const real *gradient = done ? pgd_gradient(net.pgd, pixels) : NULL;
        for (int i = 0; done && i < PIXELS; i++)
            all[(size_t)u * PIXELS + (size_t)i] = gradient[i];
        unit_network_close(&net);
    }
    done = done && file_publish(path, all, (size_t)UNITS * PIXELS * sizeof *all, NULL);
    memory_free(all);
    return done;
}

static bool write_inputs(WeightBlob *blob)
{
    float  weights[IMAGES * CELLS * CELLS];
    float *pixels = memory_new(PIXELS, sizeof *pixels, NULL);
    draw_weights(weights);
    bool done = pixels && load_pixels(pixels) &&
                file_publish(in_folder("pixels"), pixels, PIXELS * sizeof *pixels, NULL) &&
                file_publish(in_folder("weights"), weights, sizeof weights, NULL) &&
                write_gradients(blob, CONV_AUTO, pixels, weights, in_folder("auto")) &&
                write_gradients(blob, CONV_DIRECT, pixels, weights, in_folder("direct"));
    memory_free(pixels);
    return done;
}

/* No pixel moves where the gradient is exactly zero. Elsewhere signs differ where a ReLU or a pool
 * decides otherwise than in float64: that happens to PyTorch's float32 as well, on other photos,
 * and costs up to 1e-3 of a photo's signs, so 1e-3 is the bound on how much more it may be here. */
static void signs_are_those_of_float64(void)
{
    const char *names[]    = {"PyTorch in float32", "auto", "direct"};
    double      differs[3] = {1, 1, 1}, moved[3] = {1, 1, 1};
    WeightBlob *blob = NULL;
    char        command[4096];
    if (!test_data("weights/resnet18_imagenet_bnfolded") || !test_data("broden_mini"))
        SKIP("no weights or photos");
    if (!torch_exists())
        SKIP("no PyTorch");
    REQUIRE(convert(test_data("weights/resnet18_imagenet_bnfolded"), in_folder("net.nw")) &&
            blob_open(in_folder("net.nw"), &blob, NULL));
    CHECK(write_inputs(blob));
    blob_close(blob);
    snprintf(command, sizeof command, "/usr/bin/python3 tests/signs_torch.py '%s' %d %d %d %d %d",
             test_folder(), IMAGES, (int)units[0], (int)units[1], (int)units[2], (int)units[3]);
    FILE *pipe = popen(command, "r");
    REQUIRE(pipe);
    int read = 0;
    for (int i = 0; i < 3; i++)
        read += fscanf(pipe, "%lf %lf", &differs[i], &moved[i]);
    CHECK(pclose(pipe) == 0 && read == 6);
    for (int i = 0; i < 3; i++) {
        printf("  %s: %.2g of the signs differ, %.2g where the gradient is zero\n", names[i],
               differs[i], moved[i]);
        CHECK(moved[i] == 0);
        CHECK(differs[i] <= differs[0] + 1e-3);
    }
}

SUITE(signs_torch)
{
    RUN(signs_are_those_of_float64);
}
