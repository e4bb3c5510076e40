#!/bin/sh
# Starts another program for `bench --against`: start.sh NAME THREADS FOLDER KIND ...
#   KIND model|train: ARCH UPTO PASS BATCH; KIND product: M N K.
# Its first line is `ready WHAT` or `absent SENTENCE`; then it reads a number N a line, does the work N
# times and answers the ms of one and, if it knows, by how many bytes its memory was ever larger than at
# first. FOLDER holds weights.nw and pixels.f32 (and moved.f32 for an attack on a map), or a.f32 and b.f32;
# what the first turn computed is left there as output.f32.
here=$(dirname "$0")
modules=${PEERS:-build/peers}/node_modules
python=/usr/bin/python3 # Debian's, which sees Debian's PyTorch
absent() {
    echo "absent $*"
    exit 0
}
has() {
    command -v "$1" >/dev/null 2>&1
}
name=$1
shift
# Settings of one of the shell's own would slow a peer down.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OMP_NUM_THREADS OPENBLAS_NUM_THREADS
fast=$(echo /usr/lib/*/openblas-pthread) # one of several that PyTorch can be linked to
case $name in
torch)
    has $python || absent "Python is not installed (python3)"
    # OpenBLAS has threads of its own, which PyTorch does not set.
    LD_LIBRARY_PATH=$fast OPENBLAS_NUM_THREADS=$1 exec $python "$here/torch_peer.py" "$@"
    ;;
onnxruntime)
    has $python || absent "Python is not installed (python3)"
    has node || absent "Node is not installed (nodejs)"
    [ -d "$modules/onnxruntime-node" ] ||
        absent "ONNX Runtime is not installed (make peers): left out"
    $python "$here/onnx_model.py" "$2/weights.nw" "$4" "$5" "$7" "$2/model.onnx" || exit 1
    NODE_PATH=$modules exec node "$here/onnxruntime_peer.js" "$1" "$2" "$7"
    ;;
openblas)
    program=${PEERS:-build/peers}/openblas_peer
    [ -x "$program" ] || absent "OpenBLAS is not installed (libopenblas-dev, make peers): left out"
    LD_LIBRARY_PATH=$fast OPENBLAS_NUM_THREADS=$1 exec "$program" "$2" "$4" "$5" "$6"
    ;;
*)
    absent "no peer is called '$name'"
    ;;
esac
