#!/bin/bash
# virtd, as those who run it and those who connect to it see it: with virtsh, and with examples/client.py, which speaks the protocol by itself.
#
#     tests/virtd.sh                   all of it; the total is the last line
#     tests/virtd.sh keys policy       tests whose names contain one of these words
set -u
cd "$(dirname "$0")/.." || exit 2

programs=$(realpath "${VIRT_TEST_EXAMPLES:-build/examples}")
virtd=$programs/virtd virtsh=$programs/virtsh
slow=${VIRT_TEST_SLOW:-1}
passed=0 failed=0 skipped=0
started=()                                       # process ids: nothing else is ever ended here
words=("$@")

work=$(mktemp -d "${TMPDIR:-/tmp}/vtvirtd-XXXXXX") || exit 2
leave()
{
    local pid
    for pid in "${started[@]}"; do
        kill -KILL "$pid" 2> /dev/null
    done
    rm -rf "$work"
}
trap leave EXIT
trap 'exit 2' INT TERM
export LC_ALL=C.UTF-8 XDG_CONFIG_HOME=$work/config XDG_RUNTIME_DIR=$work/run
unset LIBVIRT_DEFAULT_URI VIRSH_DEFAULT_CONNECT_URI NOTIFY_SOCKET JOURNAL_STREAM

# wanted CONDITION...: until the command succeeds, 10 seconds at most
wait_for()
{
    local end=$((SECONDS + 10 * slow))
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "not within $((10 * slow)) s: $*"; return 1; }
        sleep 0.05
    done
}

# start OPTION...: virtd in the background, in $folder; its number is in $folder/pid
start()
{
    "$virtd" --connect test:///default --listen "unix:$folder/sock" --pid-file "$folder/pid" --log "$folder/log" --daemon "$@" || return 1
    pid=$(cat "$folder/pid") && started+=("$pid")
}

gone()
{
    ! kill -0 "$1" 2> /dev/null || [ "$(ps -o stat= -p "$1" | cut -c 1)" = Z ]
}

stop()
{
    kill "$pid" && wait_for gone "$pid" && [ ! -e "$folder/pid" ] && [ ! -e "$folder/sock" ] && [ ! -e "$folder/sock.who" ]
}

# at COMMAND...: virtsh on the socket
at()
{
    timeout $((30 * slow)) "$virtsh" -c "test+unix:///default?socket=$folder/sock" "$@" 2>&1
}

says()      # says TEXT COMMAND...: the command says it
{
    local text=$1 said
    shift
    said=$("$@" 2>&1)
    [[ $said == *"$text"* ]] || { echo "'$*' does not say '$text' but: $said"; return 1; }
}

# ---- the tests ----

clients_of_any_language_are_served()
{
    local said
    start || return 1
    said=$(timeout $((30 * slow)) python3 examples/client.py "$folder/sock" test) || { echo "$said"; return 1; }
    says "test                 running" echo "$said" && says "event 1: test: lifecycle 3, detail 0" echo "$said" || return 1
    at destroy test > /dev/null || return 1
    said=$(timeout $((30 * slow)) python3 examples/client.py "$folder/sock" test) || { echo "$said"; return 1; }
    says "test                 shut off" echo "$said" && says "event 1: test: lifecycle 2, detail 0" echo "$said" && stop
}

# What a person does by virtsh, by a program in Python: looks, starts, watches, stops. Another client sees the same.
a_program_in_python_starts_watches_and_stops()
{
    start && at destroy test > /dev/null && timeout $((60 * slow)) python3 - "$folder/sock" << 'END' && says "shut off" at domstate test && stop
import sys
sys.path.insert(0, "examples")
sys.dont_write_bytecode = True
from client import Client, STATES

client, other = Client(sys.argv[1]), Client(sys.argv[1])
domains = client.call("virConnectListAllDomains", flags=0)["domains"].split("\n")
assert len(domains) == 1 and domains[0].endswith(" -1 test"), domains
domain, seen = domains[0], 0
client.call("virt.subscribe", filter=[[0, None]])

def event():
    global seen
    events = client.call("virt.events", seen=seen)["events"]
    seen = events[-1][0]
    return [(e["name"], e["detail0"], e["detail1"]) for _, e in events]

number = client.call("virDomainCreateWithFlags", domain=domain)["id"]
assert number > 0, number
assert event() == [("test", 2, 0)]                                # started, booted
running = other.call("virDomainLookupByName", name="test")["return"]
assert running.split()[1] == str(number), (running, number)
assert STATES[other.call("virDomainGetState", domain=running)["state"]] == "running"
other.call("virDomainDestroyFlags", domain=running)
assert event() == [("test", 5, 1)]                                # stopped, destroyed
assert client.ask("virDomainDestroyFlags", {"domain": domain})["error"]["code"] == 55
client.call("virt.bye")
END
}

# The calls and replies that PROTOCOL.md shows, made and compared; and what it says of the rest of a session.
the_protocol_is_as_it_is_written()
{
    start && timeout $((60 * slow)) python3 - "$folder/sock" << 'END' && stop
import json, re, sys
sys.path.insert(0, "examples")
sys.dont_write_bytecode = True
from client import Client

client = Client(sys.argv[1])
uuid = client.call("virDomainLookupByName", name="test")["return"].split()[0]
document = open("examples/virtd/PROTOCOL.md").read()
shown = re.findall(r"^    (vir\w+) +(\{.*?\})  +(\{.*\})$", document, re.M)
assert len(shown) >= 8, shown
for method, params, result in shown:
    params, result = (json.loads(text.replace("6695eb01-...", uuid)) for text in (params, result))
    got = client.call(method, **params)
    assert got == result, (method, got, result)

def fails(code, reply):
    assert reply["error"]["code"] == code, reply

fails(-32601, client.ask("virNothing", {}))
fails(-32602, client.ask("virt.more", {"call": "seven", "offset": 0}))
fails(-32004, client.ask("virt.ask", {"call": 100000}))
fails(-32004, client.ask("virt.more", {"call": 100000, "offset": 0}))
fails(8, client.ask("virDomainGetState", {"domain": "test"}))
assert client.ask("virt.ping", {})["result"] == {"ok": True}

# asked again it is the same reply, and the call is not made again
reply = client.ask("virDomainGetState", {"domain": uuid + " 1 test"})
call = client.id
assert client.ask("virt.ask", {"call": call}) == reply
client.seen = call
fails(-32602, client.ask("virt.ask", {"call": call}))

# in parts
client.id += 2
inner = client.id
text = json.dumps({"jsonrpc": "2.0", "id": inner, "method": "virDomainLookupByName", "params": {"name": "test"}})
first = client.ask("virt.part", {"call": inner, "offset": 0, "total": len(text), "text": text[:20]})
assert first["result"] == {"offset": 20}, first
assert client.ask("virt.part", {"call": inner, "offset": 0, "total": len(text), "text": text[:20]})["result"] == {"offset": 20}
replies = [client.ask("virt.part", {"call": inner, "offset": 20, "total": len(text), "text": text[20:]}), client.message()]
assert sorted(reply["id"] for reply in replies) == [inner, client.id], replies
assert {"offset": len(text)} in [reply["result"] for reply in replies], replies
assert uuid in json.dumps(replies), replies

# a number with the top bit set leads the reply back; the session is over after goodbye
client.call("virt.bye")
fails(-32001, client.ask("virt.ping", {}))
END
}

virtsh_works_through_it()
{
    start && says running at domstate test && says suspended at suspend test && says paused at domstate test &&
        says "read only access prevents" at -r resume test && stop
}

# Nobody steps it any more who could say how it ends: virtsh says that, and does not hang. (Both hosts are the server's: the test driver has no wire
# to another process.)
a_migration_whose_server_is_lost_ends_with_a_clear_error()
{
    local from="test+unix:///default?socket=$folder/sock&reconnect=1" mover code
    local to="$from&name=test:///default?host=b"
    "$virtd" -C "test:///default?host=a&memory-mib=2048&bandwidth=16" -C "test:///default?host=b" -l "unix:$folder/sock" -p "$folder/pid" \
        --log "$folder/log" -d || return 1
    pid=$(cat "$folder/pid") && started+=("$pid")
    "$virtsh" -c "$to" "destroy test; undefine test" || return 1
    timeout $((60 * slow)) "$virtsh" -c "$from" migrate --live test "$to" > "$folder/said" 2>&1 &
    mover=$! && started+=("$mover")
    wait_for says "Memory remaining" at domjobinfo test && kill -KILL "$pid" || { cat "$folder/said"; return 1; }
    wait "$mover"
    code=$?
    [ $code = 1 ] || { echo "virtsh migrate ends with $code: $(cat "$folder/said")"; return 1; }
    says "the connection to '$from' is lost" cat "$folder/said"
}

a_second_one_is_refused_and_what_a_dead_one_left_is_replaced()
{
    local first
    start || return 1
    first=$pid
    says "virtd runs already: process $first" "$virtd" --connect test:///default --listen "unix:$folder/other" --pid-file "$folder/pid" || return 1
    kill -KILL "$first" && wait_for gone "$first" && [ -e "$folder/pid" ] && [ -e "$folder/sock" ] || return 1
    start && [ "$pid" != "$first" ] && says running at domstate test && stop
}

what_cannot_begin_says_so_and_leaves_nothing()
{
    mkdir "$folder/sock"
    says "$folder/sock" start && [ ! -e "$folder/pid" ] || return 1
    rmdir "$folder/sock"
    says "nonsense:///x" "$virtd" --connect nonsense:///x --listen "unix:$folder/sock" --pid-file "$folder/pid" --daemon --log stderr || return 1
    [ ! -e "$folder/pid" ] && [ ! -e "$folder/sock" ]
}

hup_starts_over_and_clients_stay()
{
    local first
    printf 'log-level = info\n' > "$folder/conf"
    start --config "$folder/conf" --workers 2 || return 1
    first=$pid
    mkfifo "$folder/to" || return 1
    at < "$folder/to" > "$folder/said" &
    exec 7> "$folder/to"
    echo "domstate test" >&7
    wait_for grep -q running "$folder/said" || return 1
    printf 'log-level = info\nlisten-ro = unix:%s\n' "$folder/ro" > "$folder/conf"
    kill -HUP "$first" && wait_for test -e "$folder/ro" || return 1
    : > "$folder/said"
    echo "domstate test; echo again" >&7
    wait_for grep -q again "$folder/said" || return 1
    says running cat "$folder/said" || return 1
    echo quit >&7
    exec 7>&-
    wait $! && [ "$(cat "$folder/pid")" = "$first" ] && stop
}

a_configuration_that_is_wrong_changes_nothing()
{
    echo 'workers = 2' > "$folder/conf"
    start --config "$folder/conf" || return 1
    echo 'workers = many' > "$folder/conf"
    kill -HUP "$pid" && wait_for grep -q "workers: 'many' is no number" "$folder/log" && wait_for grep -q 'all stays as it was' "$folder/log" &&
        says running at domstate test && stop
}

another_takes_its_place()
{
    local first
    start || return 1
    first=$pid
    start --replace && [ "$pid" != "$first" ] && wait_for gone "$first" && says running at domstate test && stop
}

# A guest of QEMU runs on, whatever virtd does.
guests_live_on()
{
    local root=$folder/root process
    command -v qemu-system-x86_64 > /dev/null || return 77
    [ -z "${VIRT_TEST_NO_QEMU:-}" ] || return 77
    mkdir "$root"
    printf '%s' "<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os></domain>" > "$folder/xml"
    "$virtd" -C "qemu:///embed?root=$root" -l "unix:$folder/sock" -p "$folder/pid" --log "$folder/log" -d || return 1
    pid=$(cat "$folder/pid") && started+=("$pid")
    local uri="qemu+unix:///embed?socket=$folder/sock"
    "$virtsh" -c "$uri" "define $folder/xml; start one" || return 1
    process=$(pgrep -f "$root.*" | grep -v "^$pid\$" | head -n 1)
    [ -n "$process" ] && started+=("$process")
    kill -HUP "$pid" && wait_for grep -q 'starts over' "$folder/log" && wait_for "$virtsh" -c "$uri" domstate one &&
        says running "$virtsh" -c "$uri" domstate one || return 1
    "$virtd" -C "qemu:///embed?root=$root" -l "unix:$folder/sock" -p "$folder/pid" --log "$folder/log" -d --replace || return 1
    pid=$(cat "$folder/pid") && started+=("$pid")
    says running "$virtsh" -c "$uri" domstate one && "$virtsh" -c "$uri" "destroy one; undefine one" && stop
}

rules_decide()
{
    printf '# who may\nallow * connect.*\ndeny * domain.suspend,domain.write test   # not this one\n' > "$folder/policy"
    printf 'allow * domain.* te*,x*\n' >> "$folder/policy"
    start --deny "* virDomainDestroyFlags" --policy "$folder/policy" || return 1
    says running at domstate test && says "virDomainSuspend needs 'domain.suspend'" at suspend test && says "needs 'domain.stop'" at destroy test && stop || return 1
    # what may not be seen is not there
    start --allow "* connect.*" --allow "* * other" || return 1
    says "failed to get domain 'test'" at domstate test && [ -z "$(at list --all --name | tr -d '\n')" ] &&
        stop || return 1
    start --allow "uid:$(($(id -u) + 1)) *" && ! at list --all && stop || return 1
    says "line 2: 'somebody' is nobody" "$virtd" --check --policy <(printf '\nallow somebody * *\n') &&
        says "there is no user 'nobody-of-this-name'" "$virtd" --check --allow "user:nobody-of-this-name *" &&
        says "a rule is allow or deny" "$virtd" --check --allow "uid:1"
}

# Of a user who is in a group besides its own, in a process that has none of them; only root can be somebody else.
a_rule_for_a_group_is_for_all_its_members()
{
    local group user
    group=$(awk -F: '$4 != "" { print $1; exit }' /etc/group)
    user=$(awk -F: -v group="$group" '$1 == group { sub(",.*", "", $4); print $4 }' /etc/group)
    [ "$(id -u)" = 0 ] && [ -n "$user" ] && id "$user" > /dev/null 2>&1 && command -v setpriv > /dev/null || return 77
    chmod 711 "$work" && chmod 755 "$folder" && cp "$virtsh" "$folder/virtsh" || return 1
    start --mode 666 --allow "group:$group *" || return 1
    local run=(setpriv --regid 54321 --clear-groups --reuid) command=("$folder/virtsh" -c "test+unix:///default?socket=$folder/sock" domstate test)
    says running "${run[@]}" "$user" "${command[@]}" && says "failed to get domain" "${run[@]}" 54321 "${command[@]}" && stop
}

what_was_changed_is_written_down()
{
    start --audit "$folder/audit" --deny "* domain.stop" --allow "* *" || return 1
    at "domstate test; suspend test; resume test"
    at destroy test
    stop && python3 - "$folder/audit" "$(id -u)" << 'END'
import json, os, stat, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert [(line["call"], line["code"]) for line in lines] == [
    ("virDomainSuspend", 0), ("virDomainResume", 0), ("virDomainDestroyFlags", 88)], lines
for line in lines:
    assert line["guest"] == "test" and line["uid"] == int(sys.argv[2]) and len(line["uuid"]) == 36 and line["pid"] > 0, line
assert stat.S_IMODE(os.stat(sys.argv[1]).st_mode) == 0o600
END
}

free_port()
{
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

keys_let_in_over_a_network()
{
    local tcp ws key own transport
    own=$("$virtsh" -q keygen "$folder/own") && key=$("$virtd" --genkey --key "$folder/key") || return 77
    tcp=$(free_port) ws=$(free_port)
    says "needs --key and --authorized-keys" "$virtd" --check --listen "tcp:127.0.0.1:$tcp" || return 1
    echo "$own karla" > "$folder/authorized"
    printf '127.0.0.1:%s %s\n127.0.0.1:%s %s\n' "$tcp" "$key" "$ws" "$key" > "$folder/known"
    [ "$("$virtd" --show-key --key "$folder/key")" = "$key" ] || return 1
    start --listen "tcp:127.0.0.1:$tcp" --listen "ws:127.0.0.1:$ws" --key "$folder/key" --authorized-keys "$folder/authorized" \
        --deny "key:karla domain.stop" --allow "* *" || return 1
    for transport in "tcp://127.0.0.1:$tcp" "ws://127.0.0.1:$ws"; do
        network="test+$transport/default?keyfile=$folder/own&known_hosts=$folder/known"
        says running "$virtsh" -c "$network" domstate test && says "needs 'domain.stop'" "$virtsh" -c "$network" destroy test || return 1
    done
    echo "$own karla readonly" > "$folder/authorized"
    sleep 1
    says "read only access prevents" "$virtsh" -c "$network" suspend test || return 1
    : > "$folder/authorized"
    sleep 1
    says "$own NAME" "$virtsh" -c "$network" domstate test || return 1
    chmod 644 "$folder/key"
    kill "$pid" && wait_for gone "$pid" || return 1
    says "is open to others" start --listen "tcp:127.0.0.1:$tcp" --key "$folder/key" --authorized-keys "$folder/authorized"
}

# reached HOST PORT...: all of them
reached()
{
    python3 -c 'import socket, sys
for port in sys.argv[2:]:
    socket.create_connection((sys.argv[1], int(port)), 5).close()' "$@"
}

# nanomsg listens at those of tcp, front.c at those of ws. And what a killed server leaves in the runtime directory goes with the next one.
addresses_mean_the_same_for_tcp_and_websockets()
{
    local tcp ws pair
    "$virtd" --genkey --key "$folder/key" > /dev/null || return 77
    : > "$folder/authorized"
    mkdir -p "$XDG_RUNTIME_DIR"
    for pair in "* 127.0.0.1" "* ::1" " 127.0.0.1" " ::1" "localhost 127.0.0.1" "[::1] ::1"; do
        [ "${pair##* }" != ::1 ] || grep -q " lo$" /proc/net/if_inet6 2> /dev/null || continue
        tcp=$(free_port) ws=$(free_port)
        start --listen "tcp:${pair% *}:$tcp" --listen "ws:${pair% *}:$ws" --key "$folder/key" --authorized-keys "$folder/authorized" || return 1
        reached "${pair##* }" "$tcp" "$ws" || { echo "'$pair': not reached"; return 1; }
        kill -KILL "$pid" && wait_for gone "$pid" && rm -f "$folder/pid" || return 1
    done
    start --listen "ws:127.0.0.1:$ws" --key "$folder/key" --authorized-keys "$folder/authorized" || return 1
    [ "$(find "$XDG_RUNTIME_DIR" -name 'virt-ws-*' | wc -l)" = 1 ] || { ls -la "$XDG_RUNTIME_DIR"; return 1; }
    stop && [ "$(find "$XDG_RUNTIME_DIR" -name 'virt-ws-*' | wc -l)" = 0 ]
}

# The page's server by itself; tests/dashboard.mjs has the page.
the_page_is_served_and_nothing_else()
{
    local port
    port=$(free_port)
    start --dashboard ":$port" --dashboard-page "$folder/none" > "$folder/said" 2>&1 && return 1
    says "cannot read '$folder/none'" cat "$folder/said" || return 1
    grep -q 'without libcrypto' "$folder/said" && return 77
    start --dashboard ":$port" --dashboard-page examples/dashboard/index.html || return 1
    timeout $((60 * slow)) python3 - "$port" << 'END' || return 1
import base64, hashlib, re, socket, sys, time

def connect():
    return socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)

def ask(data, pause=0):
    s = connect()
    for i in range(0, len(data), 700 if pause else len(data)):
        s.sendall(data[i:i + (700 if pause else len(data))])
        time.sleep(pause)
    said = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            break
        if not more:
            break
        said += more
    s.close()
    return said

page = open("examples/dashboard/index.html", "rb").read()
for request in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 3000 + b"\r\n\r\n"):
    head, body = ask(request, 0.01).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body == page, head
policy = re.search(rb"Content-Security-Policy: (.*)\r", head)[1].decode()
for tag in ("script", "style"):
    text = re.search(rb"\n<%s[^>]*>(.*?)</%s>" % (tag.encode(), tag.encode()), page, re.S)[1]
    assert "%s-src 'sha256-%s'" % (tag, base64.b64encode(hashlib.sha256(text).digest()).decode()) in policy, policy
assert policy.startswith("default-src 'none'") and "unsafe" not in policy, policy
for request, status in ((b"GET /x HTTP/1.1\r\n\r\n", 404), (b"GET //etc/passwd HTTP/1.1\r\n\r\n", 404), (b"PUT / HTTP/1.1\r\n\r\n", 405),
                        (b"GET / HTTP/1.1\r\n\0\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nX: " + b"y" * 9000, 431), (b"\r\n\r\n", 405)):
    said = ask(request)
    assert said.startswith(b"HTTP/1.1 %d " % status) and said.endswith(b"\r\n\r\n") and b"Content-Length: 0" in said, (request[:40], said)

# More who say nothing than there is room for: they keep nobody out for longer than their time.
idle = [connect() for i in range(40)]
begin = time.monotonic()
assert ask(b"GET / HTTP/1.1\r\n\r\n").endswith(page[-100:])
assert time.monotonic() - begin > 5, "there was room"
assert idle[0].recv(10) == b"", "an idle one is kept"
END
    kill -HUP "$pid" && wait_for grep -q 'starts over' "$folder/log" && sleep 1 && kill -0 "$pid" && stop
}

options_are_checked_before_anything_is_done()
{
    printf 'connect = test:///default\n\nnonsense = 1\n' > "$folder/conf"
    says "'$folder/conf', line 3: 'nonsense' is no option" "$virtd" --check --config "$folder/conf" || return 1
    printf 'replace = yes\n' > "$folder/conf"
    says "line 1: 'replace' is no option for a file" "$virtd" --check --config "$folder/conf" || return 1
    printf 'daemon = perhaps\n' > "$folder/conf"
    says "'daemon' is yes or no" "$virtd" --check --config "$folder/conf" || return 1
    printf 'workers\n' > "$folder/conf"
    says "a line is NAME = VALUE" "$virtd" --check --config "$folder/conf" || return 1
    printf '# all of it\n\nworkers = 300\n' > "$folder/conf"
    says "the options make sense" "$virtd" --check --config "$folder/conf" --workers 3 &&          # the command line wins
        says "'300' is no number from 1 to 256" "$virtd" --check --config "$folder/conf" &&
        says "'8' is no octal" "$virtd" --check --mode 8 && says "there is no group 'no-such-group'" "$virtd" --check --group no-such-group &&
        says "'clients' is not NAME=N" "$virtd" --check --limit clients && says "'stray' is no option" "$virtd" --check stray &&
        says "log-level: 'loud'" "$virtd" --log-level loud --pid-file "$folder/pid" --listen "unix:$folder/sock" &&
        says "virtd (virt)" "$virtd" --version && says "--authorized-keys FILE" "$virtd" --help
}

limits_are_kept()
{
    start --limit clients=1 || return 1
    mkfifo "$folder/to"
    at < "$folder/to" > "$folder/said" &
    exec 7> "$folder/to"
    echo "domstate test" >&7
    wait_for grep -q running "$folder/said" && says "as many as it takes" at domstate test
    local code=$?
    exec 7>&-
    wait
    [ $code = 0 ] && stop && says "there is no parameter 'colour'" start --limit colour=7
}

systemd_hears_when_it_is_ready()
{
    python3 - "$folder/notify" > "$folder/heard" << 'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(60)
while True:
    text = s.recv(1000).decode()
    print(text.replace("\n", " "), flush=True)
    if text.startswith("STOPPING"):
        break
END
    local listener=$!
    wait_for test -S "$folder/notify" || return 1
    NOTIFY_SOCKET=$folder/notify "$virtd" -C test:///default -l "unix:$folder/sock" -p "$folder/pid" --log "$folder/log" &
    pid=$!
    started+=("$pid" "$listener")
    wait_for grep -q '^READY=1' "$folder/heard" && says running at domstate test && kill -HUP "$pid" &&
        wait_for grep -q '^RELOADING=1 MONOTONIC_USEC=[0-9]' "$folder/heard" && wait_for test "$(grep -c READY=1 "$folder/heard")" -ge 1 &&
        kill "$pid" && wait "$pid" && wait "$listener" && tail -n 1 "$folder/heard" | grep -q STOPPING=1
}

the_init_script_starts_and_ends_it()
{
    local script=$folder/init
    printf '#!/bin/sh\nexec "%s" -C test:///default -l "unix:%s" --log "%s" "$@"\n' "$virtd" "$folder/sock" "$folder/log" > "$folder/virtd"
    chmod 755 "$folder/virtd"
    sed "s|@SBINDIR@|$folder|; s|^pidfile=.*|pidfile=$folder/pid|" examples/virtd/virtd.init.in > "$script"
    sh "$script" status && return 1
    sh "$script" start && pid=$(cat "$folder/pid") && started+=("$pid") && sh "$script" status && says running at domstate test &&
        sh "$script" start && [ "$(cat "$folder/pid")" = "$pid" ] && sh "$script" reload && wait_for grep -q 'starts over' "$folder/log" || return 1
    wait_for at domstate test && sh "$script" stop && wait_for gone "$pid" && [ ! -e "$folder/pid" ]
}

# ---- one after the other ----

is_wanted()
{
    local word
    [ ${#words[@]} -gt 0 ] || return 0
    for word in "${words[@]}"; do
        [[ $1 != *"$word"* ]] || return 0
    done
    return 1
}

if [ ! -x "$virtd" ]; then
    echo "FAIL  virtd: there is no $virtd"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
folder=$work/first
mkdir -p "$folder" "$XDG_CONFIG_HOME" "$XDG_RUNTIME_DIR"
if "$virtd" -C test:///default -l "unix:$folder/sock" -p "$folder/pid" --daemon --log stderr 2> "$folder/said"; then
    pid=$(cat "$folder/pid") && started+=("$pid") && kill "$pid" && wait_for gone "$pid"
elif grep -q 'built without' "$folder/said"; then
    echo "skip  virtd: without nanomsg"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
for name in clients_of_any_language_are_served a_program_in_python_starts_watches_and_stops the_protocol_is_as_it_is_written virtsh_works_through_it \
    a_migration_whose_server_is_lost_ends_with_a_clear_error a_second_one_is_refused_and_what_a_dead_one_left_is_replaced \
    what_cannot_begin_says_so_and_leaves_nothing hup_starts_over_and_clients_stay a_configuration_that_is_wrong_changes_nothing \
    another_takes_its_place guests_live_on rules_decide a_rule_for_a_group_is_for_all_its_members what_was_changed_is_written_down keys_let_in_over_a_network \
    addresses_mean_the_same_for_tcp_and_websockets the_page_is_served_and_nothing_else \
    options_are_checked_before_anything_is_done limits_are_kept systemd_hears_when_it_is_ready the_init_script_starts_and_ends_it; do
    is_wanted "$name" || continue
    folder=$work/$name
    mkdir "$folder"
    "$name" > "$work/output" 2>&1
    code=$?
    if [ $code = 0 ]; then
        passed=$((passed + 1))
    elif [ $code = 77 ]; then
        skipped=$((skipped + 1))
        echo "skip  $name: what it needs is not here"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        sed 's/^/    /' "$work/output"
        [ ! -e "$folder/log" ] || sed 's/^/    log: /' "$folder/log"
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
