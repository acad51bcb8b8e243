#!/bin/bash
# virt on other machines: made with a cross compiler, and its tests run under QEMU's user emulation.
#
#     tests/matrix.sh [-a] [TARGET...]     all targets, or those named; -a: and the native forms and Windows too
#
# For each target libxml2 and cJSON come from tests/crossbuild, everything is linked statically, and of the tests all
# run that need no QEMU guest; with musl, which is this machine's, those too, the examples and virtsh, which stands alone
# (build/matrix/x86_64-linux-musl/examples/virtsh). Prints a line for each check, a table, and the total last.
set -u
cd "$(dirname "$0")/.." || exit 2

#        target               emulator       what it is
known="  aarch64-linux-gnu    aarch64        64 bits, little-endian
         arm-linux-gnueabihf  arm            32 bits, little-endian
         riscv64-linux-gnu    riscv64        64 bits, little-endian
         s390x-linux-gnu      s390x          64 bits, big-endian
         powerpc-linux-gnu    ppc            32 bits, big-endian
         i686-linux-gnu       i386           32 bits, little-endian
         x86_64-linux-musl    -              64 bits, musl"

everything=
[ "${1:-}" != -a ] || { everything=1; shift; }
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(awk '{ print $1 }' <<< "$known")

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Werror"
# As the Makefile has them: nothing is inlined that a test wants to fail.
cflags="-O1 -g -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-strdup -fno-builtin-strndup"
jobs=$(nproc 2> /dev/null || echo 2)
work=$(mktemp -d "${TMPDIR:-/tmp}/vtmatrix-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

ok()   { echo "ok    $1"; passed=$((passed + 1)); }
fail() { echo "FAIL  $1"; failed=$((failed + 1)); { grep -B2 -A6 -E "error:|undefined|Error " "$2" || cat "$2"; } | head -n 40 | sed "s/^/    /"; }
skip() { echo "skip  $1: $2"; skipped=$((skipped + 1)); }

# take LOG: the sum on its last line, added to ours; what failed and what was left out is shown
take()
{
    local sum
    sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$1" | tail -n 1)
    [[ $sum =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]] || return 1
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    skipped=$((skipped + BASH_REMATCH[3]))
}

row()
{
    local target=$1 emulator=$2 what=$3 cc=$1-gcc tools=$1- build=$PWD/build/matrix/$1 start=$SECONDS code text sum tests
    local log=$work/$1 run='' libs goals="tests examples" scripts=tests/virtsh.sh

    [[ $target != *-musl ]] || { cc=musl-gcc tools=''; }
    [ "$emulator" = - ] || run=qemu-$emulator-static
    if [ -n "$run" ] && ! command -v "$run" > /dev/null; then
        skip "$target" "no $run"
        return
    fi
    tests/crossbuild "$target" > "$log" 2>&1
    code=$?
    if [ $code = 77 ]; then
        skip "$target" "$(head -n 1 "$log")"
        return
    elif [ $code != 0 ]; then
        fail "$target: libxml2 and cJSON" "$log"
        return
    fi
    export PKG_CONFIG_LIBDIR=$PWD/build/cross/$target/lib/pkgconfig
    libs="$(pkg-config --static --libs libxml-2.0 libcjson) -pthread $(libatomic "$cc")"

    mkdir -p "$build"
    # shellcheck disable=SC2046,SC2086
    if $cc -std=c11 -Os $warnings $(pkg-config --cflags libxml-2.0 libcjson) -c -o "$build/virt.o" virt.c > "$log" 2>&1; then
        ok "$target: one unit"
        text=$("${tools}size" "$build/virt.o" | awk 'NR == 2 { print $1 }')
    else
        fail "$target: one unit" "$log"
        return
    fi

    tests=$(cd tests && ls unit/*.c api/*.c | sed 's/\.c$//')
    if [ -n "$run" ]; then
        skip "$target: api/examples" "starts programs that are not of this machine"
        tests=$(grep -v '^api/examples$' <<< "$tests")
        goals=tests scripts=
        export VIRT_TEST_NO_QEMU="not under emulation" VIRT_TEST_SLOW=20
    fi
    local variables=(CC="$cc" AR="${tools}ar" BUILD="$build" TEST_BUILD=build CFLAGS="$cflags" LDFLAGS=-static PKG_LIBS="$libs"
                     SCRIPTS="$scripts" WRAP_ALLOCATIONS=1 WARNINGS="${warnings/-Wpedantic/}" TESTS="$(tr '\n' ' ' <<< "$tests")")
    # shellcheck disable=SC2086
    if ! make -s -j"$jobs" "${variables[@]}" $goals > "$log" 2>&1; then
        fail "$target: the tests" "$log"
        return
    fi
    if [ -z "$run" ]; then
        make -s guests > /dev/null 2>&1
        tests/alone.sh "$build/examples/virtsh" build/guest/light.img > "$log" 2>&1
        take "$log" || fail "$target: virtsh alone" "$log"
        sed -n -E "s/^(ok|FAIL|skip) +/&$target: virtsh alone: /p; /^    /p" "$log"
    fi
    VIRT_TEST_WRAPPER=$run VIRT_FAULT_STRIDE=53 make -s "${variables[@]}" run-check > "$log" 2>&1
    unset VIRT_TEST_NO_QEMU VIRT_TEST_SLOW PKG_CONFIG_LIBDIR
    take "$log" || fail "$target: no result" "$log"
    # what the tests say of themselves; a guest's tests are one line, not one each
    grep -E '^(FAIL|skip) ' "$log" | grep -v 'not under emulation' | sed "s|^\(....\)  |\1  $target: |"
    grep -A 20 -E '^    FAIL' "$log" | head -n 60
    sum=$(grep -E '^[0-9]+ passed, ' "$log" | tail -n 1)
    echo "----  $target: $sum; $(grep -c 'not under emulation' "$log") of those skipped want a guest"
    echo "| $target | $("$cc" -dumpversion) | $what | $sum | $text | $((SECONDS - start)) |" >> "$work/table"
}

# A machine without atomic access to 64 bits has it in a library.
libatomic()
{
    echo 'int main(void) { static _Atomic unsigned long long x; return (int)x++; }' > "$work/atomic.c"
    "$1" -o "$work/atomic" "$work/atomic.c" 2> /dev/null || echo -latomic
}

# The native forms and Windows have scripts of their own.
others()
{
    tests/build.sh --table > "$work/native" 2>&1
    cat "$work/native"
    take "$work/native" || fail "tests/build.sh" "$work/native"
    tests/windows.sh > "$work/windows" 2>&1
    cat "$work/windows"
    take "$work/windows" || fail "tests/windows.sh" "$work/windows"
    echo "| x86_64-w64-mingw32 (wine) | $(x86_64-w64-mingw32-gcc -dumpversion 2> /dev/null) | 64 bits, Windows, without QEMU |" \
         "$(tail -n 1 "$work/windows") | | |" >> "$work/table"
}

for target in "${targets[@]}"; do
    line=$(awk -v target="$target" '$1 == target' <<< "$known")
    [ -n "$line" ] || { echo "$target is not among the targets" >&2; exit 2; }
    read -r target emulator what <<< "$line"
    row "$target" "$emulator" "$what"
done
[ -z "$everything" ] || others
if [ -e "$work/table" ]; then
    echo
    echo "| target | gcc | | tests | text, bytes (-Os) | seconds |"
    echo "| --- | --- | --- | --- | --- | --- |"
    cat "$work/table"
    echo
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
