#!/usr/bin/env python3
"""Compares both public interfaces with those on record: abi.py BUILD [--update].

The structs of lam/plugin.h, as a plugin has them, and the functions of
liblamina with their types, by abidiff against tests/abi. A change on purpose is
put on record by --update; one that breaks what was built before also raises
LAM_ABI_VERSION, or the library's soversion. The build needs debug information.
"""
import pathlib
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
build = pathlib.Path(sys.argv[1]).resolve()
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
SHORT = ["--no-show-locs", "--no-comp-dir-path", "--no-corpus-path",
         "--no-write-default-sizes", "--no-elf-needed", "--no-parameter-names",
         "--type-id-style", "hash", "--exported-interfaces-only"]
counts = {"passed": 0, "failed": 0}


def run(*command):
    return subprocess.run([*map(str, command)], cwd=folder, text=True,
                          check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def check(name, good, text):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name +
          ("" if good else f"\n{text}"), flush=True)


def plugin(name, edit=lambda text: text):
    """A module that is built with the header, or with one that was edited."""
    (folder / name / "lam").mkdir(parents=True)
    header = (root / "include/lam/plugin.h").read_text()
    (folder / name / "lam/plugin.h").write_text(edit(header))
    (folder / name / "plugin.c").write_text(
        "#include <lam/plugin.h>\nconst struct lam_plugin lam_plugin = {0};\n")
    module = folder / name / "plugin.so"
    done = run("gcc", "-g", "-w", "-shared", "-fPIC", "-I", name,
               f"{name}/plugin.c", "-o", module)
    assert done.returncode == 0, done.stdout
    return module


# Record, module, where the public headers are: what is declared elsewhere is of
# no interest. A plugin's module has nothing else.
records = [(root / "tests/abi/plugin.abi", plugin("own"), None),
           (root / "tests/abi/liblamina.abi", build / "src/liblamina.so.1",
            root / "include")]
for record, module, headers in records:
    public = ["--drop-private-types", "--headers-dir", headers] \
        if headers else []
    if "--update" in sys.argv:
        done = run("abidw", *public, *SHORT, "--out-file", record, module)
        assert done.returncode == 0, done.stdout
    public = ["--headers-dir2" if p == "--headers-dir" else p for p in public]
    done = run("abidiff", *public, record, module)
    check(f"{record.name} is as on record", done.returncode == 0, done.stdout)

# That a change is seen at all: one member more, one that is gone, another type.
for name, old, new in (
        ("member", "    int32_t has_f64;", "    int32_t has_f64, has_f16;"),
        ("order", "    double min, max;", "    int32_t scheduled2; double min, max;"),
        ("type", "    uint64_t seed; //", "    uint32_t seed; //")):
    module = plugin(name, lambda text: text.replace(old, new, 1))
    done = run("abidiff", records[0][0], module)
    check(f"a changed {name} is seen", done.returncode & 4, done.stdout)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] > 0)
