#!/usr/bin/env python3
"""lamina and a peer on the same networks, weights and machine:

  compare.py [--peer NAME] [--python VENV/bin/python] [--rounds N] [--repeats N]
             [--layout L] [--limit SECONDS] BUILD [CASE..]

NAME is torch (L: channels_last or contiguous), onnxruntime, tensorflow or
tinygrad; what it needs is in requirements.txt beside this file, for a virtual
environment outside the tree. The two take turns, each in a process of its own, so
that peak memory is each one's own; times are medians over all rounds. That the
networks are the same is checked by the outputs for one input: more than 1e-3 apart
ends it. A peer that takes longer than the limit, or cannot do a case, gets a row
that says so. Prints a table in Markdown."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
CASES = {
    "n16-train-2": ("n16", "train", 2, []),
    "n16-infer-2": ("n16", "infer", 2, []),
    "n16-train-8": ("n16", "train", 8, []),
    "unet256-train-4": ("unet", "train", 4, []),
    "unet256-infer-4": ("unet", "infer", 4, []),
    "unet512-train-2": ("unet", "train", 2, ["inputs.image=N,1,512,512"]),
    "unet512-infer-2": ("unet", "infer", 2, ["inputs.image=N,1,512,512"]),
}


def run(*command):
    result = subprocess.run([str(part) for part in command], text=True,
                            capture_output=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout


def run_peer(limit, *command):
    """Its answer, or why there is none."""
    try:
        result = subprocess.run([str(part) for part in command], text=True,
                                capture_output=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"more than {limit:.0f} s"
    if result.returncode:
        return result.stderr.strip().splitlines()[-1]
    return json.loads(result.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--peer", default="torch", choices=[
        "torch", "onnxruntime", "tensorflow", "tinygrad"])
    parser.add_argument("--layout", default="channels_last",
                        choices=["channels_last", "contiguous"])
    parser.add_argument("--limit", type=float, default=300)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("cases", nargs="*", default=[])
    options = parser.parse_args()
    build = options.build.resolve()
    lamina = build / "tools" / "lamina"
    os.environ.setdefault("LAM_PLUGIN_PATH", str(build / "plugins"))
    unknown = set(options.cases) - set(CASES)
    if unknown:
        sys.exit(f"unknown case {unknown.pop()}: {' '.join(CASES)}")
    threads = len(os.sched_getaffinity(0))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-bench-"))
    name = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime",
            "tensorflow": "TensorFlow"}.get(options.peer, options.peer)
    print(f"| case | lamina ms | {name} ms | ratio | peak MiB | {name} MiB | "
          "ratio | largest difference |\n|---|---|---|---|---|---|---|---|")
    for case in options.cases or CASES:
        model, kind, batch, sets = CASES[case]
        file = root / "models" / f"{model}.yaml"
        sets = [part for text in sets for part in ("--set", text)]
        resolved, saved = folder / f"{case}.yaml", folder / f"{case}.safetensors"
        resolved.write_text(run(lamina, "inspect", file, "--resolved", *sets))
        run(lamina, "bench", file, *sets, "--pass", "infer", "--warmup", 1,
            "--repeats", 1, "--no-fuse", "--save", saved)
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(json.loads(run(
                lamina, "bench", file, *sets, "--pass", kind, "--batch", batch,
                "--repeats", options.repeats, "--format", "json")))
            theirs.append(run_peer(
                options.limit, options.python,
                pathlib.Path(__file__).with_name(f"{options.peer}_run.py"),
                resolved, saved, kind, batch, options.repeats, threads,
                *([options.layout] if options.peer == "torch" else [])))
            if isinstance(theirs[-1], str):
                break
        if isinstance(theirs[-1], str):
            print(f"| {case} | {ours[0]['median_ms']:.0f} | {theirs[-1]} |"
                  + " |" * 5, flush=True)
            continue
        if theirs[0]["max_difference"] > 1e-3:
            sys.exit(f"{case}: outputs differ by {theirs[0]['max_difference']}")
        a, b = (statistics.median(row["median_ms"] for row in rows)
                for rows in (ours, theirs))
        m, n = (max(row["peak_rss_mib"] for row in rows)
                for rows in (ours, theirs))
        print(f"| {case} | {a:.0f} | {b:.0f} | {b / a:.2f} | {m:.0f} | {n:.0f} | "
              f"{m / n:.2f} | {theirs[0]['max_difference']:.1e} |", flush=True)


main()
