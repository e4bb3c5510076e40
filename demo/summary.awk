# The table at the end of the demo: detectors alone, as the label of another unit changes without
# meaning much.
# usage: awk -f summary.awk kind=clean tally.csv  kind=noise store=float summary.csv ...
# kind: clean, noise, attack or targeted; store: whose rows
BEGIN {
    FS = ","
    line("detectors whose label changed", "stored as", "changed", "share", "95 %", "on target")
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
        what = kind == "noise" ? "nothing (control)" : "nothing (control of the next rows)"
    else if (kind == "noise")
        what = "noise on every photo, s = " strength
    else
        what = sprintf("designed%s, %g/255", kind == "targeted" ? " for a target" : "",
                       255 * strength)
    line(what, store, $column["changed"] "/" $column["units"], percent($column["share"]) " %",
         percent($column["low"]) "-" percent($column["high"]),
         kind == "targeted" ? $column["hits"] "/" $column["targeted"] : "")
}

END {
    print "\n" red
}

function percent(share) {
    return sprintf("%.1f", 100 * share)
}

function line(what, store, changed, share, interval, hits) {
    text = sprintf("%-35s %-9s %7s %8s %10s %10s", what, store, changed, share, interval, hits)
    sub(/ +$/, "", text)
    print text
}
