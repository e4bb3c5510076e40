#!/bin/sh
# Units of two blocks of MobileNetV2 (ImageNet, published weights of the trunk), on photos as they are.
# usage: sh docs/measured/units/mobilenet_v2.sh [LAYER...]
network=mobilenet_v2
names=$*
. docs/measured/units/runs.sh
probe=$data/broden_mini

prepare mobilenetv2_imagenet_trunk ""
for block in 6 13; do
    measure features.$block
done
