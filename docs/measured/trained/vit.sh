#!/bin/sh
# Trains a small vision transformer on the 20,000 pictures of CIFAR-10 that lenet.sh takes, for as many
# steps; held-out pictures are scored as there. It has no ReLU to be smoothed, and its recipe is that of
# transformers: AdamW with a cosine schedule.
# usage: sh docs/measured/trained/vit.sh [NAME...]
# Meant to take less than 45 minutes of two idle cores.
network=vit
names=$*
recipe='--schedule cosine'
. docs/measured/trained/runs.sh

is_wanted ce-1 && learn ce-1 --arch vit --optimiser adamw --decay 0.05 -s 1
