/* training/initial_mobile.c - the weights that MobileNetV2 begins with, as torchvision's:
 * convolutions by fan-out, a last layer near zero. */
#include "initial.h"

#include <stdio.h>

enum { WIDENED = 6, LAST = 1280 };

static void add_conv_norm(Fresh *fresh, const char *base, const char *conv, const char *norm,
                          Shape kernel)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", base, conv);
    fresh_weight(fresh, name, kernel);
    snprintf(name, sizeof name, "%s.%s", base, norm);
    fresh_norm(fresh, name, kernel.dim[0]);
}

// Widened (but for the first block), filtered channel by channel, narrowed.
static void add_inverted(Fresh *fresh, int number, int64_t inputs, int64_t outputs)
{
    char    base[32];
    bool    is_wider = number > 1;
    int64_t inner    = is_wider ? WIDENED * inputs : inputs;
    snprintf(base, sizeof base, "features.%d.conv", number);
    if (is_wider)
        add_conv_norm(fresh, base, "0.0", "0.1", shape_4d(inner, inputs, 1, 1));
    add_conv_norm(fresh, base, is_wider ? "1.0" : "0.0", is_wider ? "1.1" : "0.1",
                  shape_4d(inner, 1, 3, 3));
    add_conv_norm(fresh, base, is_wider ? "2" : "1", is_wider ? "3" : "2",
                  shape_4d(outputs, inner, 1, 1));
}

void fresh_mobilenet(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    static const int widths[7] = {16, 24, 32, 64, 96, 160, 320}, blocks[7] = {1, 2, 3, 4, 3, 3, 1};
    int64_t          channels = 32;
    int              number   = 0;
    (void)depth, (void)side;
    add_conv_norm(fresh, "features.0", "0", "1", shape_4d(channels, 3, 3, 3));
    for (int stage = 0; stage < 7; stage++)
        for (int i = 0; i < blocks[stage]; i++) {
            add_inverted(fresh, ++number, channels, widths[stage]);
            channels = widths[stage];
        }
    add_conv_norm(fresh, "features.18", "0", "1", shape_4d(LAST, channels, 1, 1));
    fresh_fill(fresh, fresh_tensor(fresh, "classifier.1", "weight", shape_2d(classes, LAST), 0),
               (size_t)classes * LAST, false, 0.01);
    fresh_tensor(fresh, "classifier.1", "bias", shape_1d(classes), 0);
}
