# The drop-ins for programs written for libvirt. Included by the Makefile; from the tree's root:
#
#   make libvirt.so        build/libvirt.so.0, libvirt-qemu.so.0, libvirt-lxc.so.0
#   make install-compat    those, headers under include/libvirt, libvirt.pc and the API descriptions,
#                          under DESTDIR and PREFIX: what the bindings look for. It replaces a libvirt
#                          that is installed in the same place. make uninstall-compat takes them back.

COMPAT      = $(BUILD)/compat
COMPAT_LIBS = $(BUILD)/libvirt.so.0 $(BUILD)/libvirt-qemu.so.0 $(BUILD)/libvirt-lxc.so.0
COMPAT_DEPS = $(wildcard examples/compat/*.h examples/compat/*.def examples/compat/include/libvirt/*.h) virt.h

.PHONY: libvirt.so install-compat uninstall-compat
libvirt.so: $(COMPAT_LIBS)

# Functions of virt that libvirt has in its other libraries: there they are handed on to an alias.
COMPAT_FORWARDS = $(foreach l,QEMU LXC,$(shell awk -v library=$l -v names=1 -f examples/compat/forward.awk \
                  examples/compat/symbols virt.h))

# A version script: libvirt's nodes, and one for what is virt's own. Whatever is not named stays inside.
$(COMPAT)/libvirt.map: examples/compat/symbols examples/compat/map.awk virt.h drivers/driver.h
	@mkdir -p $(@D)
	$(Q)awk -v library= -v forwards="$(COMPAT_FORWARDS)" -f examples/compat/map.awk \
	    examples/compat/symbols virt.h drivers/driver.h > $@

$(COMPAT)/libvirt-qemu.map: examples/compat/symbols examples/compat/map.awk
	@mkdir -p $(@D)
	$(Q)awk -v library=QEMU_ -f examples/compat/map.awk $< > $@

$(COMPAT)/libvirt-lxc.map: examples/compat/symbols examples/compat/map.awk
	@mkdir -p $(@D)
	$(Q)awk -v library=LXC_ -f examples/compat/map.awk $< > $@

$(COMPAT)/%.o: examples/compat/%.c $(COMPAT_DEPS)
	@mkdir -p $(@D)
	$(COMPILE) -fPIC -DVIRT_SEPARATE_OBJECTS -c -o $@ $<

$(COMPAT)/forward-%.c: examples/compat/forward.awk examples/compat/symbols virt.h
	@mkdir -p $(@D)
	$(Q)(echo '#include "$(CURDIR)/virt.h"'; awk -v library=$(if $(filter qemu,$*),QEMU,LXC) -f $^) > $@

$(BUILD)/libvirt.so.0: $(PARTS:%.c=$(BUILD)/obj/%.o) $(COMPAT)/libvirt.o $(COMPAT)/libvirt.map
	$(LINK) -shared -Wl,-soname,$(@F) -Wl,-z,defs -Wl,-z,nodelete -Wl,--version-script=$(COMPAT)/libvirt.map \
	    $(foreach f,$(COMPAT_FORWARDS),-Wl,--defsym=virt_$f=$f) -o $@ $(filter %.o,$^) $(PKG_LIBS)

$(BUILD)/libvirt-%.so.0: $(COMPAT)/libvirt-%.o $(COMPAT)/forward-%.c $(COMPAT)/libvirt-%.map $(BUILD)/libvirt.so.0
	$(LINK) -shared -fPIC -Wl,-soname,$(@F) -Wl,-z,defs -Wl,--version-script=$(COMPAT)/libvirt-$*.map \
	    -o $@ $(COMPAT)/libvirt-$*.o $(COMPAT)/forward-$*.c $(BUILD)/libvirt.so.0

# ---------- installing ----------

COMPAT_INCLUDE = $(DESTDIR)$(PREFIX)/include
COMPAT_API     = $(PREFIX)/share/libvirt/api
COMPAT_VERSION = 9.0.0

# In the tree the headers reach for virt.h and absent.def by their place; installed, these lie beside, and
# make install's virt.h stays its own.
install-compat: libvirt.so
	install -d "$(COMPAT_INCLUDE)/libvirt" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(COMPAT_API)"
	install -m 644 virt.h examples/compat/include/libvirt/*.h examples/compat/absent.def "$(COMPAT_INCLUDE)/libvirt/"
	sed -i -e 's|"../../../../virt.h"|"virt.h"|' -e 's|"../../absent.def"|"absent.def"|' \
	    "$(COMPAT_INCLUDE)"/libvirt/*.h
	install -m 755 $(COMPAT_LIBS) "$(DESTDIR)$(LIBDIR)/"
	for l in libvirt libvirt-qemu libvirt-lxc; do ln -sf $$l.so.0 "$(DESTDIR)$(LIBDIR)/$$l.so" || exit; done
	@$(call COMPAT_PC,libvirt,)
	@$(call COMPAT_PC,libvirt-qemu,libvirt)
	@$(call COMPAT_PC,libvirt-lxc,libvirt)
	@$(call COMPAT_XML,libvirt)
	@$(call COMPAT_XML,libvirt-qemu)
	@$(call COMPAT_XML,libvirt-lxc)

# What install-compat lays out. A libvirt that it has replaced does not come back.
uninstall-compat:
	rm -f "$(COMPAT_INCLUDE)/libvirt/absent.def"
	for h in virt.h $(notdir $(wildcard examples/compat/include/libvirt/*.h)); do rm -f "$(COMPAT_INCLUDE)/libvirt/$$h"; done
	for l in libvirt libvirt-qemu libvirt-lxc; do \
	    rm -f "$(DESTDIR)$(LIBDIR)/$$l.so.0" "$(DESTDIR)$(LIBDIR)/$$l.so" "$(DESTDIR)$(LIBDIR)/pkgconfig/$$l.pc" \
	        "$(DESTDIR)$(COMPAT_API)/$$l-api.xml"; done
	rmdir "$(COMPAT_INCLUDE)/libvirt" "$(DESTDIR)$(COMPAT_API)" "$(DESTDIR)$(PREFIX)/share/libvirt" 2> /dev/null || true

# $(1) the library, $(2) what it requires. A program that asks pkg-config asks for libvirt's version.
COMPAT_PC = printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' \
    'libvirt_api=$(COMPAT_API)/libvirt-api.xml' 'libvirt_qemu_api=$(COMPAT_API)/libvirt-qemu-api.xml' \
    'libvirt_lxc_api=$(COMPAT_API)/libvirt-lxc-api.xml' '' 'Name: $(1)' \
    'Description: virt $(VERSION) in the place of $(1)' 'Version: $(COMPAT_VERSION)' 'Requires: $(2)' \
    'Libs: -L$${libdir} -l$(1:lib%=%)' 'Cflags: -I$${includedir}' \
    > "$(DESTDIR)$(LIBDIR)/pkgconfig/$(1).pc" && chmod 644 "$(DESTDIR)$(LIBDIR)/pkgconfig/$(1).pc"

# The API description, from which bindings generate their code.
COMPAT_XML = if command -v python3 > /dev/null; then tests/apidoc xml $(1) "$(COMPAT_INCLUDE)/libvirt/$(1).h" \
    > "$(DESTDIR)$(COMPAT_API)/$(1)-api.xml" && chmod 644 "$(DESTDIR)$(COMPAT_API)/$(1)-api.xml"; else echo "no python3: no $(1)-api.xml"; fi

# ---------- checks ----------

.PHONY: conformity check-compat

# virt.h and the forwarding headers against an installed libvirt-dev: 0 differences.
conformity:
	@tests/deps conformity
	@tests/conformity

check-compat:
	@tests/deps conformity compat
	@tests/compat.sh
