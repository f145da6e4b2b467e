#!/usr/bin/env python3
"""Training with `train.keep=half` as a user would: half.py BUILD.

Values that wait for the backward pass take half the memory; forward is not
touched, bit for bit; a run repeats and goes on exactly; and it learns what it
learns with floats.
"""
import csv
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}
environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"),
               "LAM_PLUGIN_PATH": str(build / "plugins")}


def run(*arguments):
    return subprocess.run([lamina, "train", *map(str, arguments), "--no-progress"],
                          cwd=folder, env=environment, text=True,
                          capture_output=True, check=False)


def train(name, keep, steps, *more):
    return run(root / "models/unet-small.yaml", "--data", "phantom:12:64:1",
               "--set", "train.batch=2", "--set", "inputs.image=N,1,64,64",
               "--set", f"train.keep={keep}", "--set", f"train.steps={steps}",
               "--run", name, *more)


def check(name, good, done=None):
    counts["passed" if good else "failed"] += 1
    text = "" if good or done is None else f"\n{done.stdout}{done.stderr}"
    print(("ok     " if good else "FAILED ") + name + text, flush=True)


def digest(name):
    file = folder / name / "last.safetensors"
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


def losses(name):
    with (folder / name / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def activations(done):
    found = re.search(r"activations ([\d.]+) in", done.stderr)
    return float(found[1]) if found else 0.0


whole = train("whole1", "float", 1)
half = train("half1", "half", 1)
check("one step", whole.returncode == 0 and half.returncode == 0, half)
check("forward is the same, bit for bit", losses("whole1") == losses("half1"))
check("backward is not", digest("whole1") != digest("half1"))
check(f"activations {activations(whole)} MiB become {activations(half)}",
      0 < activations(half) < 0.9 * activations(whole), half)
done = train("whole", "float", 20)
for name in "a", "b":
    done = train(name, "half", 20)
check("20 steps twice, same bytes", done.returncode == 0 and
      digest("a") == digest("b") is not None, done)
done = train("c", "half", 7)
done = run("--resume", "c", "--set", "train.steps=20")
check("resume, same bytes", done.returncode == 0 and digest("c") == digest("a"),
      done)
last, lost = losses("whole")[-1], losses("a")[-1]
check(f"the loss falls as with floats, {lost} and {last}",
      lost < losses("half1")[0] and abs(lost - last) < 0.05 * last)
done = train("d", "quarter", 1)
check("quarter", done.returncode == 2 and "quarter" in done.stderr, done)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] > 0)
