# bash completion of lamina. What it offers comes from the program itself:
# lamina -h, lamina VERB -h, lamina layers, lamina devices.
_lamina()
{
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]}
    local before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} words=

    if [ "$COMP_CWORD" = 1 ]; then
        words="$("$program" -h 2>/dev/null |
            sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version"
    elif [ "$before" = --device ]; then
        words="gpu cpu $("$program" devices 2>/dev/null |
            sed -n 's/^ *\([0-9]*\)  .*/\1/p')"
    elif [ "$before" = --split ]; then
        words="train val test all"
    elif [[ $word == -* ]]; then
        words=$( ("$program" "$verb" -h; "$program" -h) 2>/dev/null |
            sed -n 's/^  \(--*[a-z][a-z0-9-]*\)\( .*\)*$/\1/p')
    elif [ "$verb" = layers ] || [ "$before" = --op ]; then
        words=$("$program" layers --markdown 2>/dev/null |
            sed -n 's/^| `\([a-z0-9_]*\)`.*/\1/p')
    elif [ "$COMP_CWORD" = 2 ]; then
        words=$("$program" "$verb" -h 2>/dev/null | sed -n \
            "s/^\(usage:\|  *\) *lamina $verb \([a-z][a-z|]*\) .*/\2/p")
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _lamina lamina
