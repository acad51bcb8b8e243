#!/bin/bash
# examples/firmware as its users meet it: the Makefile, the supervisor with a guest, the Buildroot package and the Yocto
# recipe, these two by small stand-ins for their infrastructure, which really run the commands.
#
#     tests/firmware.sh [word...]       only the checks whose names contain a word
set -u
cd "$(dirname "$0")/.." || exit 2
work=$(mktemp -d "${TMPDIR:-/tmp}/vtfirmware-XXXXXX") || exit 2
supervisor=
trap '[ -z "$supervisor" ] || kill -9 "$supervisor" 2> /dev/null; end_guest; rm -rf "$work"' EXIT
words=("$@")
passed=0 failed=0 skipped=0
aarch64=$(command -v qemu-aarch64 || echo qemu-aarch64-static)
version=$(sed -n 's/^#define VIRT_VERSION *"\(.*\)".*/\1/p' virt.h)

check()
{
    local name=$1 word wanted=
    shift
    for word in "${words[@]-}"; do
        [[ $name != *"$word"* ]] || wanted=1
    done
    [ -n "$wanted" ] || return 0
    if "$@" > "$work/log" 2>&1; then
        echo "ok    $name"
        passed=$((passed + 1))
    else
        echo "FAIL  $name"
        tail -n 30 "$work/log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

skip()
{
    echo "skip  $1: $2"
    skipped=$((skipped + 1))
}

# makes OUT OPTIONS...
makes()
{
    mkdir -p "$work/$1"
    make -s -C examples/firmware OUT="$work/$1" "${@:2}" && [ -x "$work/$1/supervisor" ] || return
    # without arguments it says how it is used; under an emulator where it is for another machine
    case "$*" in
        *aarch64*) "$aarch64" -L /usr/aarch64-linux-gnu "$work/$1/supervisor" ;;
        *) "$work/$1/supervisor" ;;
    esac 2>&1 | grep usage
}

# wait_for SECONDS TEXT TIMES: the supervisor has said it so often
wait_for()
{
    local i
    for ((i = 0; i < $1 * 20; i++)); do
        [ "$(grep -c "$2" "$work/out")" -lt "$3" ] || return 0
        sleep 0.05
    done
    echo "not seen $3 times within $1 s: $2"
    cat "$work/out"
    return 1
}

guest()
{
    local pid
    for pid in /proc/[0-9]*; do
        tr '\0' ' ' 2> /dev/null < "$pid/cmdline" | grep -q "qemu-system.*$work/root" && echo "${pid#/proc/}"
    done
    return 0
}

end_guest()
{
    local pid
    for pid in $(guest); do
        kill -9 "$pid" 2> /dev/null
    done
}

supervise()
{
    "$work/native/supervisor" "$work/root" "$work/guest.xml" > "$work/out" 2>&1 &
    supervisor=$!
}

# What stands in the way is said, in words, each time.
says_what_is_wrong()
{
    [ -x "$work/native/supervisor" ] || { echo "not built"; return 1; }
    mkdir -p "$work/root"
    "$work/native/supervisor" "$work/root" "$work/nowhere.xml" > "$work/out" 2>&1 && return 1
    [ "$(cat "$work/out")" = "cannot read $work/nowhere.xml" ] || { cat "$work/out"; return 1; }
    sed "s|<source file=.*|<source file='$work/nowhere.img'/>|" examples/firmware/guest.xml > "$work/guest.xml"
    supervise
    wait_for 20 "appliance: .*$work/nowhere.img" 2 || return
    kill -TERM $supervisor
    wait $supervisor || { cat "$work/out"; return 1; }
    supervisor=
}

# Started, started again after its death, found again after the supervisor's, ended with it.
keeps_a_guest_running()
{
    [ -x "$work/native/supervisor" ] || { echo "not built"; return 1; }
    mkdir -p "$work/root"
    sed "s|<source file=.*|<source file='$work/disk.img'/>|; s|/var/log/appliance|$work/appliance|; s|>128<|>32<|" \
        examples/firmware/guest.xml > "$work/guest.xml"
    truncate -s 1M "$work/disk.img"
    supervise
    wait_for 20 "started" 1 && [ "$(guest | wc -l)" = 1 ] || return
    kill -9 "$(guest)"
    wait_for 20 "started again" 1 && [ "$(guest | wc -l)" = 1 ] || return
    kill -9 $supervisor
    wait $supervisor 2> /dev/null
    [ "$(guest | wc -l)" = 1 ] || { echo "the guest has died with its supervisor"; return 1; }
    supervise
    wait_for 20 "runs already" 1 || return
    [ "$(ls "/proc/$supervisor/task" | wc -l)" = 1 ] || { echo "more than one thread"; return 1; }
    kill -TERM $supervisor
    wait_for 20 "asked to end" 1
    wait $supervisor || { cat "$work/out"; return 1; }
    supervisor=
    [ -z "$(guest)" ] || { echo "the guest is still there"; return 1; }
}

archive()
{
    tests/release.sh archives "$work/dist" && tar -xzf "$work/dist/virt-$version.tar.gz" -C "$work" &&
        grep -q "^VIRT_VERSION = $version$" examples/firmware/buildroot/package/virt/virt.mk
}

# What generic-package does with a package's variables, in a few lines; the cross compiler is this machine's.
buildroot()
{
    local dir=$work/buildroot shared=$1
    rm -rf "$dir"
    mkdir -p "$dir/staging" "$dir/target"
    cp -r "$work/virt-$version" "$dir/build"
    cat > "$dir/Makefile" <<END
BR2_PACKAGE_VIRT = y
BR2_PACKAGE_VIRT_SUPERVISOR = y
$shared = y
BR2_EXTERNAL_VIRT_PATH = $PWD/examples/firmware/buildroot
TARGET_DIR = $dir/target
STAGING_DIR = $dir/staging
INSTALL = install
TARGET_MAKE_ENV = env LC_ALL=C
TARGET_CONFIGURE_OPTS = CC="gcc" AR="ar" LD="ld" CFLAGS="-Os" LDFLAGS="" PKG_CONFIG="pkg-config"
define sep


endef
define generic-package
all: staging target
build:
	\$\$(VIRT_BUILD_CMDS)
staging: build
	\$\$(if \$\$(filter YES,\$\$(VIRT_INSTALL_STAGING)),\$\$(VIRT_INSTALL_STAGING_CMDS))
target: build
	\$\$(VIRT_INSTALL_TARGET_CMDS)
.PHONY: all build staging target
endef
include \$(BR2_EXTERNAL_VIRT_PATH)/external.mk
END
    # there $(@D) is the package's build folder, as the stamps of its targets lie in it
    mkdir "$dir/mk"
    sed "s|\$(@D)|$dir/build|g" examples/firmware/buildroot/package/virt/virt.mk > "$dir/mk/virt.mk"
    sed -i "s|^include .*|include $dir/mk/virt.mk|" "$dir/Makefile"
    env -u MAKEFLAGS make -C "$dir" -j2 all || return
    [ -e "$dir/staging/usr/include/virt.h" ] && [ -x "$dir/target/usr/sbin/supervisor" ] &&
        [ -e "$dir/target/etc/supervisor/guest.xml" ] || return
    if [ "$shared" = BR2_SHARED_LIBS ]; then
        [ -e "$dir/target/usr/lib/libvirt-embed.so.0" ] && [ ! -e "$dir/staging/usr/lib/libvirt-embed.a" ] || return
        sed 's|"\.\./virt\.h"|<virt.h>|' examples/lifecycle.c > "$dir/app.c"
        # shellcheck disable=SC2046
        gcc -I"$dir/staging/usr/include" -o "$dir/app" "$dir/app.c" -L"$dir/staging/usr/lib" -lvirt-embed &&
            LD_LIBRARY_PATH=$dir/target/usr/lib timeout 20 "$dir/app"
    fi
}

buildroot_hash()
{
    local kind sum file
    grep -v '^#' examples/firmware/buildroot/package/virt/virt.hash |
        while read -r kind sum file; do
            [ "$kind" = sha256 ] && (cd "$work/virt-$version" && echo "$sum  $file" | sha256sum -c) || exit 1
        done
}

# The tasks of the recipe, in a shell, with the variables that bitbake sets.
recipe()
{
    local bb=examples/firmware/yocto/recipes-virt/virt/virt_$version.bb dir=$work/yocto
    [ -e "$bb" ] || { echo "no recipe of version $version"; return 1; }
    rm -rf "$dir"
    mkdir -p "$dir/D"
    cp -r "$work/virt-$version" "$dir/S"
    {
        echo "set -e; PV=$version PN=virt S=$dir/S B=$dir/S D=$dir/D prefix=/usr includedir=/usr/include libdir=/usr/lib"
        echo "sbindir=/usr/sbin sysconfdir=/etc CC=gcc AR=ar CFLAGS=-Os LDFLAGS=; cd $dir/S"
        sed -n 's/^EXTRA_OEMAKE = "\(.*\)"$/oe_runmake() { make -s \1 "$@"; }/p' "$bb" | tr "'" '"'
        sed -n '/^do_[a-z]*() {$/,/^}$/p' "$bb"
        echo "do_compile; do_install"
    } > "$dir/run"
    sh "$dir/run" || return
    for file in usr/include/virt.h usr/lib/libvirt-embed.a usr/lib/libvirt-embed.so usr/sbin/supervisor etc/supervisor/guest.xml; do
        [ -e "$dir/D/$file" ] || { echo "not installed: $file"; return 1; }
    done
    echo "$(sed -n 's/.*file:\/\/LICENSE;md5=\([0-9a-f]*\)".*/\1/p' "$bb")  LICENSE" | md5sum -c
}

# libxml2 and cJSON for another machine
cross_deps()
{
    tests/crossbuild "$1" 2> /dev/null && echo "$PWD/build/cross/$1"
}

check "make, for this machine" makes native
check "make, with the two files alone" eval 'make -s amalgamation BUILD="$work/b" && makes pair VIRT="$work/b/dist"'
if deps=$(cross_deps x86_64-linux-musl) && command -v musl-gcc > /dev/null; then
    check "make, static, musl" makes musl STATIC=1 CC=musl-gcc DEPS="$deps"
else
    skip "make, static, musl" "no compiler, or no sources of libxml2 and cJSON"
fi
if deps=$(cross_deps aarch64-linux-gnu) && command -v aarch64-linux-gnu-gcc > /dev/null && command -v "$aarch64" > /dev/null; then
    check "make, for aarch64" makes aarch64 CROSS_COMPILE=aarch64-linux-gnu- DEPS="$deps"
else
    skip "make, for aarch64" "no compiler or emulator for it, or no sources of libxml2 and cJSON"
fi
if command -v qemu-system-x86_64 > /dev/null; then
    check "the supervisor says what is wrong" says_what_is_wrong
    check "the supervisor keeps a guest running" keeps_a_guest_running
else
    skip "the supervisor keeps a guest running" "no qemu-system-x86_64"
fi
check "the archive of a release" archive
check "Buildroot: the licence is the one of virt.hash" buildroot_hash
check "Buildroot: shared" buildroot BR2_SHARED_LIBS
check "Buildroot: shared and static" buildroot BR2_SHARED_STATIC_LIBS
check "Yocto: the recipe's tasks" recipe

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
