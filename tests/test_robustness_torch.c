/* tests/test_robustness_torch.c - robustness of a published ResNet-20 side by side with PyTorch in
 * float64. tests/robustness_torch.py is the other side. */
#include "program.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

// The first two test images: a cat and a ship.
#define LABELS "3 8"
enum { STEPS = 5 };

static bool make_run(void)
{
    char command[3 * LIMIT_PATH];
    snprintf(command, sizeof command, "python3 weights/convert.py '%s' -o '%s' >/dev/null 2>&1",
             test_data("weights/cifar10_resnet/resnet20-12fca82f.th"), in_folder("net.nw"));
    return system(command) == 0 &&
           program_run("robustness -m %s -d %s --limit 2 --method gradient --aam-steps %d "
                       "--measures aam,insertion,deletion,adv-insertion -q -o %s",
                       in_folder("net.nw"), test_data("cifar10/cifar10_batch_50.png"), STEPS,
                       in_folder("run"))
                   ->code == 0;
}

static void attacks_and_rows_equal_pytorch(void)
{
    char   command[3 * LIMIT_PATH];
    double maps = 1, apart = 1, rows = 1, curves = 1;
    if (!test_data("weights/cifar10_resnet/resnet20-12fca82f.th") ||
        !test_data("cifar10/cifar10_batch_50.png"))
        SKIP("no ResNet-20 or no CIFAR-10 images");
    if (!program_exists())
        SKIP("there is no ./nemesis");
    if (!torch_exists())
        SKIP("no PyTorch");
    REQUIRE(make_run());
    snprintf(command, sizeof command,
             "OMP_NUM_THREADS=1 /usr/bin/python3 tests/robustness_torch.py '%s' '%s' "
             "0.01568627450980392 %d " LABELS,
             in_folder("net.nw"), in_folder("run"), STEPS);
    FILE *pipe = popen(command, "r");
    REQUIRE(pipe);
    int read = fscanf(pipe, "%lf %lf %lf %lf", &maps, &apart, &rows, &curves);
    CHECK(pclose(pipe) == 0 && read == 4);
    printf("  maps %.2g, attacked values apart %.2g, rows %.2g, curves %.2g\n", maps, apart, rows,
           curves);
    CHECK_CLOSE(maps, 0, 1e-5);
    CHECK_CLOSE(apart, 0, 0.005); // a step of Adam follows even the smallest gradient's sign
    CHECK_CLOSE(rows, 0, 2e-5);
    CHECK_CLOSE(curves, 0, 2e-5);
}

SUITE(robustness_torch)
{
    RUN(attacks_and_rows_equal_pytorch);
}
