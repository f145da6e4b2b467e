# fish completion of lamina, from lamina -h and lamina VERB -h.
complete -c lamina -n __fish_use_subcommand -f -a \
    '(lamina -h | string match -rg "^  ([a-z]+) " )'
complete -c lamina -n 'not __fish_use_subcommand' -a \
    '(lamina (commandline -opc)[2] -h | string match -rg "^  (--?[a-z][a-z0-9-]*)")'
