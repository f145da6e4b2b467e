#!/usr/bin/env python3
"""The house rules a machine can check: house.py SOURCE_ROOT [BUILD].

Each outside library has one door; plugins see plugin.h and ISO C alone; sources
are formatted (where clang-format 14 is there); kernels have no atomics but those
of turns.cl; with BUILD, a plugin exports lam_plugin alone and README has the
table that lamina prints.
"""
import pathlib
import re
import shutil
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
doors = {
    "yaml.h": {"src/yaml_tree.c"},
    "jansson.h": {"src/safetensors.c"},
    "dlfcn.h": {"src/registry.c", "src/installed.c", "src/transport.c",
                "tools/doctor_machine.c"},
    "mpi.h": {"src/collective_mpi.c"},
    "clblast_c.h": {"src/gemm.c"},
    "zlib.h": {"src/png.c", "src/png_write.c"},
    "stb_image.h": {"src/image.c"},
    "stb_image_write.h": set(),
    "CL/cl.h": {"src/queue.h"},
}
iso = {"assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h",
       "math.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
       "string.h", "tgmath.h"}
problems = []

for path in sorted([*root.glob("src/*.[ch]"), *root.glob("tools/*.[ch]"),
                    *root.glob("plugins/*.[ch]"), *root.glob("include/lam/*.h"),
                    *root.glob("examples/**/*.[ch]")]):
    name = str(path.relative_to(root))
    text = path.read_text()
    for line, included in re.findall(r"^(#include [<\"]([^>\"]+)[>\"])", text,
                                     re.MULTILINE):
        for library, allowed in doors.items():
            if included.split("/")[-1] == library.split("/")[-1] and \
                    "<" in line and name not in allowed:
                problems.append(f"{name}: {library} belongs in {allowed}")
        if name.startswith("plugins/") and "<" in line and included not in iso:
            problems.append(f"{name}: a plugin includes <{included}>")
        if name.startswith("plugins/") and '"' in line and not (
                included == "lam/plugin.h" or included.endswith(".cl.h") or
                (root / "plugins" / included).exists()):
            problems.append(f"{name}: a plugin includes \"{included}\"")
    if "stbi_loadf" in text:
        problems.append(f"{name}: stbi_loadf goes through 8 bits and a gamma")
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 80:
            problems.append(f"{name}:{number}: longer than 80 columns")
        if "TODO" in line or "FIXME" in line:
            problems.append(f"{name}:{number}: {line.strip()}")

for path in sorted([*root.glob("cl/*.cl"), *root.glob("examples/**/*.cl")]):
    if path.name != "turns.cl" and re.search(r"atom(ic)?_", path.read_text()):
        problems.append(f"{path.name}: atomics make results depend on order")

if shutil.which("clang-format") and " 14." in subprocess.run(
        ["clang-format", "--version"], stdout=subprocess.PIPE, text=True,
        check=True).stdout:
    sources = [p for folder in ("src", "tools", "plugins", "include/lam",
                                "tests", "tests/unit", "tests/device", "tests/faults",
                                "examples/c", "examples/plugins/carafe",
                                "examples/plugins/attention_gate")
               for p in sorted((root / folder).glob("*.[ch]"))]
    formatted = subprocess.run(["clang-format", "--dry-run", *sources],
                               stderr=subprocess.PIPE, text=True, check=True)
    for line in formatted.stderr.splitlines():
        if "warning:" in line:
            problems.append(line)

if len(sys.argv) > 2:
    for module in sorted((pathlib.Path(sys.argv[2]) / "plugins").glob("*.so")):
        names = subprocess.run(["nm", "-D", "--defined-only", module],
                               stdout=subprocess.PIPE, text=True,
                               check=True).stdout.split()[2::3]
        if names != ["lam_plugin"]:
            problems.append(f"{module.name}: exports {names}")

    table = subprocess.run(
        [pathlib.Path(sys.argv[2]) / "tools/lamina", "layers", "--markdown"],
        env={"LAM_PLUGIN_PATH": str(pathlib.Path(sys.argv[2]) / "plugins")},
        stdout=subprocess.PIPE, text=True, check=True).stdout
    if table not in (root / "README.md").read_text():
        problems.append("README.md: its table is not what `lamina layers "
                        "--markdown` prints")

print("\n".join(problems) if problems else "all rules hold")
sys.exit(bool(problems))
