# From `symbols` and virt.h (in this order) makes what libvirt-qemu.so.0 (-v library=QEMU) or
# libvirt-lxc.so.0 (LXC) needs to hand calls on to virt, which has them all in one library: with
# -v names=1 the names of such functions, otherwise the C code. libvirt.so.0 exports each under the
# name virt_NAME, because its real name belongs to the other library there.
FNR == NR && /^LIBVIRT/ { inside = index($0, "LIBVIRT_" library "_") == 1 }
FNR == NR && inside && /^ / { wanted[$1] }
FNR == NR { next }
/^VIRT_API / { text = "" ; open = 1 }
open { text = text " " $0 }
open && /;/ {
    open = 0
    gsub(/[ \t]+/, " ", text)
    sub(/^ VIRT_API /, "", text)
    name = text
    sub(/\(.*/, "", name)
    type = name
    sub(/.*[ *]/, "", name)
    if (name in wanted)
        forward(name, substr(type, 1, length(type) - length(name)), text)
}
function forward(name, type, text,   parts, n, i, arguments)
{
    if (names) {
        print name
        return
    }
    sub(/^[^(]*\(/, "", text)
    sub(/\).*/, "", text)
    n = split(text, parts, ",")
    for (i = 1; i <= n; i++) {
        match(parts[i], /[A-Za-z0-9_]+$/)
        arguments = arguments (i > 1 ? ", " : "") substr(parts[i], RSTART)
    }
    printf "VIRT_API %svirt_%s(%s);\n", type, name, text
    printf "%s%s(%s)\n{\n    return virt_%s(%s);\n}\n", type, name, text, name, arguments
}
