#!/usr/bin/env python3
"""Trains small networks as a user would: train.py BUILD [KILLS].

Equal seeds give equal bytes, with one thread and with two; 20 steps are 10 and
10 after a resume; a run killed at a random moment goes on; every upsampling
strategy trains; results can be predicted with and measured. Prints one line a
case and "N passed, N failed, N skipped".
"""
import concurrent.futures
import hashlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

build = pathlib.Path(sys.argv[1]).resolve()
kills = int(sys.argv[2]) if len(sys.argv) > 2 else 3
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
model = root / "models" / "unet-small.yaml"
small = ["--data", "phantom:20:64:1", "--set", "inputs.image=N,1,64,64",
         "--set", "train.batch=4", "--no-progress"]
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}


def run(*arguments, **environment):
    return subprocess.run([lamina, *map(str, arguments)], cwd=folder,
                          env={**os.environ, **environment}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)


def check(name, good, text=""):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name + ("" if good else "\n" + text),
          flush=True)


def train(name, steps, *more, **environment):
    return run("train", model, *small, "--run", name, "--set",
               f"train.steps={steps}", *more, **environment)


def digest(name):
    file = folder / name / "last.safetensors"
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


a = train("a", 20)
check("train 20 steps", a.returncode == 0, a.stdout)
train("b", 20)
check("same seed, same bytes", digest("a") and digest("a") == digest("b"))
train("c", 20, POCL_MAX_PTHREAD_COUNT="1", POCL_CPU_MAX_CU_COUNT="1")
check("one thread, same bytes", digest("a") == digest("c"))
for name in "basic1", "basic2":
    train(name, 20, POCL_DEVICES="basic")
check("another device: same seed, same bytes",
      digest("basic1") and digest("basic1") == digest("basic2"))

for name in "compiles", "told":  # the first may compile kernels
    with subprocess.Popen(
            [lamina, "train", model, "--data", "phantom:20:128:1", "--set",
             "inputs.image=N,1,128,128", "--set", "train.batch=8", "--set",
             "train.steps=2", "--no-progress", "--run", name], cwd=folder,
            stderr=subprocess.PIPE, text=True) as process:
        told = sum(float(mib) for mib in re.findall(
            r"about (\d+) MiB (?:with the process|more)", process.stderr.read()))
        used = os.wait4(process.pid, 0)[2].ru_maxrss / 1024
        process.returncode = 0
check(f"{told:.0f} MiB told, {used:.0f} used", abs(told - used) < 0.1 * used)

process = subprocess.Popen(
    [lamina, "train", model, *small, "--run", "e", "--set", "train.steps=20"],
    cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not (folder / "e" / "last.safetensors").exists() and process.poll() is None:
    time.sleep(0.01)
process.send_signal(signal.SIGINT)
code = process.wait()
check("Ctrl-C saves and exits 130 (or was too late)", code in (0, 130), str(code))
resumed = run("train", "--resume", "e", "--quiet")
check("resume", resumed.returncode == 0, resumed.stdout)
check("interrupted and resumed, same bytes", digest("a") == digest("e"))

# A network so small that most of the time goes into checkpoints, one a step.
(folder / "tiny.yaml").write_text("""format: 1
name: tiny
inputs:
  image: [N, 1, 16, 16]
layers:
  - {name: conv, type: conv2d, filters: 2, kernel: 3}
  - {name: norm, type: batchnorm}
  - {name: out, type: conv2d, filters: 1, kernel: 1}
outputs: [out]
loss: {type: sigmoid_ce, from: out}
train: {batch: 2, steps: 40, save_every: 1}
""")
short = ["tiny.yaml", "--data", "phantom:10:16:1", "--quiet"]


def epochs(name):
    rows = (folder / name / "metrics.csv").read_text().splitlines()[1:]
    return [row.split(",")[:2] for row in rows]


def started(name):
    """A training that has written its first checkpoint."""
    process = subprocess.Popen([lamina, "train", *short, "--run", name],
                               cwd=folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while (not (folder / name / "last.safetensors").exists()
           and process.poll() is None):
        time.sleep(0.001)
    return process


def killed(i):
    """One, at a random moment: whether half a file was there, what is wrong."""
    name = f"kill{i}"
    moments = random.Random(i)
    end = 0
    while end == 0:  # or it was too late
        shutil.rmtree(folder / name, ignore_errors=True)
        process = started(name)
        time.sleep(moments.random() * whole_time)
        process.kill()
        end = process.wait()
    is_writing = any((folder / name).glob("*.part"))
    again = run("train", "--resume", name, "--quiet")
    good = again.returncode == 0 and digest(name) == digest("whole") and \
        epochs(name) == epochs("whole")
    shutil.rmtree(folder / name)
    return is_writing, "" if good else f"{name}: {again.stdout[-500:]}"


run("train", *short, "--run", "warm")  # kernels are compiled
process = started("whole")
since = time.monotonic()
process.wait()
whole_time = time.monotonic() - since
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    ends = list(pool.map(killed, range(kills)))
bad = [text for _, text in ends if text]
check(f"{kills} times kill -9, {sum(was for was, _ in ends)} while a file was "
      "written: all resume to the same bytes and rows", not bad,
      "\n".join(bad[:10]) + f"\n{len(bad)} of {kills}")

for kind in ("nearest", "bilinear", "transpose", "transpose_bilinear",
             "pixel_shuffle"):
    swapped = train("up-" + kind, 2, "--set", f"up.kind={kind}")
    check(f"--set up.kind={kind} trains", swapped.returncode == 0,
          swapped.stdout)

micro = train("micro", 4, "--set", "train.micro_batch=2")
check("micro-batches", micro.returncode == 0 and "2 micro-batches of 2" in
      micro.stdout, micro.stdout)

made = run("data", "phantom", "images", "--count", 2, "--size", 72)
predicted = run("predict", "a", "images/images", "--out", "out", "--tile", 48,
                "--overlap", 8)
check("predict, padded and in tiles", predicted.returncode == 0 and
      len(list((folder / "out").glob("*_mask.png"))) == 2, predicted.stdout)
# Validated before the first step: a row more, the others the same but for times.
train("start", 20, "--set", "train.eval_start=true")
before, after = ((folder / name / "metrics.csv").read_text().splitlines()
                 for name in ("a", "start"))
first = dict(zip(after[0].split(","), after[1].split(",")))
check("a row of epoch 0",
      (first["epoch"], first["step"], first["loss"]) == ("0", "0", "")
      and 0 <= float(first["val_recall"]) <= 1
      and [row.split(",")[:9] for row in after[2:]] ==
      [row.split(",")[:9] for row in before[1:]], "\n".join(before + after))
shown = run("report", "start", "--out", "start.html")
both = run("compare", "start", "a")
check("report and compare take it", shown.returncode == 0
      and both.returncode == 0 and "nan" not in both.stdout,
      shown.stdout + both.stdout)
measured = run("evaluate", "a", "--csv", "scores.csv")
check("evaluate", measured.returncode == 0 and "mean over images" in
      measured.stdout and (folder / "scores.csv").exists(), measured.stdout)

for what, code, arguments in (
        ("unknown block parameter", 2, ["train", model, *small, "--set",
                                        "up.knd=nearest"]),
        ("unknown upsampling", 2, ["train", model, *small, "--set",
                                   "up.kind=nearst"]),
        ("no such data", 2, ["train", model, "--data", "nowhere"]),
        ("no such checkpoint", 7, ["predict", "nowhere.safetensors", "x.png",
                                   "--out", "o"]),
        ("no such device", 3, ["train", model, *small, "--device", "nothing"]),
        ("unknown option", 2, ["train", "--dta", "x"])):
    bad = run(*arguments)
    check(f"{what} exits {code} with a sentence", bad.returncode == code and
          bad.stdout.count("\n") < 6, f"{bad.returncode}: {bad.stdout}")

cut = (folder / "a" / "last.safetensors").read_bytes()
refused = 0
for part in range(1, 20):
    (folder / "cut.safetensors").write_bytes(cut[:len(cut) * part // 20])
    refused += run("evaluate", "cut.safetensors").returncode == 7
check("19 cut checkpoints are refused with exit code 7", refused == 19,
      f"{refused} of 19")

shutil.rmtree(folder)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] != 0)
