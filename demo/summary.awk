# The table at the end of the demo: detectors alone, as the label of another unit changes without
# meaning much.
# usage: awk -f summary.awk kind=clean tally.csv  kind=noise store=float summary.csv ...
# kind: clean, noise, attack or targeted; store: whose rows
BEGIN {
    FS = ","
    line("detectors whose label changed", "stored", "changed", "95 %", "other", "none", "tie", "kept",
         "target")
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

$column["group"] == "detectors" && $column["store"] == store {
    strength = $column["strength"]
    if (strength == 0)
        what = "nothing (control)"
    else if (kind == "noise")
        what = "noise on every photo, s = " strength
    else
        what = sprintf("designed%s, %g/255", kind == "targeted" ? " for a target" : "",
                       255 * strength)
    line(what, store, $column["changed"] "/" $column["units"],
         percent($column["low"]) "-" percent($column["high"]), $column["other"], $column["none"],
         $column["tie"], percent($column["kept_iou"]) " %",
         kind == "targeted" ? $column["hits"] "/" $column["targeted"] : "")
}

END {
    print "\nother, none, tie: of the changed, those that detect another concept now, nothing, or still"
    print "fit the old one nearly as well; kept: mean part of the old IoU that is left, of all detectors"
    print "\n" red
}

function percent(share) {
    return sprintf("%.1f", 100 * share)
}

function line(what, store, changed, interval, other, none, tie, kept, hits) {
    text = sprintf("%-30s %-6s %7s %9s %6s %5s %4s %8s %7s", what, store, changed, interval, other,
                   none, tie, kept, hits)
    sub(/ +$/, "", text)
    print text
}
