"""What the Python scenarios have in common: a guest that counts on its serial line, and checks."""
import os
import subprocess
import sys
import time

import libvirt

SCRATCH = os.environ["SCRATCH"]
EMBED = os.environ["EMBED"]
SESSION = os.environ["SESSION"]


def scratch(name):
    return os.path.join(SCRATCH, name)


def image(name, *options):
    """A guest of its own, with mkguest's options; without any the common one."""
    if not options:
        return os.environ["IMAGE"]
    path = scratch(name + ".img")
    subprocess.run([os.environ["MKGUEST"], "--count-hz", "100", *options, os.environ["COUNTER"], path], check=True)
    return path


def guest(name, disk=None, devices="", extra=""):
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>{extra}<devices>
        <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk or image(name)}'/>
        <target dev='vda' bus='virtio'/><readonly/></disk>
        <serial type='file'><source path='{scratch(name)}.out'/></serial>{devices}</devices></domain>"""


def count(name):
    """The last number that the guest has written whole."""
    try:
        with open(scratch(name) + ".out", encoding="latin-1") as out:
            lines = [line for line in out.read().split("\n")[:-1] if line.strip().isdigit()]
    except FileNotFoundError:
        return 0
    return int(lines[-1]) if lines else 0


def wait_for(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)


def counts_on(name):
    seen = count(name)
    wait_for(lambda: count(name) > seen + 5, f"{name} counts beyond {seen}")


def same(found, wanted):
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def fails(code, function, *arguments):
    """The call raises libvirt's error with this code; gives the error."""
    try:
        result = function(*arguments)
    except libvirt.libvirtError as error:
        same(error.get_error_code(), code)
        assert error.get_error_message(), "no message"
        same(error.get_error_level(), libvirt.VIR_ERR_ERROR)
        return error
    raise AssertionError(f"{function} succeeded: {result!r}")


def skip(why):
    print(why)
    sys.stdout.flush()
    os._exit(77)


def in_use():
    """This process has our library, by its own memory map."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        paths = {line.split()[-1] for line in maps if "/libvirt.so" in line}
    same(paths, {os.path.join(os.environ["LD_LIBRARY_PATH"], "libvirt.so.0")})


def main(scenarios):
    in_use()
    libvirt.registerErrorHandler(lambda *ignored: None, None)     # quiet: failures are wanted here
    scenarios[sys.argv[1]]()
    sys.stdout.flush()
