#!/bin/bash
# virt for Windows, made with mingw-w64 and run with wine: what a client is there for.
#
#     tests/windows.sh [word...]      only the checks whose names contain a word; "tests" is the test programs
#
# Prints a line for each check, what was said by those that fail, and the total last. WINDOWS_TARGET names another
# compiler's target (i686-w64-mingw32). libxml2 and cJSON are built once, into build/cross/TARGET. The variant of
# the compiler is "posix": virt needs pthreads anyway, and only with this one has C++ std::thread too.
set -u
cd "$(dirname "$0")/.." || exit 2

target=${WINDOWS_TARGET:-x86_64-w64-mingw32}
root=$PWD/build/cross/$target
work=$(mktemp -d "${TMPDIR:-/tmp}/vtwin-XXXXXX") || exit 2
words=("$@")
jobs=$(nproc 2> /dev/null || echo 2)
cc=$target-gcc
command -v "$cc-posix" > /dev/null && cc=$cc-posix

# A world of wine's own, which ends with this script.
export WINEPREFIX=$work/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
unset DISPLAY
server=
for wine in "$(command -v wine64)" "$(command -v wine)" /usr/lib/wine/wine64; do
    [ -x "$wine" ] && break
done
leave()
{
    [ -z "$server" ] || "$server" -k -w > /dev/null 2>&1
    rm -rf "$work"
}
trap leave EXIT

wanted()
{
    local word
    [ ${#words[@]} -gt 0 ] || return 0
    for word in "${words[@]}"; do
        [[ $1 == *"$word"* ]] && return 0
    done
    return 1
}

# check NAME COMMAND...: passed if the command succeeds, which runs in a shell of its own
check()
{
    local name=$1 log=$work/log
    shift
    wanted "$name" || return 0
    if ("$@") > "$log" 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        head -n 40 "$log" | sed 's/^/    /'
    fi
}

skip()
{
    wanted "$1" || return 0
    echo "skip  $1: $2"
}

# ---------- what is checked ----------

# As a user compiles it, and behind all of Windows's own headers.
one()
{
    # shellcheck disable=SC2086
    $cc -std=gnu11 -O2 $warnings $cflags "$@" -c -o "$work/one.o" virt.c
}

# The headers are the same; nothing is linked.
thirtytwo()
{
    local cc=i686-w64-mingw32-gcc
    one
}

hidden()
{
    local exported
    printf '#define VIRT_STATIC\n#include "virt.c"\nint used(void);\nint used(void)\n{\n    return virInitialize();\n}\n' > "$work/static.c"
    # shellcheck disable=SC2086
    $cc -O1 $warnings $cflags -I. -c -o "$work/static.o" "$work/static.c" || return 1
    exported=$("$target-nm" --defined-only --extern-only "$work/static.o" | awk '$2 != "r" && $3 != "used" && $3 !~ /^\.(refptr|rdata)/ { print $3 }')
    [ -z "$exported" ] || { echo "exported: $exported"; return 1; }
}

separate()
{
    mkdir -p "$work/separate"
    printf '%s\n' virt.c drivers/common/*.c drivers/lock/*.c drivers/migration/*.c drivers/test/*.c | xargs -P "$jobs" -I{} sh -c "
        $cc -std=gnu11 -O1 $warnings $cflags -DVIRT_SEPARATE_OBJECTS -c -o \"$work/separate/\$(echo {} | tr / _).o\" {}" &&
        "$target-ar" rcs "$work/libvirt-embed.a" "$work"/separate/*.o &&
        program "$work/static.exe" examples/hello.c "$work/libvirt-embed.a" &&
        run "$work/static.exe" | grep -q '^test .*running .*2048 MiB'
}

# program OUTPUT SOURCES...
program()
{
    local out=$1
    shift
    # shellcheck disable=SC2086
    $cc -std=gnu11 -O2 -Wall -Wextra -Werror $cflags -static -o "$out" "$@" $libs
}

# Output as on other systems: without carriage returns.
run()
{
    timeout 60 "$wine" "$@" < /dev/null > "$work/run" 2>&1
    local code=$?
    tr -d '\r' < "$work/run"
    return $code
}

# Exports what virt.h declares; a program is linked with it both by dllimport and without.
dll()
{
    local strangers
    make -s "${make[@]}" BUILD="$work/dll" CFLAGS=-O2 WARNINGS="$warnings" "$work/dll/libvirt-embed-0.dll" || return 1
    "$target-objdump" -p "$work/dll/libvirt-embed-0.dll" | awk '/^\[Ordinal\/Name Pointer/ { on = 1; next } on && NF == 0 { exit } on { print $NF }' \
        > "$work/exports"
    strangers=$(grep -v '^vir' "$work/exports")
    [ -z "$strangers" ] || { echo "exported: $strangers"; return 1; }
    for name in $(sed -n 's/^VIRT_API .*[ *]\(vir[A-Za-z0-9]*\)(.*/\1/p' virt.h) virConnectAuthPtrDefault; do
        grep -qx "$name" "$work/exports" || { echo "not exported: $name"; return 1; }
    done
    for import in "" -DVIRT_DLL_IMPORT; do
        # shellcheck disable=SC2086
        $cc -O1 -Wall -Wextra -Werror $import -o "$work/dll/hello.exe" examples/hello.c "$work/dll/libvirt-embed.dll.a" &&
            run "$work/dll/hello.exe" | grep -q '^test .*running' || return 1
    done
}

pair()
{
    mkdir -p "$work/pair"
    tests/release.sh pair "$work/native" &&
        cp "$work/native/virt.c" "$work/native/virt.h" "$work/pair/" &&
        sed 's|\.\./virt\.h|virt.h|' examples/hello.c > "$work/pair/hello.c" &&
        program "$work/pair/hello.exe" "$work/pair/hello.c" "$work/pair/virt.c" && run "$work/pair/hello.exe" | grep -q '^test .*running'
}

header()
{
    printf '#include "virt.h"\nint main(%s) { return virInitialize(); }\n' "$2" > "$work/header.$3"
    # shellcheck disable=SC2086
    $1 -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only "$work/header.$3"
}

# example NAME EXPECTED...: is built, ends well, and prints these
example()
{
    local name=$1 pattern
    shift
    program "$work/$name.exe" "examples/$name.c" virt.c || return 1
    run "$work/$name.exe" > "$work/$name.out" || { cat "$work/$name.out"; return 1; }
    for pattern; do
        grep -q -- "$pattern" "$work/$name.out" || { echo "no '$pattern' in:"; cat "$work/$name.out"; return 1; }
    done
}

virtsh()
{
    make -s -j"$jobs" "${make[@]}" "$work/build/examples/virtsh.exe" > "$work/make" 2>&1 || { cat "$work/make"; return 1; }
    mkdir -p "$work/bin"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$wine" "$work/build/examples/virtsh.exe" > "$work/bin/virtsh"
    chmod +x "$work/bin/virtsh"
    VIRT_TEST_EXAMPLES=$work/bin tests/virtsh.sh > "$work/virtsh.out"
    awk '/^FAIL  / { show = $0 !~ /: EDITOR=|cd \// } show && /^(FAIL|    )/ { print; bad = 1 } END { exit bad }' "$work/virtsh.out"
}

# The test programs, by the Makefile; their lines and their sum.
programs()
{
    if ! make -s -j"$jobs" "${make[@]}" tests > "$work/log" 2>&1; then
        echo "FAIL  tests: cannot be built"
        head -n 40 "$work/log" | sed 's/^/    /'
        return
    fi
    VIRT_TEST_WRAPPER=$wine tests/run -j "$jobs" "$work"/build/tests/*/*.exe > "$work/tests.out" 2>&1
    sed '$d' "$work/tests.out"
    tail -n 1 "$work/tests.out" > "$work/total"
}

# ---------- all of it ----------

all()
{
    check "libxml2 and cJSON" env CC="$cc" tests/crossbuild "$target"
    if [ ! -e "$root/.done" ]; then
        echo "FAIL  libxml2 and cJSON are not there"
        return
    fi
    cflags=$(pkg-config --cflags libxml-2.0 libcjson)
    libs="$(pkg-config --libs libxml-2.0 libcjson) -lws2_32 -pthread"
    check "one unit" one
    check "one unit behind Windows's own headers" one -include winsock2.h -include windows.h
    check "static inclusion exports nothing" hidden
    check "separate objects, static library, hello runs" separate
    check "without the test driver" one -DVIRT_WITH_TEST=0
    check "DLL, its exports, hello runs with it" dll
    check "the two files, hello runs" pair
    check "virt.h from C99" header "$cc -x c -std=c99" void c
    if command -v "$target-g++" > /dev/null; then
        check "virt.h from C++17" header "$target-g++ -x c++ -std=c++17" "" cc
    else
        skip "virt.h from C++17" "no $target-g++"
    fi
    if command -v i686-w64-mingw32-gcc > /dev/null; then
        check "32 bits: one unit" thirtytwo
    else
        skip "32 bits: one unit" "no i686-w64-mingw32-gcc"
    fi
    check "examples/hello.c" example hello '^test .*running .*2048 MiB'
    check "examples/lifecycle.c" example lifecycle
    check "examples/driver.c" example driver
    skip "examples/events.c, examples/poll.c" "their loops are POSIX's poll() and pipe(); the default loop is in api/loop"
    skip "examples/migrate.c" "its second half starts QEMU; the migration of the test driver is in the tests"
    check "virtsh, its transcripts" virtsh
    if [ -e "$work/virtsh.out" ]; then
        sed -n 's/^FAIL  \(.*: EDITOR=\)/skip  virtsh \1/p' "$work/virtsh.out" | sed 's/$/: the editor is a program of the other system/'
        sed -n 's/^FAIL  \(.*cd \/\)/skip  virtsh \1/p' "$work/virtsh.out" | sed 's/$/: the root of a drive is told with its letter/'
        tail -n 1 "$work/virtsh.out" | sed 's/^/      transcripts: /'
    fi
    wanted tests && programs
    for name in unit/file unit/process unit/host; do
        skip "$name" "files of state, child processes and what a host tells of itself are for hosts with guests of their own"
    done
    skip "unit/qemu_*, api/qemu_*" "no QEMU driver on Windows"
    skip "api/examples" "the examples are checked above"
    skip "api/corpus" "it forks; the test driver takes the same documents as elsewhere"
}

if [ ! -x "$wine" ] || ! command -v "$cc" > /dev/null; then
    echo "skip  everything for Windows: no $([ -x "$wine" ] && echo "$cc" || echo wine); tests/deps windows installs both"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
for server in "$(command -v wineserver)" /usr/lib/wine/wineserver64; do
    [ -x "$server" ] && break
done
mkdir "$WINEPREFIX"
"$server" -p                            # it stays until it is told, so that no program meets one that is leaving
"$wine" wineboot --init > /dev/null 2>&1 < /dev/null
export PKG_CONFIG_LIBDIR=$root/lib/pkgconfig
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Werror"
make=(CC="$cc" AR="$target-ar" BUILD="$work/build" LDFLAGS=-static CFLAGS="-O1 -g")
echo "0 passed, 0 failed, 0 skipped" > "$work/total"
all 2>&1 | tee "$work/all.out"
cat "$work/total" "$work/all.out" | awk '
    NR == 1 { passed = $1; failed = $3; skipped = $5 }
    /^ok    / { passed++ }
    /^FAIL  / && !/^FAIL  [a-z]+\/[a-z_]+\.exe: / { failed++ }
    /^skip  / && !/^skip  [a-z]+\/[a-z_]+\.exe: / { skipped++ }
    END {
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0 || passed == 0
    }'
