"""python3-libvirt: one scenario a function, named on the command line."""
import sys
import threading
import xml.etree.ElementTree as tree

import libvirt
from common import (EMBED, SESSION, count, counts_on, fails, guest, image, main, same, scratch, skip,
                    wait_for)


def life(uri):
    conn = libvirt.open(uri)
    same(conn.getURI(), uri)
    same(conn.getType(), "QEMU")
    domain = conn.defineXML(guest("g"))
    same((domain.isActive(), domain.isPersistent(), domain.ID()), (0, 1, -1))
    same(domain.create(), 0)
    counts_on("g")
    same(domain.state(), [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED])
    same(domain.info()[:4], [libvirt.VIR_DOMAIN_RUNNING, 32768, 32768, 1])
    domain.suspend()
    stopped = count("g")
    same(domain.state()[0], libvirt.VIR_DOMAIN_PAUSED)
    domain.resume()
    wait_for(lambda: count("g") > stopped + 5, "it goes on")
    same([d.name() for d in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)], ["g"])
    same(conn.lookupByUUIDString(domain.UUIDString()).ID(), domain.ID())
    same(conn.listDomainsID(), [domain.ID()])
    domain.destroy()
    same(domain.state(), [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED])
    same(conn.listDefinedDomains(), ["g"])
    domain.undefine()
    same(conn.listAllDomains(), [])
    del domain                                  # it holds the connection
    same(conn.close(), 0)


def lifecycle_test():
    with libvirt.open("test:///default") as conn:
        domain = conn.lookupByName("test")
        same(domain.info()[3], 2)
        domain.shutdown()
        same(domain.isActive(), 0)
        domain.create()
        transient = conn.createXML("<domain type='test'><name>t</name><memory>8192</memory>"
                                   "<os><type>hvm</type></os></domain>")
        same(sorted(d.name() for d in conn.listAllDomains()), ["t", "test"])
        transient.destroy()
        same([d.name() for d in conn.listAllDomains()], ["test"])


def lifecycle_embed():
    life(EMBED)


def lifecycle_session():
    life(SESSION)


def errors():
    told = []
    libvirt.registerErrorHandler(lambda context, error: told.append((context, error[0], error[1])), "mine")
    conn = libvirt.open(EMBED)
    error = fails(libvirt.VIR_ERR_NO_DOMAIN, conn.lookupByName, "nobody")
    assert "nobody" in str(error) and "nobody" in error.get_str1(), error
    same(told[-1], ("mine", libvirt.VIR_ERR_NO_DOMAIN, error.get_error_domain()))
    fails(libvirt.VIR_ERR_XML_DETAIL, conn.defineXML, "<domain")
    fails(libvirt.VIR_ERR_INVALID_ARG, conn.listAllDomains, 1 << 30)
    domain = conn.defineXML(guest("g"))
    fails(libvirt.VIR_ERR_OPERATION_INVALID, domain.destroy)
    fails(libvirt.VIR_ERR_OPERATION_INVALID, domain.suspend)
    fails(libvirt.VIR_ERR_NO_DOMAIN_METADATA, domain.metadata, libvirt.VIR_DOMAIN_METADATA_TITLE, None)
    fails(libvirt.VIR_ERR_NO_SUPPORT, conn.listAllNetworks)
    domain.undefine()
    fails(libvirt.VIR_ERR_NO_DOMAIN, domain.create)
    fails(libvirt.VIR_ERR_NO_CONNECT, libvirt.open, "nosuch:///system")
    reader = libvirt.openReadOnly("test:///default")
    fails(libvirt.VIR_ERR_OPERATION_DENIED, reader.lookupByName("test").suspend)
    broken = guest("broken", scratch("not there.img"))
    error = fails(libvirt.VIR_ERR_SYSTEM_ERROR, conn.createXML, broken)
    assert "not there.img" in str(error), error
    same(conn.listAllDomains(), [])


def events_default():
    """The library's own loop in a thread, as virt-manager and the binding's example do it."""
    libvirt.virEventRegisterDefaultImpl()
    ended = threading.Event()

    def loop():
        while not ended.is_set():
            libvirt.virEventRunDefaultImpl()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    watch(lambda: None)
    ended.set()
    libvirt.virEventAddTimeout(0, lambda *ignored: None, None)      # as with libvirt's: something must wake it
    thread.join(10)
    assert not thread.is_alive(), "the loop does not end"


def watch(step):
    """Everything a guest goes through arrives, in order, and timers tick; step() runs the loop, if nobody else does."""
    seen, any_seen, ticks = [], [], []

    def lifecycle(conn, domain, event, detail, opaque):
        same(opaque, "mine")
        seen.append((domain.name(), event, detail))

    def metadata(conn, domain, kind, uri, opaque):
        any_seen.append((domain.name(), kind, uri))

    def happened(condition, what):
        def check():
            step()
            return condition()
        wait_for(check, what)

    timer = libvirt.virEventAddTimeout(20, lambda number, opaque: ticks.append(opaque), 7)
    conn = libvirt.open(EMBED)
    first = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, "mine")
    domain = conn.defineXML(guest("g", image("g", "--after", "30", "--then", "poweroff")))
    second = conn.domainEventRegisterAny(domain, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, metadata, None)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "a title", None, None)
    domain.create()
    domain.suspend()
    domain.resume()
    stopped = ("g", libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN)
    happened(lambda: stopped in seen, "it switches itself off, and that is told")
    happened(lambda: len(ticks) > 3, "timers tick")
    same([s[1] for s in seen if s[1] != libvirt.VIR_DOMAIN_EVENT_SHUTDOWN],
         [libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_STARTED] +
         ([libvirt.VIR_DOMAIN_EVENT_RESUMED] if seen[2][1] == libvirt.VIR_DOMAIN_EVENT_RESUMED else []) +
         [libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_STOPPED])
    same(any_seen[0], ("g", libvirt.VIR_DOMAIN_METADATA_TITLE, None))
    libvirt.virEventUpdateTimeout(timer, -1)
    conn.domainEventDeregisterAny(second)
    conn.domainEventDeregisterAny(first)
    before = len(seen)
    domain.undefine()
    step()
    same(len(seen), before)
    libvirt.virEventRemoveTimeout(timer)
    fails(libvirt.VIR_ERR_INVALID_ARG, conn.domainEventDeregisterAny, first)
    del domain
    same(conn.close(), 0)


def events_own():
    """A loop in Python, by virEventRegisterImpl: the library asks it for descriptors and timers."""
    import ownloop
    loop = ownloop.Loop()
    loop.register()
    watch(lambda: loop.once(20))
    loop.once(0)
    same(loop.descriptors, {})


def events_asyncio():
    """libvirtaio, which Debian ships: the library in an asyncio loop."""
    import asyncio
    import libvirtaio

    async def run():
        impl = libvirtaio.virEventRegisterAsyncIOImpl()
        told = asyncio.Queue()
        conn = libvirt.open(EMBED)
        number = conn.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda conn, domain, event, detail, queue: queue.put_nowait(event), told)
        domain = conn.createXML(guest("g"))
        same(await asyncio.wait_for(told.get(), 10), libvirt.VIR_DOMAIN_EVENT_STARTED)
        domain.destroy()
        while await asyncio.wait_for(told.get(), 10) != libvirt.VIR_DOMAIN_EVENT_STOPPED:
            pass
        conn.domainEventDeregisterAny(number)
        del domain                              # it holds the connection, which watches its guests
        same(conn.close(), 0)
        await asyncio.wait_for(impl.drain(), 10)

    asyncio.run(run())


def migrate():
    """A live migration by migrate3, its parameters in a dictionary, watched from another thread."""
    source, target = libvirt.open(EMBED), libvirt.open(EMBED + "2")
    domain = source.createXML(guest("g"))
    counts_on("g")
    seen, ended = [], threading.Event()

    def look():
        while not ended.wait(0.01):
            try:
                seen.append(domain.jobStats())
            except libvirt.libvirtError:
                pass

    watcher = threading.Thread(target=look)
    watcher.start()
    moved = domain.migrate3(target, {libvirt.VIR_MIGRATE_PARAM_DEST_NAME: "moved",
                                     libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: 20,
                                     libvirt.VIR_MIGRATE_PARAM_URI: "tcp://127.0.0.1"}, libvirt.VIR_MIGRATE_LIVE)
    ended.set()
    watcher.join(10)
    same(moved.name(), "moved")
    same(source.listAllDomains(), [])
    counts_on("g")
    running = [s for s in seen if s.get("type") == libvirt.VIR_DOMAIN_JOB_UNBOUNDED]
    assert any(s.get("memory_total", 0) > 0 for s in running), seen
    same(running[-1]["operation"], libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT)
    done = moved.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
    same(done["type"], libvirt.VIR_DOMAIN_JOB_COMPLETED)
    assert done["memory_processed"] > 0 and done["downtime"] >= 0, done
    moved.destroy()


def migrate_back():
    """What cannot be: the error is raised, the guest goes on where it was. Then an abort from another thread."""
    source, target = libvirt.open(EMBED), libvirt.open(EMBED + "2")
    domain = source.createXML(guest("g", image("g", "--fill-mib", "24")))
    counts_on("g")
    fails(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, domain.migrate3, target,
          {libvirt.VIR_MIGRATE_PARAM_URI: "nonsense://"}, libvirt.VIR_MIGRATE_LIVE)
    counts_on("g")

    def abort():
        wait_for(lambda: domain.jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_UNBOUNDED, "a job")
        domain.abortJob()

    aborter = threading.Thread(target=abort)
    aborter.start()
    fails(libvirt.VIR_ERR_OPERATION_ABORTED, domain.migrate3, target,
          {libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: 1}, libvirt.VIR_MIGRATE_LIVE)
    aborter.join(10)
    same(target.listAllDomains(), [])
    counts_on("g")
    domain.destroy()


def close_callback():
    libvirt.virEventRegisterDefaultImpl()
    conn = libvirt.open("test:///default")
    conn.registerCloseCallback(lambda *ignored: None, None)
    fails(libvirt.VIR_ERR_OPERATION_INVALID, conn.registerCloseCallback, lambda *ignored: None, None)
    conn.unregisterCloseCallback()
    conn.registerCloseCallback(lambda *ignored: None, "again")
    conn.unregisterCloseCallback()
    same(conn.isAlive(), 1)
    same(conn.close(), 0)


def metadata():
    conn = libvirt.open(EMBED)
    domain = conn.defineXML(guest("g"))
    space = "http://example.org/app/1"
    element = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "für Ümläute & <Zeichen>", None, None)
    domain.setMetadata(element, "<app owner='me'><tag>x</tag></app>", "app", space)
    same(domain.metadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, None), "für Ümläute & <Zeichen>")
    same(tree.fromstring(domain.metadata(element, space)).get("owner"), "me")
    libvirt.open(EMBED)                         # the same directory, the same process
    again = conn.lookupByName("g")
    same(tree.fromstring(again.metadata(element, space)).find("tag").text, "x")
    domain.setMetadata(element, None, "app", space)
    fails(libvirt.VIR_ERR_NO_DOMAIN_METADATA, domain.metadata, element, space)
    domain.undefine()


def stats():
    conn = libvirt.open(EMBED)
    domain = conn.createXML(guest("g"))
    counts_on("g")
    try:
        records = conn.getAllDomainStats()
    except libvirt.libvirtError as error:
        domain.destroy()
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            skip("no virConnectGetAllDomainStats")
        raise
    same([r[0].name() for r in records], ["g"])
    values = records[0][1]
    same(values["state.state"], libvirt.VIR_DOMAIN_RUNNING)
    same(values["balloon.maximum"], 32768)
    same(values["vcpu.current"], 1)
    same(values["block.0.name"], "vda")
    assert values["cpu.time"] > 0 and values["block.0.rd.reqs"] > 0, values
    only = conn.domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_STATE)
    same(only[0][1].get("cpu.time"), None)
    reads = domain.blockStats("vda")
    assert reads[0] > 0 and reads[1] >= 512, reads
    same(domain.blockInfo("vda")[0], 1 << 20)
    assert domain.memoryStats()["rss"] > 1000
    assert domain.getCPUStats(True)[0]["cpu_time"] > 0
    domain.destroy()


def qmp():
    import json
    import libvirt_qemu
    conn = libvirt.open(EMBED)
    domain = conn.createXML(guest("g"))
    try:
        answer = libvirt_qemu.qemuMonitorCommand(domain, '{"execute": "query-status"}', 0)
    except libvirt.libvirtError as error:
        domain.destroy()
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            skip("no virDomainQemuMonitorCommand")
        raise
    same(json.loads(answer)["return"]["status"], "running")
    text = libvirt_qemu.qemuMonitorCommand(domain, "info version",
                                           libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
    version = conn.getVersion()
    assert text.startswith(f"{version // 1000000}.{version // 1000 % 1000}."), text
    domain.destroy()


def host():
    for uri in ("test:///default", EMBED):
        conn = libvirt.open(uri)
        info = conn.getInfo()
        assert info[1] > 0 and info[2] > 0, info
        capabilities = tree.fromstring(conn.getCapabilities())
        assert capabilities.find("guest/arch") is not None
        online, cpus, _ = conn.getCPUMap()
        assert 0 < len(cpus) <= online or sum(cpus) > 0, cpus
        assert conn.getMaxVcpus(None) > 0 and conn.getHostname()
        same(libvirt.getVersion(), conn.getLibVersion())
    assert conn.getFreeMemory() > 0
    assert sum(conn.getCellsFreeMemory(0, 1)) > 0
    machines = [m.text for m in capabilities.findall("guest/arch[@name='x86_64']/machine")]
    assert machines[0].startswith("pc-i440fx") or "pc" not in machines, machines


def threads():
    """Eight threads ask at a time, while one starts and ends a guest."""
    conn = libvirt.open(EMBED)
    kept = conn.defineXML(guest("kept"))
    failures, ended = [], threading.Event()

    def ask():
        try:
            while not ended.is_set():
                assert "kept" in [d.name() for d in conn.listAllDomains()]
                same(kept.info()[0], libvirt.VIR_DOMAIN_SHUTOFF)
                assert "<name>kept</name>" in kept.XMLDesc()
        except BaseException as error:
            failures.append(error)

    crowd = [threading.Thread(target=ask) for _ in range(8)]
    for thread in crowd:
        thread.start()
    for turn in range(3):
        domain = conn.createXML(guest(f"g{turn}"))
        domain.destroy()
    ended.set()
    for thread in crowd:
        thread.join(10)
    same(failures, [])
    kept.undefine()


def every_method():
    """Each method of the binding, with arguments of its kinds: an answer or libvirt's error, never a crash."""
    import inspect
    libvirt.virEventRegisterDefaultImpl()
    answered, absent, refused = set(), set(), set()
    avoid = {"close", "__init__", "destroy", "destroyFlags", "shutdown", "undefine", "domainEventDeregister", "suspendForDuration",
             "registerCloseCallback", "domainEventRegister", "virConnGetLastError", "setKeepAlive"}

    def turn(thing, name):
        method = getattr(thing, name)
        # a word for what must be given: text, else numbers, else lists
        wants = [p for p in inspect.signature(method).parameters.values()
                 if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        for kind in ("<a/>", 0, [], {}, None):
            try:
                method(*[kind] * len(wants))
                answered.add(name)
            except libvirt.libvirtError as error:
                (absent if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT else refused).add(name)
            except (TypeError, ValueError, AttributeError, LookupError, OverflowError, SystemError):
                continue
            return

    for uri in ("test:///default", EMBED):
        conn = libvirt.open(uri)
        domain = conn.lookupByName("test") if uri[0] == "t" else conn.defineXML(guest("g"))
        for thing in (conn, domain):
            for name in sorted(dir(thing)):
                if not name.startswith("_") and name not in avoid and inspect.ismethod(getattr(thing, name)):
                    turn(thing, name)
        same(conn.isAlive(), 1)
    for domain in conn.listAllDomains():
        if domain.isActive():
            domain.destroy()
    print(f"{len(answered)} methods answered, {len(refused)} refused, {len(absent)} not supported")
    assert len(answered) > 50 and len(answered | refused | absent) > 220, "fewer than there are"


# ---------- what other programs have done, looked at or prepared ----------

def define():
    libvirt.open(EMBED).defineXML(open(sys.argv[2], encoding="utf-8").read())


def start():
    """Starts the common guest and leaves it running."""
    libvirt.open(EMBED).defineXML(guest("g")).create()


def end():
    """Ends and removes what start() began."""
    domain = libvirt.open(EMBED).lookupByName("g")
    counts_on("g")
    domain.destroy()
    domain.undefine()


def empty():
    same(libvirt.open(EMBED).listAllDomains(), [])


def transient():
    conn = libvirt.open(EMBED)
    domain = conn.lookupByName("g")
    same((domain.isActive(), domain.isPersistent()), (1, 0))
    domain.destroy()
    same(conn.listAllDomains(), [])


def edited():
    domain = libvirt.open(EMBED).lookupByName("g")
    document = tree.fromstring(domain.XMLDesc())
    same(document.find("title").text, "a title")
    same((document.find("vcpu").text, document.find("currentMemory").text), ("2", "49152"))
    same(document.find("devices/rng/backend").text, "/dev/urandom")
    same(domain.info()[3], 2)
    domain.destroy()
    domain.undefine()


def copied():
    conn = libvirt.open(EMBED)
    first, second = conn.lookupByName("g"), conn.lookupByName("copy")
    assert first.UUID() != second.UUID()
    for domain in (first, second):
        domain.undefine()


if __name__ == "__main__":
    main(globals())
