# Compares two outputs of `bench --json`: awk -f compare.awk BASE NEW. Rows are matched by verb, name,
# isa and threads; times are medians. A row that is more than 5 % slower ends the run with status 1.
# Where the measured peaks of the machine differ, shares of peak say more than times, so both are shown.
function field(key,    text)
{
    if (!match($0, "\"" key "\":(\"[^\"]*\"|[^,}]*)"))
        return ""
    text = substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
    gsub(/"/, "", text)
    return text
}

/^\{/ {
    id = field("verb") " | " field("name") " | " field("isa") " | " field("threads")
    ms = field("ms_per_image")
    share = field("peak_gflops") > 0 ? field("gflops") / field("peak_gflops") : 0
    if (FILENAME == ARGV[1]) {
        base_ms[id] = ms
        base_share[id] = share
    } else if (!(id in base_ms)) {
        printf "%-62s %10s %10.4g  new\n", id, "", ms
    } else {
        change = 100 * (ms / base_ms[id] - 1)
        flag = change > 5 ? "SLOWER" : change < -5 ? "faster" : ""
        printf "%-62s %10.4g %10.4g %+7.1f %%", id, base_ms[id], ms, change
        if (share > 0 && base_share[id] > 0)
            printf "  of peak %+6.1f %%", 100 * (share / base_share[id] - 1)
        printf "  %s\n", flag
        slower += change > 5
        seen[id] = 1
    }
}

END {
    for (id in base_ms)
        if (!(id in seen))
            printf "%-62s %10.4g  gone\n", id, base_ms[id]
    printf "%d slower by more than 5 %%\n", slower
    exit slower > 0
}
