#!/bin/bash
# What `make install` leaves on a machine, and what projects of others build with it; the documentation.
#
#     tests/install.sh [word...]        only the checks whose names contain a word
#
# BUILD is the folder for results, as with make. Prints a line for each check and the total last.
set -u
cd "$(dirname "$0")/.." || exit 2

work=$(mktemp -d "${TMPDIR:-/tmp}/vtinstall-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
words=("$@")
passed=0 failed=0 skipped=0
export LC_ALL=C.UTF-8 BUILD=${BUILD:-build}
unset DESTDIR PREFIX LIBDIR MAKEFLAGS
tree=$PWD
root="$work/the root"                   # a name that must be quoted everywhere
prefix=$work/prefix
lib=usr/lib/virt-test                   # not where anybody would look without being told
jobs=$(nproc 2> /dev/null || echo 2)

wanted()
{
    local word
    [ ${#words[@]} -gt 0 ] || return 0
    for word in "${words[@]}"; do
        [[ $1 == *"$word"* ]] && return 0
    done
    return 1
}

# check NAME COMMAND...: passed if the command succeeds; status 77 with a reason is a skip
check()
{
    local name=$1 status
    shift
    wanted "$name" || return 0
    ("$@") > "$work/log" 2>&1
    status=$?
    if [ $status = 0 ]; then
        echo "ok    $name"
        passed=$((passed + 1))
    elif [ $status = 77 ]; then
        echo "skip  $name: $(tail -n 1 "$work/log")"
        skipped=$((skipped + 1))
    else
        echo "FAIL  $name"
        tail -n 30 "$work/log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

needs()
{
    command -v "$1" > /dev/null || { echo "no $1"; exit 77; }
}

# Does a program that was built here see a guest?
runs()
{
    [ "$("$@")" = "1 guests, virt $version" ]
}

install_here()
{
    make -s DESTDIR="$root" PREFIX=/usr LIBDIR="/$lib" "$@"
}

version=$(sed -n 's/^#define VIRT_VERSION *"\(.*\)".*/\1/p' virt.h)
cat > "$work/app.c" << 'END'
#include <stdio.h>
#include <virt.h>

int main(void)
{
    virConnectPtr conn = virConnectOpen("test:///default");

    if (conn == NULL) {
        fprintf(stderr, "%s\n", virGetLastErrorMessage());
        return 1;
    }
    printf("%d guests, virt %s\n", virConnectNumOfDomains(conn), VIRT_VERSION);
    virConnectClose(conn);
    return 0;
}
END

# ---------- what is there ----------

installed_files()
{
    local chapters
    (umask 077 && install_here -j"$jobs" install install-docs) || return 1     # what is installed is for everybody
    [ -z "$(find "$root" -mindepth 1 -type d ! -perm -755 -o -type f ! -perm -444)" ] || return 1
    if make -s BUILD="$work/a b" lib 2> "$work/refused" || ! grep -q 'BUILD must be one word' "$work/refused" ||
        [ "$(wc -l < "$work/refused")" != 1 ]; then cat "$work/refused"; return 1; fi
    chapters=$(grep -c '^ \*  [0-9]*\. [A-Z v]' virt.h)
    (cd "$root" && find . -type f -o -type l | grep -v '/html/' | sort) > "$work/found"
    sort > "$work/expected" << END
./etc/init.d/virtd
./usr/bin/virtsh
./usr/include/virt.h
./$lib/libvirt-embed.a
./$lib/libvirt-embed.so
./$lib/libvirt-embed.so.0
./$lib/pkgconfig/virt.pc
./usr/lib/systemd/system/virtd.service
./usr/sbin/virtd
./usr/share/bash-completion/completions/virtsh
./usr/share/doc/virt/virtd.conf
./usr/share/fish/vendor_completions.d/virtsh.fish
./usr/share/man/man1/virtsh.1
./usr/share/man/man8/virtd.8
./usr/share/virt/dashboard/index.html
./usr/share/zsh/site-functions/_virtsh
END
    diff "$work/expected" "$work/found" || return 1
    [ "$(find "$root/usr/share/doc/virt/html" -type f | wc -l)" = $((chapters + 3)) ] ||
        { echo "pages for $chapters chapters:"; ls "$root/usr/share/doc/virt/html"; return 1; }
    [ -z "$(find "$root" -type f -perm /022)" ]
}

# From the archive of a release, by somebody who is not root, into a folder of his own.
release()
{
    local as=()
    tests/release.sh archives "$work/dist" || return 1
    mkdir "$work/user" && tar xzf "$work/dist/virt-$version.tar.gz" -C "$work/user" || return 1
    if [ "$(id -u)" = 0 ]; then
        needs setpriv
        chmod 755 "$work"
        chown -R 65534:65534 "$work/user"
        as=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$work/user")
    fi
    cd "$work/user/virt-$version" || return 1
    "${as[@]}" make -s -j"$jobs" BUILD=build CFLAGS=-O0 PREFIX="$work/user/prefix" install &&
        "$work/user/prefix/bin/virtsh" -c test:///default list | grep -q ' test ' &&
        [ -s "$work/user/prefix/share/man/man1/virtsh.1" ]
}

# What the programs below use.
another_prefix()
{
    make -s PREFIX="$prefix" install && grep -qx "prefix=$prefix" "$prefix/lib/pkgconfig/virt.pc" &&
        ! make -s DESTDIR="$work/other" PREFIX="/opt/a b" install
}

uninstalled()
{
    install_here uninstall || return 1
    [ -z "$(find "$root" ! -type d)" ] || { find "$root" ! -type d; return 1; }
    [ ! -e "$root/usr/share/doc/virt" ]
}

# ---------- programs that use it ----------

shared()
{
    # shellcheck disable=SC2046
    cc -o "$work/shared" "$work/app.c" $(pkg-config --cflags --libs virt) &&
        readelf -d "$work/shared" | grep -q 'NEEDED.*libvirt-embed\.so\.0' && runs "$work/shared"
}

static()
{
    local flags
    flags=$(pkg-config --cflags --static --libs virt) || return 1
    # shellcheck disable=SC2086
    cc -o "$work/static" "$work/app.c" ${flags/-lvirt-embed/-Wl,-Bstatic -lvirt-embed -Wl,-Bdynamic} &&
        ! readelf -d "$work/static" | grep -q libvirt && runs "$work/static"
}

all_static()
{
    echo 'int main(void) { return 0; }' > "$work/nothing.c"
    # shellcheck disable=SC2046
    cc -static -o "$work/nothing" "$work/nothing.c" $(pkg-config --static --libs libxml-2.0 libcjson) 2> /dev/null ||
        { echo "libxml2 or cJSON cannot be linked statically here"; exit 77; }
    # shellcheck disable=SC2046
    cc -static -o "$work/all" "$work/app.c" $(pkg-config --static --cflags --libs virt) && runs "$work/all"
}

moved()
{
    make -s DESTDIR="$work/before" PREFIX=/usr install && mv "$work/before/usr" "$work/after" || return 1
    export PKG_CONFIG_PATH="$work/after/lib/pkgconfig" LD_LIBRARY_PATH="$work/after/lib"
    # shellcheck disable=SC2046
    cc -o "$work/moved" "$work/app.c" $(pkg-config --define-prefix --cflags --libs virt) && runs "$work/moved"
}

# cmake_project NAME LINES TARGET [ARGUMENT...]: a project with these lines that links the target
cmake_project()
{
    local folder=$work/cmake-$1 lines=$2 target=$3
    shift 3
    needs cmake
    mkdir "$folder" && cp "$work/app.c" "$folder/" || return 1
    printf '%s\n' 'cmake_minimum_required(VERSION 3.18)' 'project(app C)' "$lines" 'add_executable(app app.c)' \
        "target_link_libraries(app PRIVATE $target)" > "$folder/CMakeLists.txt"
    cmake -S "$folder" -B "$folder/build" "$@" && cmake --build "$folder/build"
}

cmake_subdirectory()
{
    cmake_project sub "add_subdirectory($tree/examples/cmake virt)" virt::virt -DVIRT_WITH_QEMU=OFF &&
        runs "$work/cmake-sub/build/app" &&
        ! nm "$work/cmake-sub/build/virt/libvirt-embed.a" | grep -q ' [Tt] qemu'
}

cmake_fetched()
{
    cmake_project fetch "include(FetchContent)
FetchContent_Declare(virt SOURCE_DIR $tree SOURCE_SUBDIR examples/cmake)
FetchContent_MakeAvailable(virt)" virt::virt -DBUILD_SHARED_LIBS=ON &&
        runs "$work/cmake-fetch/build/app" &&
        readelf -d "$work/cmake-fetch/build/app" | grep -q 'NEEDED.*libvirt-embed\.so\.0'
}

cmake_installed()
{
    cmake_project installed "find_package(PkgConfig REQUIRED)
pkg_check_modules(VIRT REQUIRED IMPORTED_TARGET virt)" PkgConfig::VIRT &&
        runs "$work/cmake-installed/build/app"
}

meson_project()
{
    needs meson
    mkdir "$1" && cp "$work/app.c" "$1/" &&
        printf '%s\n' "project('app', 'c')" "executable('app', 'app.c', dependencies : dependency('virt'))" > "$1/meson.build"
}

meson_subproject()
{
    local folder=$work/meson-sub
    meson_project "$folder" && cp -r examples/meson "$folder/subprojects" || return 1
    grep -q "^directory = virt-$version\$" "$folder/subprojects/virt.wrap" || { echo "virt.wrap names another version"; return 1; }
    tar czf "$folder/subprojects/packagefiles/virt-$version.tar.gz" --transform "s,^,virt-$version/," virt.h virt.c drivers &&
        meson setup "$folder/build" "$folder" --wrap-mode=forcefallback -Dvirt:qemu=disabled &&
        ninja -C "$folder/build" && runs "$folder/build/app"
}

meson_installed()
{
    meson_project "$work/meson-installed" && cd "$work/meson-installed" && meson setup build . --wrap-mode=nofallback &&
        ninja -C build && runs build/app
}

# ---------- pages and completion ----------

page_is_clean()
{
    local said page
    needs mandoc
    needs man
    for page in man1/virtsh.1 man8/virtd.8; do
        said=$(mandoc -Tlint -W style "$root/usr/share/man/$page"; man --warnings -l "$root/usr/share/man/$page" 2>&1 > /dev/null)
        [ -z "$said" ] || { echo "$said"; return 1; }
    done
    # also without the program: for another machine
    examples/virtsh/manpage /nowhere/virtsh 2> /dev/null > "$work/virtsh.1" && [ -z "$(mandoc -Tlint "$work/virtsh.1")" ]
}

# Each option of virtd has its place on the page.
virtd_page_is_complete()
{
    local option missing=
    for option in $("$root/usr/sbin/virtd" --help | sed -n 's/^  -., --\([a-z-]*\).*/\1/p'); do
        grep -qF -e "\\-\\-${option//-/\\-}" "$root/usr/share/man/man8/virtd.8" || missing+=" $option"
    done
    [ -z "$missing" ] || { echo "not on the page:$missing"; return 1; }
}

page_is_complete()
{
    local command missing=
    for command in $("$root/usr/bin/virtsh" help | awk '/^    / { print $1 }'); do
        grep -qF -e "\\fB${command//-/\\-}\\fR" "$root/usr/share/man/man1/virtsh.1" || missing+=" $command"
    done
    [ -z "$missing" ] || { echo "not in the page:$missing"; return 1; }
    [ "$(grep -c '^\.RS' "$root/usr/share/man/man1/virtsh.1")" = "$(grep -c '^\.RE' "$root/usr/share/man/man1/virtsh.1")" ]
}

# completed EXPECTED WORD...: what _virtsh makes of these words, as bash splits them
completed()
{
    local expected=$1
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _virtsh
    [ "${COMPREPLY[*]}" = "$expected" ] || { echo "$*: ${COMPREPLY[*]}, not $expected"; return 1; }
}

bash_completion()
{
    export PATH="$root/usr/bin:$PATH"
    # shellcheck disable=SC1091
    . "$root/usr/share/bash-completion/completions/virtsh" &&
        complete -p virtsh > /dev/null &&
        completed "undefine" virtsh undef &&
        completed "test" virtsh -c test : ///default dominfo "" &&
        completed "test" virtsh --connect = test : ///default -r dominfo te &&
        completed "--mode=acpi --mode=agent" virtsh shutdown test --mode=a &&
        completed "--readonly" virtsh --rea &&
        completed "" virtsh nonsense ""
}

fish_completion()
{
    needs fish
    PATH="$root/usr/bin:$PATH" HOME=$work fish -c "
        source '$root/usr/share/fish/vendor_completions.d/virtsh.fish'
        complete -C 'virtsh undef'; complete -C 'virtsh -c test:///default dominfo '; complete -C 'virtsh --rea'" \
        > "$work/fish"
    diff - "$work/fish" << 'END'
undefine
test
--readonly
END
}

# compadd belongs to a line editor; what it is given is looked at instead
zsh_completion()
{
    needs zsh
    PATH="$root/usr/bin:$PATH" zsh -f -c '
        compadd() { shift; print -l -- ${(P)1} }
        _files() { print files }
        words=(virtsh undef) CURRENT=2
        . "$1"
        words=(virtsh -c test:///default dominfo "") CURRENT=5; _virtsh
        words=(virtsh --rea) CURRENT=2; _virtsh | grep readonly
        words=(virtsh nonsense "") CURRENT=3; _virtsh' zsh "$root/usr/share/zsh/site-functions/_virtsh" > "$work/zsh"
    diff - "$work/zsh" << 'END'
undefine
test
--readonly
files
END
}

# ---------- documentation ----------

comments()
{
    tests/apidoc lint virt.h
}

pages_are_whole()
{
    needs xmllint
    xmllint --noout "$root"/usr/share/doc/virt/html/*.html || return 1
    sed -n 's/^VIRT_API .*[ *]\(vir[A-Za-z0-9]*\)(.*/\1/p' virt.h > "$work/functions"
    python3 - "$root/usr/share/doc/virt/html" "$work/functions" << 'END'
import glob, os, re, sys
folder, anchors, links, bad = sys.argv[1], {}, [], 0
for page in glob.glob(folder + "/*"):
    text, name = open(page, encoding="utf-8").read(), os.path.basename(page)
    found = re.findall(r'\bid="([^"]*)"', text)
    anchors[name] = set(found)
    if len(found) != len(anchors[name]):
        bad += 1
        print(name, "has twice:", sorted({x for x in found if found.count(x) > 1}))
    links += [(name, link) for link in re.findall(r'\bhref="([^"]*)"', text)]
for page, link in links:
    target, _, anchor = link.partition("#")
    target = target or page
    if target not in anchors or (anchor and anchor not in anchors[target]):
        bad += 1
        print(page, "leads to", link)
everything = set.union(*anchors.values())
for name in open(sys.argv[2]).read().split():
    if name not in everything:
        bad += 1
        print(name, "is nowhere")
print(len(links), "links")
sys.exit(bool(bad) or len(links) < 1000)
END
}

# The description from which bindings are generated, beside libvirt's own.
description()
{
    local theirs=/usr/share/libvirt/api/$1-api.xml
    tests/apidoc xml "$1" "examples/compat/include/libvirt/$1.h" > "$work/$1-api.xml" || return 1
    [ -e "$theirs" ] || { echo "no $theirs (Debian: libvirt-dev)"; exit 77; }
    grep -q "name='LIBVIR_VERSION_NUMBER'.*raw='9000000'" /usr/share/libvirt/api/libvirt-api.xml ||
        { echo "the installed libvirt is not 9.0.0"; exit 77; }
    tests/apidoc check "$work/$1-api.xml" "$theirs"
}

check "files_are_where_they_belong" installed_files
[ -e "$root/usr/bin/virtsh" ] || install_here -j"$jobs" install install-docs > "$work/log" 2>&1 || cat "$work/log"
check "another_prefix_makes_another_virt_pc" another_prefix
[ -e "$prefix/lib/pkgconfig/virt.pc" ] || make -s PREFIX="$prefix" install > "$work/log" 2>&1 || cat "$work/log"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" LD_LIBRARY_PATH="$prefix/lib"
check "pkg_config_shared" shared
check "pkg_config_static" static
check "pkg_config_all_static" all_static
check "installation_may_be_moved" moved
check "cmake_subdirectory_static_without_qemu" cmake_subdirectory
check "cmake_fetch_content_shared" cmake_fetched
check "cmake_installed" cmake_installed
check "meson_subproject_without_qemu" meson_subproject
check "meson_installed" meson_installed
check "manual_page_is_clean" page_is_clean
check "manual_page_has_every_command" page_is_complete
check "virtds_page_has_every_option" virtd_page_is_complete
check "bash_completion" bash_completion
check "fish_completion" fish_completion
check "zsh_completion" zsh_completion
check "header_comments_lack_nothing" comments
check "pages_have_every_function_and_no_dead_link" pages_are_whole
for name in libvirt libvirt-qemu libvirt-lxc; do
    check "description_is_libvirts_$name" description "$name"
done
check "uninstall_leaves_nothing" uninstalled
check "release_installs_without_git_and_root" release

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
