#!/usr/bin/env python3
"""Runs `lamina experiment` and `lamina checkerboard` as a user would, in a tiny
form: experiment.py BUILD."""
import csv

from program import check, finish, folder, root, run


def experiment(text, *arguments):
    path = folder / "experiment.yaml"
    path.write_text(text)
    return run("experiment", path, "--data", "phantom:12:64:5", "--out",
               folder / "out", *arguments)


text = f"""format: 1
name: tiny
model: {root}/models/upsampling.yaml
seeds: [1, 2]
set: ["inputs.image=N,1,64,64", train.epochs=1]
periods: 2,4
runs:
  - {{name: board, set: [up.kind=transpose3]}}
  - {{name: none,  set: [up.kind=bilinear]}}
"""
done = experiment(text)
rows = list(csv.DictReader((folder / "out/results.csv").open()))
check("two runs, two seeds", done.returncode == 0 and len(rows) == 4
      and done.stdout.count("\n") == 4, done.stdout + done.stderr)
first = {row["run"]: float(row["output_first_phase_2"]) for row in rows}
check("a 3x3 kernel at stride 2 leaves a checkerboard, bilinear does not",
      first["board"] > 0.05 and first["none"] < 0.002, str(first))
check("parameters, memory and time are there", all(
    float(row[name]) > 0 for row in rows
    for name in ("parameters", "gmacs", "peak_mib", "ms_per_image")), str(rows))
check("charts", {path.name for path in (folder / "out").glob("*.svg")} == {
    "dice.svg", "precision.svg", "recall.svg", "test-dice.svg",
    "checkerboard-first.svg", "checkerboard-trained.svg"})
before = (folder / "out/board-1/last.safetensors").stat().st_mtime_ns
again = experiment(text)
check("what is done is not done again", again.returncode == 0
      and again.stdout == done.stdout and before ==
      (folder / "out/board-1/last.safetensors").stat().st_mtime_ns, again.stderr)
done = run("checkerboard", folder / "out/board-1", "--periods", "2",
           "--pictures", folder / "pictures")
check("pictures", done.returncode == 0
      and len(list((folder / "pictures").glob("*.png"))) == 4, done.stderr)

# The comparison of losses as it is, but for its size.
done = run("experiment", root / "models/experiments/iou-loss.yaml", "--data",
           "phantom:12:32:5", "--out", folder / "losses", "--seeds", "1", "--set",
           "inputs.image=N,1,32,32", "--set", "train.epochs=2")
rows = list(csv.DictReader((folder / "losses/results.csv").open()))
check("five losses", done.returncode == 0 and [row["run"] for row in rows] ==
      ["ce", "ce-15", "ce-15-twice", "soft-iou", "half"], done.stderr)
epochs = {row["run"]: list(csv.DictReader(
    (folder / f"losses/{row['run']}-1/metrics.csv").open())) for row in rows}
check("their curves begin before the first step", all(
    [row["epoch"] for row in found] == ["0", "1", "2"] and not found[0]["loss"]
    for found in epochs.values()), str(epochs))
first = {name: float(found[1]["loss"]) for name, found in epochs.items()}
check("their first losses differ, half is half of two", len(set(first.values())) == 5
      and abs(first["half"] - (first["ce-15-twice"] + first["soft-iou"]) / 2)
      < 0.05, str(first))
check("curves of recall and precision from the start", all(
    (folder / "losses" / name).exists() for name in ("recall.svg", "precision.svg")))

# The upsampling laboratory as it is, but for its size.
done = run("experiment", root / "models/experiments/upsampling.yaml", "--data",
           "phantom:12:32:5", "--out", folder / "laboratory", "--seeds", "1",
           "--set", "inputs.image=N,1,32,32", "--set", "train.epochs=1")
rows = list(csv.DictReader((folder / "laboratory/results.csv").open()))
first = {row["run"]: float(row["output_first_phase_2"]) for row in rows}
even = {"transpose-bilinear", "nearest-conv", "bilinear-conv", "pixel-shuffle-icnr"}
check("nine ways to enlarge; those that start even have the least checkerboards",
      done.returncode == 0 and len(first) == 9 and
      max(first[name] for name in even) <
      min(first[name] for name in set(first) - even), done.stderr + str(first))

for name, bad, place in [
        ("unknown key", text.replace("seeds:", "seed:"), "yaml:4:1: unknown key"),
        ("no runs", text[:text.index("runs:")], "'runs' is a list"),
        ("same name", text.replace("name: none", "name: board"), "the same name"),
        ("a name that is no folder", text.replace("name: none", "name: a/b"),
         "yaml:9:5: a run's 'name'"),
        ("bad seed", text.replace("[1, 2]", "[1, x]"), "yaml:4:12: a seed")]:
    done = experiment(bad)
    check(name, done.returncode == 2 and place in done.stderr, done.stderr)
done = experiment(text.replace("up.kind=bilinear", "up.kind=cubic")
                  .replace("name: none", "name: cubic"))
check("a training that fails ends it", done.returncode == 1
      and "lamina train ended with exit code 2" in done.stderr, done.stderr)
done = run("checkerboard", folder / "out/board-1", "--periods", "1")
check("bad period", done.returncode == 2 and "--periods" in done.stderr,
      done.stderr)

finish()
