#compdef lamina
# zsh completion of lamina, with what each thing is, from the program itself:
# lamina -h, lamina VERB -h, lamina layers, lamina devices.

# What `sed -n` makes of the lines as "name:what it is".
_lamina_rows()
{
    local -a rows
    rows=(${(f)"$(sed -n "$2")"})
    _describe "$1" rows
}

_lamina()
{
    local program=$words[1] verb=$words[2] before=$words[CURRENT-1]

    if (( CURRENT == 2 )); then
        _lamina_rows verb 's/^  \([a-z][a-z]*\)  *\(.*\)/\1:\2/p' \
            < <($program -h 2>/dev/null)
    elif [[ $before == --device ]]; then
        _lamina_rows device 's/^ *\([0-9][0-9]*\)  \(.*\)/\1:\2/p
            $a\gpu:the best GPU\ncpu:the processor' \
            < <($program devices 2>/dev/null)
    elif [[ $before == --split ]]; then
        compadd train val test all
    elif [[ $words[CURRENT] == -* ]]; then
        _lamina_rows option \
            's/^  \(--[a-z][a-z0-9-]*\)\( [^ ][^ ]*\)\{0,1\}  *\(.*\)/\1:\3/p' \
            < <($program $verb -h 2>/dev/null; $program -h 2>/dev/null)
    elif [[ $verb == layers || $before == --op ]]; then
        _lamina_rows layer 's/^[a-z]*  *\([a-z0-9_]*\)  *\(.*\)/\1:\2/p' \
            < <($program layers 2>/dev/null)
    elif (( CURRENT == 3 )) && $program $verb -h 2>/dev/null |
        grep -q "lamina $verb [a-z]"; then
        _lamina_rows what "s/^\(usage:\|  *\) *lamina $verb \([a-z][a-z|]*\) \(.*\)/\2:\3/p" \
            < <($program $verb -h 2>/dev/null)
    else
        _files
    fi
}
_lamina "$@"
