#!/usr/bin/env python3
"""A client of virtd in Python, with nothing but its standard library: python3 examples/client.py [SOCKET [GUEST]]

Lists the guests with their states, pauses GUEST and lets it run again, or starts it if it is not running, and prints the event that this makes.
The protocol is in examples/virtd/PROTOCOL.md. To try it:

    build/examples/virtd --connect test:///default --listen unix:/tmp/virt-sock &
    python3 examples/client.py /tmp/virt-sock test
"""
import json
import socket
import struct
import sys

STATES = ["no state", "running", "blocked", "paused", "in shutdown", "shut off", "crashed", "suspended by its own power management"]


class Client:
    def __init__(self, path, uri=None):
        self.who = socket.socket(socket.AF_UNIX)               # the kernel tells the server who this is ...
        self.who.connect(path + ".who")
        ticket = self.who.makefile().readline().strip()        # ... and it answers with a ticket; the connection must stay
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(b"\0SP\0" + struct.pack(">HH", 0x30, 0))           # nanomsg: we are a REQ (0x30), it is a REP (0x31)
        if self.read(8) != b"\0SP\0" + struct.pack(">HH", 0x31, 0):
            sys.exit(path + " is no socket of a virtd")
        self.id, self.seen, self.session = 0, 0, None
        hello = {"version": 1, "ticket": ticket, "program": "client.py", **({"uri": uri} if uri else {})}
        self.session = self.call("virt.hello", **hello)["session"]

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                sys.exit("the server is gone")
            data += more
        return data

    def message(self):
        kind, length = struct.unpack(">BQ", self.read(9))
        return json.loads(self.read(length)[4:])               # behind the header, whose number the message has as well

    def ask(self, method, params):
        self.id += 1
        request = {"jsonrpc": "2.0", "id": self.id, "session": self.session, "seen": self.seen, "method": method, "params": params}
        payload = struct.pack(">I", 0x80000000 | self.id) + json.dumps(request).encode()
        self.socket.sendall(struct.pack(">BQ", 1, len(payload)) + payload)
        return self.message()

    def call(self, method, **params):
        reply = self.ask(method, params)
        if "part" in reply:                                    # a long one: its text comes in parts
            call, text = self.id, reply["part"].encode()
            while len(text) < reply["total"]:
                text += self.ask("virt.more", {"call": call, "offset": len(text)})["part"].encode()
            reply = json.loads(text)
        self.seen = self.id                                    # the server may forget the replies up to this one
        if "error" in reply:
            sys.exit("%s: %s" % (method, reply["error"]["message"]))
        return reply["result"]


def main(path="/run/virt/virt-sock", name=None):
    try:
        client = Client(path)
    except OSError as error:
        sys.exit("%s: %s" % (path, error.strerror))
    for domain in filter(None, client.call("virConnectListAllDomains", flags=0)["domains"].split("\n")):
        uuid, number, guest = domain.split(" ", 2)             # a line "UUID ID NAME" for each; ID is -1 if it does not run
        print("%-20s %s" % (guest, STATES[client.call("virDomainGetState", domain=domain, flags=0)["state"]]))
    if name is None:
        return
    domain = client.call("virDomainLookupByName", name=name)["return"]
    uuid = domain.split(" ")[0]
    client.call("virt.subscribe", filter=[[0, uuid]])          # 0: VIR_DOMAIN_EVENT_ID_LIFECYCLE
    if client.call("virDomainGetState", domain=domain, flags=0)["state"] == 5:
        client.call("virDomainCreateWithFlags", domain=domain, flags=0)
    else:
        client.call("virDomainSuspend", domain=domain)
        client.call("virDomainResume", domain=domain)
    for sequence, event in client.call("virt.events", seen=0)["events"]:
        print("event %d: %s: lifecycle %d, detail %d" % (sequence, event["name"], event["detail0"], event["detail1"]))
    client.call("virt.bye")


if __name__ == "__main__":
    main(*sys.argv[1:])
