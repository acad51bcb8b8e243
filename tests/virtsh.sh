#!/bin/bash
# virtsh against transcripts: tests/data/virtsh/*.txt hold commands, each with what it prints.
#
#     tests/virtsh.sh                  all of them; the total is the last line
#     tests/virtsh.sh list jobs        some of them
#     tests/virtsh.sh --update list    write down what is printed now; look at the diff before you keep it
#     VIRSH=virsh tests/virtsh.sh      ask libvirt's virsh instead, so that the transcripts stay its own;
#                                      those that begin with "# virt only" are left out
#
# A transcript is a list of
#
#     $ virtsh -c test:///default list          run by bash in a folder with the other files of tests/data/virtsh
#     what is printed, on both streams
#     [1]                                       its exit status, if that is not 0
#
# What differs from run to run (times, mostly) is written as # on both sides.
set -u
cd "$(dirname "$0")/.." || exit 2

program=${VIRSH:-${VIRT_TEST_EXAMPLES:-build/examples}/virtsh}
foreign=${VIRSH:+yes}
[[ $program != */* ]] || program=$(realpath "$program")
data=$PWD/tests/data/virtsh
update=no passed=0 failed=0 skipped=0
if [ "${1:-}" = --update ]; then
    update=yes
    shift
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/vtvirtsh-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8
unset LIBVIRT_DEFAULT_URI VIRSH_DEFAULT_CONNECT_URI VIRSH_DEBUG

virtsh()
{
    ${VIRT_TEST_WRAPPER:-} "$program" "$@"
}

# What is printed, without what may differ. virsh greets with its own name, and tells of security models.
normalise()
{
    sed -E -e "/^CPU time: +[0-9.]+s\$/d" \
           -e 's/\(Time: [0-9.]+ ms\)/(Time: #)/' \
           -e 's/^(begin|prepare|perform|finish|confirm|halt|cancel|rollback)( +[a-z]+) .*/\1\2 #/' \
           -e 's/^((Time elapsed|Setup time|Total downtime|Memory bandwidth): +).*/\1#/' \
           -e "s/: domain '[^']*' is not running/: domain is not running/" \
           -e 's/.*\rMigration: \[100 %\]/Migration: [100 %]/' \
           ${foreign:+-e '/^Security/d' -e 's/virsh/virtsh/g'}
}

# run COMMAND: its output and exit status, as a transcript has them
run()
{
    local status
    rm -rf "$work/folder"
    mkdir "$work/folder"
    cp "$data"/*.xml "$work/folder"
    ( cd "$work/folder" && eval "$1" ) > "$work/output" 2>&1 < /dev/null
    status=$?
    normalise < "$work/output"
    [ -z "$(tail -c 1 "$work/output")" ] || echo
    [ $status = 0 ] || echo "[$status]"
}

# settle NAME COMMAND EXPECTED: compares one command's output
settle()
{
    local name=$1 command=$2 expected=$3 actual
    actual=$(run "$command"; echo .)
    if [ "$actual" = "$expected." ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL  $name: $command"
        diff <(printf '%s' "$expected") <(printf '%s' "${actual%.}") | sed 's/^/    /'
    fi
}

check()
{
    local file=$1 name command='' expected='' line
    name=$(basename "$file" .txt)
    if [ -n "$foreign" ] && [ "$(head -n 1 "$file")" = "# virt only" ]; then
        echo "skip  $name: not for virsh"
        skipped=$((skipped + 1))
        return
    fi
    while IFS= read -r line; do
        if [[ $line == '$ '* ]]; then
            [ -z "$command" ] || settle "$name" "$command" "$expected"
            command=${line#\$ } expected=''
        elif [ -n "$command" ]; then
            expected+=$line$'\n'
        fi
    done < "$file"
    [ -z "$command" ] || settle "$name" "$command" "$expected"
}

rewrite()
{
    local file=$1 line begun=no
    while IFS= read -r line; do
        if [[ $line == '$ '* ]]; then
            begun=yes
            printf '%s\n' "$line"
            run "${line#\$ }"
        elif [ $begun = no ]; then
            printf '%s\n' "$line"
        fi
    done < "$file" > "$work/new" && cp "$work/new" "$file"
}

if ! command -v "$program" > /dev/null; then
    echo "FAIL  virtsh: there is no $program"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
if [ $# -gt 0 ]; then
    files=("${@/#/$data/}")
    files=("${files[@]/%/.txt}")
else
    files=("$data"/*.txt)
fi
for file in "${files[@]}"; do
    if [ $update = yes ]; then
        rewrite "$file"
    else
        check "$file"
    fi
done
[ $update = no ] || exit 0
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
