#!/bin/sh
# Units of the three stages of CIFAR-10's ResNet-20 with its published weights.
# usage: sh docs/measured/units/resnet20.sh [LAYER...]
network=resnet20
names=$*
. docs/measured/units/runs.sh

prepare cifar10_resnet/resnet20-12fca82f.th ""
for stage in 1 2 3; do
    measure layer$stage
done
