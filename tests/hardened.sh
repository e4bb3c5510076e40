#!/bin/sh
# What the released program promises about itself, read from the file: it starts no process, opens
# no socket, loads no code, and carries every defence its toolchain offers.
# usage: hardened.sh PROGRAM OBJECTS_FOLDER
export LC_ALL=C
program=$1 objects=$2
passed=0 failed=0

# claim TEXT COMMAND...: counts it as passed if the command succeeds without printing.
claim() {
    text=$1
    shift
    if found=$("$@" 2>&1) && [ -z "$found" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED  hardened: %s\n%s\n' "$text" "$found" | head -n 20
    fi
}

imports=$(nm -D --undefined-only "$program" | awk '{ sub(/@.*/, "", $2); print $2 }')
headers=$(readelf -hlW "$program") dynamic=$(readelf -dW "$program")

absent() { printf '%s\n' "$imports" | grep -xE "$1" && return 1; return 0; }
present() { printf '%s\n' "$imports" | grep -qxE "$1"; }
header() { printf '%s\n' "$headers" | grep -qE "$1"; }
in_dynamic() { printf '%s\n' "$dynamic" | grep -qE "$1"; }
not_in_dynamic() { printf '%s\n' "$dynamic" | grep -E "$1" && return 1; return 0; }
no_segment() { printf '%s\n' "$headers" | grep -E "$1" && return 1; return 0; }
needs_only() {
    in_dynamic NEEDED && printf '%s\n' "$dynamic" | grep NEEDED |
        grep -vE '\[(libc|libm|ld-linux[a-z0-9-]*)\.so'
    [ $? -eq 1 ]
}

# Every object carries the mark; the linked program only where the C start files do too.
marked() {
    find "$objects" -name '*.o' -not -path '*/tests/*' -not -path '*/bench/*' | while read -r object; do
        readelf -nW "$object" | grep -q 'x86 feature: IBT, SHSTK' || echo "$object"
    done
}

# No system call but through the C library.
direct_calls() { objdump -d --no-show-raw-insn "$program" | grep -wE '(syscall|sysenter|int +\$0x80)'; [ $? -eq 1 ]; }

claim "starts no process" absent 'system|popen|exec.*|fexecve|v?fork|_Fork|clone[0-9]*|posix_spawn.*|wordexp|syscall|ptrace'
claim "loads no code" absent 'dl(open|mopen|sym|vsym)|mprotect|pkey_mprotect|memfd_create'
claim "opens no network connection" absent \
    'socket|socketpair|connect|bind|listen|accept4?|send(to|msg|mmsg)?|recv(from|msg|mmsg)?|get(addrinfo|hostby.*|nameinfo)|res_.*'
claim "writes no text without a bound" absent '(__)?(v?sprintf|strcpy|stpcpy|strcat|gets)(_chk)?'
claim "makes no guessable temporary name" absent 'mktemp|tmpnam(_r)?|tempnam'
claim "needs the C library alone" needs_only
claim "is position independent" header 'Type: +DYN'
claim "says so to the loader" in_dynamic 'FLAGS_1.*PIE'
claim "binds every import at start" in_dynamic 'BIND_NOW'
claim "makes its tables read-only" header 'GNU_RELRO'
claim "has no executable stack" header 'GNU_STACK .* RW +0x'
claim "has no segment that is writable and executable" no_segment 'LOAD .* RWE '
claim "relocates no code" not_in_dynamic 'TEXTREL'
claim "carries no search path" not_in_dynamic 'R(UN)?PATH'
claim "guards its stack" present '__stack_chk_fail'
claim "bounds copies and prints" present '__(memcpy|snprintf|vsnprintf)_chk'
case $(readelf -hW "$program") in
*X86-64*)
    claim "marks the targets of indirect calls" marked
    claim "makes no direct system call" direct_calls
    ;;
esac

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
