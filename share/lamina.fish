# fish completion of lamina, with what each thing is, from the program itself:
# lamina -h, lamina VERB -h, lamina layers, lamina devices.
function __lamina_verb
    set -l words (commandline -opc)
    test (count $words) -gt 1; and echo $words[2]
end
function __lamina_is
    contains -- (__lamina_verb) $argv
end

complete -c lamina -n 'not __lamina_verb' -f -a \
    '(lamina -h | string replace -rf "^  ([a-z]+) +(.*)" "\$1\t\$2")'
complete -c lamina -n '__lamina_verb; and string match -q -- "-*" (commandline -ct)' -f -a \
    '(begin; lamina (__lamina_verb) -h; lamina -h; end |
        string replace -rf "^  (--[a-z-]+)(?: [^ ]+)? +(.*)" "\$1\t\$2")'
complete -c lamina -n '__lamina_is layers' -f -a \
    '(lamina layers | string replace -rf "^[a-z]+ +([a-z0-9_]+) +(.*)" "\$1\t\$2")'
complete -c lamina -n '__lamina_is data plugin' -a \
    '(lamina (__lamina_verb) -h | string replace -rf "^(?:usage:| +) *lamina [a-z]+ ([a-z]+) (.*)" "\$1\t\$2")'
complete -c lamina -n 'test (commandline -opc)[-1] = --device' -f -a \
    '(printf "gpu\tthe best GPU\ncpu\tthe processor\n"
      lamina devices | string replace -rf "^ *([0-9]+)  (.*)" "\$1\t\$2")'
complete -c lamina -n 'test (commandline -opc)[-1] = --split' -f -a 'train val test all'
