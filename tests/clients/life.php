<?php
// php-libvirt: a guest's life, a failure, and the host.

function same($found, $wanted)
{
    if ($found !== $wanted)
        throw new Exception("found " . var_export($found, true) . ", wanted " . var_export($wanted, true));
}

function counted($path)
{
    clearstatcache();
    return file_exists($path) ? count(file($path)) : 0;
}

function counts_on($path)
{
    $seen = counted($path);
    for ($i = 0; counted($path) <= $seen + 5; $i++) {
        if ($i > 1000)
            throw new Exception("it does not count");
        usleep(20000);
    }
}

$out = getenv("SCRATCH") . "/g.out";
$xml = "<domain type='qemu'><name>g</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='" . getenv("IMAGE") . "'/>
    <target dev='vda' bus='virtio'/><readonly/></disk>
    <serial type='file'><source path='$out'/></serial></devices></domain>";

same(preg_match("#" . getenv("LD_LIBRARY_PATH") . "/libvirt\\.so\\.0#", file_get_contents("/proc/self/maps")), 1);
$conn = libvirt_connect(getenv("EMBED"), false);
$domain = libvirt_domain_define_xml($conn, $xml);
same(libvirt_domain_create($domain), true);
counts_on($out);
same(libvirt_domain_get_info($domain)["maxMem"], 32768);
same(libvirt_domain_suspend($domain), true);
same(libvirt_domain_get_info($domain)["state"], 3);
same(libvirt_domain_resume($domain), true);
counts_on($out);
same(libvirt_list_active_domains($conn), ["g"]);
same(strpos(libvirt_domain_get_xml_desc($domain, null), "<domain type='qemu' id="), 0);
same(@libvirt_domain_lookup_by_name($conn, "nobody"), false);
same(strpos(libvirt_get_last_error(), "Domain not found") !== false, true);
same(libvirt_domain_destroy($domain), true);
same(libvirt_domain_undefine($domain), true);
same(libvirt_list_domains($conn), []);
same(libvirt_node_get_info($conn)["cpus"] > 0, true);
