# fish completion for virtsh: `source examples/virtsh/completion.fish`, or put it where fish looks.
#
# virtsh itself knows what fits: `virtsh complete -- WORDS...` prints what could stand for the last word.
# Where it knows nothing, fish offers file names.

function __virtsh_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l program $words[1]
    set -l options -q
    set -e words[1]

    # virtsh's own options come before the command; some decide what there is to complete.
    while test (count $words) -gt 1
        switch $words[1]
            case -c --connect
                set -a options -c $words[2]
                set -e words[1..2]
            case '--connect=*' -r --readonly
                set -a options $words[1]
                set -e words[1]
            case -d --debug -k --keepalive-interval -K --keepalive-count -l --log
                set -e words[1..2]
            case '-*'
                set -e words[1]
            case '*'
                break
        end
    end
    set -q words[1]; or return
    set -l found
    if test (count $words) -eq 1; and string match -q -- '-*' $words[1]
        set found ($program --help 2>/dev/null | string match -r -a -- '--[a-z-]+')
    else
        set found ($program $options complete -- $words 2>/dev/null </dev/null)
    end
    set -q found[1]; and printf '%s\n' $found
end

complete -c virtsh -f -a '(__virtsh_complete; or __fish_complete_path (commandline -ct))'
