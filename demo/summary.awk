# The table at the end of the demo: detectors alone, as the label of another unit changes without
# meaning much.
# usage: awk -v width=80 -f summary.awk kind=clean tally.csv  kind=noise store=float summary.csv ...
# kind: clean, noise, attack, targeted, word, says (what a method calls units), or the name of a
# training; store: whose rows; word: what a map became; method 1 to 3; state: clean, or the unit whose
# attack poisoned the photos
BEGIN {
    FS = ","
    line("detectors", "stored", "changed", "95 %", "other", "none", "tie", "kept", "target")
}

FNR == 1 {
    for (i = 1; i <= NF; i++)
        column[$i] = i
    next
}

kind == "clean" {
    if ($column["unit0"] == 0)
        red = sprintf("unit 0, wired by hand to see red: %s %s, IoU %.4f", $2, $3, $4)
    next
}

kind == "word" {
    pcc[$column["control"]] = sprintf("%.2f", $column["map_pcc_target"])
    if ($column["control"] == 0)
        kept = $column["class_before"] == $column["class_after"] ? "stays" : "changes"
    next
}

kind == "plain" || kind == "aligned" {
    what   = $column["measure"] ($column["measure"] == "rps" && $column["setting"] == 0 ? "0" : "")
    number = sprintf("%.2f", $column["value"])
    if ($column["similarity"] == "pcc")
        maps[kind, what] = what == "rps0" ? number : number " (" range() ")"
    if ($column["measure"] == "accuracy" && $column["setting"] == "clean")
        maps[kind, what] = int($column["value"] * $column["count"] + 0.5) " of " $column["count"]
    next
}

kind == "says" {
    says[$column["unit"], state, method] = $column["description"]
    next
}

$column["group"] == "detectors" && $column["store"] == store {
    strength = $column["strength"]
    if (strength == 0)
        what = "control"
    else if (kind == "noise")
        what = "noise, s = " strength
    else
        what = sprintf("%s, %g/255", kind == "targeted" ? "for a target" : "designed",
                       255 * strength)
    line(what, store, $column["changed"] "/" $column["units"],
         percent($column["low"]) "-" percent($column["high"]), $column["other"], $column["none"],
         $column["tie"], percent($column["kept_iou"]) " %",
         kind == "targeted" ? $column["hits"] "/" $column["targeted"] : "")
}

END {
    print ""
    say("control: stored, not perturbed; changed: detectors with another label now. Of these, other " \
        "detect another concept, none detect nothing, tie still fit the old one nearly as well. " \
        "kept: mean part of the old IoU that is left, of all detectors.")
    print ""
    say(red)
    if (word != "")
        say("one photo, its map of relevance moved: correlation with the word " word " " pcc[1] \
            " before, " pcc[0] " after; the photo's class " kept)
    print ""
    print_trainings()
    print ""
    print_methods(5)
    print_methods(20)
    print ""
    say("what three methods call a unit, MILAN and CLIP-Dissect by the networks that are built in, and " \
        "after one attack each, within 8/255, designed against its label by dissection: all three look at " \
        "the same poisoned photos, and what moves one need not move the others.")
}

function print_methods(unit) {
    if (unit == 5)
        called("unit", "photos", "dissection", "MILAN", "CLIP-Dissect")
    called(unit, "clean", says[unit, "clean", 1], says[unit, "clean", 2], says[unit, "clean", 3])
    called(unit, "poisoned", says[unit, unit, 1], says[unit, unit, 2], says[unit, unit, 3])
}

function called(unit, photos, first, second, third) {
    printf "%4s  %-8s  %-12s  %-18s  %s\n", unit, photos, first, second, third
}

function print_trainings() {
    pair("two trainings of one network", "for answers alone", "and for maps that stay")
    pair("photo not moved (control)", maps["plain", "rps0"], maps["aligned", "rps0"])
    pair("noise of 8/255", maps["plain", "rps"], maps["aligned", "rps"])
    pair("attack within 8/255", maps["plain", "aam"], maps["aligned", "aam"])
    pair("right answers", maps["plain", "accuracy"], maps["aligned", "accuracy"])
    print ""
    say("correlation of the maps of photos that were moved with those of the photos as they are, means of " \
        "20 photos and 95 %: 1 is the same map. Right answers of 1000 photos: demo/README.md.")
}

function pair(what, plain, aligned) {
    printf "%-28s  %-17s  %s\n", what, plain, aligned
}

function range() {
    return sprintf("%.2f-%.2f", $column["low"], $column["high"])
}

function percent(share) {
    return sprintf("%.1f", 100 * share)
}

# Narrow terminals do without the interval and the target.
function line(what, store, changed, interval, other, none, tie, kept, hits) {
    text = sprintf("%-19s %-6s %7s", what, store, changed)
    if (width >= 76)
        text = text sprintf(" %9s", interval)
    text = text sprintf(" %5s %4s %3s %7s", other, none, tie, kept)
    if (width >= 76)
        text = text sprintf(" %6s", hits)
    sub(/ +$/, "", text)
    print text
}

# Words in lines as wide as the terminal.
function say(text, words, count, i, row) {
    count = split(text, words, " ")
    for (i = 1; i <= count; i++) {
        if (row != "" && length(row) + 1 + length(words[i]) >= width) {
            print row
            row = ""
        }
        row = row (row == "" ? "" : " ") words[i]
    }
    print row
}
