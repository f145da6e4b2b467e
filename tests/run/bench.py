#!/usr/bin/env python3
"""Runs `lamina bench` as a user would: bench.py BUILD. No time is judged."""
import json
import pathlib
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
model = root / "models" / "unet-small.yaml"
small = ["--set", "inputs.image=N,1,64,64", "--batch", "2", "--repeats", "3"]
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}


def check(name, good, text=""):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name + ("" if good else "\n" + text),
          flush=True)


def bench(*arguments):
    return subprocess.run([lamina, "bench", model, *small, *map(str, arguments)],
                          text=True, capture_output=True, check=False)


for kind in "train", "infer":
    done = bench("--pass", kind, "--format", "json")
    row = json.loads(done.stdout or "{}")
    check(f"{kind}, JSON", done.returncode == 0 and len(row["all_ms"]) == 3
          and row["min_ms"] <= row["median_ms"] and row["plan_mib"] > 0,
          done.stdout + done.stderr)
plans = [json.loads(bench("--format", "json", "--set", f"train.keep={keep}").stdout)
         ["plan_mib"] for keep in ("float", "half")]
check("halves are benched as halves", plans[1] < 0.95 * plans[0], str(plans))
done = bench("--kernels")
check("kernels", done.returncode == 0 and "conv_" in done.stdout
      and "| per image |" in done.stdout, done.stdout + done.stderr)
done = json.loads(bench("--kernels", "--format", "json").stdout)
rows = done["kernels"]
check("kernels, JSON", abs(sum(row["share"] for row in rows) - 1) < 0.01
      and all(row["calls"] > 0 and row["ms"] >= 0 for row in rows), str(rows))
rows = done["layer_times"]
passes = {row["pass"] for row in rows if row["layer"] == "enc1.b.conv"}
check("layers, JSON", abs(sum(row["share"] for row in rows) - 1) < 0.01
      and passes == {"run", "data", "weight"}, str(rows))
# The kernels of the optimiser are of no layer.
check("layers take less than the step", 0 < sum(row["ms"] for row in rows) <
      sum(row["ms"] for row in done["kernels"]))
done = done["peak"]
check(f"the device at best, {done}", 1 < done["gflops"] and 0.1 < done["gb_s"])
done = bench("--format", "csv")
check("CSV", done.returncode == 0 and len(done.stdout.splitlines()) == 2
      and len({line.count(",") for line in done.stdout.splitlines()}) == 1,
      done.stdout + done.stderr)
merged = json.loads(bench("--format", "json").stdout)["gmacs"]
plain = json.loads(bench("--format", "json", "--no-fuse").stdout)["gmacs"]
check("merged layers need fewer multiply-adds", merged < plain,
      f"{merged} {plain}")
saved = folder / "saved.safetensors"
done = bench("--pass", "infer", "--save", saved)
check("save", done.returncode == 0 and b"bench.output" in saved.read_bytes(),
      done.stderr)
def bench_layer(*arguments):
    return subprocess.run([lamina, "bench", *map(str, arguments), "--repeats",
                           "2"], text=True, capture_output=True, check=False)


layer = ["--layer", "conv2d filters=4 kernel=3", "--layer", "relu", "--shape",
         "1x3x16x16"]
done = bench_layer(*layer, "--format", "json")
rows = json.loads(done.stdout or "[]")
check("layers alone", [row["pass"] for row in rows]
      == ["run", "data", "weight", "run", "data"]
      and all(row["min_ms"] > 0 for row in rows)
      and abs(rows[0]["gmacs"] * 1e9 - 4 * 3 * 9 * 256) < 1000,
      done.stdout + done.stderr)
done = bench_layer("--layer", "concat", "--shape", "1x2x9x9 1x3x9x9 1x1x9x9")
check("three inputs", done.stdout.count("| concat |") == 2,
      done.stdout + done.stderr)
done = bench_layer(*layer[:2], *layer[4:], "--variants", "implicit", "--format",
                   "csv")
check("a variant asked for", done.stdout.count(",implicit,") == 3,
      done.stdout + done.stderr)
for arguments, found in (
        ([*layer, "--kernels"], "go with a model file"),
        (layer[:2], "--layer wants --shape"),
        (["--layer", "conv2d filters=4 kernl=3", "--shape", "1x3x16x16"],
         "did you mean 'kernel'"),
        (["--layer", "relu", "--shape", "1x3x"], "--shape has '1x3x'")):
    done = bench_layer(*arguments)
    check(" ".join(arguments), done.returncode == 2 and found in done.stderr,
          done.stderr)
for arguments, found in ((["--pass", "x"], "--pass is 'x'"),
                         (["--batch", "0"], "--batch is '0'"),
                         (["--format", "xml"], "--format is 'xml'"),
                         (["--save", saved], "--save goes with --pass infer"),
                         (["--kernels", "--format", "csv"], "goes with --format")):
    done = bench(*arguments)
    check(" ".join(map(str, arguments)),
          done.returncode == 2 and found in done.stderr, done.stderr)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] > 0)
