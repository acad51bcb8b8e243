################################################################################
#
# virt
#
################################################################################

VIRT_VERSION = 0.1.0
VIRT_SITE = $(BR2_EXTERNAL_VIRT_PATH)/dl
VIRT_SITE_METHOD = file
VIRT_LICENSE = MIT
VIRT_LICENSE_FILES = LICENSE
VIRT_INSTALL_STAGING = YES
VIRT_DEPENDENCIES = host-pkgconf cjson libxml2

VIRT_MAKE_OPTS = $(TARGET_CONFIGURE_OPTS) BUILD=$(@D)/build PREFIX=/usr ETCD=

ifeq ($(BR2_STATIC_LIBS),y)
VIRT_LIBS = libvirt-embed.a
VIRT_SUPERVISOR_OPTS = STATIC=1
else ifeq ($(BR2_SHARED_LIBS),y)
VIRT_LIBS = libvirt-embed.so.0
else
VIRT_LIBS = libvirt-embed.a libvirt-embed.so.0
endif

ifeq ($(BR2_PACKAGE_VIRT_SUPERVISOR),y)
define VIRT_BUILD_SUPERVISOR
	$(TARGET_MAKE_ENV) $(MAKE) $(TARGET_CONFIGURE_OPTS) \
		$(VIRT_SUPERVISOR_OPTS) -C $(@D)/examples/firmware
endef
define VIRT_INSTALL_SUPERVISOR
	$(INSTALL) -D -m 0755 $(@D)/examples/firmware/supervisor \
		$(TARGET_DIR)/usr/sbin/supervisor
	$(INSTALL) -D -m 0644 $(@D)/examples/firmware/guest.xml \
		$(TARGET_DIR)/etc/supervisor/guest.xml
endef
endif

define VIRT_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(VIRT_MAKE_OPTS) -C $(@D) \
		$(addprefix $(@D)/build/,$(VIRT_LIBS))
	$(VIRT_BUILD_SUPERVISOR)
endef

define VIRT_INSTALL_LIBS
	$(foreach lib,$(VIRT_LIBS),\
		$(INSTALL) -D -m 0755 $(@D)/build/$(lib) $(1)/usr/lib/$(lib)$(sep))
	$(if $(filter %.so.0,$(VIRT_LIBS)),\
		ln -sf libvirt-embed.so.0 $(1)/usr/lib/libvirt-embed.so)
endef

define VIRT_INSTALL_STAGING_CMDS
	$(INSTALL) -D -m 0644 $(@D)/virt.h $(STAGING_DIR)/usr/include/virt.h
	$(call VIRT_INSTALL_LIBS,$(STAGING_DIR))
endef

define VIRT_INSTALL_TARGET_CMDS
	$(if $(filter %.so.0,$(VIRT_LIBS)),\
		$(INSTALL) -D -m 0755 $(@D)/build/libvirt-embed.so.0 \
			$(TARGET_DIR)/usr/lib/libvirt-embed.so.0)
	$(VIRT_INSTALL_SUPERVISOR)
endef

$(eval $(generic-package))
