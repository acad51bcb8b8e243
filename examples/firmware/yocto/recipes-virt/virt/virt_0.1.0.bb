SUMMARY = "Virtualization library with the API of libvirt, without the daemon"
DESCRIPTION = "Drives QEMU from within the calling process. With a supervisor that keeps one guest running."
SECTION = "libs"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=342199b3aea8ef0fc75e5267d713deb0"

DEPENDS = "libxml2 cjson"

# The archive of the release (make dist), put into files/ beside this recipe. From a server: its address
# here, and SRC_URI[sha256sum] from the SHA256SUMS of the release.
SRC_URI = "file://virt-${PV}.tar.gz"

inherit pkgconfig

EXTRA_OEMAKE = "'CC=${CC}' 'AR=${AR}' 'CFLAGS=${CFLAGS}' 'LDFLAGS=${LDFLAGS}' 'BUILD=${B}/build' 'PREFIX=${prefix}'"

do_compile() {
    oe_runmake ETCD= ${B}/build/libvirt-embed.a ${B}/build/libvirt-embed.so.0
    oe_runmake -C examples/firmware
}

do_install() {
    install -d ${D}${includedir} ${D}${libdir} ${D}${sbindir} ${D}${sysconfdir}/supervisor
    install -m 0644 ${S}/virt.h ${D}${includedir}/
    install -m 0644 ${B}/build/libvirt-embed.a ${D}${libdir}/
    install -m 0755 ${B}/build/libvirt-embed.so.0 ${D}${libdir}/
    ln -s libvirt-embed.so.0 ${D}${libdir}/libvirt-embed.so
    install -m 0755 ${S}/examples/firmware/supervisor ${D}${sbindir}/
    install -m 0644 ${S}/examples/firmware/guest.xml ${D}${sysconfdir}/supervisor/
}

PACKAGES =+ "${PN}-supervisor"
FILES:${PN}-supervisor = "${sbindir}/supervisor ${sysconfdir}/supervisor"
