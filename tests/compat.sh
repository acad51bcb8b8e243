#!/bin/bash
# The drop-ins of examples/compat for programs written for libvirt: the forwarding headers, the functions
# that virt does not have, and the libraries in the place of libvirt.so.0, libvirt-qemu.so.0 and
# libvirt-lxc.so.0, all beside libvirt's own.
#
#     tests/compat.sh [word...]       only the checks whose names contain a word
#
# `tests/deps conformity compat` installs what it needs. Prints a line for each check, what was said by
# those that fail, and the total last. BUILD names the folder for what is built, as for make.
set -u
cd "$(dirname "$0")/.." || exit 2
tree=$PWD
export LC_ALL=C.UTF-8

work=$(mktemp -d "${TMPDIR:-/tmp}/vtcompat-XXXXXX") || exit 2
guests=()
finish()
{
    local root
    for root in "${guests[@]}"; do
        # a guest that a failing check has left behind; its command line names this run's own folder
        for pid in $(pgrep -f "qemu-system.*$root/" 2> /dev/null); do kill -9 "$pid"; done
    done
    rm -rf "$work"
}
trap finish EXIT
words=("$@")
build=$(realpath -m "${BUILD:-build}")
passed=0 failed=0 skipped=0

strict="-Wall -Wextra -Wpedantic -Wshadow -Werror"
include=-I$tree/examples/compat/include
cflags=$(pkg-config --cflags libxml-2.0 libcjson)
libs="$(pkg-config --libs libxml-2.0 libcjson) -pthread"
examples=/usr/share/doc/libvirt-doc/examples/c
real=$(dirname "$(gcc -print-file-name=libvirt.so.0)")
[ -e "$real/libvirt.so.0" ] || real=/usr/lib/$(gcc -print-multiarch)

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
    local name=$1 log=$work/log
    shift
    wanted "$name" || return 0
    if ("$@") > "$log" 2>&1; then
        echo "ok    $name"
        passed=$((passed + 1))
    else
        echo "FAIL  $name"
        head -n 40 "$log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

skip()
{
    wanted "$1" || return 0
    echo "skip  $1: $2"
    skipped=$((skipped + 1))
}

# What checks lean on is made by whichever comes first, so that each can run alone.
have_objects()
{
    [ -e "$work/objects/$1/libvirt-lxc.o" ] || objects "$1"
}
have_example()
{
    local file
    [ ! -e "$work/examples/gcc/$1" ] || return 0
    for file in "$examples"/*/"$1".c*; do
        example gcc "$file" || return 1
    done
}
have_libraries()
{
    make -s BUILD="$build" libvirt.so
}

# ---------- conformity ----------

conforms()
{
    local cc=$1
    CC=$cc tests/conformity > "$work/conformity-$cc"
    local rc=$?
    [ $rc -eq 0 ] || { cat "$work/conformity-$cc"; return 1; }
    # three comparisons and the tables
    [ "$(grep -c ': 0 differences$' "$work/conformity-$cc")" = 4 ]
}

# A checker that cannot fail is a defect. spoiled FILE SED-EXPRESSION WORD: with that change it must fail,
# and what it says has the word.
spoiled()
{
    rm -rf "$work/spoiled"
    mkdir -p "$work/spoiled/tests" "$work/spoiled/examples"
    cp virt.h "$work/spoiled/" && cp tests/conformity "$work/spoiled/tests/" &&
        cp -r examples/compat "$work/spoiled/examples/" && sed -i -E "$2" "$work/spoiled/$1" || return 1
    ! cmp -s "$1" "$work/spoiled/$1" || { echo "nothing was spoiled"; return 1; }
    if "$work/spoiled/tests/conformity" > "$work/spoiled/output"; then
        echo "not noticed: $2"
        return 1
    fi
    grep -q -- "$3" "$work/spoiled/output" || { echo "no $3 in:"; cat "$work/spoiled/output"; return 1; }
}

# ---------- headers ----------

# The names that libvirt-dev installs, and no others.
header_names()
{
    diff <(cd /usr/include/libvirt && printf '%s\n' *.h | grep -v admin) \
         <(cd examples/compat/include/libvirt && printf '%s\n' *.h)
}

# Each of them alone, then all of them twice.
headers()
{
    local file all=
    for file in examples/compat/include/libvirt/*.h; do
        # shellcheck disable=SC2086
        echo "#include <libvirt/${file##*/}>" | $1 $strict "$include" -fsyntax-only - || return 1
        all="$all#include <libvirt/${file##*/}>"$'\n'
    done
    # shellcheck disable=SC2086
    printf '#define VIR_ENUM_SENTINELS\n%s%s' "$all" "$all" | $1 $strict "$include" -fsyntax-only -
}

# What programs do with them: enum ends only where asked for, casts of callbacks, a version, old names.
uses()
{
    cat > "$work/uses" <<'EOF'
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libvirt/libvirt-qemu.h>
#include <string.h>

#if !LIBVIR_CHECK_VERSION(9, 0, 0) || LIBVIR_CHECK_VERSION(9, 0, 1)
# error which libvirt is this?
#endif
#ifndef VIR_ENUM_SENTINELS
enum { VIR_STORAGE_POOL_STATE_LAST = 77, VIR_DOMAIN_BLOCKED_LAST = 78 };      /* free for the program */
#endif

static void reboot(virConnectPtr conn, virDomainPtr domain, long long offset, void *opaque)
{
    (void)conn; (void)domain; (void)offset; (void)opaque;
}
static void network(virConnectPtr conn, virNetworkPtr net, int event, int detail, void *opaque)
{
    (void)conn; (void)net; (void)event; (void)detail; (void)opaque;
}
static int crashed(virDomainCrashedReason reason)
{
    switch (reason) {
    case VIR_DOMAIN_CRASHED_UNKNOWN: return 0;
    case VIR_DOMAIN_CRASHED_PANICKED: return 1;
#ifdef VIR_ENUM_SENTINELS
    case VIR_DOMAIN_CRASHED_LAST: break;
#endif
    }
    return 2;
}
static const char *poolState(virStoragePoolState state)
{
    switch (state) {
    case VIR_STORAGE_POOL_INACTIVE: return "inactive";
    case VIR_STORAGE_POOL_BUILDING: return "building";
    case VIR_STORAGE_POOL_RUNNING: return "running";
    case VIR_STORAGE_POOL_DEGRADED: return "degraded";
    case VIR_STORAGE_POOL_INACCESSIBLE: return "inaccessible";
#ifdef VIR_ENUM_SENTINELS
    case VIR_STORAGE_POOL_STATE_LAST: break;
#endif
    }
    return "";
}
int main(void)
{
    virConnectPtr conn = virConnectOpenAuth("test:///default", virConnectAuthPtrDefault, 0);
    unsigned long version = 0, type = 0;
    virSchedParameter old;
    struct _virMemoryParameter older;
    int id;

    memset(&old, 0, sizeof(old));
    memset(&older, 0, sizeof(older));
    old.type = VIR_DOMAIN_SCHED_FIELD_ULLONG;
    older.type = VIR_DOMAIN_MEMORY_PARAM_ULLONG;
    if (conn == NULL || virEventRegisterDefaultImpl() < 0 || old.type != older.type)
        return 1;
    if (*poolState(VIR_STORAGE_POOL_RUNNING) != 'r' || crashed(VIR_DOMAIN_CRASHED_PANICKED) != 1)
        return 1;
    if (virGetVersion(&version, "Test", &type) < 0 || version != LIBVIR_VERSION_NUMBER || type != version)
        return 2;
    if (virConnectGetLibVersion(conn, &version) < 0 || version != 9000000)
        return 3;
    id = virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_RTC_CHANGE,
                                          VIR_DOMAIN_EVENT_CALLBACK(reboot), NULL, NULL);
    if (id < 0 || virConnectDomainEventDeregisterAny(conn, id) < 0)
        return 4;
    if (virConnectNetworkEventRegisterAny(conn, NULL, VIR_NETWORK_EVENT_ID_LIFECYCLE,
                                          VIR_NETWORK_EVENT_CALLBACK(network), NULL, NULL) != -1)
        return 5;
    if (virGetLastErrorCode() != VIR_ERR_NO_SUPPORT || virGetLastErrorDomain() != VIR_FROM_NETWORK)
        return 6;
    return virConnectClose(conn);
}
EOF
    local define
    have_objects gcc || return 1
    for define in -UVIR_ENUM_SENTINELS -DVIR_ENUM_SENTINELS; do
        # shellcheck disable=SC2086
        $1 -Wall -Wextra -Werror $define "$include" -c -o "$work/uses.o" - < "$work/uses" &&
            g++ -o "$work/uses.program" "$work/uses.o" "$work"/objects/gcc/*.o $libs && "$work/uses.program" || return 1
    done
}

# ---------- the functions that are absent ----------

# The rows of absent.def: name|failure|type|error domain|handle|parameters
rows()
{
    printf '%s\n' '#define ABSENT(failure, type, name, from, handle, parameters) \' \
        'name|failure|type|from|handle|parameters' '#define ABSENT_FREE(name, parameters) name||void||NONE|parameters' \
        '#define ABSENT_QEMU ABSENT' '#define ABSENT_LXC ABSENT' '#include "examples/compat/absent.def"' |
        gcc -E -P -I. -x c - | grep -v '^ *$' | tr '\n' ' ' | sed 's/) *\(vir[A-Za-z0-9]*|\)/)\n\1/g'
}

# A program that calls every one: all arguments NULL or 0, then with an open connection or a domain.
absent_program()
{
    cat <<'EOF'
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt-lxc.h>
#include <stdio.h>
#include <string.h>

static int calls, bad, told;

static void handler(void *data, virErrorPtr error)
{
    told += data == &told && error->code == VIR_ERR_NO_SUPPORT;
}

static void judge(const char *name, int failed, int from, virConnectPtr conn)
{
    virErrorPtr error = virGetLastError(), kept = conn != NULL ? virConnGetLastError(conn) : error;

    calls++;
    if (failed && error != NULL && error->code == VIR_ERR_NO_SUPPORT && error->domain == from && told == 1
        && strstr(error->message, name) != NULL && kept != NULL && kept->code == VIR_ERR_NO_SUPPORT
        && strcmp(kept->message, error->message) == 0)
        return;
    printf("%s: failed %d, told %d, code %d, domain %d not %d: %s\n", name, failed, told, error ? (int)error->code : 0,
           error ? error->domain : 0, from, error ? error->message : "");
    bad++;
}

#define CALL(type, failure, name, from, conn, arguments)                                                     \
    do {                                                                                                     \
        virResetLastError();                                                                                 \
        if (conn != NULL)                                                                                    \
            virConnResetLastError(conn);                                                                     \
        told = 0;                                                                                            \
        judge(#name, (name arguments) == (type)(failure), from, conn);                                       \
    } while (0)
/* Releases what nobody has: nothing to be said. */
#define CALL_FREE(name)                                                                                      \
    do {                                                                                                     \
        virResetLastError();                                                                                 \
        name(NULL);                                                                                          \
        calls++;                                                                                             \
        bad += virGetLastError() != NULL;                                                                    \
    } while (0)

int main(void)
{
    virConnectPtr none = NULL, conn = virConnectOpen("test:///default");
    virDomainPtr domain = virDomainLookupByName(conn, "test");

    if (domain == NULL)
        return 2;
    virSetErrorFunc(&told, handler);
EOF
    rows | awk -F '|' '
        $3 == "void" { printf "    CALL_FREE(%s);\n", $1; next }
        {
            n = split($6, parts, ",")
            rest = ""
            for (i = 2; i <= n; i++) rest = rest ", 0"
            printf "    CALL(%s, %s, %s, %s, none, (0%s));\n", $3, $2, $1, $4, rest
            first = $5 ~ /DOMAIN/ ? "domain" : $5 ~ /CONNECT/ ? "conn" : ""
            if (first != "")
                printf "    CALL(%s, %s, %s, %s, conn, (%s%s));\n", $3, $2, $1, $4, first, rest
            # a handle of the other kind is none
            other = first == "domain" ? "conn" : "domain"
            if (first != "")
                printf "    CALL(%s, %s, %s, %s, none, ((void *)%s%s));\n", $3, $2, $1, $4, other, rest
        }'
    cat <<'EOF'
    printf("%d calls, %d bad\n", calls, bad);
    virDomainFree(domain);
    virConnectClose(conn);
    return bad != 0;
}
EOF
}

absent_compiled()
{
    have_objects gcc || return 1
    absent_program > "$work/absent.c"
    # shellcheck disable=SC2086
    gcc -w "$include" -c -o "$work/absent.o" "$work/absent.c" &&
        gcc -o "$work/absent" "$work/absent.o" "$work"/objects/gcc/*.o $libs &&
        "$work/absent" &&
        [ "$(rows | grep -c .)" = "$(grep -c '^ABSENT' examples/compat/absent.def)" ]
}

absent_shared()
{
    have_libraries && { [ -e "$work/absent.o" ] || absent_compiled > /dev/null; } || return 1
    gcc -o "$work/absent-shared" "$work/absent.o" "$build/libvirt-qemu.so.0" "$build/libvirt-lxc.so.0" \
        "$build/libvirt.so.0" && LD_LIBRARY_PATH=$build "$work/absent-shared"
}

# Where libvirt's own libraries can be had, the very program that was linked with them.
absent_relinked()
{
    have_libraries && { [ -e "$work/absent.c" ] || absent_compiled > /dev/null; } || return 1
    gcc -w -o "$work/absent-real" "$work/absent.c" -lvirt-qemu -lvirt-lxc -lvirt &&
        LD_LIBRARY_PATH=$build "$work/absent-real"
}

# ---------- compiling and linking programs ----------

objects()
{
    local cc=$1 file
    mkdir -p "$work/objects/$cc"
    for file in virt.c examples/compat/libvirt.c examples/compat/libvirt-qemu.c examples/compat/libvirt-lxc.c; do
        # shellcheck disable=SC2086
        $cc -O0 -fPIC $strict -Wmissing-prototypes -Wstrict-prototypes $cflags -c \
            -o "$work/objects/$cc/$(basename "$file" .c).o" $file || return 1
    done
}

# libvirt's example as it is, gzipped or not: example COMPILER FILE
example()
{
    local name
    name=$(basename "$2" .gz) name=${name%.c}
    have_objects "$1" || return 1
    mkdir -p "$work/examples/$1"
    # shellcheck disable=SC2086
    zcat -f "$2" > "$work/examples/$1/$name.c" &&
        $1 -Wall -Werror "$include" -o "$work/examples/$1/$name" "$work/examples/$1/$name.c" \
            "$work/objects/$1"/*.o $libs
}

# ---------- running them ----------

# says PATTERN COMMAND...: it succeeds and prints that
says()
{
    local pattern=$1
    shift
    timeout 60 "$@" > "$work/said" 2>&1 < /dev/null || { echo "exit code $?"; cat "$work/said"; return 1; }
    [ -z "$pattern" ] || grep -qE -- "$pattern" "$work/said" ||
        { echo "no '$pattern' in:"; cat "$work/said"; return 1; }
}

run()
{
    have_example "$2" && says "$1" "$work/examples/gcc/$2" "${@:3}"
}

# For those that do not end by themselves: says_and_goes_on PATTERN EXAMPLE ARGUMENT...
says_and_goes_on()
{
    have_example "$2" || return 1
    timeout 2 "$work/examples/gcc/$2" "${@:3}" > "$work/said" 2>&1 < /dev/null
    [ $? = 124 ] && grep -qE -- "$1" "$work/said" || { cat "$work/said"; return 1; }
}

# The same program linked with libvirt's library: what it prints there, it prints here. Two lines of the
# capabilities are the library's own affair.
relinked()
{
    local name=$1 program=$work/examples/real-$1
    shift
    have_example "$name" && have_libraries || return 1
    gcc -w -o "$program" "$work/examples/gcc/$name.c" -lvirt || return 1
    timeout 60 "$program" "$@" > "$work/theirs" 2>&1 < /dev/null || return 1
    LD_LIBRARY_PATH=$build timeout 60 "$program" "$@" > "$work/ours" 2>&1 < /dev/null ||
        { cat "$work/ours"; return 1; }
    diff "$work/theirs" "$work/ours"
}

guest_document()
{
    echo "<domain type='qemu'><name>$1</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
}

# A guest of QEMU, made by a program linked with libvirt's library and run on ours; then libvirt's examples
# find it running, pause it, rename it and move it to another state directory.
with_qemu()
{
    local here=$1/here there=$1/there ours=$work/examples/gcc
    mkdir -p "$here" "$there"
    have_libraries && have_example rename && have_example info1 && have_example suspend &&
        have_example dommigrate || return 1
    cat > "$work/guest.c" <<'EOF'
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libvirt/libvirt-qemu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* guest URI NAME define|start|state|monitor|end [DOCUMENT] */
int main(int argc, char **argv)
{
    virConnectPtr conn = virConnectOpen(argv[1]);
    virDomainPtr domain;
    int state = -1;

    if (conn == NULL)
        return 1;
    domain = argc > 4 ? virDomainDefineXML(conn, argv[4]) : virDomainLookupByName(conn, argv[2]);
    if (domain == NULL)
        return 2;
    if (strcmp(argv[3], "start") == 0 && virDomainCreate(domain) < 0)
        return 3;
    if (strcmp(argv[3], "end") == 0 && virDomainDestroy(domain) < 0)
        return 4;
    if (strcmp(argv[3], "monitor") == 0) {
        char *answer = NULL;

        if (virDomainQemuMonitorCommand(domain, "{\"execute\":\"query-status\"}", &answer, 0) < 0)
            return 6;
        puts(answer);
        free(answer);
    }
    if (virDomainGetState(domain, &state, NULL, 0) < 0)
        return 5;
    printf("state %d\n", state);
    virDomainFree(domain);
    return virConnectClose(conn);
}
EOF
    gcc -w -o "$work/guest" "$work/guest.c" -lvirt-qemu -lvirt || return 1
    export LD_LIBRARY_PATH=$build
    says "state 5" "$work/guest" "qemu:///embed?root=$here" guest define "$(guest_document guest)" &&
        LIBVIRT_DEFAULT_URI="qemu:///embed?root=$here" says "After second rename: guest" "$ours/rename" guest other &&
        says "state 1" "$work/guest" "qemu:///embed?root=$here" guest start &&
        says '"running": *true' "$work/guest" "qemu:///embed?root=$here" guest monitor &&
        says "Domain guest: 1 CPUs" "$ours/info1" "qemu:///embed?root=$here" guest &&
        says "" "$ours/suspend" -c "qemu:///embed?root=$here" -s 1 guest &&
        says "state 1" "$work/guest" "qemu:///embed?root=$here" guest state &&
        says "finished with success" "$ours/dommigrate" "qemu:///embed?root=$here" "qemu:///embed?root=$there" guest &&
        says "state 1" "$work/guest" "qemu:///embed?root=$there" guest state
    local rc=$?
    "$work/guest" "qemu:///embed?root=$there" guest end > /dev/null 2>&1 ||
        "$work/guest" "qemu:///embed?root=$here" guest end > /dev/null 2>&1
    return $rc
}

python()
{
    have_libraries || return 1
    LD_LIBRARY_PATH=$build /usr/bin/python3 - "$build" <<'EOF'
import sys
import libvirt, libvirt_qemu, libvirt_lxc

told = []
libvirt.registerErrorHandler(lambda _, error: told.append(error), None)
conn = libvirt.open("test:///default")
domain = conn.lookupByName("test")
assert domain.isActive() and domain.info()[3] == 2, domain.info()
assert libvirt.getVersion() == conn.getLibVersion() == 9000000
for call, name, origin in (
        (lambda: conn.listAllNetworks(), "virConnectListAllNetworks", libvirt.VIR_FROM_NETWORK),
        (lambda: conn.listAllInterfaces(), "virConnectListAllInterfaces", libvirt.VIR_FROM_INTERFACE),
        (lambda: libvirt_qemu.qemuAgentCommand(domain, "{}", 1, 0), "virDomainQemuAgentCommand", libvirt.VIR_FROM_QEMU),
        (lambda: libvirt_lxc.lxcOpenNamespace(domain, 0), "virDomainLxcOpenNamespace", libvirt.VIR_FROM_LXC)):
    del told[:]
    try:
        call()
        raise SystemExit(name + " succeeded")
    except libvirt.libvirtError as error:
        # the error of the other two libraries is seen by this one's virGetLastError
        assert error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT and name in str(error), error
        assert error.get_error_domain() == origin and len(told) == 1, (name, error.get_error_domain(), told)
maps = open("/proc/self/maps").read()
for name in "libvirt.so.0", "libvirt-qemu.so.0", "libvirt-lxc.so.0":
    assert sys.argv[1] + "/" + name in maps, name
assert conn.close() in (0, 1)
EOF
}

# ---------- the libraries ----------

# Name, version, whether it is the default one, and what it is, of all that a library exports; of data the
# size too, because programs have a copy. Without the nodes, which stand there for themselves.
exports()
{
    nm -D -S --defined-only --with-symbol-versions "$1" | awk '$(NF - 1) != "A" {
        symbol = $NF
        kind = symbol ~ /@@/ ? "default" : "other"
        sub(/@@?/, " ", symbol)
        print symbol, kind, $(NF - 1) == "T" ? "function" : "data " $2
    }' | sort
}
nodes()
{
    readelf -V --wide "$1" | awk '/^Version definition/ { on = 1 } /^Version needs/ { on = 0 }
        on && / Name: / { name = $NF; if (name !~ /\.so/) print name }
        on && /Parent/ { print name, "inherits", $NF }' | grep -v "$2" | sort
}

# libvirt's own libraries have two nodes more, which are not API: LIBVIRT_PRIVATE_9.0.0 is for its own daemons
# and virsh, LIBVIRT_ADMIN for its administration tools. Ours has VIRT_0, for what is virt's own.
symbols()
{
    local mine=${2:-$build}/$1.so.0 theirs=$real/$1.so.0
    have_libraries || return 1
    exports "$theirs" | grep -v ' LIBVIRT_PRIVATE\| LIBVIRT_ADMIN' > "$work/theirs"
    exports "$mine" | grep -v ' VIRT_0 ' > "$work/mine"
    echo "$(wc -l < "$work/mine") symbols"
    [ -s "$work/mine" ] && diff "$work/theirs" "$work/mine" &&
        diff <(nodes "$theirs" 'LIBVIRT_PRIVATE\|LIBVIRT_ADMIN') <(nodes "$mine" '^VIRT_0') &&
        # and the table in the tree is what both say
        diff <(cut -d ' ' -f 1,2 "$work/mine") <(awk -v library="$1" '
            /^LIBVIRT/ { node = owner = $1; gsub(/^LIBVIRT|[_0-9.]/, "", owner) }
            /^ / && (owner ? "libvirt-" tolower(owner) : "libvirt") == library { print $1, node }
        ' examples/compat/symbols | sort) &&
        readelf -d "$mine" | grep -q "SONAME.*\[$1.so.0\]"
}

# The comparison sees a symbol that is missing, one too many, one with another version.
symbols_notice()
{
    local change
    have_objects gcc && mkdir -p "$work/symbols" || return 1
    for change in '/ virDomainSuspend/d' 's/^    virDomainSuspend/&\n    virLog/' \
                  '/ virDomainSuspend/d; s/^    virDomainRename/&\n    virDomainSuspend/' ''; do
        sed "$change" examples/compat/symbols > "$work/symbols/symbols"
        awk -v library= -f examples/compat/map.awk "$work/symbols/symbols" virt.h drivers/driver.h > "$work/symbols/map"
        gcc -shared -Wl,-soname,libvirt.so.0 -Wl,--version-script="$work/symbols/map" -o "$work/symbols/libvirt.so.0" \
            "$work"/objects/gcc/{virt,libvirt}.o $libs || return 1
        if symbols libvirt "$work/symbols" > "$work/symbols/output"; then
            [ -z "$change" ] || { echo "not noticed: $change"; return 1; }
        else
            [ -n "$change" ] || { cat "$work/symbols/output"; return 1; }
        fi
    done
}

# Nothing else leaves the libraries: what is in VIRT_0 is declared VIRT_API, or an alias for the other two.
own_symbols()
{
    have_libraries || return 1
    exports "$build/libvirt.so.0" | awk '$2 == "VIRT_0" && $1 !~ /^virt_/ { print $1 }' > "$work/own"
    [ -s "$work/own" ] || { echo "no symbols of virt's own"; return 1; }
    diff "$work/own" <(sed -n -E 's/^VIRT_API .*[ *](vir[A-Za-z0-9]*)\(.*/\1/p' virt.h drivers/driver.h | sort -u |
        grep -vxF -f <(sed -n 's/^ *\(vir[A-Za-z0-9]*\).*/\1/p' examples/compat/symbols)) || return 1
    ! exports "$build/libvirt-qemu.so.0" | grep -v ' LIBVIRT_QEMU_' &&
        ! exports "$build/libvirt-lxc.so.0" | grep -v ' LIBVIRT_LXC_'
}

# ---------- as an install ----------

installed()
{
    local root=$work/root flags
    have_example info1 || return 1
    make -s BUILD="$build" install-compat DESTDIR="$root" PREFIX=/usr LIBDIR=/usr/lib || return 1
    export PKG_CONFIG_PATH="$root/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR=$root
    [ "$(pkg-config --modversion libvirt libvirt-qemu libvirt-lxc | sort -u)" = 9.0.0 ] || return 1
    flags=$(pkg-config --cflags --libs libvirt libvirt-qemu libvirt-lxc)
    # shellcheck disable=SC2086
    gcc -Wall -Werror -o "$work/installed" "$work/examples/gcc/info1.c" $flags -L"$root/usr/lib" -Wl,-rpath,"$root/usr/lib" &&
        says "Domain test: 2 CPUs" "$work/installed" test:///default test &&
        ldd "$work/installed" | grep -q "$root/usr/lib/libvirt.so.0" &&
        g++ -Wall -Werror -fsyntax-only -x c++ - $flags <<< '#include <libvirt/libvirt-qemu.h>'
}

# A thread that has seen an error ends after the library was closed.
unloaded()
{
    cat > "$work/unloaded.c" <<'EOF'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static pthread_barrier_t barrier;
static void *library;

static void *thread(void *unused)
{
    void *(*open)(const char *) = (void *(*)(const char *))dlsym(library, "virConnectOpen");

    if (open("none:///") != NULL)
        return NULL;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t id;

    pthread_barrier_init(&barrier, NULL, 2);
    if (argc < 2 || (library = dlopen(argv[1], RTLD_NOW)) == NULL || pthread_create(&id, NULL, thread, NULL) != 0)
        return 1;
    pthread_barrier_wait(&barrier);
    dlclose(library);
    pthread_barrier_wait(&barrier);
    pthread_join(id, NULL);
    puts("over");
    return 0;
}
EOF
    have_libraries && gcc -w -o "$work/unloaded" "$work/unloaded.c" -ldl -pthread &&
        says over "$work/unloaded" "$build/libvirt.so.0"
}

# Below a folder with a blank, by a careful user: what is installed is for everybody.
installed_anywhere()
{
    local root="$work/a root"
    (umask 077 && make -s BUILD="$build" install-compat DESTDIR="$root" PREFIX=/usr LIBDIR=/usr/lib) || return 1
    [ -z "$(find "$root" -mindepth 1 -type f ! -perm -444 -o -mindepth 1 -type d ! -perm -755)" ] && [ -s "$root/usr/share/libvirt/api/libvirt-lxc-api.xml" ] &&
        grep -q '^Version: 9' "$root/usr/lib/pkgconfig/libvirt-qemu.pc" || return 1
    # what others have put there stays
    touch "$root/usr/include/virt.h" "$root/usr/lib/libvirt-embed.so.0" || return 1
    make -s BUILD="$build" uninstall-compat DESTDIR="$root" PREFIX=/usr LIBDIR=/usr/lib || return 1
    [ "$(find "$root" ! -type d | wc -l)" = 2 ] && [ -e "$root/usr/include/virt.h" ] && [ ! -e "$root/usr/include/libvirt" ]
}

# What the bindings generate their code from, found as they find it, says what libvirt's own says.
described()
{
    local root=$work/root l variable
    [ -e "$root" ] || installed || return 1
    export PKG_CONFIG_PATH="$root/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR=$root
    for l in libvirt libvirt-qemu libvirt-lxc; do
        variable=${l//-/_}_api
        variable=$(pkg-config --variable="$variable" "$l")
        tests/apidoc check "$root${variable#"$root"}" "/usr/share/libvirt/api/$l-api.xml" || return 1
    done
}

# ---------- all of it ----------

if [ ! -e /usr/include/libvirt/libvirt.h ] || [ ! -e "$real/libvirt.so.0" ] || [ ! -d "$examples" ]; then
    skip "everything beside libvirt" "no libvirt-dev and libvirt-doc (tests/deps conformity compat)"
    echo "$passed passed, $failed failed, $skipped skipped"
    exit 0
fi

# The long compilations meanwhile; what goes wrong in them is tried again, and shown, in its place.
if [ ${#words[@]} -eq 0 ]; then
    (objects gcc; command -v clang && objects clang; have_libraries) > /dev/null 2>&1 &
fi

for cc in gcc clang; do
    command -v $cc > /dev/null || { skip "conformity with $cc" "no $cc"; continue; }
    check "conformity with $cc" conforms $cc
done
check "conformity notices a changed value" \
    spoiled examples/compat/include/libvirt/libvirt.h 's/(VIR_STORAGE_POOL_RUNNING =) 2/\1 9/' VIR_STORAGE_POOL_RUNNING
check "conformity notices a changed member" \
    spoiled examples/compat/include/libvirt/libvirt.h 's/unsigned long long capacity/unsigned int capacity/' 'capacity'
check "conformity notices a missing constant" \
    spoiled examples/compat/include/libvirt/libvirt.h '/VIR_SECRET_EVENT_UNDEFINED/d' VIR_SECRET_EVENT_UNDEFINED
check "conformity notices a changed string" \
    spoiled examples/compat/include/libvirt/libvirt.h 's/"cpu_shares"/"cpu_share"/' cpu_share
check "conformity notices a changed parameter" \
    spoiled examples/compat/absent.def 's/virSecretPtr secret\)/virConnectPtr secret)/' 'virSecret'
check "conformity notices a function in both places" \
    spoiled virt.h 's/^(VIRT_API int virInitialize.*)/\1\nVIRT_API int virDomainSave(virDomainPtr domain, const char *to);/' \
    'in virt.h and in absent.def: virDomainSave$'
check "conformity notices a wrong release" spoiled examples/compat/symbols 's/^(LIBVIRT_7.8).0/\1.9/' 7.8.9

check "the header names of libvirt-dev" header_names
for cc in "gcc -x c -std=c99" "gcc -x c -std=c11" "g++ -x c++ -std=c++17" \
          "clang -x c -std=c99" "clang -x c -std=c11" "clang++ -x c++ -std=c++17"; do
    if command -v "${cc%% *}" > /dev/null; then
        check "headers: $cc" headers "$cc"
    else
        skip "headers: $cc" "no ${cc%% *}"
    fi
done

compilers=gcc
if command -v clang > /dev/null; then
    compilers="gcc clang"
else
    skip "libvirt's examples with clang" "no clang"
fi
wait
for cc in $compilers; do
    check "$cc: the absent functions without warnings" have_objects "$cc"
    for file in "$examples"/*/*.c*; do
        [[ $file != */admin/* ]] || continue
        check "$cc: libvirt's example ${file#"$examples"/}" example "$cc" "$file"
    done
    check "$cc: what programs do with the headers" uses "$cc -x c"
done
check "g++: what programs do with the headers" uses "g++ -x c++ -std=c++17"

check "every absent function says so" absent_compiled
check "libvirt.so.0 and its kin are built" have_libraries
for library in libvirt libvirt-qemu libvirt-lxc; do
    check "symbols and versions of $library.so.0" symbols $library
done
check "a wrong symbol is noticed" symbols_notice
check "nothing else leaves the libraries" own_symbols
check "every absent function says so, in the libraries" absent_shared
check "every absent function says so, to a program linked with libvirt" absent_relinked

check "run: hellolibvirt" run "test \(active\)" hellolibvirt test:///default
check "run: info1" run "Domain test: 2 CPUs" info1 test:///default test
check "run: suspend" run "" suspend -c test:///default -s 1 test
check "run: openauth" run "There are 1 active" openauth test:///default user secret
check "run: domtop" says_and_goes_on "CPU0: [0-9]" domtop -c test:///default test
for program in "hellolibvirt test:///default" "info1 test:///default test" "openauth test:///default user secret"; do
    # shellcheck disable=SC2086
    check "linked with libvirt, on ours prints the same: $program" relinked $program
done
if [ ! -x /usr/bin/python3 ] || ! /usr/bin/python3 -c "import libvirt" 2> /dev/null; then
    skip "python3-libvirt" "not installed"
else
    check "python3-libvirt" python
fi
if command -v qemu-system-x86_64 > /dev/null; then
    guests+=("$work/qemu")
    check "libvirt's examples with a QEMU guest" with_qemu "$work/qemu"
else
    skip "libvirt's examples with a QEMU guest" "no qemu-system-x86_64"
fi

check "the library is closed before a thread of its user ends" unloaded
check "make install-compat, a program by pkg-config" installed
check "make install-compat and back, a folder with a blank, umask 077" installed_anywhere
if command -v python3 > /dev/null; then
    check "make install-compat, the API description" described
else
    skip "make install-compat, the API description" "no python3"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
