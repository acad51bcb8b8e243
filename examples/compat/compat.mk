# The drop-ins for programs written for libvirt. Included by the Makefile; from the tree's root:
#
#   make libvirt.so        build/libvirt.so.0, libvirt-qemu.so.0, libvirt-lxc.so.0
#   make install-compat    those, headers under include/libvirt, libvirt.pc and the API descriptions,
#                          under DESTDIR and PREFIX: what the bindings look for

COMPAT      = $(BUILD)/compat
COMPAT_LIBS = $(BUILD)/libvirt.so.0 $(BUILD)/libvirt-qemu.so.0 $(BUILD)/libvirt-lxc.so.0
COMPAT_DEPS = $(wildcard examples/compat/*.h examples/compat/*.def examples/compat/include/libvirt/*.h) virt.h

.PHONY: libvirt.so install-compat
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
	$(LINK) -shared -Wl,-soname,$(@F) -Wl,-z,defs -Wl,--version-script=$(COMPAT)/libvirt.map \
	    $(COMPAT_FORWARDS:%=-Wl,--defsym=virt_%=%) -o $@ $(filter %.o,$^) $(PKG_LIBS)

$(BUILD)/libvirt-%.so.0: $(COMPAT)/libvirt-%.o $(COMPAT)/forward-%.c $(COMPAT)/libvirt-%.map $(BUILD)/libvirt.so.0
	$(LINK) -shared -fPIC -Wl,-soname,$(@F) -Wl,-z,defs -Wl,--version-script=$(COMPAT)/libvirt-$*.map \
	    -o $@ $(COMPAT)/libvirt-$*.o $(COMPAT)/forward-$*.c $(BUILD)/libvirt.so.0
