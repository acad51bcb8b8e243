/*
 * What calls of the libvirt API take. Only public functions are used, so the same source measures
 * libvirt (-lvirt) and virt (-DVIRT_HEADER='"virt.h"'); `compare` runs both and makes the tables.
 *
 *     apibench [-n domains] [-s seconds | -i operations] [-t threads] [-m MiB] [-d dir]
 *              [-D running-domain] [-p pid] [-l 0|1] [-L label] [-u URI -G image [-P port] [-U stream]] URI SCENARIO
 *
 *     -n   domains to define (1000)              -t   threads of `threads` (4, at most 64)
 *     -s   measured seconds a result (1.0)       -i   a fixed number of operations instead
 *     -m   MiB of domains that are started (32)  -d   folder of `xml_roundtrip` (.), its *.xml only
 *     -D   ask about this running domain         -p   put this process (a daemon) into rss_kb
 *     -l   run the default event loop in a thread: 1 for `events`, else 0
 *     -u   where `migrate` goes, by which URI for the memory (-U); -G image of the counting guest,
 *          -P UDP port of its serial line
 *
 * Scenarios: open_close, startup (exec of a fresh process to its first answer), get_info, threads,
 * get_xml, lookup, list_all (with define and undefine; rss_kb in each line), create_destroy,
 * xml_roundtrip, events, migrate; hold, which keeps a paused domain until its input ends, and defined,
 * which keeps -n defined ones, for list to list.
 *
 * Every result is one JSON line. Each operation costs one clock read (25 ns), which is inside the
 * figures; percentiles are of the newest 131,072 samples, and these take up to 1 MiB of rss_kb.
 * Domains are called bench-... and are removed; a run that failed may leave some behind. Compare by
 * ratio, in the same session, alternating, medians of five runs or more.
 */
#define _GNU_SOURCE
#include "counter.h"
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef VIRT_HEADER
# include VIRT_HEADER
#else
# include <libvirt/libvirt.h>
# include <libvirt/virterror.h>
#endif

#define CAP 131072u /* latency samples kept: 1 MiB, the newest ones */
#define MAX_THREADS 64u
#define CHECK(cond, what)                                                                          \
    do {                                                                                           \
        if (!(cond))                                                                               \
            die(what);                                                                             \
    } while (0)

static struct {
    const char *uri, *dir, *dom, *label, *to, *image, *stream;
    unsigned n, threads, mem;
    int loop, port;
    long iters, pid;
    double secs;
} opt = { .n = 1000, .threads = 4, .mem = 32, .loop = -1, .secs = 1, .label = "", .dir = "." };

struct lat {
    uint64_t count, total, last, cap, *ns;
};

static void
die(const char *what)
{
    const char *msg = virGetLastErrorMessage();
    fprintf(stderr, "apibench: %s: %s\n", what, msg ? msg : "no error set");
    exit(1);
}

static uint64_t
now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Resident set of this process, or of the one given with -p, in KiB. */
static long
rss_kb(void)
{
    char path[64] = "/proc/self/statm";
    long size, rss = -1;
    FILE *f;
    if (opt.pid)
        snprintf(path, sizeof(path), "/proc/%ld/statm", opt.pid);
    if (!(f = fopen(path, "r")))
        return -1;
    if (fscanf(f, "%ld %ld", &size, &rss) == 2)
        rss *= sysconf(_SC_PAGESIZE) / 1024;
    fclose(f);
    return rss;
}

static struct lat
lat_new(void)
{
    struct lat l = { .ns = malloc(CAP * sizeof(uint64_t)), .cap = CAP, .last = now_ns() };
    CHECK(l.ns, "out of memory");
    return l;
}

static void
lat_add(struct lat *l, uint64_t ns)
{
    l->ns[l->count++ % l->cap] = ns;
    l->total += ns;
}

/* One clock read for each operation: the time since the previous tick. */
static void
lat_tick(struct lat *l)
{
    uint64_t t = now_ns();
    lat_add(l, t - l->last);
    l->last = t;
}

/* Goes on until -i operations, or -s seconds of measured time. */
static bool
more(const struct lat *l)
{
    return opt.iters > 0 ? l->count < (uint64_t)opt.iters
                         : l->count < 5 || (double)l->total < opt.secs * 1e9;
}

static int
cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Prints one result and releases the samples; key and val make one more field. */
static void
report(const char *name, struct lat *l, const char *key, long val)
{
    size_t k = (size_t)(l->count < l->cap ? l->count : l->cap);
    double secs = (double)l->total / 1e9;
    long rss = rss_kb();
    qsort(l->ns, k, sizeof(uint64_t), cmp_u64);
    printf("{\"name\":\"%s\",\"label\":\"%s\",\"uri\":\"%s\",\"ops\":%" PRIu64 ",\"seconds\":%.6f,"
           "\"ops_per_s\":%.1f,\"p50_us\":%.3f,\"p99_us\":%.3f,\"rss_kb\":%ld,\"%s\":%ld}\n",
           name, opt.label, opt.uri, l->count, secs, secs > 0 ? (double)l->count / secs : 0.0,
           k ? (double)l->ns[k / 2] / 1e3 : 0.0, k ? (double)l->ns[k * 99 / 100] / 1e3 : 0.0, rss,
           key, val);
    fflush(stdout);
    free(l->ns);
}

/* ---- what the scenarios share ---- */

static virConnectPtr
open_conn(void)
{
    virConnectPtr c = virConnectOpen(opt.uri);
    CHECK(c, opt.uri);
    return c;
}

static bool
is_qemu(virConnectPtr c)
{
    return strcmp(virConnectGetType(c), "QEMU") == 0;
}

/* A machine with hardly any device: for life-cycle cost, not for running a guest. */
static void
mini_xml(char *buf, size_t len, bool qemu, const char *name)
{
    snprintf(buf, len,
             "<domain type='%s'><name>%s</name><memory unit='MiB'>%u</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64'%s>hvm</type></os>"
             "<devices><controller type='usb' model='none'/><memballoon model='none'/></devices>"
             "</domain>",
             qemu ? "qemu" : "test", name, opt.mem, qemu ? " machine='pc'" : "");
}

/* About 3 KB of what a management tool writes for an ordinary server guest. */
static void
full_xml(char *buf, size_t len, bool qemu, unsigned i)
{
    size_t pos = (size_t)snprintf(
        buf, len,
        "<domain type='%s'>\n  <name>bench-%06u</name>\n  <uuid>7a6f0c1e-52d4-4b6b-9c3e-%012x</uuid>\n"
        "  <title>bench guest %u</title>\n  <description>application server, rack 4, owner team-blue, "
        "restart on failure</description>\n  <memory unit='KiB'>2097152</memory>\n"
        "  <currentMemory unit='KiB'>1048576</currentMemory>\n  <vcpu placement='static' current='2'>4"
        "</vcpu>\n  <cputune>\n    <shares>2048</shares>\n    <period>100000</period>\n    <quota>-1</quota>\n"
        "  </cputune>\n  <os>\n    <type arch='x86_64'%s>hvm</type>\n    <boot dev='hd'/>\n    "
        "<boot dev='network'/>\n    <bootmenu enable='yes' timeout='3000'/>\n  </os>\n  <features>\n"
        "    <acpi/>\n    <apic/>\n  </features>\n  <cpu mode='custom' match='exact' check='none'>\n"
        "    <model fallback='allow'>qemu64</model>\n    <topology sockets='2' dies='1' cores='2' "
        "threads='1'/>\n  </cpu>\n  <clock offset='utc'>\n    <timer name='rtc' tickpolicy='catchup'/>\n"
        "    <timer name='pit' tickpolicy='delay'/>\n    <timer name='hpet' present='no'/>\n  </clock>\n"
        "  <on_poweroff>destroy</on_poweroff>\n  <on_reboot>restart</on_reboot>\n  <on_crash>destroy"
        "</on_crash>\n  <devices>\n    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n",
        qemu ? "qemu" : "test", i, i, i, qemu ? " machine='pc-q35-7.2'" : "");
    for (unsigned d = 0; d < 2; d++)
        pos += (size_t)snprintf(
            buf + pos, len - pos,
            "    <disk type='file' device='disk'>\n      <driver name='qemu' type='%s' cache='none' "
            "io='native' discard='unmap'/>\n      <source file='/var/lib/bench/images/guest-%06u-%u.img'/>\n"
            "      <target dev='vd%c' bus='virtio'/>\n      <serial>BENCH%06u%u</serial>\n    </disk>\n"
            "    <interface type='ethernet'>\n      <mac address='52:54:%02x:%02x:%02x:%02x'/>\n"
            "      <target dev='bt%u-%06u'/>\n      <model type='virtio'/>\n      <link state='up'/>\n"
            "      <mtu size='1500'/>\n    </interface>\n",
            d ? "raw" : "qcow2", i, d, 'a' + (int)d, i, d, d, i >> 16 & 255, i >> 8 & 255, i & 255,
            d, i);
    snprintf(
        buf + pos, len - pos,
        "    <serial type='pty'>\n      <target port='0'/>\n    </serial>\n    <console type='pty'>\n"
        "      <target type='serial' port='0'/>\n    </console>\n    <channel type='unix'>\n"
        "      <target type='virtio' name='org.qemu.guest_agent.0'/>\n    </channel>\n"
        "    <input type='tablet' bus='usb'/>\n    <graphics type='vnc' port='-1' autoport='yes' "
        "listen='127.0.0.1'>\n      <listen type='address' address='127.0.0.1'/>\n    </graphics>\n"
        "    <video>\n      <model type='vga' vram='16384' heads='1' primary='yes'/>\n    </video>\n"
        "    <memballoon model='virtio'>\n      <stats period='10'/>\n    </memballoon>\n    <rng model="
        "'virtio'>\n      <backend model='random'>/dev/urandom</backend>\n    </rng>\n  </devices>\n</domain>\n");
}

/* The running domain to ask about: -D NAME, or a transient one made here. */
static virDomainPtr
running_domain(virConnectPtr c)
{
    char xml[1024];
    virDomainPtr d;
    mini_xml(xml, sizeof(xml), is_qemu(c), "bench-run");
    CHECK(d = opt.dom ? virDomainLookupByName(c, opt.dom) : virDomainCreateXML(c, xml, 0), "run");
    return d;
}

static void
running_done(virDomainPtr d)
{
    CHECK(opt.dom || virDomainDestroy(d) == 0, "destroy");
    virDomainFree(d);
}

/* Defines or undefines bench-000000 up to -n; the time of each call goes to l, where given. */
static void
all_n(virConnectPtr c, bool define, struct lat *l)
{
    char text[8192];
    virDomainPtr d;
    for (unsigned i = 0; i < opt.n; i++, virDomainFree(d)) {
        if (define)
            full_xml(text, sizeof(text), is_qemu(c), i);
        else
            snprintf(text, sizeof(text), "bench-%06u", i);
        CHECK(define || (d = virDomainLookupByName(c, text)), text);
        uint64_t t = now_ns();
        CHECK(define ? !!(d = virDomainDefineXML(c, text)) : virDomainUndefine(d) == 0, text);
        if (l)
            lat_add(l, now_ns() - t);
    }
}

/* ---- scenarios ---- */

static void
s_open_close(virConnectPtr unused)
{
    struct lat first = lat_new(), l = lat_new();
    (void)unused;
    virConnectClose(open_conn());
    lat_tick(&first);
    for (l.last = now_ns(); more(&l); lat_tick(&l))
        virConnectClose(open_conn());
    report("open_close_first", &first, "n", 0);
    report("open_close", &l, "n", 0);
}

/* From before the fork and exec of a fresh process to its first answered call. */
static void
s_startup(virConnectPtr unused)
{
    const char *argv[] = { "apibench", "-l", opt.loop > 0 ? "1" : "0", opt.uri, "_child", NULL };
    struct lat l = lat_new();
    (void)unused;
    while (more(&l)) {
        uint64_t t0 = now_ns(), t1 = 0;
        int fd[2];
        pid_t pid = -1;

        CHECK(pipe(fd) == 0, "pipe");
        CHECK((pid = fork()) >= 0, "fork");
        if (pid == 0) {
            dup2(fd[1], 1);
            execv("/proc/self/exe", (char **)argv);
            _exit(127);
        }
        close(fd[1]);
        CHECK(read(fd[0], &t1, sizeof(t1)) == (ssize_t)sizeof(t1), "startup child");
        close(fd[0]);
        waitpid(pid, NULL, 0);
        lat_add(&l, t1 - t0);
    }
    report("startup", &l, "n", 0);
}

static void
s_child(virConnectPtr c)
{
    uint64_t t = virConnectNumOfDomains(c) >= 0 ? now_ns() : 0;
    CHECK(t && write(1, &t, sizeof(t)) == (ssize_t)sizeof(t), "first call");
}

struct worker {
    virDomainPtr dom;
    struct lat l;
    pthread_t tid;
};

static void *
worker_main(void *arg)
{
    struct worker *w = arg;
    virDomainInfo info;
    for (w->l.last = now_ns(); more(&w->l); lat_tick(&w->l))
        CHECK(virDomainGetInfo(w->dom, &info) == 0, "get info");
    return NULL;
}

static void
get_info(virConnectPtr c, const char *name, unsigned k)
{
    struct worker w[MAX_THREADS];
    struct lat all = lat_new();
    virDomainPtr d = running_domain(c);
    for (unsigned i = 0; i < k; i++) /* each thread has its own part of the samples */
        w[i] = (struct worker){ d, { .cap = CAP / k, .ns = all.ns + CAP / k * i }, 0 };
    all.last = now_ns();
    for (unsigned i = 0; i < k; i++)
        CHECK(pthread_create(&w[i].tid, NULL, worker_main, &w[i]) == 0, "thread");
    for (unsigned i = 0; i < k; i++)
        pthread_join(w[i].tid, NULL);
    all.total = now_ns() - all.last;
    all.cap = 0;
    for (unsigned i = 0; i < k; i++) {
        uint64_t kept = w[i].l.count < w[i].l.cap ? w[i].l.count : w[i].l.cap;
        memmove(all.ns + all.cap, w[i].l.ns, kept * sizeof(uint64_t));
        all.cap += kept;
        all.count += w[i].l.count;
    }
    report(name, &all, "threads", k);
    running_done(d);
}

static void
s_get_info(virConnectPtr c)
{
    get_info(c, "get_info", 1);
}
static void
s_threads(virConnectPtr c)
{
    get_info(c, "threads", opt.threads);
}

static void
s_get_xml(virConnectPtr c)
{
    struct lat l[2] = { lat_new(), lat_new() };
    virDomainPtr d = NULL, running = running_domain(c);
    size_t bytes = 0;
    opt.n = opt.dom == NULL; /* of a guest that is there, several at once may ask, but not define the same one */
    all_n(c, true, NULL);
    for (int full = 0; full <= (int)opt.n; full++) {
        CHECK(d = full ? virDomainLookupByName(c, "bench-000000") : running, "lookup");
        for (l[full].last = now_ns(); more(&l[full]); lat_tick(&l[full])) {
            char *s = virDomainGetXMLDesc(d, 0);
            CHECK(s, "get xml");
            bytes = strlen(s);
            free(s);
        }
        report(full ? "get_xml_defined" : "get_xml_running", &l[full], "bytes", (long)bytes);
    }
    if (d != running)
        virDomainFree(d);
    running_done(running);
    all_n(c, false, NULL);
}

static void
s_lookup(virConnectPtr c)
{
    struct lat l[2] = { lat_new(), lat_new() };
    unsigned seed = 1;
    virDomainPtr d;
    char key[64];
    all_n(c, true, NULL);
    for (int u = 0; u < 2; u++) {
        while (more(&l[u])) {
            unsigned i = (seed = seed * 1103515245u + 12345u) / 65536u % opt.n;
            snprintf(key, sizeof(key), u ? "7a6f0c1e-52d4-4b6b-9c3e-%012x" : "bench-%06u", i);
            l[u].last = now_ns();
            d = u ? virDomainLookupByUUIDString(c, key) : virDomainLookupByName(c, key);
            CHECK(d, key);
            virDomainFree(d);
            lat_tick(&l[u]);
        }
        report(u ? "lookup_uuid" : "lookup_name", &l[u], "n", opt.n);
    }
    all_n(c, false, NULL);
}

/* Lists what is there. */
static void
s_list(virConnectPtr c)
{
    struct lat list = lat_new();
    for (list.last = now_ns(); more(&list); lat_tick(&list)) {
        virDomainPtr *doms = NULL;
        int k = virConnectListAllDomains(c, &doms, 0);
        CHECK(k >= (int)opt.n, "list");
        for (int i = 0; i < k; i++)
            virDomainFree(doms[i]);
        free(doms);
    }
    report("list_all", &list, "n", opt.n);
}

/* Serves define_undefine, list_all and rss alike: the resident set stands in every line. */
static void
s_define_undefine(virConnectPtr c)
{
    struct lat open = lat_new(), def = lat_new(), undef = lat_new();
    report("open", &open, "n", 0);
    all_n(c, true, &def);
    report("define", &def, "n", opt.n);
    s_list(c);
    all_n(c, false, &undef);
    report("undefine", &undef, "n", opt.n);
}

static void
until_input_ends(void)
{
    char byte;
    printf("ready\n");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        continue;
}

/* Keeps defined ones, for others to list. */
static void
s_defined(virConnectPtr c)
{
    all_n(c, true, NULL);
    until_input_ends();
    all_n(c, false, NULL);
}

static void
s_create_destroy(virConnectPtr c)
{
    struct lat lc = lat_new(), ld = lat_new();
    bool qemu = is_qemu(c);
    char xml[1024];
    virDomainPtr d;
    mini_xml(xml, sizeof(xml), qemu, "bench-cycle");
    while (more(&lc)) {
        lc.last = now_ns();
        CHECK(d = virDomainCreateXML(c, xml, qemu ? VIR_DOMAIN_START_PAUSED : 0), "create");
        lat_tick(&lc);
        ld.last = lc.last;
        CHECK(virDomainDestroy(d) == 0, "destroy");
        virDomainFree(d);
        lat_tick(&ld);
    }
    report("create", &lc, "mem_mib", opt.mem);
    report("destroy", &ld, "mem_mib", opt.mem);
}

/* Defines, reads back and undefines each file in turn; what the driver refuses is named on
 * stderr and left out of the timing. Whole rounds, so every library does the same work. */
static void
s_xml_roundtrip(virConnectPtr c)
{
    static char doc[4096][32768];
    struct lat l = lat_new();
    char path[4096], *s;
    struct dirent *e;
    size_t k = 0;
    virDomainPtr d;
    FILE *f;
    DIR *dir = opendir(opt.dir);
    CHECK(dir, opt.dir);
    while (k < 4096 && (e = readdir(dir))) {
        size_t len = strlen(e->d_name);
        snprintf(path, sizeof(path), "%s/%s", opt.dir, e->d_name);
        if (len < 5 || strcmp(e->d_name + len - 4, ".xml") || !(f = fopen(path, "r")))
            continue;
        doc[k][fread(doc[k], 1, sizeof(doc[k]) - 1, f)] = 0;
        fclose(f);
        if (!(d = virDomainDefineXML(c, doc[k]))) {
            fprintf(stderr, "refused %s: %s\n", e->d_name, virGetLastErrorMessage());
            continue;
        }
        k += virDomainUndefine(d) == 0;
        virDomainFree(d);
    }
    closedir(dir);
    CHECK(k > 0, "no usable *.xml");
    l.last = now_ns();
    for (size_t i = 0; i || more(&l); i = (i + 1) % k) {
        CHECK(d = virDomainDefineXML(c, doc[i]), "define");
        CHECK(s = virDomainGetXMLDesc(d, 0), "get xml");
        CHECK(virDomainUndefine(d) == 0, "undefine");
        free(s);
        virDomainFree(d);
        lat_tick(&l);
    }
    report("xml_roundtrip", &l, "files", (long)k);
}

/* ---- migration of a counting guest ---- */

static void
counting_xml(char *buf, size_t len, int port)
{
    snprintf(buf, len,
             "<domain type='qemu'><name>bench-migrate</name><uuid>7a6f0c1e-52d4-4b6b-9c3e-ffffffffffff"
             "</uuid><memory unit='MiB'>%u</memory><vcpu>1</vcpu>"
             "<os><type arch='x86_64' machine='pc'>hvm</type><kernel>%s</kernel></os>"
             "<devices><controller type='usb' model='none'/><memballoon model='none'/>"
             "<serial type='udp'><source mode='connect' host='127.0.0.1' service='%d'/>"
             "<target port='0'/></serial></devices></domain>",
             opt.mem, opt.image, port);
}

/*
 * `migrate` is the whole call, `migrate_pause` the time without a number as somebody outside sees it
 * (so at least one period of the counter), `migrate_downtime` what the hypervisor says it was.
 */
static void
s_migrate(virConnectPtr c)
{
    struct lat total = lat_new(), gap = lat_new(), down = lat_new();
    virConnectPtr to;
    struct counter counter;
    virTypedParameterPtr how = NULL;
    int nhow = 0, most = 0;
    char xml[2048];
    CHECK(!opt.stream || virTypedParamsAddString(&how, &nhow, &most, VIR_MIGRATE_PARAM_URI, opt.stream) == 0,
          "parameter");
    CHECK(opt.to && opt.image, "migrate wants -u and -G");
    CHECK(to = virConnectOpen(opt.to), opt.to);
    CHECK(counterOpen(&counter, opt.port), "UDP port");
    counting_xml(xml, sizeof(xml), counter.port);
    while (more(&total)) {
        virDomainPtr d, moved;
        virTypedParameterPtr params = NULL;
        int type, nparams = 0;
        unsigned long long ms = 0;
        counterReset(&counter);
        CHECK(d = virDomainCreateXML(c, xml, 0), "create");
        CHECK(counterWait(&counter, 200), "the guest does not count");
        counterMark(&counter);
        total.last = now_ns();
        CHECK(moved = virDomainMigrate3(d, to, how, (unsigned)nhow, VIR_MIGRATE_LIVE | VIR_MIGRATE_UNSAFE),
              "migrate");
        lat_tick(&total);
        CHECK(counterWait(&counter, 100), "the guest does not count at the destination");
        lat_add(&gap, counterGap(&counter));
        if (virDomainGetJobStats(moved, &type, &params, &nparams, VIR_DOMAIN_JOB_STATS_COMPLETED) == 0 &&
            virTypedParamsGetULLong(params, nparams, VIR_DOMAIN_JOB_DOWNTIME, &ms) == 1)
            lat_add(&down, ms * 1000000u);
        virTypedParamsFree(params, nparams);
        CHECK(virDomainDestroy(moved) == 0, "destroy");
        virDomainFree(moved);
        virDomainFree(d);
    }
    counterClose(&counter);
    virTypedParamsFree(how, nhow);
    virConnectClose(to);
    if (counter.wrong > 0) {
        fprintf(stderr, "apibench: %lu wrong lines from the guest\n", counter.wrong);
        exit(1);
    }
    report("migrate", &total, "mem_mib", opt.mem);
    report("migrate_pause", &gap, "mem_mib", opt.mem);
    report("migrate_downtime", &down, "mem_mib", opt.mem);
}

/* For a look at the hypervisor's command line: a paused domain as `create_destroy` or `migrate` has it. */
static void
s_hold(virConnectPtr c)
{
    char xml[2048];
    virDomainPtr d;
    if (opt.image)
        counting_xml(xml, sizeof(xml), opt.port);
    else
        mini_xml(xml, sizeof(xml), is_qemu(c), "bench-cycle");
    CHECK(d = virDomainCreateXML(c, xml, is_qemu(c) ? VIR_DOMAIN_START_PAUSED : 0), "create");
    until_input_ends();
    CHECK(virDomainDestroy(d) == 0, "destroy");
    virDomainFree(d);
}

static atomic_bool loop_stop;
static _Atomic uint64_t ev_time[2]; /* when heard; 0: suspended, 1: resumed */

static void *
loop_main(void *arg)
{
    while (!loop_stop && virEventRunDefaultImpl() >= 0)
        ;
    return arg;
}

static void
on_timeout(int timer, void *opaque)
{
    (void)timer, (void)opaque;
}
static void
on_error(void *data, virErrorPtr err)
{
    (void)data, (void)err;
}

static int
on_lifecycle(virConnectPtr c, virDomainPtr d, int event, int detail, void *opaque)
{
    (void)c, (void)d, (void)detail, (void)opaque;
    if (event == VIR_DOMAIN_EVENT_SUSPENDED || event == VIR_DOMAIN_EVENT_RESUMED)
        ev_time[event == VIR_DOMAIN_EVENT_RESUMED] = now_ns();
    return 0;
}

static uint64_t
ev_wait(int which)
{
    uint64_t t, limit = now_ns() + 10000000000u;
    for (; !(t = atomic_exchange(&ev_time[which], 0));
         nanosleep(&(struct timespec){ 0, 20000 }, NULL))
        CHECK(now_ns() < limit, "no event in 10 s");
    return t;
}

static void
s_events(virConnectPtr c)
{
    virDomainPtr d = running_domain(c);
    struct lat lev = lat_new(), lcall = lat_new();
    int id = virConnectDomainEventRegisterAny(c, d, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                              VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), NULL, NULL);
    CHECK(id >= 0, "register");
    while (more(&lev)) {
        uint64_t t0 = now_ns();
        CHECK(virDomainSuspend(d) == 0, "suspend");
        lat_add(&lcall, now_ns() - t0);
        lat_add(&lev, ev_wait(0) - t0);
        CHECK(virDomainResume(d) == 0, "resume");
        ev_wait(1);
    }
    report("event_latency", &lev, "n", 1);
    report("suspend_call", &lcall, "n", 1);
    CHECK(virConnectDomainEventDeregisterAny(c, id) == 0, "deregister");
    running_done(d);
}

static const struct {
    const char *name;
    void (*fn)(virConnectPtr);
    bool conn, loop;
} scenarios[] = {
    { "open_close", s_open_close, 0, 0 },
    { "startup", s_startup, 0, 0 },
    { "get_info", s_get_info, 1, 0 },
    { "get_xml", s_get_xml, 1, 0 },
    { "lookup", s_lookup, 1, 0 },
    { "list_all", s_define_undefine, 1, 0 },
    { "define_undefine", s_define_undefine, 1, 0 },
    { "rss", s_define_undefine, 1, 0 },
    { "create_destroy", s_create_destroy, 1, 0 },
    { "xml_roundtrip", s_xml_roundtrip, 1, 0 },
    { "events", s_events, 1, 1 },
    { "threads", s_threads, 1, 0 },
    { "migrate", s_migrate, 1, 0 },
    { "hold", s_hold, 1, 0 },
    { "list", s_list, 1, 0 },
    { "defined", s_defined, 1, 0 },
    { "_child", s_child, 1, 0 },
};

static int
run(size_t i)
{
    bool loop = opt.loop < 0 ? scenarios[i].loop : opt.loop > 0;
    pthread_t tid;
    virSetErrorFunc(NULL, on_error);
    CHECK(virInitialize() == 0, "initialize");
    if (loop) { /* the implementation must be there before the first open */
        CHECK(virEventRegisterDefaultImpl() == 0, "event loop");
        CHECK(virEventAddTimeout(100, on_timeout, NULL, NULL) >= 0, "timeout");
        CHECK(pthread_create(&tid, NULL, loop_main, NULL) == 0, "thread");
    }
    virConnectPtr c = scenarios[i].conn ? open_conn() : NULL;
    scenarios[i].fn(c);
    if (c)
        virConnectClose(c);
    loop_stop = true;
    if (loop)
        pthread_join(tid, NULL);
    return 0;
}

int
main(int argc, char **argv)
{
    for (int o; (o = getopt(argc, argv, "n:i:s:t:m:d:D:p:l:L:u:G:P:U:")) != -1;) {
        switch (o) {
        case 'n':
            opt.n = (unsigned)atoi(optarg);
            break;
        case 't':
            opt.threads = (unsigned)atoi(optarg);
            break;
        case 'm':
            opt.mem = (unsigned)atoi(optarg);
            break;
        case 'i':
            opt.iters = atol(optarg);
            break;
        case 's':
            opt.secs = atof(optarg);
            break;
        case 'p':
            opt.pid = atol(optarg);
            break;
        case 'l':
            opt.loop = atoi(optarg);
            break;
        case 'd':
            opt.dir = optarg;
            break;
        case 'D':
            opt.dom = optarg;
            break;
        case 'L':
            opt.label = optarg;
            break;
        case 'u':
            opt.to = optarg;
            break;
        case 'U':
            opt.stream = optarg;
            break;
        case 'G':
            opt.image = optarg;
            break;
        case 'P':
            opt.port = atoi(optarg);
            break;
        default:
            optind = argc; /* to the usage line below */
        }
    }
    for (size_t i = 0; argc - optind == 2 && i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        opt.uri = argv[optind];
        if (opt.n && opt.threads - 1 < MAX_THREADS &&
            strcmp(scenarios[i].name, argv[optind + 1]) == 0)
            return run(i);
    }
    fprintf(stderr,
            "usage: apibench [-n domains] [-s seconds | -i operations] [-t threads] [-m MiB]\n"
            "       [-d dir] [-D running-domain] [-p pid] [-l 0|1] [-L label]\n"
            "       [-u URI -G image [-P port] [-U stream]] URI SCENARIO\n");
    return 2;
}
