#!/bin/sh
# Whether a method is at home in the program that nothing but its own file and the table of methods
# knows: the toy program, which has `brightest` and `palette` beside Network Dissection, through every
# verb that meets a method. usage: toy_test.sh NEMESIS TOY; the last line is `N passed, N failed`.
nemesis=$(realpath "$1")
toy=$(realpath "$2")
root=$PWD
passed=0 failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
export LC_ALL=C
unset NEMESIS # else the scripts of plans would run it

# check CLAIM COMMAND...: the command succeeds.
check() {
    claim=$1
    shift
    if "$@" >out 2>err; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED  %s: %s\n' "$claim" "$(cat err out | head -c 600)"
    fi
}

# All results but run.json, which has times.
same() {
    diff -r -x run.json "$1" "$2" && [ -e "$2/run.json" ]
}

# Column NAME of a CSV file without quoted fields, row by row.
column() {
    awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
                          { print $at }' "$2"
}

# interrupted FOLDER COMMAND...: a signal in the middle; whether something was left to go on from. A
# moment that came too early or too late is tried again.
interrupted() {
    folder=$1
    shift
    begin=$(date +%s.%N)
    "$@" -o "$folder" >/dev/null
    seconds=$(echo "$begin $(date +%s.%N)" | awk '{ print $2 - $1 }')
    for part in 0.5 0.7 0.3 0.6 0.4 0.8 0.2; do
        rm -rf "$folder"
        "$@" -o "$folder" >/dev/null 2>&1 &
        sleep "$(echo "$part $seconds" | awk '{ print $1 * $2 }')"
        kill -s TERM $! 2>/dev/null # a shell has SIGINT ignored behind &
        wait $!
        code=$?
        [ $code -eq 143 ] && ls -R "$folder" | grep 'checkpoint$' && return
    done
    echo "no moment was in the middle, the last run ended with $code"
    return 1
}

# resumes WANTED COMMAND...: an interrupted run ends as an undisturbed one, the folder WANTED.
resumes() {
    wanted=$1
    shift
    interrupted "resumed-$wanted" "$@" && "$@" -o "resumed-$wanted" --resume &&
        same "$wanted" "resumed-$wanted"
}

"$nemesis" mini -q --images 24 -o world >/dev/null || exit 1
inputs="-m $root/demo/mini.nw -l conv4_2 -d world -b 2 -q"
brightest="$toy describe --method brightest $inputs"
noise="$toy noise --baseline clean --type gaussian --std 0.3 --store float,jpeg75 -b 2 -q"
attack="$toy attack --baseline clean -u 0-2 --eps 8/255 --steps 4 --store float,png8 -q"

# ---- a clean run

check 'describes units' $brightest -o clean
check 'names images' awk -F, 'NR > 1 && $3 !~ /^[^ ]+\.(png|jpg)$/ && $4 != "0" { exit 1 }
                              END { exit NR != 97 }' clean/units.csv
check 'says its method' grep -q '"method": *"brightest"' clean/run.json
check 'has no files of another' test ! -e clean/tally.csv
check 'tells no story where it has none' sh -c "
    ! $toy explain unit 1 --baseline clean 2>said && grep -q 'does not tell' said"

# ---- noise and attacks

check 'sweeps noise' $noise -o noise
check 'takes a noise of nothing for no change' awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["strength"] == 0 && $at["store"] == "float" && $at["changed"] { exit 1 }
    $at["strength"] > 0.2 { changed += $at["changed"] }
    END { exit changed == 0 }' noise/changes.csv
check 'attacks units' $attack -o attack
check 'poisons one image a unit' test "$(column poisoned attack/changes.csv | sort -u)" = 1
check 'aims at random targets' $attack --target random -o targeted
check 'names the targets' test "$(column target targeted/changes.csv | grep -c .)" = 12
check 'aims with its masks from activations' $attack --masks activations -o activations
check 'aims at a soft IoU' $attack --loss soft-iou -o soft

# ---- what is made of runs

for run in clean noise attack targeted; do
    check "has a page of $run" "$toy" report "$run" -o "$run-page" -q
    check "shows pictures of $run" test -n "$(ls "$run-page/photos")"
done
check 'tells of peaks' grep -q 'the peak of their concept' clean-page/index.html
check 'shows no masks' sh -c '! grep -q "mask" noise-page/index.html'
check 'is cut into pieces' $toy plan ${brightest#$toy } --shards 3 -o plan
check 'runs its pieces' sh plan/run.sh pieces 1
check 'merges to the same bytes' same clean pieces
check 'attacks in pieces' sh -c "$toy plan attack clean -u 0-3 --steps 2 --shards 3 -o plan-attack &&
    sh plan-attack/run.sh attack-pieces 1 && $toy attack clean -u 0-3 --steps 2 -o attack-whole"
check 'merges to the same rows' same attack-whole attack-pieces
check 'describes fewer images' $brightest --limit 12 -o fewer
check 'compares' sh -c "$toy compare clean fewer >said && grep -q 'peak >= 1' said"

# ---- interrupted runs

check 'resumes a clean run' resumes clean $brightest
check 'resumes noise' resumes noise $noise
check 'resumes an attack' resumes attack $attack

# ---- a method with options, free descriptions and pixels

printf 'black\ndark\ngrey\npale\nwhite\nblinding\n' >words.txt
palette="$toy describe --method palette --words words.txt $inputs"
check 'tells its options' sh -c "$toy help describe >said && grep -q -- '--words FILE.txt' said &&
    grep -q -- '--pool mean|max' said && grep -q 'default: 3' said"
check 'completes its options' sh -c "$toy completion bash | grep -q \"describe --pool') values='mean max\""
check 'describes in free texts' $palette -o free
check 'has three words a unit' awk -F, 'NR > 1 && split($3, w, " ") != 3 { exit 1 }
                                       END { exit NR != 97 }' free/units.csv
check 'says its options' sh -c 'grep -q "\"pool\": *\"mean\"" free/run.json &&
    grep -q "\"top\": *\"3\"" free/run.json && grep -q "\"path\": *\"words.txt\"" free/run.json &&
    grep -q "\"path_from_run\": *\"../words.txt\"" free/run.json &&
    grep -q "$(sha256sum words.txt | cut -c 1-64)" free/run.json'
check 'takes other options' $palette --pool max --top 2 -o other
check 'gives other texts for them' sh -c '! cmp free/units.csv other/units.csv'
check 'is another run with other options' sh -c "
    ! $palette --top 2 -o free --resume 2>said && grep -q top said"
check 'refuses options of other methods' sh -c "
    ! $brightest --words words.txt -o refused 2>said && grep -q 'brightest does not take it' said"
check 'refuses words that are none' sh -c "
    ! $palette --pool most -o refused 2>said && grep -q 'mean|max' said"
check 'refuses a count of none' sh -c "! $palette --top 0 -o refused 2>said && grep -q 'top' said"
check 'needs its file' sh -c "! $toy describe --method palette $inputs -o refused 2>said &&
    grep -q 'needs --words' said"
check 'misses a file' sh -c "
    ! $toy describe --method palette --words none.txt $inputs -o refused 2>said &&
    grep -q 'words.*none.txt' said"

free_noise="$toy noise --baseline free --type gaussian --std 0.4 --store float,jpeg75 -b 2 -q"
free_attack="$toy attack --baseline free -u 0-1 --eps 16/255 --steps 4 --store float,jpeg75 -q"
check 'sweeps noise of free texts' $free_noise -o free-noise
check 'finds new texts' awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    NR == FNR && !$at["strength"] { next }
    $at["changed"] { changed++; new[$at["new_label"]] }
    END { exit changed == 0 || length(new) < 2 }' free-noise/changes.csv
check 'says how alike texts are' awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    FILENAME ~ /changes/ && $at["strength"] == 0.4 && $at["store"] == "float" {
        n++; sum += $at["similarity"]; low += $at["similarity"] < 0.5 }
    FNR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
    FILENAME ~ /similarity/ && $at["strength"] == 0.4 && $at["store"] == "float" && $at["group"] == "all" {
        mean = $at["mean"]; below = $at["below_0.5"]; found = NF }
    END { exit !(found == 23 && n == 96 && low > 0 && mean - sum / n < 1e-6 && sum / n - mean < 1e-6 &&
                 below - low / n < 1e-6 && low / n - below < 1e-6) }' \
    free-noise/changes.csv free-noise/similarity.csv
check 'attacks units by their pixels' $free_attack -o free-attack
check 'poisons three images a unit' test "$(column poisoned free-attack/changes.csv | sort -u)" = 3
check 'knows no score of other texts' test -z "$(column clean_label_iou free-attack/changes.csv |
    tr -d '\n')"
check 'has no targets' sh -c "! $free_attack --target random -o refused 2>said &&
    grep -q 'moved to a target' said"
check 'resumes a clean run of free texts' resumes free $palette
check 'resumes noise of free texts' resumes free-noise $free_noise
check 'resumes an attack on free texts' resumes free-attack $free_attack
for run in free free-noise free-attack; do
    check "has a page of $run" "$toy" report "$run" -o "$run-page" -q
done
check 'compares free texts' sh -c "$toy compare free other >said && grep -q changed said"
mv words.txt moved.txt
check 'misses a file that moved' sh -c "! $free_noise -o refused 2>said &&
    grep -q 'words.txt, which is not there; name it with --words' said"
check 'takes a file where it is now' $free_noise --words moved.txt -o moved-noise
check 'gives the same bytes for it' same free-noise moved-noise
printf 'black\nwhite\n' >words.txt
check 'refuses another file' sh -c "! $free_noise -o refused 2>said &&
    grep -q 'words.txt: SHA-256 is' said"

# ---- several layers from one pass

layers=conv2_2,conv3_2
for method in dissection "palette --words moved.txt"; do
    several="$toy describe --method $method -m $root/demo/mini.nw -d world -b 2"
    check "describes layers at once by $method" sh -c "
        $several -l $layers -v -o layers 2>said >shown && grep -q '^24 images went .* 2 layers' said &&
        grep -q 'conv3_2 of mini' shown"
    for layer in conv2_2 conv3_2; do
        check "describes $layer alone" $several -l $layer -q -o "alone-$layer"
        check 'gives the same bytes' same "alone-$layer" "layers/$layer"
    done
    check 'has nothing left to do' sh -c "$several -l $layers --json -q -o layers --resume >said &&
        python3 -c 'import json; assert len(json.load(open(\"said\"))) == 2'"
    check 'takes up a layer more' sh -c "$several -l conv2_2,conv3_1 -v -o layers --resume 2>said &&
        grep -q '^24 images went .* 1 layers' said"
    interrupted again $several -l $layers -q >said
    check 'resumes layers' sh -c "$several -l $layers -v -o again --resume 2>said >shown"
    check 'goes on together' awk '/images went/ { exit $1 >= 24 }' said
    for layer in conv2_2 conv3_2; do
        check 'ends with the same bytes' same "alone-$layer" "again/$layer"
    done
    rm -rf layers alone-* again
done
check 'refuses a layer that is not there' sh -c "
    ! $toy dissect -m $root/demo/mini.nw -l conv2_2,conv9_9 -d world -q -o layers 2>said &&
    grep -q \"no layer 'conv9_9'\" said && test ! -e layers"
check 'refuses a layer twice' sh -c "
    ! $toy dissect -m $root/demo/mini.nw -l conv2_2,conv2_2 -d world -q -o layers 2>said &&
    grep -q 'twice' said && test ! -e layers"

# ---- photos without label maps, flat and in folders

mkdir -p photos/b photos/a/deeper photos/.hidden few
cp world/images/mini/00000[0-3].jpg photos/b
cp world/images/mini/00000[4-7].jpg photos/a
cp world/images/mini/000008.jpg photos/z.JPG
cp world/images/mini/000009.jpg photos/.hidden
cp world/images/mini/000009.jpg photos/a/deeper
echo notes >photos/a/notes.txt
"$nemesis" image world/images/mini/000010.jpg --resize 100 -o photos/b/large.png -q >/dev/null
from_photos="-m $root/demo/mini.nw -l conv4_2 -d photos -q"
check 'verifies photos' sh -c "$nemesis verify photos >said && grep -q '^10 photos .* 0 problems' said"
check 'describes by photos' $toy describe --method brightest $from_photos -o by-photos
check 'sees pixels of photos' $toy describe --method palette --words moved.txt $from_photos -o seen
check 'takes the first by their names' $toy describe --method brightest --limit 2 $from_photos -o two
check 'begins with the flat ones' test "$(column description two/units.csv | sort -u | tr '\n' ' ')" = \
    ' a/000004.jpg z.JPG '
check 'sweeps noise on photos' $toy noise seen --type gaussian --std 0.3 -o photos-noise -q
check 'attacks on photos' $toy attack seen -u 0-1 --eps 8/255 --steps 2 -o photos-attack -q
check 'has pages of photos' $toy report photos-attack -q
mv photos/z.JPG photos/zz.JPG
check 'sees that names are others' sh -c "! $toy noise seen --type gaussian --std 0.3 -o refused -q \
    2>said && grep -q 'SHA-256' said"
mv photos/zz.JPG photos/z.JPG
check 'has no categories of photos' sh -c "! $toy describe --method brightest $from_photos \
    --categories color -o refused 2>said && grep -q 'folder of photos' said"
check 'refuses photos where masks are needed' sh -c "! $nemesis dissect $from_photos -o refused \
    2>said && grep -q 'is no probing set' said"
check 'refuses a folder without photos' sh -c "! $toy describe --method brightest -m $root/demo/mini.nw -l conv4_2 -d few -o refused -q \
    2>said && grep -q 'has no photo in it' said"
printf 'GIF89a' >photos/x.gif
head -c 300 world/images/mini/000003.jpg >photos/a/broken.jpg
ln -s . photos/self
check 'tells what is wrong with photos' sh -c "$nemesis verify photos >said
    [ \$? -eq 1 ] && grep -q 'x.gif: is neither' said && grep -q 'broken.jpg: ' said &&
    grep -q 'symbolic link' said && grep -q '^14 photos .* 4 problems' said"
rm photos/self
check 'refuses a broken photo by name' sh -c "! $toy describe --method brightest $from_photos \
    -o refused 2>said && grep -q 'photos/x.gif: is neither' said"

# ---- the other method, and the program without the toy

check 'dissects' "$nemesis" dissect $inputs -o dissected
check 'leaves dissection alone' "$toy" dissect $inputs -o toy-dissected
check 'gives its bytes' same dissected toy-dissected
check 'describes as dissect does' "$nemesis" describe --method dissection $inputs -o described
check 'gives the same bytes' same dissected described
check 'is unknown to the program itself' sh -c "
    $nemesis describe --method brightest $inputs -o refused 2>said
    [ \$? -eq 2 ] && grep -q 'brightest.*dissection' said"
check 'has runs that the program itself refuses' sh -c "
    $nemesis noise --baseline clean --type gaussian --std 0.1 -o refused -q 2>said
    [ \$? -ne 0 ] && grep -q brightest said"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
