#!/bin/bash
# Leases kept by sanlock (tests/unit/lock_sanlock.c), with its daemons, in a virtual machine of its own: a daemon locks its memory, has a
# watchdog where it is meant in earnest, and is nothing to be started on a machine that somebody uses.
#
#     tests/sanlock.sh                    all of the tests; the total is the last line
#     tests/sanlock.sh -v holds           with what they print; those whose name contains the word
#
# The machine is QEMU's, without hardware help: the kernel of the Linux guest (tests/guest/mklinux), this machine's libraries and QEMU, the
# test programs, and Debian's package sanlock, unpacked and not installed, on a disk in memory. What is missing is a test skipped.
set -u
cd "$(dirname "$0")/.." || exit 2

build=$(realpath "${VIRT_TEST_BUILD:-build}")
programs=$(realpath "${VIRT_TEST_EXAMPLES:-$build/examples}")
program=${programs%/examples}/tests/unit/lock_sanlock
linux=$build/guest/linux
limit=${VIRT_SANLOCK_LIMIT:-1800}

skip()
{
    echo "skip  sanlock: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
export PATH=$PATH:/usr/sbin:/sbin
[ -z "${VIRT_TEST_WRAPPER:-}" ] || skip "not under valgrind"
for command in qemu-system-x86_64 mke2fs apt-get dpkg-deb; do
    command -v $command > /dev/null || skip "no $command"
done
[ -e "$program" ] || skip "without libsanlock_client"
! ldd "$program" | grep -q 'lib[at]san' || skip "not under sanitizers"
[ -e "$linux/vmlinuz" ] && [ -e "$linux/busybox" ] || skip "no Linux guest: build/guest/linux"

work=$(mktemp -d "${TMPDIR:-/tmp}/vtsanlock-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
root=$work/root

# The daemon, and what it needs that is not here.
daemon=$build/guest/sanlock
if [ ! -e "$daemon/usr/sbin/sanlock" ]; then
    mkdir -p "$daemon/packages" &&
        (cd "$daemon/packages" && apt-get -qq download sanlock libsanlock1 libaio1) > "$work/download" 2>&1 ||
        skip "cannot download the package sanlock: $(tail -n 1 "$work/download")"
    for package in "$daemon"/packages/*.deb; do
        dpkg-deb -x "$package" "$daemon" || skip "cannot unpack $package"
    done
    rm -rf "$daemon/etc"                    # there are folders *.d, which are no dependencies for make
fi

# A program with its libraries, at the places that they have here.
take()
{
    local file
    for file in "$1" $(LD_LIBRARY_PATH=$daemon/usr/lib/x86_64-linux-gnu:$daemon/lib/x86_64-linux-gnu ldd "$1" | grep -o '/[^ ]*'); do
        mkdir -p "$root/$(dirname "$file")" && cp -L "$file" "$root/$file" || exit
    done
}
mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,mnt,etc,root,usr/sbin,usr/share/qemu,usr/share/seabios} "$root/$PWD" "$root/$build/guest"
cp "$linux/busybox" "$root/bin/busybox"
take "$program"
take "$daemon/usr/sbin/sanlock"
take "$(command -v qemu-system-x86_64)"
for module in /usr/lib/*/qemu/accel-*x86_64.so; do
    [ ! -e "$module" ] || take "$module"
done
cp -L "$daemon"/usr/sbin/sanlock "$root/usr/sbin/"
cp -rL /usr/share/seabios/. "$root/usr/share/seabios/"
cp -L /usr/share/qemu/*.bin /usr/share/qemu/*.rom "$root/usr/share/qemu/" 2> /dev/null
cp "$build/guest/idle.img" "$build/guest/light.img" "$root/$build/guest/" 2> /dev/null
printf 'root:x:0:0:root:/root:/bin/sh\n' > "$root/etc/passwd"
printf '%s\n' "#!/bin/sh" "export PATH=/bin:/usr/bin:/usr/sbin TMPDIR=/dev/shm HOME=/root VIRT_TEST_SLOW=4 VIRT_TEST_SANLOCK=/mnt VIRT_TEST_BUILD='$build'" \
    "export LD_LIBRARY_PATH='$daemon/usr/lib/x86_64-linux-gnu:$daemon/lib/x86_64-linux-gnu'" \
    "cd '$PWD' && exec '$program' $(printf "'%s' " "$@")" > "$root/root/test"
chmod 755 "$root/root/test"
mke2fs -q -F -t ext4 -O ^has_journal -d "$root" "$work/root.img" 600m > "$work/mke2fs" 2>&1 || skip "mke2fs: $(tail -n 1 "$work/mke2fs")"
truncate -s 512m "$work/leases.img"
mke2fs -q -F -t ext4 "$work/leases.img" || exit 2
rm -rf "$root"

# The guest's own first program, put over that of the Linux guest.
mkdir -p "$work/first"
cat > "$work/first/init" << 'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
exec < /dev/console > /dev/console 2>&1
for module in $(cat /modules/order); do
    insmod "/modules/$module.ko"
done
mkdir -p /new
mount -t ext4 -o noatime /dev/vda /new
mount -t ext4 /dev/vdb /new/mnt
for folder in dev proc sys; do
    mount --move /$folder /new/$folder
done
chroot /new /bin/busybox --install -s /bin
mkdir -p /new/dev/shm /new/run
mount -t tmpfs none /new/dev/shm
mount -t tmpfs none /new/run
ifconfig lo 127.0.0.1 up
chroot /new /root/test > /new/dev/ttyS1 2>&1 < /new/dev/null
echo "ended with $?" > /new/dev/ttyS1
poweroff -f
INIT
chmod 755 "$work/first/init"
(cd "$work/first" && echo init | "$linux/busybox" cpio -o -H newc 2> /dev/null | gzip -1) > "$work/first.img"
cat "$linux/initrd.img" "$work/first.img" > "$work/initrd.img"

timeout -k 5 "$limit" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -machine q35,accel=tcg -cpu max -m 1024 -smp 2 \
    -serial "file:$work/console" -serial "file:$work/out" -kernel "$linux/vmlinuz" -initrd "$work/initrd.img" \
    -append "console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable" \
    -drive "if=virtio,format=raw,cache=unsafe,file=$work/root.img" -drive "if=virtio,format=raw,cache=unsafe,file=$work/leases.img"
tr -d '\r' < "$work/out" | grep -v '^ended with ' | sed '$!b; /^[0-9]* passed, /!d'
if ! tail -n 2 "$work/out" | grep -qE '^[0-9]+ passed, '; then
    echo "FAIL  sanlock: the machine has not finished: $(tail -n 5 "$work/console" "$work/out" | tr -d '\r')"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
tail -n 2 "$work/out" | grep -q ', 0 failed, '
