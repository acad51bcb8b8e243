#!/bin/bash
# The build as a product: every way to take virt, with gcc and clang, warnings as errors.
#
#     tests/build.sh [word...]        only the checks whose names contain a word
#     tests/build.sh --all            each shape without each part as well, not the tree alone
#     tests/build.sh --table          the cells alone (shape x parts x compiler), all of them, as a markdown table
#
# Prints a line for each check, what the compiler said for those that fail, and the total last.
set -u
cd "$(dirname "$0")/.." || exit 2
table='' all=''
case ${1:-} in
    --table) table=1 all=1; shift ;;
    --all) all=1; shift ;;
esac

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
    local name=$1 log start=$SECONDS
    shift
    wanted "$name" || return 0
    log=$(mktemp "$work/log-XXXXXX")
    if ("$@") > "$log" 2>&1; then
        echo "ok    $name ($((SECONDS - start)) s)"
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

# Each file for itself, several at a time. What only the optimizer can warn of it has warned of in the one unit.
objects_alone()
{
    local cc=$1 dir=$work/separate-$1
    mkdir -p "$dir"
    [ ! -e "$work/$cc/cflags" ] || cflags=$(cat "$work/$cc/cflags")
    printf '%s\n' "${parts[@]}" | cc=$cc dir=$dir xargs -P "$jobs" -I{} sh -c '
        $cc -std=c11 -O0 $warnings $cflags -fPIC -DVIRT_SEPARATE_OBJECTS -c -o "$dir/$(echo {} | tr / _).o" {}'
}

# with CC "PART LIBRARY FOLDER"...: parts that are off by themselves, as they need libraries more: as one unit, in objects, and in the two files.
with()
{
    local cc=$1 part library folder file flags='' more='' folders=()
    local dir=$work/with-$cc
    shift
    mkdir -p "$dir"
    for part; do
        read -r part library folder <<< "$part"
        flags="$flags -DVIRT_WITH_$part=1 $(pkg-config --cflags "$library")"
        more="$more $(pkg-config --libs "$library")"
        [[ " ${folders[*]} " == *" $folder "* ]] || folders+=("$folder")
    done
    # shellcheck disable=SC2086
    one "$cc" "$dir/one.o" $flags && symbols "$dir/one.o" || return
    for folder in "${folders[@]}"; do
        for file in "drivers/$folder"/*.c; do
            # shellcheck disable=SC2086
            $cc -std=c11 -O0 $warnings $cflags $flags -DVIRT_SEPARATE_OBJECTS -c -o "$dir/object.o" "$file" || return
        done
    done
    # shellcheck disable=SC2086
    $cc -O0 -Wall -Wextra -Werror $cflags $flags -o "$dir/hello" examples/hello.c "$dir/one.o" $libs $more && "$dir/hello" &&
        # shellcheck disable=SC2086
        one "$cc" "$dir/few.o" -O0 $flags -DVIRT_WITH_TEST=0 -DVIRT_WITH_QEMU=0 &&         # and complete without the drivers that are on by themselves
        # shellcheck disable=SC2086
        $cc -O0 $cflags $flags -o "$dir/hello" examples/hello.c "$dir/few.o" $libs $more &&
        # shellcheck disable=SC2086
        (cd build/dist && $cc -std=c11 -fsyntax-only $warnings $cflags $flags virt.c)
}

# Together they must be complete.
separate()
{
    local cc=$1 dir=$work/separate-$1
    objects_alone "$cc" &&
        # shellcheck disable=SC2086
        $cc -shared -Wl,-z,defs -o "$dir/virt.so" "$dir"/*.o $libs &&
        symbols "$dir/virt.so" -D
}

# A header alone; the other files are compiled so in objects_alone.
alone()
{
    local cc=$1
    printf '%s\n' virt.h drivers/driver.h drivers/*/*.h |
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
    # shellcheck disable=SC2046
    $cc -O0 $warnings $(cat "$work/$cc/cflags" 2> /dev/null || echo "$cflags") -I. -c -o "$work/static-$cc.o" "$work/static-$cc.c" || return 1
    exported=$(nm --defined-only --extern-only "$work/static-$cc.o" | awk '$3 != "used" { print $3 }')
    [ -z "$exported" ] || { echo "exported: $exported"; return 1; }
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

example()
{
    # shellcheck disable=SC2086
    $1 -O0 -Wall -Wextra -Werror $cflags -o "$work/example-$1" "$2" "$work/one-$1.o" $libs
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
        # shellcheck disable=SC2046,SC2086
        cc -I"$work/root/usr/include" -o "$work/static" "$work/hello.c" "$work/root/usr/lib/libvirt-embed.a" $libs \
            $(sed -n 's/^Libs.private: //p' "$work/root/usr/lib/pkgconfig/virt.pc") &&
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
        VIRT_FAULT_STRIDE=1 "$work/self/tests/selftest" > "$work/self.out"
    tail -n 1 "$work/self.out"
    [ "$(tail -n 1 "$work/self.out")" = "3 passed, 10 failed, 1 skipped" ] &&
        [ "$(grep -c '^FAIL  fails_' "$work/self.out")" = 10 ] &&
        [ "$(grep -c 'left running' "$work/self.out")" = 1 ]
}

# ---------- the cells ----------
#
# A cell is the library in one shape, with some of its parts, by one compiler: built without a warning, then tested. The
# tests are those of tests/api that fit the parts, in one program, linked with just that library.
#
#     tree      virt.c as it stands            objects   each part for itself, in an archive; a shared library is complete
#     pair      the two files, alone           static    within the program that tests it (VIRT_STATIC)
#     c++       the tree, from a C++17 program, virt.h included in both ways

switches=$(sed -n 's/^#ifndef \(VIRT_WITH_[A-Z]*\)$/\1/p' drivers/driver.h)
wraps=$(sed -n -E 's/^(\/\* )?(WRAP|ALLOC)\(([a-z0-9_]+)[,)].*/-Wl,--wrap=\3/p' tests/fault.c)
export VIRT_FAULT_STRIDE=97

# The tests for these parts.
tests_for()
{
    local with=" $* " tests="driver params"
    case $with in
        *"VIRT_WITH_TEST=0"*) ;;
        *) tests="$tests connection errors loop small_things test_driver" ;;
    esac
    case $with in
        *"VIRT_WITH_QEMU=0"*) ;;
        *) tests="$tests qemu_hooks" ;;
    esac
    echo "$tests"
}

# For musl libxml2 and cJSON come from tests/crossbuild, when it has been run; without them musl only compiles, with
# the system's headers.
prepare()
{
    local cc=$1 dir=$work/$1 test cross
    mkdir -p "$dir/include"
    echo "$cflags" > "$dir/cflags"
    echo "$libs" > "$dir/libs"
    if [ "$cc" = musl-gcc ]; then
        cross=$(find build/cross -maxdepth 1 -name "$(uname -m)*musl*" 2> /dev/null | head -n 1)
        if [ -n "$cross" ] && test=$(find "$PWD/$cross" -name libxml-2.0.pc | head -n 1) && [ -n "$test" ]; then
            export PKG_CONFIG_LIBDIR=${test%/*}
            pkg-config --cflags libxml-2.0 libcjson > "$dir/cflags"
            echo "-static $(pkg-config --static --libs libxml-2.0 libcjson) -pthread" > "$dir/libs"
            unset PKG_CONFIG_LIBDIR
        else
            ln -sf /usr/include/{libxml2/libxml,cjson,unicode,linux,asm-generic,"$(uname -m)-linux-gnu/asm"} "$dir/include/"
            echo "-isystem $dir/include" > "$dir/cflags"
            echo none > "$dir/libs"
        fi
    fi
    [ "$(cat "$dir/libs")" != none ] || return 0
    for test in fault harness checks api/{driver,params,connection,errors,loop,small_things,test_driver,qemu_hooks}; do
        # shellcheck disable=SC2046
        $cc -std=gnu11 -O0 -fno-builtin $(cat "$dir/cflags") -c -o "$dir/$(basename "$test").o" "tests/$test.c" || return
    done
}

# Builds what test_cell links: prints it.
build_cell()
{
    local shape=$1 cc=$2 dir=$3 flags
    shift 3
    mkdir -p "$dir"
    flags="-std=c11 -O0 $warnings $(cat "$work/$cc/cflags") $*"
    case $shape in
        tree)
            # shellcheck disable=SC2086
            $cc $flags -c -o "$dir/virt.o" virt.c || return
            ;;
        c++)
            cp "${dir/-c++-/-tree-}/virt.o" "$dir/" || return
            ;;
        pair)
            cp build/dist/virt.c build/dist/virt.h "$dir/" &&
                # shellcheck disable=SC2086
                (cd "$dir" && $cc $flags -c -o virt.o virt.c) || return
            ;;
        objects)
            # the switches matter to virt.c alone; the rest is there once for each compiler
            # shellcheck disable=SC2086
            $cc $flags -fPIC -DVIRT_SEPARATE_OBJECTS -c -o "$dir/virt.c.o" virt.c && objects "$cc" "$dir" "$@" || return
            ;;
        static)
            {
                echo "#define VIRT_STATIC"
                echo "#include \"$PWD/virt.c\""
                case " $* " in
                    *VIRT_WITH_TEST=0*VIRT_WITH_QEMU=0* | *VIRT_WITH_QEMU=0*VIRT_WITH_TEST=0*) echo driver ;;
                    *VIRT_WITH_TEST=0*) echo qemu_hooks ;;
                    *) echo test_driver ;;
                esac | sed "s|.*|#include \"$PWD/tests/api/&.c\"|"
            } > "$dir/static.c"
            # the tests themselves are not written for -Wpedantic
            # shellcheck disable=SC2086
            $cc ${flags/-Wpedantic/} -c -o "$dir/virt.o" "$dir/static.c" || return
            ;;
    esac
}

# A part that is switched off is left out of the library.
objects()
{
    local cc=$1 dir=$2 part without=
    shift 2
    case " $* " in *VIRT_WITH_TEST=0*) without="$without drivers_test_" ;; esac
    case " $* " in *VIRT_WITH_QEMU=0*) without="$without drivers_qemu_" ;; esac
    set -- "$dir/virt.c.o"
    for part in "$work/separate-$cc"/drivers_*.o; do
        case "$without " in
            *" $(basename "$part" | sed 's/\(drivers_[a-z]*_\).*/\1/') "*) ;;
            *) set -- "$@" "$part" ;;
        esac
    done
    rm -f "$dir/virt.a"
    # the tests get an archive, because a failing allocation cannot be put into a shared library; one must be possible
    ar rcs "$dir/virt.a" "$@" || return
    # shellcheck disable=SC2046
    [ "$cc" = musl-gcc ] || $cc -shared -Wl,-z,defs -o "$dir/complete.so" "$@" $(cat "$work/$cc/libs")
}

# Its last line is the sum.
test_cell()
{
    local shape=$1 cc=$2 dir=$3 test objects=() libs cxx uris=()
    shift 3
    libs=$(cat "$work/$cc/libs")
    [ "$libs" != none ] || { echo "0 passed, 0 failed, 1 skipped"; return 0; }
    case " $* " in *VIRT_WITH_TEST=0*) ;; *) uris+=(test:///default) ;; esac
    case " $* " in *VIRT_WITH_QEMU=0*) export VIRT_TEST_NO_QEMU="switched off" ;; *) uris+=("qemu:///embed?root=$dir/root") ;; esac
    if [ "$shape" = c++ ]; then
        cxx=g++
        [ "$cc" != clang ] || cxx=clang++
        for test in "" -DINSIDE_EXTERN_C; do
            mkdir -p "$dir/root"
            # shellcheck disable=SC2086
            $cxx -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Werror $test -o "$dir/program" tests/cplusplus.cc "$dir/virt.o" $libs &&
                timeout 60 "$dir/program" "${uris[@]}" || { echo "0 passed, 1 failed, 0 skipped"; return 1; }
        done
        echo "2 passed, 0 failed, 0 skipped"
        return
    fi
    if [ "$shape" != static ]; then
        for test in $(tests_for "$@"); do
            objects+=("$work/$cc/$test.o")
        done
    fi
    for test in "$dir"/virt.{o,a}; do
        [ ! -e "$test" ] || objects+=("$test")
    done
    # shellcheck disable=SC2086
    $cc -o "$dir/suite" $wraps "${objects[@]}" "$work/$cc"/{harness,checks,fault}.o $libs &&
        VIRT_TEST_BUILD=$PWD/build timeout 120 "$dir/suite"
}

# The shape and parts of one cell; its result goes into the table.
cell()
{
    local cc=$1 shape=$2 parts=$3 dir=$work/cell-$1-$2-${3// /-} last code
    shift 3
    build_cell "$shape" "$cc" "$dir" "$@" || { echo "$shape|$parts|$cc|not built" >> "$work/cells"; return 1; }
    test_cell "$shape" "$cc" "$dir" "$@" > "$dir/log" 2>&1
    code=$?
    last=$(tail -n 1 "$dir/log")
    [[ $last =~ ^[0-9]+\ passed,\ [0-9]+\ failed,\ [0-9]+\ skipped$ ]] || last="no result"
    echo "$shape|$parts|$cc|built; $last" >> "$work/cells"
    cat "$dir/log"
    [ "$shape" = tree ] || rm -rf "$dir"          # c++ takes the tree's object
    [ $code = 0 ] && [[ $last == *" 0 failed,"* ]]
}

# All off comes last, one off before.
cells()
{
    local cc=$1 shape switch off=()
    for switch in $switches; do
        off+=("-D$switch=0")
    done
    check "$cc: the tests are built" prepare "$cc"
    [ ! -e "$work/$cc/libs" ] || [ "$(cat "$work/$cc/libs")" != none ] ||
        skip "$cc: the tests of its cells" "no libxml2 and cJSON for musl (tests/crossbuild makes them)"
    for shape in tree pair objects static c++; do
        if [ $shape = c++ ] && [ "$cc" = musl-gcc ]; then
            skip "$cc: c++" "no C++ library for musl"
            continue
        fi
        if [ $shape = static ] && [ "$cc" = musl-gcc ] && [ "$(cat "$work/$cc/libs")" = none ]; then
            check "$cc: static inclusion exports nothing" hidden "$cc"
            continue
        fi
        check "$cc: $shape, all parts" cell "$cc" $shape all
        for switch in $switches; do
            [ -n "$all" ] || [ $shape = tree ] || break
            check "$cc: $shape, without ${switch#VIRT_WITH_}" cell "$cc" $shape "without ${switch#VIRT_WITH_}" "-D$switch=0"
        done
        check "$cc: $shape, without any" cell "$cc" $shape "without any" "${off[@]}"
    done
}

# A row for each shape and selection of parts, a column for each compiler.
print_table()
{
    awk -F '|' '
        { key = $1 "|" $2; cell[key, $3] = $4; if (!(key in seen)) { seen[key] = 1; row[++n] = key } }
        END {
            print "| shape | parts | gcc | clang | musl-gcc |\n| --- | --- | --- | --- | --- |"
            for (i = 1; i <= n; i++) {
                split(row[i], name, "|")
                printf "| %s | %s", name[1], name[2]
                split("gcc clang musl-gcc", ccs, " ")
                for (j = 1; j <= 3; j++)
                    printf " | %s", (row[i], ccs[j]) in cell ? cell[row[i], ccs[j]] : "-"
                print " |"
            }
        }' "$work/cells" | sed 's/0 passed, 0 failed, 1 skipped/not run/g'
}

# Both in one process, linked with the real libvirt and with it loaded at run time.
beside()
{
    local cc=$1 how=$2 flags
    flags="-std=c11 -O0 $warnings $cflags"
    # shellcheck disable=SC2046,SC2086
    $cc $flags -o "$work/beside-$cc-$how" tests/beside/beside.c tests/beside/ours.c "tests/beside/$how.c" $libs \
        $([ "$how" = loaded ] || pkg-config --libs libvirt) && timeout 60 "$work/beside-$cc-$how"
}

# What the tree says to the compiler the two files say too: no line is lost, whatever is switched off.
nothing_lost()
{
    local flags lost
    for flags in -DNOTHING -DVIRT_WITH_QEMU=0 -DVIRT_WITH_TEST=0 "-DVIRT_WITH_QEMU=0 -DVIRT_WITH_TEST=0"; do
        # shellcheck disable=SC2086
        lines "$flags" virt.c > "$work/tree.lines" && lines "$flags" build/dist/virt.c > "$work/pair.lines" || return
        lost=$(comm -23 "$work/tree.lines" "$work/pair.lines" | head -n 5)
        [ -z "$lost" ] || { echo "lost with $flags: $lost"; return 1; }
    done
    lost=$(grep -n '^[[:space:]]*#[[:space:]]*include "' build/dist/virt.c | grep -v '"virt.h"')
    [ -z "$lost" ] || { echo "not put in: $lost"; return 1; }
    lost=$(grep '^/\* ========== .*\.[ch] ' build/dist/virt.c | sort | uniq -d)
    [ -z "$lost" ] || { echo "put in twice: $lost"; return 1; }
    grep -q 'Permission is hereby granted' build/dist/virt.c && grep -q 'Permission is hereby granted' build/dist/virt.h
}

# lines FLAGS FILE: what is left of it after the preprocessor, without the lines' numbers, which are in some of them
lines()
{
    # shellcheck disable=SC2086
    gcc -E -P -D__LINE__=0 -Wno-builtin-macro-redefined '-D__FILE__="f"' $cflags $1 "$2" | sort
}

# The archive holds what git has and the two files, is the same each time, and makes itself again without git.
release()
{
    local version
    version=$(sed -n 's/^#define VIRT_VERSION *"\(.*\)".*/\1/p' virt.h)
    tests/release.sh archives "$work/release" && tests/release.sh archives "$work/again" &&
        cmp "$work/release/virt-$version.tar.gz" "$work/again/virt-$version.tar.gz" &&
        (cd "$work/release" && sha256sum --quiet -c SHA256SUMS && tar -xzf "virt-$version.tar.gz") &&
        (cd "$work/release/virt-$version" && umask 077 && make -s dist > /dev/null && make -s amalgamation > /dev/null &&
            cmp build/dist/virt.c dist/virt.c && cmp "build/dist/virt-$version.tar.gz" ../"virt-$version.tar.gz" &&
            cmp "build/dist/virt-$version-amalgamation.tar.gz" ../"virt-$version-amalgamation.tar.gz" &&
            echo >> virt.c && make -s amalgamation > /dev/null && grep -q 'commit .* with changes' build/dist/virt.c)
}

# ---------- all of it ----------

general()
{
    check "no file over its limit" lengths
    check "every public function is called by a test" called
    check "the harness notices failures" selftest
    check "the two files hold all of the tree, each header once" nothing_lost
    if [ -e dist/commit ] || git rev-parse -q --verify HEAD > /dev/null 2>&1; then
        check "the release is the same again, and makes itself" release
    else
        skip "the release is the same again, and makes itself" "no git, and not a release"
    fi
    check "make install, hello runs with both libraries" installed
    check "the commands in README" readme
}

with_compiler()
{
    local cc=$1 file part optional=() words_of
    if ! command -v "$cc" > /dev/null; then
        skip "everything with $cc" "no $cc"
        return
    fi
    check "$cc: one unit" one "$cc" "$work/one-$cc.o"
    check "$cc: exported symbols of the one unit" symbols "$work/one-$cc.o"
    check "$cc: separate objects, complete, symbols" separate "$cc"
    check "$cc: each header alone" alone "$cc"
    check "$cc: static inclusion exports nothing" hidden "$cc"
    for part in "ETCD libcurl lock" "SANLOCK libsanlock_client lock" "REMOTE nanomsg remote" "NOISE libcrypto remote"; do
        read -r -a words_of <<< "$part"
        if pkg-config --exists "${words_of[1]}"; then
            optional+=("$part")
            [ -z "$all" ] || check "$cc: with ${words_of[1]}" with "$cc" "$part"
        else
            skip "$cc: with ${words_of[1]}" "it is not here"
        fi
    done
    check "$cc: with every part there is" with "$cc" "${optional[@]}"
    check "$cc: virt.h from C99" header "$cc -x c -std=c99" void c
    check "$cc: virt.h from C++17" header "$cc -x c++ -std=c++17" "" cc
    for file in examples/*.c; do
        check "$cc: $file" example "$cc" "$file"
    done
    if pkg-config --exists libvirt; then
        check "$cc: virt (static) and libvirt (linked) in one process" beside "$cc" theirs
        check "$cc: virt (static) and libvirt (loaded) in one process" beside "$cc" loaded
    else
        skip "$cc: virt and libvirt in one process" "no libvirt-dev"
    fi
}

# The compilers side by side, then shown one after the other. Without the objects there is nothing to link in the cells.
all_of()
{
    local cc=$1
    if ! command -v "$cc" > /dev/null; then
        skip "everything with $cc" "no $cc"
        return
    fi
    [ "$cc" != musl-gcc ] || tests/crossbuild "$(uname -m)-linux-musl"
    if [ "$cc" = musl-gcc ] || [ -n "$table" ]; then
        prepare "$cc" > /dev/null 2>&1
        check "$cc: separate objects" objects_alone "$cc"
    else
        with_compiler "$cc"
    fi
    cells "$cc"
}

: > "$work/cells"
make -s amalgamation > /dev/null || exit          # build/dist, which several checks take
if [ -n "$table" ]; then
    : > "$work/general.out"
else
    general > "$work/general.out" 2>&1
    cat "$work/general.out"
fi
make -s build/guest/counter.img || exit
for cc in gcc clang musl-gcc; do
    all_of $cc > "$work/$cc.out" 2>&1 &
done
wait
if [ -n "$table" ]; then
    grep -h -A 40 '^FAIL' "$work"/{gcc,clang,musl-gcc}.out >&2
    print_table
else
    cat "$work"/{gcc,clang,musl-gcc}.out
fi
cat "$work"/{general,gcc,clang,musl-gcc}.out | awk '
    /^ok    / { passed++ }
    /^FAIL  / { failed++ }
    /^skip  / { skipped++ }
    END {
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0
    }'
