#!/bin/sh
# The library in two files, and the archives of a release:
#
#     tests/release.sh pair DIR         DIR/virt.h and DIR/virt.c
#     tests/release.sh archives DIR     DIR/virt-VERSION.tar.gz: the tree as git has it, and the pair in dist/;
#                                       DIR/virt-VERSION-amalgamation.tar.gz: the pair, LICENSE, README.md;
#                                       DIR/SHA256SUMS
#
# The same commit gives the same bytes, whenever and wherever it is made. Both also work in an unpacked release, without
# git: its dist/commit tells the commit and its time, its dist/SHA256SUMS the files and whether they are still the same.
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^#define VIRT_VERSION *"\(.*\)".*/\1/p' virt.h)
parts="virt.h virt.c drivers"

fail()
{
    echo "release: $*" >&2
    exit 1
}

# Sets commit, epoch and changes. A repository that merely contains this tree (vendored) does not count.
origin()
{
    commit=unknown epoch=${SOURCE_DATE_EPOCH:-0} changes=
    if [ -e dist/commit ]; then
        read -r epoch commit < dist/commit
        sha256sum --quiet -c dist/SHA256SUMS > /dev/null 2>&1 || changes=" with changes"
    elif [ "$(git rev-parse --show-prefix 2> /dev/null || echo no)" = "" ] && git rev-parse -q --verify HEAD > /dev/null; then
        commit=$(git rev-parse HEAD)
        epoch=$(git log -1 --format=%ct)
        # shellcheck disable=SC2086
        git diff --quiet HEAD -- $parts || changes=" with changes"
    fi
}

pair()
{
    to=$1
    mkdir -p "$to"
    for file in virt.h virt.c; do
        rm -f "$to/$file.new"
        awk -f tests/amalgamate.awk -v stamp="virt $version, commit $commit$changes" -v licence=LICENSE \
            -v omit="$([ $file = virt.h ] || echo virt.h)" $file > "$to/$file.new" || fail "cannot write $to/$file"
        if cmp -s "$to/$file.new" "$to/$file"; then
            rm "$to/$file.new"                  # untouched, for those who depend on it
        else
            mv "$to/$file.new" "$to/$file"
        fi
    done
}

# pack NAME FILE...: everything that could differ from one machine to the next is fixed
pack()
{
    name=$1
    shift
    (cd "$stage" && tar --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r,go-w,a-s,a+X \
        --mtime="@$epoch" -cf - "$@") | gzip -9n > "$to/$name.tar.gz"
}

archives()
{
    mkdir -p "$1"
    to=$(cd "$1" && pwd)
    stage=$(mktemp -d "${TMPDIR:-/tmp}/vtrelease-XXXXXX")
    trap 'rm -rf "$stage"' EXIT
    tree=$stage/virt-$version
    mkdir -p "$tree"
    if [ -e dist/commit ]; then
        sed 's/^[0-9a-f]*  //' dist/SHA256SUMS | tar -cf - -T - | tar -xf - -C "$tree"
    elif [ "$commit" != unknown ]; then
        git archive HEAD | tar -xf - -C "$tree"
        [ -z "$changes" ] || echo "release: changes that are not committed are not in the archive" >&2
        changes=
    else
        fail "neither git nor dist/commit tells what belongs to the release"
    fi
    (cd "$tree" && find . -type f ! -path './dist/*' | sed 's|^\./||' | LC_ALL=C sort | xargs -d '\n' sha256sum) > "$stage/sums"
    mkdir -p "$tree/dist"
    mv "$stage/sums" "$tree/dist/SHA256SUMS"
    echo "$epoch $commit$changes" > "$tree/dist/commit"
    "$tree/tests/release.sh" pair "$tree/dist"
    mkdir "$tree-amalgamation"
    cp "$tree/dist/virt.h" "$tree/dist/virt.c" "$tree/LICENSE" "$tree/README.md" "$tree-amalgamation/"
    pack "virt-$version" "virt-$version"
    pack "virt-$version-amalgamation" "virt-$version-amalgamation"
    (cd "$to" && sha256sum "virt-$version.tar.gz" "virt-$version-amalgamation.tar.gz" > SHA256SUMS)
}

origin
case ${1:-} in
    pair) pair "$2" ;;
    archives) archives "$2" ;;
    *) fail "pair DIR or archives DIR" ;;
esac
