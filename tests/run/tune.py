#!/usr/bin/env python3
"""Runs `lamina tune` as a user would: tune.py BUILD [--long].

What it measures is used, explained and can be ignored; a variant that computes
something else never wins, whatever its score; a run goes on with the kernels it
began with; damaged files are left out with a sentence. No time is judged.
--long measures CLBlast's parameters too, which it compiles for minutes.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}
environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"),
               "LAM_PLUGIN_PATH":
               f"{build / 'plugins'}:{build / 'tests' / 'plugins'}"}
wrong = folder / "wrong.yaml"
wrong.write_text("""format: 1
name: wrong
inputs:
  image: [N, 1, 64, 64]
layers:
  - {name: c, type: conv2d, filters: 1, kernel: 1}
  - {name: w, type: wrong}
outputs: [w]
loss: {type: sigmoid_ce, from: w}
""")
small = ["--set", "inputs.image=N,1,64,64"]


def run(*arguments, **more):
    return subprocess.run([lamina, *map(str, arguments)], cwd=folder,
                          env={**environment, **more}, text=True,
                          capture_output=True, check=False)


def check(name, good, done=None):
    counts["passed" if good else "failed"] += 1
    text = "" if good or done is None else f"\n{done.stdout}{done.stderr}"
    print(("ok     " if good else "FAILED ") + name + text, flush=True)


def digest(name):
    file = folder / name / "last.safetensors"
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


def explained(*more):
    done = run("bench", wrong, "--repeats", 1, "--warmup", 1, "--explain", *more)
    rows = [line.split() for line in done.stderr.splitlines()]
    return next((row[2] + " " + " ".join(row[3:]) for row in rows
                 if row[:2] == ["w", "run"]), done.stderr)


check("by score the wrong one is taken", "forgetful score 20" in explained())
done = run("tune", wrong, "--repeats", 3, "--json")
result = json.loads(done.stdout or "{}")
check("tune", done.returncode == 0 and result.get("measured", 0) >= 4
      and result["refused"] == 2 and "forgetful refused: off by" in done.stderr,
      done)
check("the right one is taken", "right measured:" in explained())
check("--variants wins", "forgetful asked for" in explained(
    "--variants", "w:run=forgetful"))
check("--no-tuning", "forgetful score 20" in explained("--no-tuning"))
again = json.loads(run("tune", wrong, "--json").stdout)
check("nothing is measured twice", again["measured"] == 0
      and again["known"] == result["measured"])
listed = run("tune", "--list")
check("--list", listed.returncode == 0
      and "wrong | 1x1x64x64 | train run | right" in listed.stdout, listed)

# The file: other columns, cut short, no text at all; another device's rows.
file = pathlib.Path(result["file"])
text = file.read_text()
for name, damaged in (("columns", text.replace('"layer"', '"tier"', 1)),
                      ("cut", text[:len(text) // 2].rsplit('"', 1)[0]),
                      ("binary", "\0\1\2\"\n"), ("empty", "")):
    file.write_text(damaged)
    done = run("bench", wrong, "--repeats", 1, "--explain")
    check(f"damaged: {name}", done.returncode == 0
          and "it is left out" in done.stderr, done)
file.write_text(text.replace("wrong", "wronk").replace(
    text.splitlines()[1].split(",")[7], '"another device"'))
check("another device", "forgetful score 20" in explained())

# A run goes on with its kernels although other ones have won since.
train = ["train", root / "models/unet-small.yaml", "--data", "phantom:12:64:1",
         "--set", "train.batch=2", "--no-progress", *small]
first = run("tune", "--clear")
for name in "a", "b":
    done = run(*train, "--run", name, "--set", "train.steps=4",
               "--variants", "conv2d=direct", "--no-fuse")
check("4 steps twice", done.returncode == 0 and digest("a") == digest("b"), done)
begun = (folder / "a" / "kernels.txt").read_text()
check("kernels are written down", "merged=no" in begun
      and "enc1.a.conv:run=direct" in begun)
tuned = run("tune", root / "models/unet-small.yaml", *small, "--batch", 2,
            "--repeats", 1, "--pass", "train", "--no-progress")
check("tune a network", tuned.returncode == 0 and first.returncode == 0, tuned)
for name, more in ("a", ["--no-tuning"]), ("b", []):
    done = run("train", "--resume", name, "--set", "train.steps=8", "--no-progress",
               *more)
check("resume, same bytes", done.returncode == 0 and digest("a") == digest("b"),
      done)

# CLBlast's parameters: kept like the layers' rows, written down by a run.
chosen = "GemmRoutine XGEMM_MIN_INDIRECT_SIZE=116"
rows = file.read_text().splitlines()
device = rows[1].split('","')[7:] if len(rows) > 1 else ["", "", ""]
row = ["gemm", "float", "any", "any", chosen, "1.5", "own 2.0; products "
       "4x5x6 x1 nnbb", *device]
file.write_text("\n".join([*rows, '"' + '","'.join(row)]) + "\n")


def products(*more, **environ):
    done = run("bench", wrong, "--repeats", 1, "--warmup", 1, "--explain",
               *more, **environ)
    return next((line for line in done.stderr.splitlines()
                 if line.startswith("matrix products")), "")


check("products of a processor are our own", products() == "")
check("CLBlast's parameters are used", f"{chosen}; measured: 1.5 ms, own 2.0"
      in products(LAM_GEMM="clblast"))
check("CLBlast's own by --no-tuning",
      products("--no-tuning", LAM_GEMM="clblast").split()[-1:] == ["own"])
# No layer computes with them, whichever had won above: CLBlast takes long to
# build, see --long.
done = run(*train, "--run", "c", "--set", "train.steps=1", "--variants",
           "conv2d=direct", LAM_GEMM="clblast")
begun = (folder / "c" / "kernels.txt").read_text()
check("a run writes them down", f"gemm={chosen}\n" in begun, done)
(folder / "c" / "kernels.txt").write_text(
    begun.replace(chosen, "Xgemm KWG=16"))
done = run("train", "--resume", "c", "--set", "train.steps=2", "--no-progress",
           LAM_GEMM="clblast")
check("and goes on with them", done.returncode == 2
      and "CLBlast refuses the parameters of Xgemm" in done.stderr, done)
if "--long" in sys.argv:
    one = ["tune", wrong, "--gemm", "--variants", "conv2d=gemm", "--pass",
           "infer", "--budget", 1, "--repeats", 1, "--no-progress", "--json"]
    done = run(*one, LAM_GEMM="clblast")
    result = json.loads(done.stdout or "{}")
    check("tune --gemm", done.returncode == 0 and result["measured"] == 3
          and not result["known"] and result["own_ms"] > 0, done)
    check("its row", f'"{result.get("parameters")}"' in file.read_text())
    done = run(*one, LAM_GEMM="clblast")
    check("tune --gemm, known", json.loads(done.stdout)["known"], done)
    done = subprocess.run([build / "tests" / "device_gemm", "--clblast"],
                          env=environment, text=True, capture_output=True,
                          check=False)
    check("products by both of its kernels", done.returncode == 0, done)

for arguments, found in ((["tune"], "wanted a model file"),
                         (["tune", wrong, "--gemm"], "do not go through CLBlast"),
                         (["tune", wrong, "--budget", "x"], "--budget is 'x'"),
                         (["tune", wrong, "--pass", "x"], "--pass is 'x'"),
                         (["bench", wrong, "--variants", "w=wright"],
                          "has no variant 'wright' (did you mean 'right'?)")):
    done = run(*arguments)
    check(" ".join(map(str, arguments)),
          done.returncode == 2 and found in done.stderr, done)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] > 0)
