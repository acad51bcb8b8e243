#!/bin/bash
# What virt costs, and libvirt's embedded driver beside it: `make size`.
#
#     tests/size.sh BUILD        the table in markdown; the raw numbers are in BUILD/size/raw
#
# Each program opens qemu:///embed and asks how many guests there are. Then, from its own /proc/self/maps, all files that
# are in the process: the sum of text and data by size(1), whatever of it has been touched. And from smaps_rollup what the
# kernel says is resident, and what of it is private and written to, which no other process can share.
# DEPS is the prefix of a small static libxml2 and a cJSON; without it tests/crossbuild makes them for this machine.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}/size
rm -rf "$build"
mkdir -p "$build"
build=$(cd "$build" && pwd)
: > "$build/raw"
cc=${CC:-cc}

gc="-ffunction-sections -fdata-sections -Wl,--gc-sections"
shared="$(pkg-config --cflags libxml-2.0 libcjson) $(pkg-config --libs libxml-2.0 libcjson) -pthread"
if [ -z "${DEPS:-}" ]; then
    tests/crossbuild "$(uname -m)-linux-gnu" && DEPS=build/cross/$(uname -m)-linux-gnu || DEPS=
fi
[ -z "$DEPS" ] || DEPS=$(cd "$DEPS" && pwd)
small="-I$DEPS/include/libxml2 -I$DEPS/include -I$DEPS/include/cjson $DEPS/lib/libxml2.a $DEPS/lib/libcjson.a -lm ${DEPS_LIBS:-} -pthread"
all=$(sed -n 's/^#ifndef \(VIRT_WITH_[A-Z]*\)$/-D\1=1/p' drivers/driver.h)

# measure NAME KEY PROGRAM OWN: a line of raw numbers; OWN are the files whose text counts as the library's own
measure()
{
    local name=$1 key=$2 program=$3 root=$build/$2.root
    shift 3
    mkdir -p "$root/etc"
    printf '%s\n' 'stdio_handler = "file"' 'security_driver = "none"' 'user = "root"' 'group = "root"' \
        'dynamic_ownership = 0' 'cgroup_controllers = []' 'namespaces = []' > "$root/etc/qemu.conf"
    # the first time QEMU is asked what it can do; what counts is a process that finds the answer
    timeout 60 "$program" "qemu:///embed?root=$root" > /dev/null 2> "$build/errors" &&
        timeout 60 "$program" "qemu:///embed?root=$root" > "$build/$key.maps" 2>> "$build/errors" || {
        grep -v ': info :\|: warning :' "$build/errors" >&2
        echo "skip  $name: it could not open its connection" >&2
        return 0
    }
    awk 'NF >= 6 && $6 ~ /^\// { print $6 }' "$build/$key.maps" | sort -u | grep -E '\.so|/size-' > "$build/$key.files"
    {
        sed 's/^/own /' < <(size -B "$@" | tail -n +2)
        sed 's/^/all /' < <(xargs size -B < "$build/$key.files" | tail -n +2)
        cat "$build/$key.maps"
    } | awk -v name="$name" '
        $1 == "own" { own += $2; owndata += $3 }
        $1 == "all" {
            sum = $2 + $3
            files++
            total += sum
            if ($NF ~ /\/(libc|libm|libpthread|libdl|libresolv|ld-linux[^\/]*)\.so/)
                libc += sum
            if ($NF ~ /\/(libicu[a-z]*)\.so/)
                icu += sum
        }
        $1 == "Rss:" { rss = $2 }
        $1 == "Private_Dirty:" { dirty = $2 }
        $1 == "Private_Clean:" { clean = $2 }
        END {
            print name "|" own "|" owndata "|" files "|" total "|" total - libc "|" total - libc - icu "|" rss "|" dirty "|" clean
        }' >> "$build/raw"
}

# virt NAME KEY FLAGS...: the library as one object, to see its own size, and the program
virt()
{
    local name=$1 key=$2
    shift 2
    # shellcheck disable=SC2068
    $cc -std=gnu11 ${@/%*.a/} -c -o "$build/$key.o" virt.c &&
        $cc -std=gnu11 -DVIRT_HEADER='"../virt.h"' -o "$build/size-$key" tests/size.c "$build/$key.o" $@ &&
        strip "$build/size-$key"
    measure "$name" "$key" "$build/size-$key" "$build/$key.o"
}

smallest="-Os -DVIRT_WITH_TEST=0 $gc"
if [ -n "$DEPS" ]; then
    virt "virt, smallest: QEMU only, -Os; small static libxml2" smallest-small $smallest $small
fi
virt "virt, smallest: QEMU only, -Os" smallest $smallest $shared
if [ -n "$DEPS" ]; then
    virt "virt, default; small static libxml2" default-small -O2 $small
else
    echo "skip  the rows with a small static libxml2: there is none (tests/crossbuild, or DEPS=PREFIX)" >&2
fi
virt "virt, default" default -O2 $shared
virt "virt, everything" everything -O2 $all $shared
if pkg-config --exists libvirt; then
    # shellcheck disable=SC2046
    $cc -O2 -o "$build/size-libvirt" tests/size.c $(pkg-config --cflags --libs libvirt)
    driver=$(find /usr/lib*/*/libvirt/connection-driver -name libvirt_driver_qemu.so 2> /dev/null | head -n 1)
    library=$(ldd "$build/size-libvirt" | awk '/libvirt\.so/ { print $3 }')
    measure "libvirt $(pkg-config --modversion libvirt), embedded" libvirt "$build/size-libvirt" "$library" ${driver:+"$driver"}
else
    echo "skip  libvirt: no libvirt-dev" >&2
fi

# The table, and the ratio that each measure gives for the default build.
awk -F '|' '
    function mib(x) { return sprintf("%.2f", x / 1048576) }
    function kib(x) { return sprintf("%d", x / 1024) }
    function ratio(what, i,    r) {
        r = v["libvirt", i] / v[best, i]
        printf "%-58s %6.1f   %s\n", what, r, r >= 10 ? "at most a tenth" : "more than a tenth"
    }
    BEGIN {
        print "| | own text, KiB | own data, KiB | files | text + data of all, MiB | ... without libc | ... and without ICU |" \
              " resident, KiB | private, written, KiB |"
        print "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    }
    {
        printf "| %s | %s | %s | %d | %s | %s | %s | %d | %d |\n", $1, kib($2), kib($3), $4, mib($5), mib($6), mib($7), $8, $9
        key = $1 ~ /^libvirt/ ? "libvirt" : $1
        for (i = 2; i <= 10; i++)
            v[key, i] = $i
        seen[key] = 1
    }
    END {
        if (!seen["libvirt"])
            exit
        n = split("virt, default|virt, default; small static libxml2", names, "|")
        for (k = 1; k <= n; k++) {
            best = names[k]
            if (!seen[best])
                continue
            printf "\n%-58s %6s\n", "libvirt / " best, "times"
            ratio("own text", 2)
            ratio("text + data of everything loaded", 5)
            ratio("... without libc", 6)
            ratio("... without libc and ICU", 7)
            ratio("resident", 8)
            ratio("private and written to", 9)
        }
    }' "$build/raw"
