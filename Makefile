# virt: a virtualization library in one C file. Targets:
#
#   make demo           two hosts, a guest, and its live migration phase by phase
#   make check          build and run the tests; TESTS="unit/xml api/domain" runs some of them
#   make bench          compare with libvirt (where installed) and with raw QEMU
#   make bench-waiting  what a migration costs its thread while it waits, and how soon an abort is obeyed
#   make bench-remote   what a call to another process costs, beside libvirtd and beside nanomsg alone
#   make lib            build/libvirt-embed.a and .so (not needed: virt.c can be compiled as it is)
#   make examples       build/examples/hello and so on, virtsh and virtd included
#   make amalgamation   build/dist/virt.h and virt.c, the whole library in two files
#   make dist           build/dist/virt-VERSION.tar.gz, the archive of a release; one of the two files; checksums
#   make size           text size and memory of builds, beside libvirt's; DEPS=PREFIX of a small static libxml2
#   make install        virt.h, virt.pc, the libraries, virtsh and virtd with their manual pages, completion, unit and
#                       init script, under DESTDIR and PREFIX (LIBDIR, INCLUDEDIR, BINDIR, SBINDIR, MANDIR, DOCDIR,
#                       SYSCONFDIR, UNITDIR); make uninstall takes them back
#   make docs           build/docs, a page per chapter of virt.h (Python 3); make install-docs installs them
#   make libvirt.so     build/libvirt.so.0 and its kin, in the place of libvirt's, for programs written for libvirt
#   make install-compat those, libvirt's header names, libvirt.pc and the API description, under DESTDIR and PREFIX
#                       (make uninstall-compat takes them back)
#   make conformity     virt.h and the drop-in headers beside libvirt's
#   make clients        programs of the distribution, written for libvirt, on build/libvirt.so.0
#   make clean
#   make help           this
#
#   make matrix         every form, target and compiler, tests run, as a table (some 15 minutes)
#   make model          the migration protocol, checked by SPIN (some minutes more: make model DEEP=--deep)
#   make fuzz           what a migration takes in from outside, with libFuzzer, for SECONDS=600 in all; KEEP=1 renews the corpus
#   make check-sanlock  leases kept by sanlock, in a virtual machine (some minutes)
#   make soak           200 clients at one server, 50 of them killed again and again, for SECONDS=300
#   make check-dashboard    the page in a browser (half a minute; leaves build/dashboard.png)
#   make torture        every fault at every step of a migration, on real guests too (three quarters of an hour)
#   make check-netns    migration between network namespaces, over a wire that delays, loses and breaks (root; some minutes)
#   make check-install  what make install leaves, the documentation, virt in CMake and Meson projects
#   make check-asan check-tsan check-valgrind     the tests under sanitizers and valgrind (QUICK=1: not the long ones)
#
# demo, check and bench install with apt what is missing, if they may; everything else only compiles.
# There is no configure step. CC, CFLAGS, LDFLAGS and BUILD (the folder for results) are yours; V=1 shows
# the commands.

CC      ?= cc
CFLAGS  ?= -O2 -g
BUILD   ?= build
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR  ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR ?= $(PREFIX)/lib/systemd/system
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/virt
PAGEDIR ?= $(PREFIX)/share/virt/dashboard
PACKAGES = libxml-2.0 libcjson
# The lock manager "etcd" is in where libcurl is, which is loaded when it is needed; ETCD= leaves it out.
ETCD     = $(if $(WINDOWS),,$(shell pkg-config --exists libcurl 2> /dev/null && echo libcurl))
# The lock manager "sanlock", where its library is; SANLOCK= leaves it out.
SANLOCK  = $(if $(WINDOWS),,$(shell pkg-config --exists libsanlock_client 2> /dev/null && echo libsanlock_client))
# So are the remote driver and the server where nanomsg is, and their encryption, for tcp and ws, where OpenSSL is; REMOTE= and NOISE= leave them out.
REMOTE   = $(if $(WINDOWS),,$(if $(wildcard drivers/remote/link.c),$(shell pkg-config --exists nanomsg 2> /dev/null && echo nanomsg)))
NOISE    = $(if $(WINDOWS),,$(shell pkg-config --exists 'libcrypto >= 1.1.1' 2> /dev/null && echo libcrypto))
OPTIONAL = $(strip $(ETCD) $(SANLOCK) $(REMOTE) $(NOISE))
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)

# Before any rule is read, or make's own complaints about the words come first.
ifneq ($(words $(PREFIX) $(LIBDIR) $(INCLUDEDIR) $(BINDIR) $(SBINDIR) $(SYSCONFDIR) $(UNITDIR) $(MANDIR) $(DOCDIR) $(PAGEDIR)),10)
 $(error PREFIX and the folders must be one word each; only DESTDIR may have spaces)
endif
ifneq ($(words $(BUILD)),1)
 $(error BUILD must be one word: make cannot build '$(BUILD)')
endif

VERSION := $(shell sed -n 's/^\#define VIRT_VERSION *"\(.*\)".*/\1/p' virt.h)
SONAME   = libvirt-embed.so.0

.DEFAULT_GOAL := lib
.PHONY: model fuzz matrix torture run-torture demo check check-asan check-tsan check-valgrind bench lib examples guests amalgamation dist size install \
        install-docs uninstall docs check-install clean \
        help deps tests run-demo run-check run-bench
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

# ---------- what there is ----------

# For Windows with CC=x86_64-w64-mingw32-gcc: no driver of a local hypervisor, and a harness of its own. tests/windows.sh does it.
ifneq ($(findstring mingw,$(CC)),)
 WINDOWS    = 1
 EXE        = .exe
 AR         = $(CC:gcc=ar)
 WIN_LIBS   = -lws2_32
 NO_PARTS   = drivers/qemu/%
 NO_TESTS   = unit/file unit/fuzz unit/lock unit/lock_etcd unit/remote_noise unit/process unit/host unit/qemu_% api/corpus api/examples api/keys api/lease_test api/netns api/remote unit/remote_link api/qemu_%
endif

PARTS      := virt.c $(filter-out $(NO_PARTS),$(wildcard drivers/*/*.c))
# unit/lock_sanlock runs in a virtual machine, which its script makes; check sees to it that it can be built.
TESTS      ?= $(filter-out $(NO_TESTS) unit/lock_sanlock,$(patsubst tests/%.c,%,$(wildcard tests/unit/*.c tests/api/*.c)))
SCRIPTS    := $(if $(filter-out undefined file,$(origin TESTS)),,tests/virtsh.sh $(if $(WINDOWS),,tests/virtd.sh))
EXAMPLES   ?= $(patsubst %.c,%,$(wildcard examples/*.c)) examples/virtsh $(if $(WINDOWS),,examples/virtd)
GUESTS     := $(addprefix $(BUILD)/guest/,light.img heavy.img idle.img bench.img disk.img)
# Asked for only when something is compiled, because `deps` may install them first; and then once, not for each file.
once        = $(eval $1 := $2)$($1)
PKG_CFLAGS  = $(call once,PKG_CFLAGS,$(shell pkg-config --cflags $(PACKAGES) $(OPTIONAL)) $(if $(strip $(ETCD)),-DVIRT_WITH_ETCD=1) \
              $(if $(strip $(SANLOCK)),-DVIRT_WITH_SANLOCK=1) $(if $(strip $(REMOTE)),-DVIRT_WITH_REMOTE=1) \
              $(if $(strip $(NOISE)),-DVIRT_WITH_NOISE=1))
OPTIONAL_LIBS = $(call once,OPTIONAL_LIBS,$(if $(SANLOCK)$(REMOTE)$(NOISE),$(shell pkg-config --libs $(SANLOCK) $(REMOTE) $(NOISE))) \
                $(if $(strip $(ETCD)),-ldl))
PKG_LIBS    = $(call once,PKG_LIBS,$(shell pkg-config --libs $(PACKAGES)) $(OPTIONAL_LIBS) $(WIN_LIBS) -pthread)
COMPILE     = $(Q)echo "  cc    $@"; $(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) $(MODE) $(PKG_CFLAGS) -pthread -MMD -MP
LINK        = $(Q)echo "  link  $@"; $(CC) $(CFLAGS) $(MODE) $(LDFLAGS)
WARNINGS   ?= -Wall -Wextra
ifeq ($(V),)
 Q = @
endif

# ---------- the library ----------

lib: $(BUILD)/libvirt-embed.a $(BUILD)/$(if $(WINDOWS),libvirt-embed-0.dll,$(SONAME))

$(BUILD)/libvirt-embed.a: $(PARTS:%.c=$(BUILD)/obj/%.o)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# Never unloaded: a thread that ends later still frees its error with our code.
$(BUILD)/$(SONAME): $(PARTS:%.c=$(BUILD)/obj/%.o)
	$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs -Wl,-z,nodelete -o $@ $^ $(PKG_LIBS)

# From source once more: only what is compiled for a DLL may say that it exports.
$(BUILD)/libvirt-embed-0.dll: $(PARTS)
	@mkdir -p $(@D)
	$(COMPILE) -DVIRT_DLL_EXPORT $(LDFLAGS) -shared -Wl,--out-implib,$(BUILD)/libvirt-embed.dll.a -o $@ virt.c $(PKG_LIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -fPIC -DVIRT_SEPARATE_OBJECTS -c -o $@ $<

# Two files instead of the tree; a bug is mended in the tree and the pair made anew. And the archives of a release.
amalgamation:
	$(Q)tests/release.sh pair $(BUILD)/dist
	@ls -l $(BUILD)/dist/virt.h $(BUILD)/dist/virt.c

dist:
	$(Q)tests/release.sh archives $(BUILD)/dist
	@cat $(BUILD)/dist/SHA256SUMS

# ---------- examples ----------

examples: $(EXAMPLES:%=$(BUILD)/%$(EXE))

$(BUILD)/examples/%$(EXE): examples/%.c $(BUILD)/libvirt-embed.a
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -o $@ $< $(BUILD)/libvirt-embed.a $(PKG_LIBS)

# With line editing where readline is there.
$(BUILD)/examples/virtsh$(EXE): $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard examples/virtsh/*.c)) $(BUILD)/libvirt-embed.a
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS) $$(pkg-config --silence-errors --libs readline)

$(BUILD)/obj/examples/virtsh/%.o: examples/virtsh/%.c
	@mkdir -p $(@D)
	$(COMPILE) $$(pkg-config --exists readline && echo -DVIRTSH_READLINE) -c -o $@ $<

# Which knows where its page will be; written when that has changed.
$(BUILD)/obj/examples/virtd/dashboard.o: examples/virtd/dashboard.c $(BUILD)/obj/examples/virtd/page.h
	$(COMPILE) -include $(BUILD)/obj/examples/virtd/page.h -c -o $@ $<

.PHONY: page-place
$(BUILD)/obj/examples/virtd/page.h: page-place
	@mkdir -p $(@D)
	@echo '#define VIRTD_PAGE "$(PAGEDIR)/index.html"' | cmp -s - $@ || echo '#define VIRTD_PAGE "$(PAGEDIR)/index.html"' > $@

$(BUILD)/examples/virtd: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard examples/virtd/*.c)) $(BUILD)/libvirt-embed.a
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(PKG_LIBS)

demo: deps
	@$(MAKE) --no-print-directory -j$(JOBS) run-demo

run-demo: $(BUILD)/examples/migrate $(BUILD)/guest/demo.img
	$(BUILD)/examples/migrate $(BUILD)/guest/demo.img

# ---------- guests for tests and the demo ----------

guests: $(GUESTS) $(BUILD)/guest/linux/.done

GUEST_COMPILE = $(Q)$(CC) -m32 -march=i486 -Os -std=gnu11 -Wall -Wextra -ffreestanding -fno-pic -fno-pie \
                -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -mgeneral-regs-only

$(BUILD)/guest/%.o: tests/guest/%.c
	@mkdir -p $(@D)
	$(GUEST_COMPILE) -c -o $@ $<

$(BUILD)/guest/%.o: tests/guest/%.S
	@mkdir -p $(@D)
	$(GUEST_COMPILE) -c -o $@ $<

$(BUILD)/guest/counter.img: $(BUILD)/guest/boot.o $(BUILD)/guest/counter.o tests/guest/counter.ld
	$(Q)ld -m elf_i386 --no-warn-rwx-segments -T tests/guest/counter.ld -o $(@:.img=.elf) \
	    $(BUILD)/guest/boot.o $(BUILD)/guest/counter.o
	$(Q)objcopy -O binary -j .image $(@:.img=.elf) $@

$(BUILD)/guest/light.img: $(BUILD)/guest/counter.img tests/guest/mkguest
	$(Q)tests/guest/mkguest --count-hz 100 --dirty-mib 8 --dirty-hz 4 $< $@

# What is said to mkguest stands here.
$(GUESTS) $(BUILD)/guest/demo.img: Makefile

# Its memory changes little beside the disk: see countingQuietImage in tests/counting.h.
$(BUILD)/guest/disk.img: $(BUILD)/guest/counter.img tests/guest/mkguest
	$(Q)tests/guest/mkguest --count-hz 100 --dirty-hz 0 --fill-mib 32 --sectors 300 $< $@

$(BUILD)/guest/heavy.img: $(BUILD)/guest/counter.img tests/guest/mkguest
	$(Q)tests/guest/mkguest --count-hz 100 --dirty-mib 16 --dirty-hz 50 $< $@

$(BUILD)/guest/idle.img: $(BUILD)/guest/counter.img tests/guest/mkguest
	$(Q)tests/guest/mkguest --count-hz 500 --dirty-hz 0 $< $@

$(BUILD)/guest/bench.img: $(BUILD)/guest/counter.img tests/guest/mkguest
	$(Q)tests/guest/mkguest --count-hz 500 --dirty-mib 8 --dirty-hz 4 --fill-mib 64 $< $@

$(BUILD)/guest/demo.img: $(BUILD)/guest/counter.img tests/guest/mkguest
	$(Q)tests/guest/mkguest --count-hz 100 --dirty-mib 8 --dirty-hz 4 --fill-mib 128 $< $@

# Debian's kernel and busybox, unpacked and not installed; tests skip where they cannot be had.
$(BUILD)/guest/linux/.done: tests/guest/mklinux tests/guest/init
	@tests/guest/mklinux $(BUILD)/guest/linux && touch $@ || echo "no Linux guest: its tests will be skipped"

# ---------- tests ----------

# What QEMU can, asked once for all tests: see scratchRoot in tests/harness.h. Where there is none they ask, or are skipped.
$(BUILD)/emulators/.done: $(BUILD)/examples/virtsh$(EXE)
	@$< -c 'qemu:///embed?root=$(abspath $(@D))' domcapabilities > /dev/null 2>&1 && touch $@ || true

TEST_BUILD  = $(BUILD)
TEST_CFLAGS = -O1 -g -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-strdup \
              -fno-builtin-strndup -fno-omit-frame-pointer

# Where fault.c gets between: see there.
FAULT_CALLS := $(shell sed -n -E 's/^(\/\* )?WRAP\(([a-z0-9_]+)[,)].*/-Wl,--wrap=\2/p' tests/fault.c)
FAULT_ALLOCS := $(shell sed -n -E 's/^(\/\* )?ALLOC\(([a-z0-9_]+)[,)].*/-Wl,--wrap=\2/p' tests/fault.c)
ifneq ($(WINDOWS),)
else ifeq ($(WRAP_ALLOCATIONS),)
 FAULT_MODE = -DFAULT_INTERPOSE
 FAULT_LINK = $(FAULT_CALLS)
else
 FAULT_LINK = $(FAULT_CALLS) $(FAULT_ALLOCS)
endif

check: deps
	@$(MAKE) --no-print-directory -j$(JOBS) CFLAGS="$(TEST_CFLAGS)" tests guests examples $(if $(WINDOWS),,$(BUILD)/emulators/.done) $(if $(SCRIPTS),$(if $(SANLOCK),$(BUILD)/tests/unit/lock_sanlock))
	@$(MAKE) --no-print-directory CFLAGS="$(TEST_CFLAGS)" run-check

# Of these programs the ones that a run leaves out: none where somebody named what to run.
left_out = $(if $(filter file,$(origin TESTS)),$(filter $1,$(TESTS)))

check-asan: deps
	@$(MAKE) --no-print-directory -j$(JOBS) guests
	@$(MAKE) --no-print-directory -j$(JOBS) $(ASAN) NO_TESTS="$(VOLUME)" tests examples
	@VIRT_TEST_LEFT_OUT="$(call left_out,$(VOLUME))" VIRT_TEST_WHY="most of what it does others do too" \
	    ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	    VIRT_TEST_SLOW=4 VIRT_FAULT_STRIDE=7 $(MAKE) --no-print-directory $(ASAN) NO_TESTS="$(VOLUME)" run-check

check-tsan: deps
	@$(MAKE) --no-print-directory -j$(JOBS) guests
	@$(MAKE) --no-print-directory -j$(JOBS) $(TSAN) NO_TESTS="$(ONE_THREAD)" tests examples
	@TSAN_OPTIONS=halt_on_error=0:exitcode=66 VIRT_TEST_LEFT_OUT="$(call left_out,$(ONE_THREAD))" VIRT_TEST_WHY="one thread of each process uses the library there, or it takes long" \
	    VIRT_TEST_SLOW=5 VIRT_FAULT_STRIDE=23 $(MAKE) --no-print-directory $(TSAN) NO_TESTS="$(ONE_THREAD)" run-check

# Full of time-outs of two processes, which say nothing where everything takes twenty times as long.
TWO_SIDED = unit/remote_link unit/remote_server unit/remote_server_clients unit/remote_access api/remote api/remote_stream api/remote_tunnel api/netns
check-valgrind: deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(VALGRIND) NO_TESTS="$(TWO_SIDED)" tests examples
	@VIRT_TEST_LEFT_OUT="$(call left_out,$(TWO_SIDED))" VIRT_TEST_WHY="full of time-outs of two processes" VIRT_TEST_SLOW=20 VIRT_FAULT_STRIDE=53 VIRT_TEST_NO_QEMU="not under valgrind" \
	    VIRT_TEST_WRAPPER="valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99" \
	    $(MAKE) --no-print-directory $(VALGRIND) NO_TESTS="$(TWO_SIDED)" run-check

# The API's tests go through servers in make check only.
ASAN     = BUILD=$(BUILD)/asan TEST_BUILD=$(BUILD) AGAIN= WRAP_ALLOCATIONS=1 CFLAGS="$(TEST_CFLAGS)" \
           MODE="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
# TSan sees something where threads share the library: in the programs that start some, but for long ones in which only a server of
# another process does (and, with QUICK=1, but for more long ones).
THREADED  = $(filter-out unit/torture unit/lock_etcd api/halves api/qemu_tls api/netns $(if $(QUICK),api/qemu_postcopy api/remote_stream api/remote_tunnel), \
              $(patsubst tests/%.c,%,$(shell grep -lE 'pthread_create|served\.h' tests/unit/*.c tests/api/*.c)))
ONE_THREAD = $(filter-out $(THREADED),$(TESTS))
# Many times what other programs do once; and with QUICK=1, which .ci/run sets, what takes long for the little of the library that is in it alone.
VOLUME   = unit/qemu_torture api/qemu_many api/qemu_endurance api/netns $(if $(QUICK),unit/lock_etcd unit/torture api/qemu_halves api/qemu_lease_etcd \
           api/qemu_postcopy api/qemu_records api/qemu_tls api/qemu_tunnel api/remote_tunnel)
TSAN     = BUILD=$(BUILD)/tsan TEST_BUILD=$(BUILD) AGAIN= WRAP_ALLOCATIONS=1 CFLAGS="$(TEST_CFLAGS)" MODE=-fsanitize=thread
VALGRIND = BUILD=$(BUILD)/valgrind TEST_BUILD=$(BUILD) SCRIPTS= AGAIN= WRAP_ALLOCATIONS=1 CFLAGS="$(TEST_CFLAGS)"

# The page in examples/dashboard, in a browser, on two virtd.
check-dashboard:
	@tests/deps dashboard
	@$(MAKE) --no-print-directory -j$(JOBS) CFLAGS="$(TEST_CFLAGS)" $(BUILD)/guest/counter.img $(BUILD)/examples/virtd $(BUILD)/examples/virtsh
	@BUILD=$(BUILD) node --experimental-websocket --no-warnings tests/dashboard.mjs

.PHONY: check-dashboard

check-sanlock: deps
	@$(MAKE) --no-print-directory -j$(JOBS) CFLAGS="$(TEST_CFLAGS)" guests $(BUILD)/tests/unit/lock_sanlock
	@VIRT_TEST_BUILD=$(TEST_BUILD) VIRT_TEST_EXAMPLES=$(BUILD)/examples tests/sanlock.sh

.PHONY: check-sanlock

# A part of it is in check.
check-netns: deps
	@$(MAKE) --no-print-directory -j$(JOBS) CFLAGS="$(TEST_CFLAGS)" guests examples $(BUILD)/tests/api/netns
	@VIRT_NETNS=1 VIRT_TEST_BUILD=$(TEST_BUILD) VIRT_TEST_EXAMPLES=$(BUILD)/examples $(BUILD)/tests/api/netns -v whenever

.PHONY: check-netns

matrix:
	@tests/deps ci matrix windows
	@$(MAKE) --no-print-directory -j$(JOBS) guests
	@tests/matrix.sh -a

model:
	@tests/deps model
	@tests/model/check $(DEEP)

fuzz:
	@tests/deps fuzz
	@BUILD=$(BUILD) tests/fuzz/run $(if $(KEEP),-k) $(or $(SECONDS),600)

tests: $(TESTS:%=$(BUILD)/tests/%$(EXE))

# Once more, through a server: of what is tested at all, the test driver's whole API and a part of QEMU's. PROGRAM@TRANSPORT
AGAIN = $(if $(WINDOWS)$(if $(strip $(REMOTE)),,none),,$(filter $(foreach transport,unix tcp ws ssh,$(TESTS:%=%@$(transport))),$(AGAIN_ALL)))
AGAIN_ALL = $(patsubst %,api/%@unix,connection errors halves header lease_test loop migrate_check migrate_many migrate_test migration_table \
            params small_things stats test_driver qemu_lifecycle qemu_stats qemu_badinput qemu_migrate qemu_console \
            qemu_tunnel) \
            $(if $(strip $(NOISE)),api/small_things@tcp api/qemu_stats@tcp api/small_things@ws) api/small_things@ssh api/qemu_stats@ssh

# One program more than there are processors: a good part of their time they wait for guests, or for time to pass.
run-check:
	@VIRT_TEST_BUILD=$(TEST_BUILD) VIRT_TEST_EXAMPLES=$(BUILD)/examples \
	    tests/run -j $$(($(JOBS) + 1)) $(TESTS:%=$(BUILD)/tests/%$(EXE)) $(SCRIPTS) $(AGAIN:%=$(BUILD)/tests/%)

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(COMPILE) $(FAULT_MODE) -c -o $@ $<

# A unit test includes the files whose insides it tests, or all of virt.c where it puts something of its own in their place; the
# library is linked to both kinds.
HARNESS = $(patsubst %,$(BUILD)/tests/%.o,checks $(if $(WINDOWS),harness_windows,harness fault))

$(BUILD)/tests/unit/%$(EXE): $(BUILD)/tests/unit/%.o $(HARNESS) $(BUILD)/libvirt-embed.a
	$(LINK) $(FAULT_LINK) -o $@ $^ $(PKG_LIBS)

# Through a server as well: see through.c.
THROUGH = $(if $(strip $(REMOTE)),virConnectOpen virConnectOpenReadOnly virConnectOpenAuth virConnectClose)

$(BUILD)/tests/api/%$(EXE): $(BUILD)/tests/api/%.o $(HARNESS) $(if $(strip $(REMOTE)),$(BUILD)/tests/through.o) $(BUILD)/libvirt-embed.a
	$(LINK) $(FAULT_LINK) $(THROUGH:%=-Wl,--wrap=%) -o $@ $^ $(PKG_LIBS)

# The harness itself, without virt; tests/build.sh knows which of its tests have to fail.
$(BUILD)/tests/selftest: $(BUILD)/tests/selftest.o $(HARNESS)
	$(LINK) $(FAULT_LINK) -o $@ $^

deps:
	@tests/deps

# Programs of the distribution, on build/libvirt.so.0.
clients:
	@tests/deps clients
	@$(MAKE) --no-print-directory -j$(JOBS) libvirt.so $(BUILD)/guest/light.img
	@BUILD=$(BUILD) tests/clients.sh

.PHONY: clients

# ---------- benchmarks ----------

# The fault matrix in full, on real guests too; of its pairs with leases in etcd, which take hours, each VIRT_TORTUREth (200th).
torture: deps
	@VIRT_TORTURE=$(or $(VIRT_TORTURE),200) $(MAKE) --no-print-directory run-torture

run-torture: $(BUILD)/tests/unit/qemu_torture$(EXE) $(BUILD)/tests/api/qemu_storage$(EXE) $(BUILD)/tests/unit/torture$(EXE) $(GUESTS)
	$(BUILD)/tests/unit/torture$(EXE) -v
	VIRT_TEST_BUILD=$(BUILD) $< -v
	VIRT_TEST_BUILD=$(BUILD) $(BUILD)/tests/api/qemu_storage$(EXE) -v a_controller_killed

# What is measured is built for itself, as a user builds it: in $(BUILD) may be what the tests are compiled with.
MEASURED = BUILD=$(BUILD)/measured

bench: deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(MEASURED) run-bench

run-bench: $(BUILD)/bench/apibench-virt $(BUILD)/bench/apibench-libvirt $(BUILD)/bench/rawqmp \
           $(GUESTS)
	tests/bench/compare $(BUILD) $(BENCH)

# Calls to another process, beside libvirtd's.
bench-remote: deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(MEASURED) run-bench-remote

run-bench-remote: $(BUILD)/bench/apibench-virt $(BUILD)/bench/apibench-libvirt $(BUILD)/bench/pingpong $(BUILD)/examples/virtd
	@tests/bench/remote $(BUILD)

.PHONY: bench-remote run-bench-remote

# Many clients at one server, for SECONDS=300.
soak: deps
	@$(MAKE) --no-print-directory -j$(JOBS) run-soak

run-soak: $(BUILD)/bench/soak-virt $(BUILD)/examples/virtd
	$(BUILD)/bench/soak-virt $(BUILD)/examples/virtd $(SECONDS)

.PHONY: soak run-soak

$(BUILD)/bench/pingpong: tests/bench/pingpong.c
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -o $@ $< -lnanomsg

bench-waiting: deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(MEASURED) run-bench-waiting

run-bench-waiting: $(BUILD)/bench/waiting-virt $(BUILD)/guest/light.img
	$(BUILD)/bench/waiting-virt $(BUILD)/guest/light.img

.PHONY: bench-waiting run-bench-waiting

$(BUILD)/bench/%-virt: tests/bench/%.c $(BUILD)/libvirt-embed.a
	@mkdir -p $(@D)
	$(COMPILE) -DVIRT_HEADER='"../../virt.h"' $(LDFLAGS) -o $@ $< $(BUILD)/libvirt-embed.a $(PKG_LIBS)

# Absent where libvirt is: the comparison then leaves out its column.
$(BUILD)/bench/%-libvirt: tests/bench/%.c
	@mkdir -p $(@D)
	-$(Q)if pkg-config --exists libvirt; then $(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -o $@ $< $$(pkg-config --cflags --libs libvirt) -pthread; fi

$(BUILD)/bench/rawqmp: tests/bench/rawqmp.c
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -o $@ $< $(PKG_LIBS)

# text size and memory, beside libvirt's
size:
	@tests/deps size
	@tests/size.sh $(BUILD)

# ---------- installing ----------

# MODE:FILE:PLACE. The library is "virt-embed", so that it can stand beside the real libvirt.
INSTALLED = 644:virt.h:$(INCLUDEDIR)/virt.h \
            644:$(BUILD)/libvirt-embed.a:$(LIBDIR)/libvirt-embed.a \
            755:$(BUILD)/$(SONAME):$(LIBDIR)/$(SONAME) \
            644:$(BUILD)/virt.pc:$(LIBDIR)/pkgconfig/virt.pc \
            755:$(BUILD)/examples/virtsh:$(BINDIR)/virtsh \
            755:$(BUILD)/examples/virtd:$(SBINDIR)/virtd \
            644:$(BUILD)/virtd.8:$(MANDIR)/man8/virtd.8 \
            644:$(BUILD)/virtd.service:$(UNITDIR)/virtd.service \
            755:$(BUILD)/virtd.init:$(SYSCONFDIR)/init.d/virtd \
            644:examples/virtd/virtd.conf:$(DOCDIR)/virtd.conf \
            644:examples/dashboard/index.html:$(PAGEDIR)/index.html \
            644:$(BUILD)/virtsh.1:$(MANDIR)/man1/virtsh.1 \
            644:examples/virtsh/completion.bash:$(PREFIX)/share/bash-completion/completions/virtsh \
            644:examples/virtsh/completion.zsh:$(PREFIX)/share/zsh/site-functions/_virtsh \
            644:examples/virtsh/completion.fish:$(PREFIX)/share/fish/vendor_completions.d/virtsh.fish
VIRTD_FILES = $(addprefix $(BUILD)/,virtd.8 virtd.service virtd.init)
# Each as $$1 (mode), $$2 (file) and $$3 (place).
FOR_INSTALLED = set -e; for entry in $(INSTALLED); do IFS=:; set -- $$entry; unset IFS

install: lib $(BUILD)/examples/virtsh $(BUILD)/virtsh.1 $(BUILD)/examples/virtd $(VIRTD_FILES) $(BUILD)/virt.pc
	$(Q)$(FOR_INSTALLED); echo "  install  $(DESTDIR)$$3"; \
	    install -d "$(DESTDIR)$${3%/*}"; install -m $$1 $$2 "$(DESTDIR)$$3"; done
	$(Q)ln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/libvirt-embed.so"

install-docs: docs
	$(Q)install -d "$(DESTDIR)$(DOCDIR)/html"
	$(Q)install -m 644 $(BUILD)/docs/*.html $(BUILD)/docs/style.css "$(DESTDIR)$(DOCDIR)/html/"

uninstall:
	$(Q)$(FOR_INSTALLED); rm -f "$(DESTDIR)$$3"; done
	$(Q)rm -f "$(DESTDIR)$(LIBDIR)/libvirt-embed.so"
	$(Q)rm -rf "$(DESTDIR)$(DOCDIR)/html"
	$(Q)rmdir "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(PAGEDIR)" "$(DESTDIR)$(patsubst %/,%,$(dir $(PAGEDIR)))" 2> /dev/null || true

# Written anew each time, since PREFIX and LIBDIR may have changed. libcrypto is not required there: what it needs to be static itself is
# seldom installed.
.PHONY: $(BUILD)/virt.pc
$(BUILD)/virt.pc:
	@mkdir -p $(@D)
	@rm -f $@
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))' \
	    'includedir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))' '' 'Name: virt' \
	    'Description: Virtualization library with the API of libvirt, embedded' 'Version: $(VERSION)' \
	    'Requires.private: $(PACKAGES)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lvirt-embed' \
	    'Libs.private: $(OPTIONAL_LIBS) -pthread' > $@

# virtsh says what is in it: RUN is what runs it, where that is not this machine (RUN=qemu-aarch64).
$(BUILD)/virtsh.1: examples/virtsh/manpage examples/virtsh/virtsh.1.in $(BUILD)/examples/virtsh
	$(Q)examples/virtsh/manpage "$(strip $(RUN) $(BUILD)/examples/virtsh)" > $@

# With the place where virtd will be.
.PHONY: $(VIRTD_FILES)
$(VIRTD_FILES): $(BUILD)/virtd.%: examples/virtd/virtd.%.in
	@mkdir -p $(@D)
	$(Q)sed -e 's|@VERSION@|$(VERSION)|; s|@DATE@|'"$$(LC_ALL=C date -u -d "@$${SOURCE_DATE_EPOCH:-$$(date +%s)}" +%Y-%m-%d)"'|; s|@SBINDIR@|$(SBINDIR)|g; s|@DOCDIR@|$(DOCDIR)|g; s|@PAGEDIR@|$(PAGEDIR)|g' $< > $@

# A page per chapter of virt.h.
docs: $(BUILD)/docs/index.html

$(BUILD)/docs/index.html: virt.h tests/apidoc
	$(Q)rm -rf $(BUILD)/docs
	$(Q)tests/apidoc pages virt.h $(BUILD)/docs

check-install:
	@tests/deps conformity install
	@tests/install.sh

clean:
	rm -rf $(BUILD)

help:
	@sed -n '/^\#/!q; s/^\# \{0,1\}//p' Makefile

# ---------- drop-ins for programs written for libvirt ----------

include examples/compat/compat.mk

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
