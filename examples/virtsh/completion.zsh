#compdef virtsh
# zsh completion for virtsh: as `_virtsh` in a folder of $fpath.
#
# virtsh itself knows what fits: `virtsh complete -- WORDS...` prints what could stand for the last word.

_virtsh()
{
    local -a options found
    local i=2

    # virtsh's own options come before the command; some decide what there is to complete.
    options=(-q)
    while ((i < CURRENT)); do
        case $words[i] in
        -c | --connect) options+=(-c $words[i+1]); ((i += 2)) ;;
        --connect=* | -r | --readonly) options+=($words[i]); ((i++)) ;;
        -d | --debug | -k | --keepalive-interval | -K | --keepalive-count | -l | --log) ((i += 2)) ;;
        -*) ((i++)) ;;
        *) break ;;
        esac
    done
    ((i <= CURRENT)) || { _files; return }
    if ((i == CURRENT)) && [[ $words[i] == -* ]]; then
        found=(${(f)"$($words[1] --help 2>/dev/null | grep -o -e '--[a-z-]*')"})
    else
        found=(${(f)"$($words[1] $options complete -- "${(@)words[i,CURRENT]}" 2>/dev/null </dev/null)"})
    fi
    ((${#found})) && compadd -a found || _files
}

_virtsh "$@"
