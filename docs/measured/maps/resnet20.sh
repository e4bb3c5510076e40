#!/bin/sh
# Attacks on the maps of ResNet-20 (CIFAR-10, published weights): 50 pairs of test images by lot, the
# published settings; SmoothGrad a third of its steps.
# usage: sh docs/measured/maps/resnet20.sh [NAME...]
# Every NAME is meant to take less than 45 minutes of two idle cores.
network=resnet20
names=$*
. docs/measured/maps/runs.sh
prepare cifar10_resnet/resnet20-12fca82f.th cifar10/cifar10_batch_0.png
pairs="-d $data/cifar10/cifar10_batch_50.png --patterns $work/patterns.nw --pairs"

measure_main 50 10
measure lrp-smoothgrad $pairs 20 --method lrp --preset table4 --smooth 10:0.05 --steps 500
measure integrated $pairs 20 --method integrated
measure gradient-smoothgrad $pairs 50 --method gradient --preset table4 --smooth 10:0.05 --steps 500
for method in lrp-epsilon lrp-gamma lrp-alpha2beta1 lrp-epsilon-plus; do
    measure $method $pairs 5 --method $method --steps 500
done
