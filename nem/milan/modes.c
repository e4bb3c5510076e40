/* nem/milan/modes.c - what the modes decide, and how a run tells it. */
#include "milan_private.h"

// The exemplars of the published descriptions were cut at an estimate (N4), from layers behind
// their ReLU (Q2); both programs score one stop too many (N10) and cut bytes off (N5).
static const MilanRules milan22   = {.is_sketched = true, .extra_stop = true};
static const MilanRules corrupt23 = {.extra_stop = true};
static const MilanRules clean     = {.is_rounded = true};

const Mode milan_modes[MILAN_MODES] = {
    {.name = "corrupt23", .store = "float", .coupled = true, .rules = &corrupt23},
    {.name = "milan22", .store = "float", .coupled = true, .post_relu = true, .rules = &milan22},
    {.name = "clean", .store = "float", .rules = &clean},
};

void milan_describe_mode(const Mode *mode, JsonWriter *json)
{
    const MilanRules *rules = mode->rules;
    json_whole(json, "exemplars", MILAN_EXEMPLARS);
    json_text(json, "level", rules->is_sketched ? "sketch" : "exact");
    if (rules->is_sketched)
        json_whole(json, "sketch_resolution", SKETCH_RESOLUTION);
    json_text(json, "bytes", rules->is_rounded ? "nearest" : "below");
    json_flag(json, "extra_stop", rules->extra_stop);
}
