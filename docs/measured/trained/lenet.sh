#!/bin/sh
# Trainings of LeNet on 20,000 pictures of CIFAR-10, and how far the maps of each move: attacks and
# gradients beside Hessians on 1,000 lossless test pictures, all else on all 10,000.
# usage: sh docs/measured/trained/lenet.sh [NAME...]
# Every NAME is meant to take less than 45 minutes of two idle cores.
network=lenet
names=$*
. docs/measured/trained/runs.sh

objective() {
    name=$1 seed=$2
    shift 2
    is_wanted "$name" || return 0
    learn "$name" --arch lenet --optimiser adam --decay 4e-5 -s "$seed" "$@"
    score "$name" gradient
}

for seed in 1 2; do
    objective ce-$seed $seed
    objective l2-cosd-$seed $seed --objective l2-cosd --lambda-l2 0.01 --lambda-cos 1
    objective hessian-$seed $seed --objective hessian --lambda-hessian 0.001
done
objective cos-1 1 --objective l2-cosd --lambda-l2 0 --lambda-cos 1
objective l2-1 1 --objective l2-cosd --lambda-l2 0.01 --lambda-cos 0
objective pgd-1 1 --objective pgd --attack-eps 4/255 --attack-steps 5

# Other maps, of the three main ones.
for name in ce-1 l2-cosd-1 hessian-1; do
    is_wanted $name || continue
    score $name gradient-x-input
    score $name lrp-epsilon-plus
    score $name integrated --limit 50
done

# Which training moves its maps less, picture by picture.
for seed in 1 2; do
    is_wanted pairs-$seed || continue
    for method in gradient gradient-x-input lrp-epsilon-plus integrated; do
        pair ce-$seed hessian-$seed $method
        pair hessian-$seed l2-cosd-$seed $method
        pair ce-$seed l2-cosd-$seed $method
    done
done
! is_wanted pairs-1 || pair l2-1 cos-1 gradient
