#!/bin/bash
# Programs of the distribution, written and compiled for libvirt, on build/libvirt.so.0, without a
# daemon: the language bindings, virt-install and its kin, collectd, Prometheus' exporter, GLib, D-Bus.
#
#     tests/clients.sh [word...]      only the scenarios whose names contain a word
#
# A scenario is a program in tests/clients/ or one of the functions below. It passes if it ends with
# success, loaded the library from build/ and no other, left no guest running, and no libvirt daemon
# came up. With 77 it is skipped, and its last line says why. BUILD is the folder with the results of
# `make libvirt.so guests`.
#
# virsh itself is not among them: it is linked with symbols of libvirt's inside (LIBVIRT_PRIVATE_9.0.0),
# which change with every release. examples/virtsh has its commands.
set -u
cd "$(dirname "$0")/.." || exit 2

build=$(realpath "${BUILD:-build}")
[ -e "$build/libvirt.so.0" ] && [ -e "$build/guest/light.img" ] || {
    echo "make libvirt.so guests comes first" >&2
    exit 2
}
work=$(mktemp -d "${TMPDIR:-/tmp}/vtc-XXXXXX") || exit 2        # short: sockets lie below
words=("$@")
number=0
children=()

# What was started from here, and guests: whose command line names the scratch directory.
left_running()
{
    local file
    for file in /proc/[0-9]*/cmdline; do
        tr '\0' ' ' < "$file" 2> /dev/null | grep -q "qemu-system.*$1/" && basename "$(dirname "$file")"
    done 2> /dev/null
}

end_all()
{
    local pid
    for pid in "${children[@]}"; do
        kill "$pid" 2> /dev/null
    done
    for pid in $(left_running "$work"); do
        kill -9 "$pid" 2> /dev/null
    done
    rm -rf "$work"
}
trap end_all EXIT
trap 'exit 1' INT TERM HUP

daemons()
{
    ps -e -o pid=,comm= | grep -E ' (libvirtd|virt[a-z]*d)$'
}
daemons_before=$(daemons)

wanted()
{
    local word
    [ ${#words[@]} -gt 0 ] || return 0
    for word in "${words[@]}"; do
        [[ $1 == *"$word"* ]] && return 0
    done
    return 1
}

# The world of a scenario: directories of its own, and ours first where libraries are looked for.
# LD_DEBUG writes down which were loaded.
world()
{
    export SCRATCH=$1 HOME=$1 XDG_RUNTIME_DIR=$1/run XDG_CONFIG_HOME=$1/config XDG_CACHE_HOME=$1/cache
    export XDG_DATA_HOME=$1/data XDG_STATE_HOME=$1/state TMPDIR=$1
    export IMAGE=$build/guest/light.img EMBED="qemu:///embed?root=$1/root" SESSION=qemu:///session
    export BUILD=$build TREE=$PWD CLIENTS=$PWD/tests/clients MKGUEST=$PWD/tests/guest/mkguest COUNTER=$build/guest/counter.img
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=${LIBRARY_PATH_FIRST:-$build} LC_ALL=C.UTF-8
    unset LIBVIRT_DEFAULT_URI VIRSH_DEFAULT_CONNECT_URI
    mkdir -p "$1/ld" && mkdir -m 700 "$1/run"
    cd "$1" || exit 2
    export PYTHONDONTWRITEBYTECODE=1 LD_DEBUG_OUTPUT=$1/ld/log LD_DEBUG=libs
}

# Every libvirt that a process of the scenario has loaded lies in build/, and at least one did. (Less
# than that would be the real one, which finds no daemon, or worse, finds one.)
ours_only()
{
    local loaded strangers
    loaded=$(cat "$1"/ld/* 2> /dev/null | sed -n 's|.*calling init: \(.*/libvirt\(-qemu\|-lxc\)\{0,1\}\.so\.0.*\)|\1|p' | sort -u)
    [ -n "$loaded" ] || { echo "no libvirt.so.0 was loaded"; return 1; }
    strangers=$(echo "$loaded" | grep -v "^${2:-$build}/") || return 0
    echo "loaded from elsewhere: $strangers"
    return 1
}

# scenario NAME COMMAND...: a line for it
scenario()
{
    local name=$1 dir log code why
    shift
    wanted "$name" || return 0
    number=$((number + 1))
    dir=$work/$number
    log=$work/$number.log
    mkdir "$dir"
    (world "$dir" && exec 0< /dev/null && limited "$@") > "$log" 2>&1
    code=$?
    if [ $code = 77 ]; then
        echo "skip  $name: $(tail -n 1 "$log")"
    else
        why=
        [ $code = 0 ] || why="ended with $code; "
        why+=$(ours_only "$dir" "${LIBRARY_PATH_FIRST:-$build}") || why+="; "
        [ -z "$(left_running "$dir")" ] || why+="left a guest running; "
        [ "$(daemons)" = "$daemons_before" ] || why+="a libvirt daemon came up; "
        if [ -z "$why" ]; then
            echo "ok    $name"
        else
            echo "FAIL  $name: $why"
            tail -n 40 "$log" | sed 's/^/    /'
        fi
    fi
    end_guests "$dir"
    [ -n "${KEEP:-}" ] || rm -rf "$dir"
}

# A function of this script runs in a shell of its own; a program has a time limit.
limited()
{
    if [ "$(type -t "$1")" = function ]; then
        set -e
        "$@"
    else
        timeout -k 5 60 "$@"
    fi
}

end_guests()
{
    local pid
    for pid in $(left_running "$1"); do
        kill -9 "$pid" 2> /dev/null
    done
}

skipped()
{
    echo "$*"
    exit 77
}

# Each line is counted as it goes by.
report()
{
    local line passed=0 failed=0 skipped=0
    while IFS= read -r line; do
        printf '%s\n' "$line"
        case $line in
            "ok    "*) passed=$((passed + 1)) ;;
            "FAIL  "*) failed=$((failed + 1)) ;;
            "skip  "*) skipped=$((skipped + 1)) ;;
        esac
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
}

# ---------- python ----------

python()
{
    scenario "python: $1" /usr/bin/python3 "$PWD/tests/clients/python.py" "$2"
}

# ---------- virt-install and its kin ----------

# A disk's path goes by source.file: with path= virt-install looks for a storage pool, and there are none.
install_guest()
{
    virt-install --connect "$1" --name g --memory 64 --import --virt-type qemu --graphics none --network none \
        --noautoconsole --osinfo detect=off,require=off --serial "file,path=$SCRATCH/g.out" \
        --disk "source.file=$SCRATCH/g.img,driver.name=qemu,driver.type=raw,target.dev=vda,target.bus=virtio" "${@:2}"
}

counts_on()
{
    local seen now
    seen=$(grep -c '^[0-9]' "$SCRATCH/g.out" 2> /dev/null) || true
    for _ in $(seq 400); do
        now=$(grep -c '^[0-9]' "$SCRATCH/g.out" 2> /dev/null) || true
        [ "${now:-0}" -le $((${seen:-0} + 5)) ] || return 0
        sleep 0.05
    done
    echo "the guest does not count"
    return 1
}

# It runs, outlives virt-install, is found by another program, in another language, and ended there.
virt_install()
{
    cp "$IMAGE" g.img
    install_guest "$1"
    counts_on
    [ "$(left_running "$SCRATCH" | wc -l)" = 1 ]
    perl "$CLIENTS/perl.pl" finds "$1"
    [ -z "$(left_running "$SCRATCH")" ]
}

virt_install_print()
{
    cp "$IMAGE" g.img
    install_guest "$EMBED" --print-xml > g.xml
    grep -q "<source file=\"$SCRATCH/g.img\"/>" g.xml
    grep -q 'machine="pc-i440fx' g.xml                                 # the default one of QEMU
    virt-xml-validate g.xml domain || [ $? = 127 ]
    [ -z "$(left_running "$SCRATCH")" ]
    /usr/bin/python3 "$CLIENTS/python.py" empty
}

# One without a definition is gone when it ends.
virt_install_transient()
{
    cp "$IMAGE" g.img
    install_guest "$EMBED" --transient
    counts_on
    /usr/bin/python3 "$CLIENTS/python.py" transient
}

# The definition is changed with virt-xml, the guest copied with virt-clone, started with virt-xml.
virt_xml()
{
    cp "$IMAGE" g.img
    install_guest "$EMBED" --noreboot --print-xml > g.xml
    /usr/bin/python3 "$CLIENTS/python.py" define g.xml
    virt-xml --connect "$EMBED" g --edit --vcpus 2 --define
    virt-xml --connect "$EMBED" g --edit --metadata title="a title" --define
    virt-xml --connect "$EMBED" g --add-device --rng /dev/urandom --define
    virt-xml --connect "$EMBED" g --edit --memory 48 --print-diff --define | grep '^+.*49152'
    ! virt-xml --connect "$EMBED" g --edit --vcpus nonsense --define
    virt-xml --connect "$EMBED" g --edit --vcpus 2 --define --start
    counts_on
    /usr/bin/python3 "$CLIENTS/python.py" edited
}

virt_clone()
{
    cp "$IMAGE" g.img
    install_guest "$EMBED" --print-xml > g.xml
    /usr/bin/python3 "$CLIENTS/python.py" define g.xml
    virt-clone --connect "$EMBED" --original g --name copy --auto-clone --skip-copy vda
    /usr/bin/python3 "$CLIENTS/python.py" copied
}

on_embed()
{
    virt_install "$EMBED"
}

on_session()
{
    virt_install "$SESSION"
}

# ---------- GLib, D-Bus, collectd, Prometheus ----------

# In the background; ended with the scenario.
background()
{
    "$@" > "$SCRATCH/background.log" 2>&1 &
    background=$!
    trap 'kill $background 2> /dev/null || true' EXIT
}

start_guest()
{
    /usr/bin/python3 "$CLIENTS/python.py" start
}

end_guest()
{
    kill "$background" 2> /dev/null || true
    wait "$background" 2> /dev/null || true
    /usr/bin/python3 "$CLIENTS/python.py" end
}

eventually()
{
    for _ in $(seq 100); do
        ! "$@" > /dev/null 2>&1 || return 0
        sleep 0.1
    done
    "$@"
}

# libvirt-dbus serves the library on a bus of its own. (Its QEMU object is qemu:///session's.)
dbus()
{
    timeout -k 5 50 dbus-run-session -- /bin/sh "$CLIENTS/dbus.sh"
}

# For a running guest, values in collectd's CSV files.
collectd_values()
{
    start_guest
    cat > collectd.conf << EOF
BaseDir "$SCRATCH"
PIDFile "$SCRATCH/collectd.pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
Interval 1
LoadPlugin csv
LoadPlugin virt
<Plugin csv>
    DataDir "$SCRATCH/csv"
</Plugin>
<Plugin virt>
    Connection "$EMBED"
    RefreshInterval 1
    HostnameFormat name
</Plugin>
EOF
    background collectd -f -C collectd.conf
    eventually test -n "$(sleep 4; ls csv/g/virt/virt_cpu_total-* 2> /dev/null)" || { cat background.log; false; }
    [ "$(tail -q -n 1 csv/g/virt/virt_cpu_total-* | cut -d, -f2 | cut -d. -f1)" -ge 0 ]
    ls csv/g/virt/memory-total-* csv/g/virt/disk_octets-vda-*
    end_guest
}

# An HTTP scrape has the guest's numbers.
prometheus()
{
    local port=$((20000 + $$ % 20000))
    start_guest
    background prometheus-libvirt-exporter --libvirt.uri "$EMBED" --web.listen-address 127.0.0.1:$port
    eventually curl -sf -o metrics "http://127.0.0.1:$port/metrics" || { cat background.log; false; }
    grep '^libvirt_up 1' metrics
    grep 'domain="g"' metrics > mine
    grep '^libvirt_domain_info_maximum_memory_bytes.* 3\.3554432e+07' mine
    awk '/^libvirt_domain_info_cpu_time_seconds_total/ && $2 > 0 { found = 1 } END { exit !found }' mine
    grep '^libvirt_domain_block_stats_read_bytes_total.*target_device="vda"' mine
    end_guest
}

# ---------- built from source ----------

# Debian's Go binding is source, which cgo compiles against our headers, libvirt.pc and library.
go_binding()
{
    make -s -C "$TREE" BUILD="$BUILD" install-compat DESTDIR="$SCRATCH/dest" PREFIX=/usr > install.log 2>&1 ||
        { cat install.log; false; }
    mkdir gotest
    cp "$CLIENTS/life.go" gotest/main.go
    (cd gotest && unset LD_DEBUG LD_LIBRARY_PATH &&
        GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$SCRATCH/gocache GOFLAGS=-p=2 CGO_CFLAGS="-O0" \
        PKG_CONFIG_PATH=$SCRATCH/dest/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$SCRATCH/dest go build -o ../life)
    timeout -k 5 60 ./life
}

# ---------- all of it ----------

all()
{
    python "a guest's life, test:///default" lifecycle_test
    python "a guest's life, qemu:///embed" lifecycle_embed
    python "a guest's life, qemu:///session" lifecycle_session
    python "errors are exceptions with libvirt's codes" errors
    python "events by the default loop in a thread" events_default
    python "events by a loop in Python" events_own
    python "events by asyncio" events_asyncio
    python "a live migration, its statistics from another thread" migrate
    python "a migration that fails and one that is aborted" migrate_back
    python "a close callback" close_callback
    python "metadata" metadata
    python "statistics" stats
    python "QMP passed through" qmp
    python "the host" host
    python "eight threads" threads
    python "every method answers or raises" every_method
    for word in lifecycle errors events migrate; do
        scenario "perl: $word" /usr/bin/perl "$PWD/tests/clients/perl.pl" $word
        scenario "ruby: $word" /usr/bin/ruby "$PWD/tests/clients/ruby.rb" $word
    done
    scenario "php: lifecycle and errors" /usr/bin/php -n -d extension=libvirt-php.so "$PWD/tests/clients/life.php"
    scenario "virt-install --import on qemu:///embed, ended by a Perl program" on_embed
    scenario "virt-install --import on qemu:///session, ended by a Perl program" on_session
    scenario "virt-install --print-xml" virt_install_print
    scenario "virt-install --transient" virt_install_transient
    scenario "virt-xml changes a guest and starts it" virt_xml
    scenario "virt-clone" virt_clone
    scenario "libvirt-glib: a guest's life and its signals, by introspection" /usr/bin/python3 "$PWD/tests/clients/glib.py"
    scenario "libvirt-dbus: a guest's life, over a bus" dbus
    scenario "collectd: values of a running guest" collectd_values
    scenario "Prometheus exporter: a scrape has the guest" prometheus
    scenario "go: Debian's binding built from source; lifecycle, errors, events" go_binding
}

all | report
