/* tests/test_milan_refused.c - captioners that are none are refused with what is wrong. */
#include "milan_scene.h"

#include <stdio.h>
#include <string.h>

static void refuses(Scene *scene, BlobBuilder *builder, ErrorCode code, const char *message)
{
    Error error = {0};
    if (!scene_captioner(builder, "captioner.nw"))
        return;
    CHECK(!scene_method(scene, NULL, 1, &error) && error.code == code);
    if (!CHECK(strstr(error.message, message) != NULL))
        printf("  %s\n", error.message);
}

static BlobBuilder *captioner_with(const char *key, const char *value)
{
    BlobBuilder *builder = small_captioner();
    blob_builder_about(builder, key, value);
    return builder;
}

static void broken_captioners_are_refused(void)
{
    // A row more than the tensors that read the result have columns.
    static const struct {
        const char *name;
        Shape       shape;
        const char *message;
    } taller[] = {
        {"init_h.0.weight", {2, {7, 14}}, "'init_h.0.weight' is"},
        {"init_c.0.weight", {2, {7, 14}}, "'init_c.0.weight' is"},
        {"attend.query_to_hidden.weight", {2, {6, 6}}, "'attend.query_to_hidden.weight' is"},
        {"attend.output.0.weight", {2, {2, 5}}, "'attend.output.0.weight' is"},
        {"feature_gate.0.weight", {2, {15, 6}}, "'feature_gate.0.weight' is"},
        {"lstm.weight_ih", {2, {25, 18}}, "'lstm.weight_ih' is"},
        {"output.1.weight", {2, {25, 6}}, "'output.1.weight' is"},
        {"lm.lstm.weight_hh_l0", {2, {25, 6}}, "'lm.lstm.weight_hh_l0' is"},
        {"lm.output.0.weight", {2, {25, 6}}, "'lm.output.0.weight' is"},
    };
    Scene scene = {0};
    REQUIRE(setup_open(&scene.setup, 7, SCENE_IMAGES, SCENE_HEIGHT, SCENE_WIDTH, "clean"));
    Inputs inputs = setup_inputs(&scene.setup, 1);
    CHECK(explainer_open(&scene.explainer, &method_milan, milan_modes, &inputs, NULL, NULL));
    explainer_close(&scene.explainer); // of none that is given: the built-in one
    refuses(&scene, captioner_with("encoder", "lenet"), ERROR_DATA, "its encoder is 'lenet'");
    refuses(&scene, captioner_with("strategy", "guess"), ERROR_DATA, "strategy=guess");
    refuses(&scene, captioner_with("length", "0"), ERROR_DATA, "length=0");
    refuses(&scene, captioner_with("beam_size", "25"), ERROR_DATA, "has 24 words, fewer than");
    refuses(&scene, small_captioner_with("words", shape_1d(8)), ERROR_DATA, "has no list of words");
    refuses(&scene, small_captioner_with("lstm.bias_ih", shape_1d(8)), ERROR_DATA,
            "'lstm.bias_ih' is");
    for (size_t i = 0; i < sizeof taller / sizeof *taller; i++)
        refuses(&scene, small_captioner_with(taller[i].name, taller[i].shape), ERROR_DATA,
                taller[i].message);
    refuses(&scene, small_captioner_with("attend.key_to_hidden.weight", shape_2d(5, 13)),
            ERROR_DATA, "'init_h.0.weight' is");
    refuses(&scene, small_captioner_with("lm.embedding.weight", shape_2d(25, 4)), ERROR_DATA,
            "its decoder has 24 words, its language model 25");
    BlobBuilder *deep = small_captioner();
    blob_builder_constant(deep, "lm.lstm.weight_ih_l2", shape_2d(24, 6), 0);
    blob_builder_constant(deep, "lm.lstm.weight_ih_l3", shape_2d(24, 6), 0);
    blob_builder_constant(deep, "lm.lstm.weight_ih_l4", shape_2d(24, 6), 0);
    refuses(&scene, deep, ERROR_DATA, "its language model has more than 4 layers");
    scene.values[1] = "1001";
    refuses(&scene, small_captioner(), ERROR_USAGE, "a beam of 1001 sentences");
    setup_close(&scene.setup);
}

SUITE(milan_refused)
{
    RUN(broken_captioners_are_refused);
}
