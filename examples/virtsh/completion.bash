# bash completion for virtsh: `. examples/virtsh/completion.bash`, or put it where bash-completion looks.
#
# virtsh itself knows what fits: `virtsh complete -- WORDS...` prints what could stand for the last word.
# Where it knows nothing, bash offers file names.

_virtsh()
{
    local IFS=$'\n' word words=() options=(-q) i=1 count=$((COMP_CWORD))

    # virtsh's own options come before the command; some decide what there is to complete.
    while ((i < count)); do
        word=${COMP_WORDS[i]}
        case $word in
        -c | --connect)
            [[ ${COMP_WORDS[i + 1]} != = ]] || ((i++))      # --connect=URI is three words to bash
            options+=(-c "${COMP_WORDS[i + 1]}")
            # bash has cut a URI at its colons, and these are words too
            while [[ ${COMP_WORDS[i + 2]} == [:=] && i+3 -le count ]]; do
                options[-1]+=${COMP_WORDS[i + 2]}${COMP_WORDS[i + 3]}
                ((i += 2))
            done
            ((i += 2)) ;;
        -d | --debug | -k | --keepalive-interval | -K | --keepalive-count | -l | --log)
            [[ ${COMP_WORDS[i + 1]} != = ]] || ((i++))
            ((i += 2)) ;;
        -r | --readonly)
            options+=(-r)
            ((i++)) ;;
        -*)
            ((i++)) ;;
        *)
            break ;;
        esac
    done
    ((i <= count)) || return
    words=("${COMP_WORDS[@]:i:count - i + 1}")
    if ((${#words[@]} == 1)) && [[ ${words[0]} == -* ]]; then
        COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null | grep -o -e '--[a-z-]*')" -- "${words[0]}"))
        return
    fi
    COMPREPLY=($("${COMP_WORDS[0]}" "${options[@]}" complete -- "${words[@]}" 2>/dev/null </dev/null))
}

complete -o default -F _virtsh virtsh
