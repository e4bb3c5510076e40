#!/bin/sh
# Maps of softplus networks beside those of the ReLU network, for beta 1 to 1000, and gradients beside
# other maps: ResNet-20 (published CIFAR-10 weights) on the first 50 test images. A minute of one core.
# usage: sh docs/measured/maps/softplus.sh
network=softplus
names=
. docs/measured/maps/runs.sh

prepare cifar10_resnet/resnet20-12fca82f.th cifar10/cifar10_batch_0.png
"$nemesis" image "$data/cifar10/cifar10_batch_50.png" -o "$work/pictures.npy" >"$work/pictures.txt"
python3 docs/measured/maps/softplus.py input "$work/pictures.npy" 50 32 "$work/input.npy"
maps="-m $work/network.nw $work/input.npy --overwrite -q --method gradient,gradient-x-input,guided,lrp"
"$nemesis" attribute $maps,pattern --patterns "$work/patterns.nw" -o "$work/maps" >"$work/maps.txt"
"$nemesis" attribute $maps --beta 1,3,10,30,100,300,1000 -o "$work/smooth" >"$work/smooth.txt"
python3 docs/measured/maps/softplus.py compare "$work/maps" "$work/smooth" >"$folder/resnet20-maps.csv"
python3 docs/measured/maps/softplus.py alike "$work/maps" "$work/smooth" >"$folder/resnet20-alike.csv"
