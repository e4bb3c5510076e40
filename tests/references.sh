#!/bin/sh
# References in comments and documentation: (D4), (D6 to D9), (Q2, Q5) must be labels that a page of
# docs/methods prints in bold, and nothing may refer to a text that is not in the repository.
# Four checks; a finding is a line with file and line number. The last line is `N passed, N failed`.
export LC_ALL=C
pages=$(ls docs/methods/*.md) || exit 1
folders=$(ls -d engine base format text probe image mini models nem attack study attribution training \
    report cli tests bench weights 2>/dev/null)
findings=$(mktemp) || exit 1
trap 'rm -f "$findings"' EXIT
passed=0 failed=0

# check NAME: runs the function of that name, shows its findings and counts it as one check.
check() {
    if "$1" >"$findings" && [ ! -s "$findings" ]; then
        passed=$((passed + 1))
    else
        sed "s|^|FAILED  $1: |" "$findings"
        failed=$((failed + 1))
    fi
}

files() {
    # shellcheck disable=SC2086
    find $folders \( -name '*.c' -o -name '*.h' -o -name '*.py' \) | sort
    find docs -name '*.md' | sort
    ls DESIGN.md README.md
}

# words(): what of the line is written for people: the whole line of a page, the comments of a
# program. Blocks may span lines; a bold label at the start of a line defines it.
words='
    function words(    text, at, open, out) {
        if (FNR == 1)
            inside = ""
        text = $0
        if (FILENAME ~ /\.md$/)
            return text
        open = FILENAME ~ /\.py$/ ? "\"\"\"|#" : "/\\*|//"
        while (text != "") {
            if (inside == "") {
                if (!match(text, open))
                    break
                inside = substr(text, RSTART, RLENGTH)
                text   = substr(text, RSTART + RLENGTH)
                out    = out " "
            }
            if (inside == "#" || inside == "//") {
                inside = ""
                return out text
            }
            at = index(text, inside == "/*" ? "*/" : inside)
            if (!at)
                return out text
            out    = out substr(text, 1, at - 1)
            text   = substr(text, at + length(inside))
            inside = ""
        }
        return out
    }
    function find(what) {
        print FILENAME ":" FNR ": " what
    }
    function label() {
        return match($0, /^\*\*\([A-Z][0-9]+\)\*\*/) ? substr($0, 4, RLENGTH - 6) : ""
    }'

# One letter a page, numbers from 1 without a gap, no label twice.
labels() {
    # shellcheck disable=SC2086
    awk "$words"'
        FNR == 1 { number = 0 }
        label() != "" {
            letter = substr(label(), 1, 1)
            if (letter in page && page[letter] != FILENAME)
                find("letter " letter " belongs to " page[letter])
            else if (substr(label(), 2) + 0 != ++number)
                find("label " label() ", expected " letter number)
            page[letter] = FILENAME
        }' $pages
}

# Letters that no page has are not looked for: they are something else.
references() {
    # shellcheck disable=SC2046,SC2086
    awk "$words"'
        pass == 1 {
            if (label() != "") {
                defined[label()] = 1
                letters[substr(label(), 1, 1)] = 1
            }
            next
        }
        {
            text = words()
            rest = text
            while (match(rest, /\([A-Z][0-9]+((, | to | and )[A-Z][0-9]+)*\)/)) {
                count = split(substr(rest, RSTART + 1, RLENGTH - 2), list, /, | to | and /)
                rest  = substr(rest, RSTART + RLENGTH)
                for (i = 1; i <= count; i++)
                    if (substr(list[i], 1, 1) in letters && !(list[i] in defined))
                        find("no page of docs/methods defines (" list[i] ")")
            }
            while (match(text, /docs\/methods\/[a-z-]+\.md/)) {
                path = substr(text, RSTART, RLENGTH)
                text = substr(text, RSTART + RLENGTH)
                if ((getline line < path) < 0)
                    find("there is no " path)
                close(path)
            }
        }' pass=1 $pages pass=2 $(files)
}

# Nothing points to a text that is not here: "(6.2)", a section of nothing, a nameless specification.
# A paper or a standard is named with a comma before its section.
sources() {
    # shellcheck disable=SC2046
    awk "$words"'
        FNR == 1 { before = "" }
        {
            text = words()
            if (match(text, /(^|[^A-Za-z0-9_)\]])\([1-9][0-9]?\.[0-9]+((, | to )[0-9]+\.[0-9]+)*\)/))
                find("a section of what?" substr(text, RSTART, RLENGTH))
            if (match(text, /[Nn]euron-explanation specification|study.s specification|\(specification/))
                find("which text? " substr(text, RSTART, RLENGTH))
            if (match(text, /[Gg]olden vectors? [0-9]/))
                find("examples have labels, see docs/methods/worked-examples.md")
            whole = before " " text
            while (match(whole, /[Ss]ections? [0-9]/)) {
                if (RSTART > length(before) && substr(whole, 1, RSTART - 1) !~ /, [ *]*$/)
                    find("of what? " substr(whole, RSTART, RLENGTH))
                whole = substr(whole, 1, RSTART - 1) "#" substr(whole, RSTART + 1)
            }
            before = text
        }' $(files)
}

# A page is read in one sitting.
lengths() {
    # shellcheck disable=SC2086
    awk 'FNR == 201 { print FILENAME ":" FNR ": a page has at most 200 lines" }' $pages
}

for name in labels references sources lengths; do
    check "$name"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
