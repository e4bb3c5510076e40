#!/bin/sh
# Units of the blocks of a vision transformer trained on CIFAR-10 (6 blocks, width 128).
# usage: sh docs/measured/units/vit_cifar10.sh [LAYER...]
network=vit_cifar10
names=$*
. docs/measured/units/runs.sh

prepare vit_cifar10/vit_cifar10.pth "--heads 8"
for block in 0 1 2 3 4 5; do
    measure encoder_layer_$block
done
