#!/usr/bin/env python3
"""Writes an OpenCL C file as a C string: cl2h.py x.cl x.cl.h gives x_cl.

Lines become adjacent string literals, so that a compiler's limit on one
literal is the only one; an #include of a sibling file is replaced by its text.
"""
import pathlib
import sys


def lines_of(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith('#include "'):
            yield from lines_of(path.parent / line.split('"')[1])
        else:
            yield line


source, header = map(pathlib.Path, sys.argv[1:])
name = source.name.replace(".", "_").replace("-", "_")
with header.open("w", encoding="utf-8") as out:
    out.write(f"// Made from {source.name}; do not edit.\n")
    out.write(f"static const char {name}[] =\n")
    for line in lines_of(source):
        text = line.replace("\\", "\\\\").replace('"', '\\"')
        out.write(f'    "{text}\\n"\n')
    out.write("    ;\n")
