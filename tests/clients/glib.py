"""libvirt-glib by introspection: connections and domains as GObjects, events as signals."""
import os

import gi
gi.require_version("LibvirtGLib", "1.0")
gi.require_version("LibvirtGObject", "1.0")
gi.require_version("LibvirtGConfig", "1.0")
from gi.repository import GLib, LibvirtGConfig, LibvirtGLib, LibvirtGObject
from common import counts_on, guest, in_use, same, wait_for

in_use()
LibvirtGLib.event_register()
loop = GLib.MainContext.default()
seen = []


def turn():
    while loop.iteration(False):
        pass


conn = LibvirtGObject.Connection.new(os.environ["EMBED"])
conn.open(None)
conn.fetch_domains(None)
same(conn.get_domains(), [])
conn.connect("domain-added", lambda conn, domain: seen.append(("added", domain.get_name())))
conn.connect("domain-removed", lambda conn, domain: seen.append(("removed", domain.get_name())))
domain = conn.create_domain(LibvirtGConfig.Domain.new_from_xml(guest("g")))
for signal in ("started", "suspended", "resumed", "stopped"):
    domain.connect(signal, lambda domain, word=signal: seen.append((word, domain.get_name())))
domain.start(0)
counts_on("g")
same(domain.get_info().state, LibvirtGObject.DomainState.RUNNING)
domain.suspend()
domain.resume()
domain.stop(0)


def all_told():
    turn()
    return ("stopped", "g") in seen


wait_for(all_told, "signals")
words = [word for word, name in seen]
assert [w for w in words if w in ("suspended", "stopped")] == ["suspended", "stopped"], seen
assert "started" in words, seen
domain.delete(0)
