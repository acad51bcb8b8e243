#!/bin/sh
# On a bus of its own: libvirt-dbus lists, defines, starts and ends guests.
set -e

call()
{
    path=$1 method=$2
    shift 2
    gdbus call --session -d org.libvirt -o "$path" -m "org.libvirt.$method" "$@"
}

libvirt-dbus --session > "$SCRATCH/dbus.log" 2>&1 &
server=$!
trap 'kill $server 2> /dev/null' EXIT
gdbus wait --session --timeout 20 org.libvirt

call /org/libvirt/Test Connect.ListDomains 0 | grep -q "/org/libvirt/Test/domain/"
call /org/libvirt/Test Connect.DomainLookupByName test | grep -q "/org/libvirt/Test/domain/"
! call /org/libvirt/QEMU Connect.DomainLookupByName nobody 2> "$SCRATCH/error"
grep -q "Domain not found" "$SCRATCH/error"

xml="<domain type='qemu'><name>g</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='file'><driver name='qemu' type='raw'/><source file='$IMAGE'/><target dev='vda' bus='virtio'/>
<readonly/></disk><serial type='file'><source path='$SCRATCH/g.out'/></serial></devices></domain>"
domain=$(call /org/libvirt/QEMU Connect.DomainDefineXML "$xml" | sed "s/.*'\(.*\)'.*/\1/")
call "$domain" Domain.Create 0
for _ in $(seq 200); do
    [ "$(wc -l < "$SCRATCH/g.out" 2> /dev/null || echo 0)" -lt 10 ] || break
    sleep 0.1
done
[ "$(wc -l < "$SCRATCH/g.out")" -ge 10 ]
call "$domain" Domain.GetState 0 | grep -q "(1, 1)"
call "$domain" Domain.Destroy 0
call "$domain" Domain.Undefine 0
call /org/libvirt/QEMU Connect.ListDomains 0 | grep -q "^(@ao \[\],)"
