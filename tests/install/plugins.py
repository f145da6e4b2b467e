#!/usr/bin/env python3
"""Plugins outside the tree, against an installed lamina: plugins.py BUILD.

What `lamina plugin new` makes builds, passes its own tests and trains; `lamina
plugin check` finds each of the mistakes made here, one by one.
"""
import csv
import re
import shutil
import sys

from tree import Tree, root

tree = Tree(sys.argv[1])
check, run = tree.check, tree.run

done = run("lamina", "plugin", "new", "soft")
check("plugin new", done.returncode == 0, done)
for arguments, found in ((["new", "soft"], "cannot be made: File exists"),
                         (["new", "relu"], "there is a layer 'relu' already"),
                         (["new", "Soft"], "cannot be the name of a layer"),
                         (["new", "kernel"], "cannot be the name of a layer"),
                         (["new"], "wanted new NAME"),
                         (["check", "none.so"], "No such file"),
                         (["check", sys.executable], "lam_plugin alone"),
                         (["check", "soft/soft.c"], "not a shared module")):
    done = run("lamina", "plugin", *arguments)
    check("refused: " + " ".join(arguments), 0 < done.returncode < 3 and
          found in done.stdout, done)
done = run("./ci.sh", cwd=tree.work / "soft")
check("its ci.sh", done.returncode == 0 and
      re.search(r"^Ok: +2", done.stdout, re.MULTILINE), done)
for file in ".gitlab-ci.yml", ".github/workflows/check.yml":
    check(f"{file} runs it", "./ci.sh" in (tree.work / "soft" / file)
          .read_text())
built = tree.work / "soft/build/soft.so"
done = run("lamina", "plugin", "check", built, "--verbose")
check("plugin check", "14 passed, 0 failed, 0 skipped" in done.stdout, done)
done = run("lamina", "plugin", "check", built, "--no-device")
check("plugin check --no-device",
      "8 passed, 0 failed, 1 skipped" in done.stdout, done)
done = run("lamina", "layers", "soft", LAM_PLUGIN_PATH=f"{built.parent}:")
check("LAM_PLUGIN_PATH adds a folder", "soft.so" in done.stdout, done)
done = run("meson", "install", "-C", built.parent, "--quiet")
check("meson install", done.returncode == 0, done)
done = run("lamina", "plugin", "list")
check("plugin list", "/soft.so soft 0.1: soft" in done.stdout and
      "/conv2d.so conv2d 0.1: conv2d" in done.stdout, done)
done = run("lamina", "plugin", "check", built)
check("checked although installed", done.returncode == 0, done)
next(tree.libdir.glob("lamina/*/soft.so")).unlink()

# One mistake each: file, what is there, what takes its place, what is found.
mistakes = [
    ("soft.cl", "dx[i] = dy[i] / (d * d)", "dx[i] = dy[i] / d", "central differences: input 0"),
    ("soft.cl", "x[i] / (REAL(1.0)", "x[i] / (REAL(1.1)", "soft case 0"),
    ("soft.cl", "if (i < n)\n        y", "if (i < n - 1)\n        y", "soft case"),
    ("soft.cl", "if (i < n)\n        y", "y", "past the end"),
    ("soft.cl", "const long i", "const lang i", "lang"),
    ("soft.c", "static void soft_cut", "LAM_PLUGIN_EXPORT void soft_cut(int64_t, "
     "size_t *, size_t *);\nvoid soft_cut", "it exports"),
    ("soft.c", "(void)io;", "int lam_fail(void);\n    lam_fail();",
     "it wants lam_fail"),
    ("soft.c", "(void)io;", "*(volatile int *)0 = 1;", "it crashed"),
    ("soft.c", ".abi_version = LAM_ABI_VERSION", ".abi_version = 99",
     "made for plugin ABI 99"),
    ("soft.c", ".config_size = sizeof(struct soft_config)", ".config_size = 4",
     "lies outside the config struct"),
    ("soft.c", '.def = "1"', '.def = "2000"', "its default: width is 2000"),
    ("soft.c", ".min = 0.001", ".min = 2000", "a range from 2000 to 1000"),
    ("soft.c", '     .doc = "where the curve flattens"},', "    },",
     "'width' has no doc line"),
    ("soft.c", '{.name = "width",', '{.name = "from",', "cannot be a parameter"),
    ("soft.c", "    .samples = soft_samples,\n", "", "no sample to run it with"),
    ("soft.c", "    .reference = soft_reference,\n", "", "no reference"),
    ("soft.c", "shapes->n_out = 1;", "shapes->n_out = 1;\n"
     "    shapes->pitched_in = 1;", "plain with gaps between images: "),
    ("soft.c", "shapes->n_out = 1;", "shapes->n_out = 1;\n"
     "    shapes->pitched_out = 1;", "written to between its images"),
    ("soft.c", '.name = "soft",\n    .summary', '.name = "relu",\n    .summary',
     "layer 'relu' is already there"),
    ("soft.c", "x / (1 + fabs", "x / (1.001 + fabs", "soft case 0"),
    ("soft.c", 'error = "wanted 0.001 to"', 'error = "wanted more"',
     "was expected"),
    ("soft.c", 'params = "width=0.5"', 'params = ""', ""),
]
flags = run("pkg-config", "--cflags", "lamina").stdout.split()
cl2h = tree.variable("lamina", "cl2h")
for number, (file, old, new, found) in enumerate(mistakes):
    folder = tree.work / f"mistake{number}"
    folder.mkdir()
    for name in "soft.c", "soft.cl":
        shutil.copy(tree.work / "soft" / name, folder)
    text = (folder / file).read_text()
    assert old in text, old
    (folder / file).write_text(text.replace(old, new, 1))
    run(cl2h, folder / "soft.cl", folder / "soft.cl.h")
    # -z lazy: what is left open shall not keep it from being made.
    done = run("cc", "-w", "-shared", "-fPIC", "-fvisibility=hidden", *flags,
               "-Wl,-z,undefs", folder / "soft.c", "-o", folder / "soft.so",
               "-lm")
    if not done.returncode:
        done = run("lamina", "plugin", "check", folder / "soft.so")
    check(f"mistake in {file}: {found or 'none, only a hint'}",
          found in done.stdout and (done.returncode == 2 if found else
                                    done.returncode == 0), done)

half = tree.work / "half.so"
half.write_bytes(built.read_bytes()[:3000])
done = run("lamina", "plugin", "check", half)
check("a file cut short", done.returncode == 2 and
      "not a whole shared module" in done.stdout, done)
for offset in range(16, 64, 4):  # a header that points anywhere
    data = bytearray(built.read_bytes())
    data[offset:offset + 4] = b"\xf0\xff\xff\x7f"
    half.write_bytes(data)
    done = run("lamina", "plugin", "check", half, "--no-device")
    if done.returncode not in (0, 2):
        check(f"a header damaged at {offset}", False, done)
# The plugins from the literature: they still are what `plugin new` makes, build,
# pass their tests, and a network learns with them.
template = (root / "tools/template/meson.build").read_text().splitlines()
for name in "carafe", "attention_gate":
    source = root / "examples/plugins" / name
    lines = (source / "meson.build").read_text().splitlines()
    check(f"{name}: meson.build as plugin new makes it",
          all(line.replace("@name@", name) in lines for line in template))
    folder = tree.build(source, name)
    done = run("meson", "test", "-C", folder, "--print-errorlogs")
    check(f"{name}: its tests", done.returncode == 0, done)
    run("meson", "install", "-C", folder, "--quiet")
    shutil.copy(source / "model.yaml", tree.work / f"net-{name}.yaml")
    done = run("lamina", "train", f"net-{name}.yaml", "--data", "phantom:40:32:1",
               "--run", f"run-{name}")
    metrics = tree.work / f"run-{name}/metrics.csv"
    losses = [float(row["loss"]) for row in csv.DictReader(metrics.open())] \
        if metrics.exists() else [0, 0]
    check(f"{name}: installed, a network learns with it",
          done.returncode == 0 and losses[-1] < 0.9 * losses[0], done)
tree.end()
