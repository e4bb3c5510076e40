#!/bin/sh
# Maps of softplus networks beside those of the ReLU network, for beta 1 to 1000: ResNet-20 (published
# CIFAR-10 weights) on the first 50 test images. Half a minute of one core; needs what runs.sh says.
# usage: sh docs/measured/maps/softplus.sh
network=softplus
names=
. docs/measured/maps/runs.sh

[ -e "$work/network.nw" ] ||
    python3 weights/convert.py "$data/weights/cifar10_resnet/resnet20-12fca82f.th" -o "$work/network.nw"
"$nemesis" image "$data/cifar10/cifar10_batch_50.png" -o "$work/pictures.npy" >"$work/pictures.txt"
python3 docs/measured/maps/softplus.py input "$work/pictures.npy" 50 32 "$work/input.npy"
maps="-m $work/network.nw $work/input.npy --method gradient,gradient-x-input,guided,lrp --overwrite -q"
"$nemesis" attribute $maps -o "$work/maps" >"$work/maps.txt"
"$nemesis" attribute $maps -o "$work/smooth" --beta 1,3,10,30,100,300,1000 >"$work/smooth.txt"
python3 docs/measured/maps/softplus.py compare "$work/maps" "$work/smooth" >"$folder/resnet20-maps.csv"
