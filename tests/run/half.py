#!/usr/bin/env python3
"""Training with halves as a user would, `train.keep` and `train.store`: half.py BUILD.

Values that wait for the backward pass take half the memory; forward is not
touched, bit for bit; a run repeats and goes on exactly; and it learns what it
learns with floats. The loss is scaled meanwhile: powers of two change nothing,
and a step whose gradients overflow is left out. Stored as halves, all that lies
between layers takes half the memory, and a run repeats, goes on and learns too.
"""
import csv
import hashlib
import json
import os
import pathlib
import re
import struct
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


def train(name, keep, steps, *more, key="keep", size=64):
    return run(root / "models/unet-small.yaml", "--data", f"phantom:12:{size}:1",
               "--set", "train.batch=2", "--set", f"inputs.image=N,1,{size},{size}",
               "--set", f"train.{key}={keep}", "--set", f"train.steps={steps}",
               "--run", name, *more)


def store(name, precision, steps):
    return train(name, precision, steps, key="store", size=32)


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
done = train("c", "half", 10)
done = run("--resume", "c", "--set", "train.steps=20")
check("resume, same bytes", done.returncode == 0 and digest("c") == digest("a"),
      done)
last, lost = losses("whole")[-1], losses("a")[-1]
check(f"the loss falls as with floats, {lost} and {last}",
      lost < losses("half1")[0] and abs(lost - last) < 0.05 * last)


def read(name):
    """Metadata and tensors of a checkpoint."""
    data = (folder / name / "last.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def scale_of(name):
    meta = read(name)[0]["__metadata__"]
    return [meta.get("loss_scale" + part) for part in ("", ".good", ".skipped")]


def set_scale(name, scale):
    header, tensors = read(name)
    header["__metadata__"]["loss_scale"] = scale
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / name / "last.safetensors").write_bytes(
        struct.pack("<Q", len(text)) + text + tensors)


check(f"the loss is scaled: {scale_of('a')}",
      scale_of("a") == ["65536", "20", "0"] and scale_of("whole")[0] is None)
done = train("fixed", "float", 20, "--set", "train.loss_scale=4096")
check("a power of two changes no bit", done.returncode == 0 and
      read("fixed")[1] == read("whole")[1], done)
done = train("sum", "half", 20, "--set", "train.micro_batch=1")
check("in micro-batches", done.returncode == 0 and scale_of("sum")[1] == "20",
      done)
# Gradients grow with the scale until they are too large for halves.
set_scale("c", str(2 ** 40))
done = run("--resume", "c", "--set", "train.steps=40")
scale, _, skipped = scale_of("c")
check(f"{skipped} steps left out, scale {scale}", done.returncode == 0 and
      int(skipped) == done.stderr.count(": left out; scaled by ") > 0 and
      float(scale) == 0.5 ** int(skipped) * 2 ** 40, done)
check("and it learns on", losses("c")[-1] < losses("c")[3], done)
done = train("e", "half", 1, "--set", f"train.loss_scale={2 ** 40}")
check("a fixed scale that overflows: exit 5, the weight named",
      done.returncode == 5 and re.search(
          r"step 1: the gradient of weight \S+ has a non-finite value with the "
          "loss scaled by", done.stderr), done)

whole = store("floats", "float", 6)
half = store("halves", "half", 6)
check("stored as halves, and told that it is not for processors",
      half.returncode == 0 and "train.store=half is for GPUs" in half.stderr, half)
check(f"activations {activations(whole)} MiB become {activations(half)}",
      0 < activations(half) < 0.55 * activations(whole), half)
check("forward rounds", losses("floats") != losses("halves"))
last, lost = losses("floats")[-1], losses("halves")[-1]
check(f"the loss is that of floats, {lost} and {last}", abs(lost - last) < 0.01 * last)
check("the loss is scaled", scale_of("halves") == ["65536", "6", "0"])
store("again", "half", 3)
done = run("--resume", "again", "--set", "train.steps=6")
check("resume, same bytes", done.returncode == 0 and
      digest("again") == digest("halves") is not None, done)
done = train("d", "quarter", 1)
check("quarter", done.returncode == 2 and "quarter" in done.stderr, done)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] > 0)
