/* models/builder.h - what the families share: layers from a blob, and stopping at the last one
 * asked for.
 *
 * A family calls these functions in order, as if the whole network were wanted. Once all layers are
 * found, or a tensor is missing, the rest only counts and names layers: every call returns
 * NODE_NONE and appends nothing. So a family reads as maths, without a single test. */
#ifndef MODELS_BUILDER_H
#define MODELS_BUILDER_H

#include "models.h"

enum { LAYER_NAME_BYTES = 64, LAYER_LIST_BYTES = 400 };

typedef struct Builder {
    Graph                *graph;
    WeightBlob           *blob;
    const NetworkRequest *request;
    const char           *prefix;                 // of its tensors' names in the blob; NULL: none
    const char *const    *wanted;                 // names of layers, or NULL
    int                   wanted_count;           // 1 for an index
    real                  softplus_beta;          // 0: ReLU
    Activation            activation;             // so far
    int                   wanted_index;           // in the order of listed layers, or -1
    int                   listed;                 // layers listed so far
    int                   found;                  // of the wanted layers
    NodeId                layers[NETWORK_LAYERS]; // of the wanted; NODE_NONE until found
    NodeId                ends;                   // Network.ends
    char                  layer_name[LAYER_NAME_BYTES]; // of the one found last
    Error                 lack;                         // why nothing past here can be built
    char                  lacking[LAYER_NAME_BYTES];    // the first wanted layer after the lack
    char                  list[LAYER_LIST_BYTES]; // "conv1_1, conv1_2, ..." of what can be built
} Builder;

/* Appends a whole network on the prepared input x, or on tokens [batch, count]; the last layer is
 * named "logits". */
typedef void FamilyBuild(Builder *builder, NodeId x, int depth);

FamilyBuild vgg_build, vgg_bn_build, resnet_build, resnet_small_build, resnet_cifar_build,
    resnet_v2_build, alexnet_build, densenet_build, squeezenet_build, lenet_build, vit_build,
    encoder_build, resnext_build, mobilenet_v2_build, efficientnet_build, alexnet_groups_build,
    clip_vit_build, clip_resnet_build, clip_text_build, clip_mini_build, roberta_build;

/* The convolutions of a VGG's stage, counted from 0, each with its activation. *place: the index of
 * the first in torchvision's list, moved behind the last. */
NodeId vgg_stage(Builder *builder, NodeId x, int stage, int convs, bool has_norms, int *place);

/* ((x * scale) - mean) / std per channel, with the constants of the blob. */
NodeId prepare_pixels(Graph *graph, NodeId pixels, const Preparation *preparation);

/* x with zeros around it where the blob says `padding=same` and the stride is not 1: TensorFlow's
 * SAME has the smaller half before (0 and 1 for 3x3 at stride 2 on even sizes). Then *pad becomes
 * 0. */
NodeId build_padding(Builder *builder, NodeId x, int side, int stride, int *pad);
/* Convolution `base`.weight, square of this side; adds `base`.bias where the blob has it. The node
 * of the convolution alone is named `base`, as that of a dense layer's product is. */
NodeId build_conv(Builder *builder, NodeId x, const char *base, int side, int stride, int pad);
/* The same in `groups` groups of channels (see op_conv2d); DEPTHWISE: as many as there are
 * channels.
 */
enum { DEPTHWISE = 0 };
NodeId build_grouped_conv(Builder *builder, NodeId x, const char *base, int64_t groups, int side,
                          int stride, int pad);
NodeId build_norm(Builder *builder, NodeId x, const char *base); // batch norm in inference mode
/* A convolution and the batch norm that follows it. One convolution with folded weights, whether
 * the converter folded them or it is done here, unless the request keeps norms. The bare
 * convolution can be asked for under its own name where the blob has it. */
NodeId build_conv_norm(Builder *builder, NodeId x, const char *conv, const char *norm, int side,
                       int stride, int pad);
NodeId build_grouped_conv_norm(Builder *builder, NodeId x, const char *conv, const char *norm,
                               int64_t groups, int side, int stride, int pad);
/* First layers of a residual network: convolution, norm, activation. Layers `conv` (before the
 * norm, where the blob has it) and `norm` (before the activation); tensors have the prefix. */
NodeId build_stem(Builder *builder, NodeId x, const char *prefix, const char *conv,
                  const char *norm, int side, int stride);
NodeId build_dense(Builder *builder, NodeId x, const char *base); // x [n, c] or [n, c, h, w]
NodeId build_activation(Builder *builder, NodeId x);              // ReLU, or softplus on request
/* ReLU that ends at 6; on request softplus(x) - softplus(x - 6), which nears it as ReLU's does. */
NodeId build_relu6(Builder *builder, NodeId x);
NodeId build_silu(Builder *builder, NodeId x);       // x sigmoid(x), smooth as it is
NodeId build_gelu(Builder *builder, NodeId x);       // x Phi(x)
NodeId build_quick_gelu(Builder *builder, NodeId x); // x sigmoid(1.702 x)
NodeId build_maxpool(Builder *builder, NodeId x, int window, int stride, int pad);
/* The same with the last, incomplete window kept; x is not negative. */
NodeId build_maxpool_ceil(Builder *builder, NodeId x, int window, int stride);
/* x / (1 + 1e-4 / 5 * the sum of squares of the five nearest channels)^(3/4), as in AlexNet. */
NodeId build_response_norm(Builder *builder, NodeId x);
NodeId build_add(Builder *builder, NodeId a, NodeId b);
/* y + x where a block keeps stride and width, as inverted residual blocks do; else y. */
NodeId build_residual(Builder *builder, NodeId y, NodeId x, int stride);
NodeId build_concat(Builder *builder, NodeId a, NodeId b); // of channels
NodeId build_global_mean(Builder *builder, NodeId x);
/* The end of most networks: the mean of every channel, `avgpool`, and a dense layer, `logits`. */
void build_mean_logits(Builder *builder, NodeId x, const char *base);

/* A layer callers may ask for, under either name (alias may be NULL); only `name` is listed. */
void build_layer(Builder *builder, NodeId x, const char *name, const char *alias);
/* One that can be asked for but is not listed: a module inside a layer. */
void build_module(Builder *builder, NodeId x, const char *name);
/* Listed before the activation, or after it when the request says post_relu; returns the latter. */
NodeId build_activated_layer(Builder *builder, NodeId x, const char *name, const char *alias);

/* Lists of what is trained: a weight by the name of its tensor, or NULL; one more at the end, or
 * NULL when memory runs out. */
TrainableWeight *trainable_weight(const Trainables *list, const char *name);
TrainableWeight *trainables_add_weight(Trainables *list, Error *error);
TrainableNorm   *trainables_add_norm(Trainables *list, Error *error);

/* The tensor base.part: a constant, or an input where the request trains; made once for all forward
 * passes that share a list. */
NodeId builder_parameter(Builder *builder, const char *base, const char *part, Shape shape);
/* The same by the whole name of the tensor, which the blob has as `stored`, used under another
 * shape: the matrix of a dense layer is the kernel of a 1x1 convolution. */
NodeId builder_tensor(Builder *builder, const char *name, Shape stored, Shape used);
/* The shape of a tensor, or rank 0 and a lack if it is not there or has another rank. */
Shape builder_shape(Builder *builder, const char *name, int rank);
bool  builder_has(const Builder *builder, const char *base, const char *part); // tensor base.part
/* The vector or kernel base.part as the blob has it, without a node. Errors: of blob_find. */
bool builder_find(Builder *builder, const char *base, const char *part, Shape shape,
                  const real **data, Error *error);
bool builder_is_over(Builder *builder);
bool builder_has_norm(const Builder *builder, const char *norm); // as tensors, not folded

typedef struct LayerText {
    char text[LAYER_NAME_BYTES];
} LayerText;
LayerText layer_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define LAYER(...) (layer_text(__VA_ARGS__).text)

#endif
