# Puts a file and what it includes into one:
#
#     awk -f tests/amalgamate.awk -v stamp="virt 0.1.0, commit ..." -v licence=LICENSE -v omit=virt.h virt.c > dist/virt.c
#
# A header in quotes is put in once: where it is first included, or, when it is needed under several conditions (#if), in
# front of the outermost one that not all its uses share. So no part misses it when another part is switched off, and no
# text stands there twice. Any other file is put in each time: a part (.c) is included once, a list (.def) more often.
# `omit` stays an #include: it is the other file of the pair. Give -v lines=1 for #line.
#
# The file is gone through twice: first to see under which conditions each header is needed, then to write.

function directory(path)
{
    return sub(/[^\/]*$/, "", path) ? path : ""
}

function base(path)
{
    sub(/.*\//, "", path)
    return path
}

# "drivers/qemu/" and "../common/xml.h" make "drivers/common/xml.h".
function resolve(dir, name,    path)
{
    path = dir name
    while (sub(/[^\/.][^\/]*\/\.\.\//, "", path) || sub(/^\.\//, "", path) || sub(/\/\.\//, "/", path))
        ;
    return path
}

# Each file is read once; text[path, 1..length_of[path]].
function load(path,    line, n, rc)
{
    if (path in length_of)
        return
    while ((rc = (getline line < path)) > 0)
        text[path, ++n] = line
    close(path)
    if (rc < 0) {
        print "amalgamate: cannot read " path > "/dev/stderr"
        failed = 1
        exit 1
    }
    length_of[path] = n
}

# The conditions in force are a list, outermost first: branch[1..depth] tells each from every other, opened[d] is the line
# of the result after which it began. A header's own guard is none: the header stands there only once.
function condition(path, number, line,    word)
{
    word = line
    sub(/^[ \t]*#[ \t]*/, "", word)
    sub(/[^a-z].*/, "", word)
    if (word ~ /^if/) {
        inner[path]++
        if (inner[path] == 1 && path ~ /\.h$/ && text[path, number + 1] ~ /^[ \t]*#[ \t]*define[ \t]+[A-Z0-9_]+_H[ \t]*$/) {
            guard[path] = 1
            return
        }
        branch[++depth] = path ":" number
        opened[depth] = last
    } else if (word == "endif") {
        if (inner[path]-- > 1 || !guard[path])
            depth--
    } else if (inner[path] > 1 || !guard[path]) {
        branch[depth] = path ":" number
    }
}

# How many of the conditions now in force, from the outermost on, all uses of the header so far have too.
function share(target,    d)
{
    if (!(target in common)) {
        common[target] = depth
        for (d = 1; d <= depth; d++)
            of[target, d] = branch[d]
    }
    for (d = 0; d < depth && d < common[target] && of[target, d + 1] == branch[d + 1]; d++)
        ;
    common[target] = d
}

# The result is a list of lines; a new one goes behind the `last`, which need not be the end.
function emit(line)
{
    result[++n_result] = line
    next_of[n_result] = next_of[last]
    next_of[last] = n_result
    last = n_result
}

# A header that has to move stands under fewer conditions, and so does what it includes. Tells whether it was put in here.
function header(target,    place, outer, here, d, moved)
{
    if (!writing)
        share(target)
    else if (target in done)
        return 0
    done[target] = 1
    outer = depth
    here = last
    place = target in settled ? settled[target] : common[target]
    moved = place < depth
    for (d = place + 1; d <= outer; d++) {
        saved[outer, d] = branch[d]
        saved_opened[outer, d] = opened[d]
    }
    if (moved) {
        depth = place
        last = opened[depth + 1]
    }
    # its functions may be switched off where it has moved to
    if (writing && moved && target != omit) {
        # (gcc looks at the end of the file, so there is no going back to what was)
        emit("#pragma GCC diagnostic ignored \"-Wunused-function\"")
        put(target)
    } else if (target != omit)
        put(target)
    else if (writing)
        emit("#include \"" base(target) "\"")
    for (d = place + 1; d <= outer; d++) {
        branch[d] = saved[outer, d]
        opened[d] = saved_opened[outer, d]
    }
    if (moved) {
        opened[place + 1] = last
        last = here
        depth = outer
    }
    return writing && !moved && target != omit
}

function put(path,    line, number, name, target)
{
    if (open_now[path])
        return
    open_now[path] = 1
    load(path)
    inner[path] = guard[path] = 0
    if (writing) {
        emit("\001" path)
        if (lines)
            emit("#line 1 \"" path "\"")
    }
    for (number = 1; number <= length_of[path]; number++) {
        line = text[path, number]
        if (line ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif)([^a-z]|$)/)
            condition(path, number, line)
        if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/) {
            if (writing)
                emit(line)
            continue
        }
        name = line
        sub(/^[^"]*"/, "", name)
        sub(/".*/, "", name)
        target = resolve(directory(path), name)
        if (target ~ /\.h$/) {
            if (!header(target))
                continue
        } else {
            put(target)
        }
        if (writing) {
            emit("/* ---------- " path " goes on ---------- */")
            if (lines)
                emit("#line " number + 1 " \"" path "\"")
        }
    }
    open_now[path] = 0
}

# Where each header belongs follows from where those stand that include it: looked at until nothing moves any more.
function settle(    target, moving)
{
    do {
        split("", common)
        put(ARGV[1])
        moving = 0
        for (target in common) {
            moving += !(target in settled) || settled[target] != common[target]
            settled[target] = common[target]
        }
    } while (moving && ++rounds < 20)
}

# The banners, and on which line of the body each part begins.
function arrange(    i, line)
{
    for (i = next_of[0]; i; i = next_of[i]) {
        line = result[i]
        if (line ~ /^\001/) {
            line = substr(line, 2)
            body[++n_body] = ""
            begins[++n_parts] = n_body + 1
            part[n_parts] = line
            line = "/* ========== " line " ========== */"
        }
        body[++n_body] = line
    }
}

function print_head(    i, line, n)
{
    while (licence != "" && (getline line < licence) > 0)
        terms[++n] = line
    print "/*"
    print " * " stamp ". Generated; do not edit."
    for (i = 1; i <= n; i++)
        print " *" (i == 1 ? "\n * " : terms[i] == "" ? "" : " ") terms[i]
    if (n_parts > 1) {
        n += 4 + (n > 0) + n_parts                          # lines before the body
        print " *\n * The parts, and the line on which each begins:\n *"
        for (i = 1; i <= n_parts; i++)
            printf " * %7d  %s\n", n + 2 + begins[i], part[i]
    }
    print " */"
}

BEGIN {
    last = 0
    settle()
    writing = 1
    split("", done)
    put(ARGV[1])
    arrange()
    print_head()
    for (i = 1; i <= n_body; i++)
        print body[i]
    exit
}

END {
    exit failed
}
