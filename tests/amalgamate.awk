# Puts virt.c and what it includes into one file:
#
#     awk -f tests/amalgamate.awk -v stamp="virt 0.1.0, commit ..." -v omit=virt.h virt.c > dist/virt.c
#
# A header in quotes is put in once, at its first place; any other file (.def, .c) each time it is
# included. What stands inside an #if of a .c file counts for that #if only: the next one may be
# compiled without it (the guards of headers keep that harmless). `omit` stays an #include: it is
# the other file of the pair. Give -v lines=1 for #line.

function directory(path)
{
    return sub(/[^\/]*$/, "", path) ? path : ""
}

# "drivers/qemu/" and "../common/xml.h" make "drivers/common/xml.h".
function resolve(dir, name,    path)
{
    path = dir name
    while (sub(/[^\/.][^\/]*\/\.\.\//, "", path) || sub(/^\.\//, "", path) || sub(/\/\.\//, "/", path))
        ;
    return path
}

# What was put in inside the conditional that ends or changes here has to be put in again later.
function forget(    target)
{
    for (target in done)
        if (done[target] > depth)
            delete done[target]
}

function put(path,    line, number, name, target, dir, rc)
{
    dir = directory(path)
    print "/* ---------- " path " ---------- */"
    if (lines)
        print "#line 1 \"" path "\""
    while ((rc = (getline line < path)) > 0) {
        number++
        if (path ~ /\.c$/ && line ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif)/) {
            if (line ~ /#[ \t]*if/) {
                depth++
            } else {
                depth--
                forget()
                if (line !~ /#[ \t]*endif/)
                    depth++
            }
        }
        if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/) {
            print line
            continue
        }
        name = line
        sub(/^[^"]*"/, "", name)
        sub(/".*/, "", name)
        target = resolve(dir, name)
        if (target == omit) {
            if (!(target in done)) {
                done[target] = depth
                print "#include \"" name_of(target) "\""
            }
        } else if (target !~ /\.h$/ || !(target in done)) {
            if (target ~ /\.h$/)
                done[target] = depth
            close(target)
            put(target)
            print "/* ---------- " path " goes on ---------- */"
            if (lines)
                print "#line " number + 1 " \"" path "\""
        }
    }
    close(path)
    if (rc < 0) {
        print "amalgamate: cannot read " path > "/dev/stderr"
        exit 1
    }
}

function name_of(path)
{
    sub(/.*\//, "", path)
    return path
}

BEGIN {
    print "/* " stamp ". Generated; do not edit. */"
    put(ARGV[1])
    exit
}
