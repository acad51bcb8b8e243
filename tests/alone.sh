#!/bin/bash
# A static virtsh with a real guest, as somebody uses it who has copied just this one file.
#
#     tests/alone.sh PROGRAM [IMAGE]      IMAGE: the guest, build/guest/light.img if it is not said
#
# It loads nothing, and takes a guest from its definition to its end, over a live migration between two roots.
set -u
cd "$(dirname "$0")/.." || exit 2
program=$(realpath "${1:?the program}")
image=$(realpath "${2:-build/guest/light.img}") || exit 2
work=$(mktemp -d "${TMPDIR:-/tmp}/vtalone-XXXXXX") || exit 2
trap 'end_guests; rm -rf "$work"' EXIT
passed=0 failed=0
one="qemu:///embed?root=$work/one" two="qemu:///embed?root=$work/two"

check()
{
    if "${@:2}" > "$work/log" 2>&1; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        tail -n 20 "$work/log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

# Nothing but the program is there: no environment, no library. PATH is for QEMU.
virtsh()
{
    timeout 60 env -i PATH="$PATH" "$program" -c "$@"
}

# The emulators of either root.
guests()
{
    local process
    for process in /proc/[0-9]*; do
        tr '\0' ' ' 2> /dev/null < "$process/cmdline" | grep -q "qemu-system.*$work/" && echo "${process#/proc/}"
    done
    return 0
}

end_guests()
{
    local pid
    for pid in $(guests); do
        kill -9 "$pid" 2> /dev/null
    done
}

loads_nothing()
{
    readelf -lW "$program" > "$work/segments" && ! grep -E 'INTERP|DYNAMIC' "$work/segments"
}

# state URI STATE: what is told of the guest; "" for none
state()
{
    local list line
    list=$(virtsh "$1" list --all) || return
    line=$(awk '$2 == "traveller" { print $3, $4 }' <<< "$list" | xargs)
    [ "$line" = "$2" ] || { echo "$1: '$line' instead of '$2'"; return 1; }
}

# The guest goes on counting.
counts()
{
    local before now i
    before=$(tail -n 2 "$work/out" 2> /dev/null | head -n 1 | tr -dc 0-9)
    for ((i = 0; i < 200; i++)); do
        now=$(tail -n 2 "$work/out" 2> /dev/null | head -n 1 | tr -dc 0-9)
        [ "${now:-0}" -le $((${before:-0} + 20)) ] || return 0
        sleep 0.1
    done
    echo "it stays at ${now:-nothing}"
    return 1
}

defined() { virtsh "$one" define "$work/traveller.xml" && state "$one" "shut off"; }
started() { virtsh "$one" start traveller && state "$one" running && counts; }
migrated()
{
    virtsh "$one" migrate --live --persistent --undefinesource traveller "$two" &&
        state "$one" "" && state "$two" running && counts && [ "$(guests | wc -l)" = 1 ]
}
destroyed() { virtsh "$two" destroy traveller && state "$two" "shut off" && [ -z "$(guests)" ]; }
undefined() { virtsh "$two" undefine traveller && state "$two" ""; }

cat > "$work/traveller.xml" <<XML
<domain type='qemu'>
  <name>traveller</name>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='$image'/>
      <target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
    <serial type='file'><source path='$work/out' append='on'/></serial>
  </devices>
</domain>
XML
check "it loads nothing" loads_nothing
check "version" virtsh test:///default version
if command -v qemu-system-x86_64 > /dev/null; then
    check "define" defined
    check "start, list, the guest counts" started
    check "migrate to another root, there it goes on counting" migrated
    check "destroy" destroyed
    check "undefine" undefined
    skipped=0
else
    echo "skip  a guest: no qemu-system-x86_64"
    skipped=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
