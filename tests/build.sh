#!/bin/bash
# The build as a product: every way to take virt, with gcc and clang, warnings as errors.
#
#     tests/build.sh [word...]        only the checks whose names contain a word
#
# Prints a line for each check, what the compiler said for those that fail, and the total last.
set -u
cd "$(dirname "$0")/.." || exit 2

work=$(mktemp -d "${TMPDIR:-/tmp}/vtbuild-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
words=("$@")
jobs=$((($(nproc 2> /dev/null || echo 2) + 1) / 2))          # for each of two compilers

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Werror"
cflags=$(pkg-config --cflags libxml-2.0 libcjson)
libs="$(pkg-config --libs libxml-2.0 libcjson) -pthread"
parts=(virt.c drivers/*/*.c)
export warnings cflags libs work

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
    local name=$1 log
    shift
    wanted "$name" || return 0
    log=$(mktemp "$work/log-XXXXXX")
    if ("$@") > "$log" 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        head -n 40 "$log" | sed 's/^/    /'
    fi
    rm -f "$log"
}

skip()
{
    wanted "$1" || return 0
    echo "skip  $1: $2"
}

# ---------- what is checked ----------

# one COMPILER OUTPUT FLAGS...: virt.c as it stands
one()
{
    local cc=$1 out=$2
    shift 2
    # shellcheck disable=SC2086
    $cc -O2 $warnings $cflags "$@" -c -o "$out" virt.c
}

# Each file for itself; together they must be complete. Several at a time.
separate()
{
    local cc=$1 dir=$work/separate-$1
    mkdir -p "$dir"
    printf '%s\n' "${parts[@]}" | cc=$cc dir=$dir xargs -P "$jobs" -I{} sh -c '
        $cc -O1 $warnings $cflags -fPIC -DVIRT_SEPARATE_OBJECTS -c -o "$dir/$(echo {} | tr / _).o" {}' &&
        # shellcheck disable=SC2086
        $cc -shared -Wl,-z,defs -o "$dir/virt.so" "$dir"/*.o $libs &&
        symbols "$dir/virt.so" -D
}

# A file alone, as an editor or a reader compiles it, headers too.
alone()
{
    local cc=$1
    printf '%s\n' virt.h drivers/driver.h drivers/*/*.h drivers/*/*.c |
        cc=$cc xargs -P "$jobs" -I{} sh -c '
            echo "#include \"{}\"" | $cc -x c -I. -fsyntax-only -DVIRT_SEPARATE_OBJECTS $warnings $cflags -'
}

# Whatever is visible outside begins with vir.
symbols()
{
    local strangers
    [ -e "$1" ] || { echo "$1 was not built"; return 1; }
    strangers=$(nm --defined-only --extern-only "${@:2}" "$1" | awk 'NF >= 3 && $3 !~ /^vir/ { print $3 }')
    [ -z "$strangers" ] || { echo "exported: $strangers"; return 1; }
}

# In the same process as another libvirt: not one symbol is exported.
hidden()
{
    local cc=$1 exported
    printf '#define VIRT_STATIC\n#include "virt.c"\nint used(void);\nint used(void)\n{\n    return virInitialize();\n}\n' \
        > "$work/static-$cc.c"
    # shellcheck disable=SC2086
    $cc -O1 $warnings $cflags -I. -c -o "$work/static-$cc.o" "$work/static-$cc.c" || return 1
    exported=$(nm --defined-only --extern-only "$work/static-$cc.o" | awk '$3 != "used" { print $3 }')
    [ -z "$exported" ] || { echo "exported: $exported"; return 1; }
}

# Only the given parts, and still a whole library.
without()
{
    local cc=$1
    shift
    # shellcheck disable=SC2086
    $cc -O1 $warnings $cflags "$@" -fPIC -shared -Wl,-z,defs -o "$work/without-$cc.so" virt.c $libs
}

header()
{
    printf '#include "virt.h"\nint main(%s) { return virInitialize(); }\n' "$2" > "$work/header-${1%% *}.$3"
    # shellcheck disable=SC2086
    $1 -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only "$work/header-${1%% *}.$3"
}

lengths()
{
    local file limit lines bad=0
    while read -r file; do
        case $file in
            virt.h) continue ;;             # a reference, not a text to be read in one go
            virt.c) limit=3000 ;;
            *) limit=1500 ;;
        esac
        lines=$(wc -l < "$file")
        [ "$lines" -le "$limit" ] || { echo "$file: $lines lines, at most $limit"; bad=1; }
    done < <(find virt.c virt.h drivers examples tests Makefile -type f -name '*.*' ! -name '*.xml' ! -name '*.json' \
             2> /dev/null)
    return $bad
}

# Every public function is called by some test.
called()
{
    local name missing=
    for name in $(sed -n 's/^VIRT_API .*[ *]\(vir[A-Za-z0-9]*\)(.*/\1/p' virt.h); do
        grep -rqw "$name" tests/unit tests/api tests/*.h || missing="$missing $name"
    done
    [ -z "$missing" ] || { echo "called by no test:$missing"; return 1; }
}

# The two files, in a place where nothing else is.
pair()
{
    local cc=$1
    mkdir -p "$work/pair-$cc"
    cp build/dist/virt.c build/dist/virt.h "$work/pair-$cc/" &&
        sed 's|\.\./virt\.h|virt.h|' examples/hello.c > "$work/pair-$cc/hello.c" &&
        cd "$work/pair-$cc" &&
        grep -q '^/\* virt .*commit' virt.c virt.h &&
        # shellcheck disable=SC2086
        $cc -O1 $warnings $cflags -o hello hello.c virt.c $libs && ./hello
}

example()
{
    # shellcheck disable=SC2086
    $1 -O0 -Wall -Wextra -Werror $cflags -o "$work/example-$1" "$2" virt.c $libs
}

installed()
{
    make -s install DESTDIR="$work/root" PREFIX=/usr &&
        sed 's|"\.\./virt\.h"|<virt.h>|' examples/hello.c > "$work/hello.c" &&
        export PKG_CONFIG_PATH="$work/root/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$work/root" &&
        # shellcheck disable=SC2046
        cc -o "$work/shared" "$work/hello.c" $(pkg-config --cflags --libs virt) &&
        LD_LIBRARY_PATH="$work/root/usr/lib" "$work/shared" &&
        unset PKG_CONFIG_SYSROOT_DIR &&
        # shellcheck disable=SC2086
        cc -I"$work/root/usr/include" -o "$work/static" "$work/hello.c" "$work/root/usr/lib/libvirt-embed.a" $libs &&
        "$work/static"
}

# Every command in README that begins with cc does what it says, without a warning; app.c is the
# program shown there first.
readme()
{
    local line n=0
    awk '/^```c$/ { inside = 1; next } /^```$/ && inside { exit } inside' README.md > "$work/app.c"
    while read -r line; do
        line=${line#\$ }
        line=${line/ app.c / $work/app.c -I. }
        eval "cc -Wall -Wextra -Werror -o $work/readme ${line#cc }" || { echo "in README: $line"; return 1; }
        n=$((n + 1))
    done < <(grep -E '^ *(\$ )?cc [^|]*\.c' README.md | sed 's/ -o [^ ]*//; s/^ *//; s/ *#.*//')
    [ $n -gt 0 ] || { echo "README has no command"; return 1; }
}

# The harness sees what it has to see: a test that cannot fail is a defect.
selftest()
{
    make -s BUILD="$work/self" CFLAGS="-O1 -g -fno-builtin" WARNINGS="${warnings/-Wpedantic/}" "$work/self/tests/selftest" &&
        "$work/self/tests/selftest" > "$work/self.out"
    tail -n 1 "$work/self.out"
    [ "$(tail -n 1 "$work/self.out")" = "3 passed, 10 failed, 1 skipped" ] &&
        [ "$(grep -c '^FAIL  fails_' "$work/self.out")" = 10 ] &&
        [ "$(grep -c 'left running' "$work/self.out")" = 1 ]
}

# ---------- all of it ----------

general()
{
    check "no file over its limit" lengths
    check "every public function is called by a test" called
    check "the harness notices failures" selftest
    check "the two files are made" make -s amalgamation
    check "make install, hello runs with both libraries" installed
    check "the commands in README" readme
}

with_compiler()
{
    local cc=$1 file
    if ! command -v "$cc" > /dev/null; then
        skip "everything with $cc" "no $cc"
        return
    fi
    check "$cc: one unit" one "$cc" "$work/one-$cc.o"
    check "$cc: exported symbols of the one unit" symbols "$work/one-$cc.o"
    check "$cc: separate objects, complete, symbols" separate "$cc"
    check "$cc: each file alone" alone "$cc"
    check "$cc: static inclusion exports nothing" hidden "$cc"
    check "$cc: without QEMU" without "$cc" -DVIRT_WITH_QEMU=0
    check "$cc: without test" without "$cc" -DVIRT_WITH_TEST=0
    check "$cc: without either" without "$cc" -DVIRT_WITH_QEMU=0 -DVIRT_WITH_TEST=0
    check "$cc: virt.h from C99" header "$cc -x c -std=c99" void c
    check "$cc: virt.h from C++17" header "$cc -x c++ -std=c++17" "" cc
    for file in examples/*.c; do
        check "$cc: $file" example "$cc" "$file"
    done
    check "$cc: the two files, hello runs" pair "$cc"
}

# The compilers side by side, then shown one after the other.
general > "$work/general.out" 2>&1
cat "$work/general.out"
for cc in gcc clang; do
    with_compiler $cc > "$work/$cc.out" 2>&1 &
done
wait
cat "$work/gcc.out" "$work/clang.out"
cat "$work"/{general,gcc,clang}.out | awk '
    /^ok    / { passed++ }
    /^FAIL  / { failed++ }
    /^skip  / { skipped++ }
    END {
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0
    }'
