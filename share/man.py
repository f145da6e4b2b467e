#!/usr/bin/env python3
"""Prints lamina(1) for scdoc, from the program's own help: man.py LAMINA."""
import re
import subprocess
import sys


def told(*arguments):
    return subprocess.run([sys.argv[1], *arguments], stdout=subprocess.PIPE,
                          text=True, check=True).stdout


def escaped(text):
    return re.sub(r"([\\*_`<>~\[\]#|])", r"\\\1", text)


def literal(lines):
    return "```\n" + "\n".join(lines).strip("\n") + "\n```\n"


help_text = told("-h")
verbs = re.findall(r"^  ([a-z]+) +(.*)$", help_text, re.MULTILINE)
codes = re.findall(r"\b(\d+) ([a-z][a-z\- ]*)",
                   help_text[help_text.index("Exit codes:"):].replace("\n", " "))
print("""lamina(1)

# NAME

lamina - train and run segmentation networks on OpenCL devices

# SYNOPSIS

*lamina* _VERB_ [options]

# DESCRIPTION

Models are YAML files (*lamina-model*(5)); layers, losses and optimisers are
plugins. Results go to standard output, talk to standard error. *lamina* _VERB_
*-h* prints what follows here of a verb.

# VERBS
""")
for verb, summary in verbs:
    print(f"*{verb}*\n\t{escaped(summary)}\n")


def print_verb(lines):
    """Text before the options as it is, then the options as a list."""
    rows = [i for i, line in enumerate(lines)
            if re.match(r"  --?[a-z][a-z0-9-]*( |$)", line)]
    first = rows[0] if rows else len(lines)
    if first:
        print(literal([re.sub(r"^(usage: |       )(?=lamina )", "", line)
                       for line in lines[:first]]))
    for i in rows:
        name, doc = re.match(r"  (\S+(?: \S+)?)(?:  +| (?=\S))(.*)",
                             lines[i]).groups()
        flag, _, argument = name.partition(" ")
        if argument and not argument.isupper() and "=" not in argument \
                and not re.match(r"[A-Z]", argument):
            doc, argument = f"{argument} {doc}", ""
        print(f"*{flag}*" + (f" {escaped(argument)}" if argument else "") +
              f"\n\t{escaped(doc.strip())}\n")


print("# OPTIONS OF EVERY VERB\n")
print_verb(re.findall("^  --.*$", help_text, re.MULTILINE))
for verb, _ in verbs:
    print(f"# LAMINA {verb.upper()}\n")
    print_verb(told(verb, "-h").partition("\nAnd those of every verb")[0]
               .splitlines())
print("# EXIT STATUS\n")
for code, meaning in codes:
    print(f"*{code}*\n\t{escaped(meaning.strip())}\n")
print("""# ENVIRONMENT

*LAM_PLUGIN_PATH*
	Folders of plugins, separated by colons; an empty one is the installed
	folder.

*XDG_CACHE_HOME*
	Where built programs, measured kernels and checks of devices are kept, in
	_lamina_ (_~/.cache_).

*OCL_ICD_VENDORS*
	The OpenCL loader's folder of drivers (_/etc/OpenCL/vendors_).

# SEE ALSO

*lamina-model*(5), *lamina-plugin*(3)""")
