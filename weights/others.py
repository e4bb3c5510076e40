"""Networks and parts of networks that are recognised and not supported: so the refusal says what
they are and, where there is one, the way out."""

import re

from names import taken_apart

REPARAMETRISED = (
    (r'.*(weight_mask|bias_mask|weight_orig|bias_orig)', 'pruned weights; in Python, '
     "torch.nn.utils.prune.remove(layer, 'weight') makes plain ones"),
    (r'.*(weight_g|weight_v|weight_u|parametrizations\..*)', 'weights under a parametrisation; in '
     "Python, torch.nn.utils.parametrize.remove_parametrizations makes plain ones"))
PARTS_OF_OTHERS = REPARAMETRISED + (
    (r'(^|.*[./])(se|se_module|se_layer|squeeze_excite|senet)\d*[./].*', 'squeeze-and-excitation'),
    (r'.*[./](attn|attention|ca|sa|cbam|eca|gc|nl|non_local)\w*[./].*', 'attention'),
    (r'.*(lora_[AB]|adapter).*', 'adapters'),
    (r'.*(fake_quant|activation_post_process|zero_point).*', 'quantisation'),
    (r'.*[./]filt', 'blurred pooling'), (r'.*(relu|act|prelu)\d*[./]weight', 'PReLU'),
    (r'.*[./](g|group|instance|layer)_?norm\d*[./].*', 'other norms'))
OTHER_NETWORKS = (                                     # (a name in it, what it is)
    (r'.*(cls_token|pos_embed|patch_embed|class_embedding|encoder_layer_0)\w*.*',
     'another transformer'),
    (r'.*relative_position_bias_table', 'a Swin or MaxViT transformer'),
    (r'(.*[./])?trunk_output[./].*', 'a RegNet'),
    (r'(.*[./])?stage2\.0\.branch[12]\..*', 'a ShuffleNet'),
    (r'(.*[./])?layers\.8\.0\.layers\..*', 'an MNASNet'),
    (r'(.*[./])?denseblock4[./]denselayer(17|24)[./].*', 'a DenseNet other than DenseNet-121'),
    (r'(.*[./])?(conv_stem|_conv_stem)[./].*', 'an EfficientNet or MobileNet'),
    (r'(.*[./])?features\.0\.0\.weight', 'a MobileNet, EfficientNet or ConvNeXt'),
    (r'(.*[./])?(downsample_layers|stem)\.0\.(0\.)?weight',
     'a ConvNeXt or a network with a deep stem'),
    (r'(.*[./])?conv1\.0\.(0\.)?weight', 'a ResNet with a deep stem (C, D, S)'),
    (r'(.*[./])?(Conv2d_1a_3x3|Mixed_5b|inception3a|conv2d0)[./].*', 'an Inception network'),
    (r'(.*[./])?res2a_branch2a.*', "Caffe's ResNet, whose strides are on other convolutions"),
    (r'(.*[./])?conv2_block1_1_conv[./].*',
     "Keras's ResNet, whose strides are on other convolutions"),
    (r'(.*[./])?mobilenet\w*', 'a MobileNet'),
    (r'(.*[./])?stem[./].*', 'a network with another stem'))
GROUPED_ALEXNET = ('is AlexNet with groups of channels and perhaps local response normalisation, '
                   'under names of which the order of its layers is not known; with those of Caffe, '
                   'conv1 to fc8, it is supported')


def is_grouped_alexnet(names):
    """conv1 of 11x11, and a second kernel that sees half of its channels; or Caffe's names."""
    shapes = {taken_apart(name) or (name, ''): tensor.shape for name, tensor in names.items()}
    for prefix, second in (('conv1', 'conv2'), ('features.0', 'features.3'),
                           ('features.0', 'features.4'), ('features.conv1', 'features.conv2')):
        for (base, part), shape in shapes.items():
            if part == 'weight' and base.endswith(prefix) and shape[1:] == (3, 11, 11):
                inner = shapes.get((base[:-len(prefix)] + second, 'weight'), ())
                if len(inner) == 4 and inner[1] * 2 == shape[0]:
                    return True
    return False


def known_as(names, table):
    for pattern, what in table:
        if any(re.fullmatch(pattern, name) for name in names):
            return what
    return None
