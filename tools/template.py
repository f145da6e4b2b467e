#!/usr/bin/env python3
"""Writes a folder as a C table of file names and texts: template.py DIR OUT."""
import pathlib
import sys

folder, out = map(pathlib.Path, sys.argv[1:])
with out.open("w", encoding="utf-8") as header:
    header.write(f"// Made from {folder.name}; do not edit.\n"
                 "static const struct template_file {\n"
                 "    const char *path, *text;\n"
                 "    int is_program;\n"
                 "} template_files[] = {\n")
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        header.write(f'    {{"{path.relative_to(folder).as_posix()}",\n')
        for line in path.read_text(encoding="utf-8").splitlines():
            text = line.replace("\\", "\\\\").replace('"', '\\"')
            header.write(f'     "{text}\\n"\n')
        header.write(f"     , {int(path.stat().st_mode & 0o100 != 0)}}},\n")
    header.write("};\n")
