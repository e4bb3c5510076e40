# docs/measured/trained/runs.sh - what the scripts that train networks and score them share.
#
#   learn NAME ARGUMENTS...         one training; what is there is not trained again, and an
#                                   interrupted one goes on where it was
#   score NAME METHOD ARGUMENTS...  runs of `robustness` of the float16 weights that are kept; their
#                                   tables become FOLDER/NAME-METHOD-moved.csv and -random.csv
#   pair A B METHOD                 runs of two trainings that are both here, picture by picture;
#                                   FOLDER/A-B-METHOD-moved.csv and -random.csv
# Set before: network, names (the words of the command line; none: all); recipe, where it is not that of
# the convolutional networks. Work is kept in $WORK.
study=trained
. docs/measured/common.sh
threads=${THREADS:-0}
recipe=${recipe:---schedule milestones:10,13 --activation softplus:3}
zoo=models/zoo

# All of CIFAR-10 as JPEGs; the first 2,000 pictures of each class are trained on.
pictures=$root/cifar10
if [ ! -d "$pictures" ]; then
    mkdir -p "$pictures.part/twenty"
    for part in train test; do
        tar xzf "$data/cifar10/jpeg/$part.tar.gz" -C "$pictures.part"
    done
    for class in "$pictures.part"/train/*; do
        mkdir "$pictures.part/twenty/${class##*/}"
        mv "$class"/[01]*.jpg "$pictures.part/twenty/${class##*/}"
    done
    mv "$pictures.part" "$pictures"
fi
lossless=$data/cifar10/cifar10_batch_50.png

weights_of() {
    [ -e "$zoo/$network-$1.nw" ] && echo "$zoo/$network-$1.nw" || echo "$work/$1.nw"
}

learn() {
    name=$1
    shift
    if [ -e "$(weights_of "$name")" ]; then
        echo "$network $name: trained before"
        return 0
    fi
    echo "$network $name: is trained"
    ( # blobs say where their pictures were: a path that is the same everywhere
        program=$(realpath "$(command -v "$nemesis")") tested=$(realpath "$lossless")
        cd "$root"
        # shellcheck disable=SC2086
        "$program" train -d cifar10/twenty --test "$tested" --flip --shift 4 --batch 128 --epochs 15 \
            --rate 0.001 --clip 0.5 $recipe "$@" \
            -t "$threads" --log "trained/$network/$name.csv" -o "trained/$network/$name.f32.nw" \
            --resume -q >"trained/$network/$name.txt"
    )
    python3 weights/convert.py "$work/$name.f32.nw" --dtype f16 -o "$work/$name.nw"
}

score() {
    name=$1 method=$2
    shift 2
    measure_maps moved "$lossless" aam,adv-insertion,bound "$@"
    measures=rps,insertion
    [ "$method" != gradient ] || measures=$measures,accuracy # of the network: no map changes it
    images=$pictures/test
    [ $# -eq 0 ] || images=$lossless # of few pictures: the first of a folder are of one class
    measure_maps random "$images" "$measures" "$@"
}

measure_maps() {
    what=$1 images=$2 measures=$3
    shift 3
    if [ -e "$folder/$name-$method-$what.csv" ]; then
        echo "$network $name $method $what: measured before"
        return 0
    fi
    echo "$network $name $method $what: is measured"
    "$nemesis" robustness -m "$(weights_of "$name")" -d "$images" --measures "$measures" \
        --method "$method" --compat clean --conv winograd "$@" -t "$threads" -s 0 \
        -o "$work/$name-$method-$what" --resume -q >"$work/$name-$method-$what.txt"
    shorten "$work/$name-$method-$what/robustness.csv" "$folder/$name-$method-$what.csv"
}

pair() {
    for what in moved random; do
        out=$1-$2-$3-$what.csv
        if [ -e "$work/$1-$3-$what/values.npy" ] && [ -e "$work/$2-$3-$what/values.npy" ]; then
            "$nemesis" compare "$work/$1-$3-$what" "$work/$2-$3-$what" -q -o "$work/$out" >/dev/null
            shorten "$work/$out" "$folder/$out"
        fi
    done
}
