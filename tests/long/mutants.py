#!/usr/bin/env python3
"""Ten broken kernels, each of which the self-test must refuse: mutants.py BUILD [FILE...].

A kernel's source is changed in a copy of the tree, its plugin built, and the
self-test of its layer run with the program of BUILD. Ends with "N passed, N
failed, N skipped"; a mutant that lives is a failure.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
mutants = [
    ("writes one past the end", "activation", "relu",
     "y[i] = f(x[i], slope);", "y[i] = y[i + 1] = f(x[i], slope);"),
    ("leaves out the last element", "concat", "concat",
     "i < last", "i < last - 1"),
    ("without barriers", "conv_implicit", "conv2d",
     "        barrier(CLK_LOCAL_MEM_FENCE);\n", ""),
    ("wrong stride", "pixel_shuffle", "pixel_shuffle",
     "big[w * R + j] = small", "big[j * W + w] = small"),
    ("swapped weights", "conv_plain", "conv2d", "* a[s];", "* a[S - 1 - s];"),
    ("wrong pad", "conv_plain", "conv2d",
     "p * sh + r * dh - top", "p * sh + r * dh - top - 1"),
    ("gradient of another element", "softmax", "softmax",
     "(dy[c * S + t] - sum[t])", "(dy[c * S + t] - sum[0])"),
    ("a sum for a maximum", "softmax", "softmax",
     "x[c * S + t] > most[t] ?", "x[c * S + t] < most[t] ?"),
    ("moment not squared", "adam", "adam",
     "rest2 * gradient * gradient", "rest2 * gradient"),
    ("input read at the output's place", "resize", "resize",
     "y[ox] = row[i];", "y[ox] = row[ox];"),
]
mutants = [m for m in mutants if not sys.argv[2:] or m[1] in sys.argv[2:]]
failed = 0

with tempfile.TemporaryDirectory(prefix="lamina-") as folder:
    tree = pathlib.Path(folder) / "tree"
    tree.mkdir()
    for path in subprocess.run(["git", "ls-files", "-z"], cwd=root, text=True,
                               stdout=subprocess.PIPE,
                               check=True).stdout.split("\0"):
        if path and (root / path).is_file():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, tree / path)
    subprocess.run(["meson", "setup", tree / "build", "-Dtests=false"], cwd=tree,
                   check=True, stdout=subprocess.DEVNULL)
    for name, file, op, old, new in mutants:
        source = tree / "cl" / f"{file}.cl"
        text = source.read_text()
        plugin = {"adam": "adam", "conv_plain": "conv2d",
                  "conv_implicit": "conv2d"}.get(file, file)
        if old not in text:
            failed += 1
            print(f"FAILED {file}.cl: {name}: its source has changed")
            continue
        source.write_text(text.replace(old, new))
        plugins = pathlib.Path(folder) / f"{file}-{name.replace(' ', '-')}"
        plugins.mkdir()
        subprocess.run(["ninja", "-C", tree / "build", f"plugins/{plugin}.so"],
                       check=True, stdout=subprocess.DEVNULL)
        shutil.copy2(tree / "build" / "plugins" / f"{plugin}.so", plugins)
        source.write_text(text)
        done = subprocess.run(
            [build / "tools" / "lamina", "selftest", "--op", op, "--tiny"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False,
            env={**os.environ, "LAM_PLUGIN_PATH": str(plugins),
                 "XDG_CACHE_HOME": folder})
        caught = done.returncode != 0 and "FAILED" in done.stdout
        failed += not caught
        why = done.stdout[done.stdout.find("FAILED"):].splitlines()[:2]
        print(("ok     " if caught else "FAILED ") + f"{file}.cl: {name}: " +
              (" ".join(line.strip() for line in why) if caught else
               done.stdout[-300:]), flush=True)
print(f"{len(mutants) - failed} passed, {failed} failed, 0 skipped")
sys.exit(failed != 0)
