# Compares outputs of `bench --json`: awk -f compare.awk BASE NEW [NEW...]. Rows are matched by verb,
# name, isa and threads. A row that a file has twice, or several NEW have, counts as one with all runs.
#
# A row is slower if its median is by more than 5 % and its best run took longer than nine in ten of the
# base's, so beyond what the runs differ among themselves; a row of one run is given the spread of the
# other side. Where others had the cores for a fifth of the time the verdict is `unsure`. Status 1: a row
# is slower; 2: no row could be compared. With -v check=1 the one file is checked alone: prints the
# option that measures its rows again, or tells on stderr why it cannot be a base, status 2.
function field(key,    text)
{
    if (!match($0, "\"" key "\":(\"[^\"]*\"|[^,}]*)"))
        return ""
    text = substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
    gsub(/"/, "", text)
    return text
}

function refuse(text)
{
    print text > "/dev/stderr"
    refused = 1
    exit 2
}

function value(key, otherwise)
{
    return field(key) == "" ? otherwise : field(key) + 0
}

# Merges the row at hand into what `side` has of it.
function keep(side, id,    at, ms)
{
    at = side SUBSEP id
    ms = field("ms_per_image") + 0
    if (!(at in count) || value("best_ms", ms) < best[at])
        best[at] = value("best_ms", ms)
    if (!(at in count) || value("p90_ms", ms) > late[at])
        late[at] = value("p90_ms", ms)
    if (!(at in count) || value("cores_shared", 0) > shared[at])
        shared[at] = value("cores_shared", 0)
    sum[at] += ms
    share[at] += value("peak_gflops", 0) > 0 ? value("gflops", 0) / value("peak_gflops", 1) : 0
    count[at]++
}

/[^ \t\r]/ {
    if ($0 !~ /^\{.*\}[ \t\r]*$/ || field("verb") == "" || field("name") == "" || field("isa") == "" ||
        field("ms_per_image") + 0 <= 0)
        refuse(FILENAME ": line " FNR " is not a row of `bench --json`")
    id = field("verb") " | " field("name") " | " field("isa") " | " field("threads")
    if (check || FILENAME == ARGV[1]) {
        if (!(("base", id) in count))
            order[++rows] = id
        keep("base", id)
        needs_all = needs_all || field("title") == ""
    } else {
        if (!(("base", id) in count) && !(("new", id) in count))
            printf "%-62s %10s %10.4g  new\n", id, "", field("ms_per_image")
        keep("new", id)
    }
}

function verdict(id, change,    b, n, base_spread, new_spread, high, low, kind)
{
    b = "base" SUBSEP id
    n = "new" SUBSEP id
    base_spread = late[b] - best[b]
    new_spread = late[n] - best[n]
    high = late[b] + (base_spread > 0 ? 0 : new_spread)
    low = best[n] - (new_spread > 0 ? 0 : base_spread)
    if (change > 5 && low > high)
        kind = "SLOWER"
    else if (change < -5 && late[n] + (new_spread > 0 ? 0 : base_spread) < best[b] - (base_spread > 0 ? 0 : new_spread))
        kind = "faster"
    else
        return change > 5 || change < -5 ? "within the spread" : ""
    if (shared[b] < 0.2 && shared[n] < 0.2)
        return kind
    return "unsure: cores were shared"
}

END {
    if (refused)
        exit 2
    if (!rows)
        refuse(ARGV[1] ": empty, expected rows of `bench --json`")
    if (check) {
        print needs_all ? "--all" : ""
        exit 0
    }
    for (i = 1; i <= rows; i++) {
        id = order[i]
        b = "base" SUBSEP id
        n = "new" SUBSEP id
        if (!(n in count)) {
            printf "%-62s %10.4g  gone\n", id, sum[b] / count[b]
            gone++
            continue
        }
        change = 100 * (sum[n] / count[n] / (sum[b] / count[b]) - 1)
        flag = verdict(id, change)
        printf "%-62s %10.4g %10.4g %+7.1f %%", id, sum[b] / count[b], sum[n] / count[n], change
        if (share[b] > 0 && share[n] > 0)
            printf "  of peak %+6.1f %%", 100 * (share[n] / count[n] / (share[b] / count[b]) - 1)
        printf "  %s\n", flag
        slower += flag == "SLOWER"
        unsure += flag ~ /^unsure/
    }
    if (gone == rows)
        refuse(ARGV[1] ": none of its rows was measured again (other threads, instruction set or machine?)")
    printf "%d slower by more than 5 %% and the spread of its runs, %d unsure, %d gone\n", slower, unsure, gone
    exit slower > 0
}
