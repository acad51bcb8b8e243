# The linker's version script of one library (-v library=, QEMU_ or LXC_) from `symbols`; for
# libvirt.so.0 also from the headers whose VIRT_API functions are virt's own.
FNR == NR && /^LIBVIRT/ {
    inside = $1 ~ ("^LIBVIRT_" library "[0-9]")
    if (inside) {
        finish()
        previous = node
        node = $1
        printf "%s {\n    global:\n", node
    }
}
FNR == NR && /^ / {
    libvirts[$1]
    if (inside)
        printf "        %s;\n", $1
}
FNR == NR { next }
/^VIRT_API / && match($0, /vir[A-Za-z0-9]*\(/) {
    name = substr($0, RSTART, RLENGTH - 1)
    if (!(name in libvirts))
        own[name]
}
function finish()
{
    if (node != "")
        printf "}%s;\n", (previous != "" ? " " previous : "")
}
END {
    printf "    local:\n        *;\n"
    finish()
    if (library == "") {
        printf "VIRT_0 {\n    global:\n"
        for (name in own)
            printf "        %s;\n", name
        n = split(forwards, names, " ")
        for (i = 1; i <= n; i++)
            printf "        virt_%s;\n", names[i]
        printf "};\n"
    }
}
