#!/usr/bin/env python3
"""--json of every verb that has it: one valid object that agrees with what people
read; lamina compare and train --dry-run: json_output.py BUILD."""
import json
import math
import os
import re
import subprocess

from program import build, check, finish, folder, lamina, root, run

model = root / "models/unet-small.yaml"
small = ["--set", "inputs.image=N,1,32,32"]
data = "phantom:10:32:1"
no_driver = {**os.environ, "OCL_ICD_VENDORS": "/nonexistent"}


def refuse(word):
    raise ValueError(f"{word} is not JSON")


def document(name, *words, code=0):
    """The object that a verb prints, or {} where it is none."""
    done = run(*words, "--json")
    try:
        value = json.loads(done.stdout, parse_constant=refuse)
    except ValueError as problem:
        value = str(problem)
    is_good = isinstance(value, dict) and done.returncode == code
    check(f"{name}: one object", is_good, f"{value}\n{done.stderr}")
    return value if is_good else {}


def keys(value):
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else (
            value if isinstance(value, list) else ()):
        yield from keys(item)


def agrees(name, value, fields, text):
    """Each number of the object is in the text, as it is printed there."""
    wanted = [form % value for value, form in fields]
    missing = [w for w in wanted if w not in text]
    check(f"{name}: as people read it", value and not missing,
          f"{missing} in\n{text}")
    odd = [k for k in keys(value) if not re.fullmatch(r"[a-z][a-z0-9_]*", k)]
    check(f"{name}: names", not odd, odd)


def mib(size):
    return size / 2**20


found = document("inspect", "inspect", model, "--batch", 2)
text = run("inspect", model, "--batch", 2).stdout
agrees("inspect", found, [
    (len(found["layers"]), "%d layers, "), (found["parameters"], "%d parameters, "),
    (found["macs"] / 1e9, "%.3f GMACs"), (found["running_layers"], "runs: %d layers"),
    (found["running_macs"] / 1e9, "%.3f GMACs,"),
    (mib(found["training_memory"]["total_bytes"]), "workspaces: %.1f MiB"),
    (found["training_memory"]["buffers"], "in %d buffers"),
    (found["training_memory"]["joined"], "layers without work: %d have"),
    (found["training_memory"]["joined_gradients"], "output, %d their")],
     text)
sums = root / "models/fcn.yaml"
found_sums = document("inspect sums", "inspect", sums)
agrees("inspect: sums", found_sums, [
    (found_sums["training_memory"]["shared_gradients"], "a sum serves: %d")],
    run("inspect", sums).stdout)
check("inspect: layers add up", found["parameters"] == sum(
    row["parameters"] for row in found["layers"]) and
    found["layers"][0]["output"][0] == 2, found["layers"][0])

found = document("check", "check", model, root / "models/n16.yaml")
text = run("check", model, root / "models/n16.yaml").stdout
agrees("check", found, [(row["parameters"], "%d parameters")
                        for row in found["models"]], text)
(folder / "bad.yaml").write_text("format: 1\nnome: x\n")
found = document("check, a fault", "check", folder / "bad.yaml", code=2)
check("check, a fault: told", "bad.yaml:2:1" in (found.get("error") or ""), found)

found = document("layers", "layers")
rows = re.findall(r"^(\w+) +(\w+) ", run("layers").stdout, re.MULTILINE)
check("layers: all", [(row["kind"], row["name"]) for row in found["layers"]] == rows,
      rows)
one = document("layers NAME", "layers", "conv2d")["layers"]
text = run("layers", "conv2d").stdout
check("layers NAME: parameters", len(one) == 1 and all(
    re.search(rf"^  {p['name']} +{p['type']} ", text, re.MULTILINE)
    for p in one[0]["parameters"]) and one[0]["variants"], text)

found = document("data stats", "data", "stats", data)
text = run("data", "stats", data).stdout
agrees("data stats", found, [
    (found["train"]["images"], "train %5d images"),
    (found["train"]["foreground_mean"], "foreground %.4f on average"),
    (found["intensity"]["high"], "to %.0f of 65535"),
    (found["best_grey_threshold"]["above"], "above %d of 255"),
    (found["best_grey_threshold"]["train_dice"], "Dice train %.3f")], text)
none = document("data stats: no val", "data", "stats", "phantom:2:32:1")
check("no number is null", none["val"]["foreground_mean"] is None, none)
found = document("data check", "data", "check", data)
agrees("data check", found, [(found["images"], "%d images, "),
                             (found["without_foreground"], "%d without foreground")],
       run("data", "check", data).stdout)
for part in "images", "masks":
    (folder / "d\udce4ta" / part).mkdir(parents=True)
(folder / "d\udce4ta/images/\"a\\.pgm").write_bytes(b"P5 4 4 255\n" + bytes(16))
(folder / "d\udce4ta/masks/\"a\\.pgm").write_bytes(b"P5 4 4 255\n12")
found = document("data check: odd names", "data", "check", folder / "d\udce4ta",
                 code=2)
check("data check: what is wrong", len(found.get("problems", [])) == 1 and
      "\"a\\.pgm" in found["problems"][0] and "d\ufffdta" in found["data"], found)
found = document("data shift", "data", "shift", data, "phantom:4:32:2")
agrees("data shift", found, [(row["shift"], " %8.2f  ") for row in found["sets"]],
       run("data", "shift", data, "phantom:4:32:2").stdout)

found = document("devices", "devices")
check("devices: as people read it", all(
    f"{row['index']:2}  {row['name'][:36]}" in run("devices").stdout
    for row in found["devices"]) and found["devices"], found)

found = document("selftest", "selftest", "--op", "concat", "-v")
check("selftest: cases", found["failed"] == 0 and found["error"] is None and
      len(found["cases"]) == found["passed"] > 3 and
      not any(row["problem"] for row in found["cases"]), found)
found = document("plugin check", "plugin", "check", build / "plugins/resize.so",
                 "--no-device", "-v")
check("plugin check: checks", found["passed"] == len(found["checks"]) > 3, found)

# ------------------------------------------------------------------- dry run
train = ["train", model, "--data", data, *small, "--set", "train.epochs=2",
         "--set", "train.batch=4"]
plan = document("train --dry-run", *train, "--dry-run")
text = run(*train, "--dry-run").stdout
agrees("train --dry-run", plan, [
    (plan["parameters"], "%d parameters"), (plan["n_train"], "data: %d train"),
    (plan["steps"], "steps: 1 to %d, "), (plan["batch"], "of %d images"),
    (mib(plan["memory"]["total_bytes"]), "memory: %.1f MiB"),
    (plan["device"], "device: %s")], text)
check("train --dry-run: writes nothing", not list(folder.glob("runs")) and
      plan["steps"] == 2 * plan["steps_per_epoch"])
done = subprocess.run([lamina, *map(str, train), "--dry-run", "--json"],
                      env=no_driver, capture_output=True, text=True, check=False)
alone = json.loads(done.stdout or "{}")
check("train --dry-run: no device", done.returncode == 0 and alone["device"] is None
      and alone["memory"]["weight_bytes"] == plan["memory"]["weight_bytes"] and
      "no device" in done.stderr, done.stderr)
done = subprocess.run([lamina, *map(str, train), "--dry-run", "--device", "gpu"],
                      env=no_driver, capture_output=True, text=True, check=False)
check("train --dry-run: a device that is wanted", done.returncode == 3, done.stderr)
for words, code, told in ((["--set", "train.bacth=2"], 2, "batch"),
                          (["--set", "train.micro_batch=3"], 2, "does not divide"),
                          (["--init", "none"], 7, "none"),
                          (["--data", "none"], 2, "none")):
    done = run(*train, "--dry-run", *words)
    check(f"train --dry-run: {' '.join(words)}", done.returncode == code and
          told in done.stderr, f"{done.returncode} {done.stderr}")
done = run(*train, "--json")
check("--json goes with --dry-run", done.returncode == 2, done.stderr)

# ------------------------------------------------------------------ compare
runs = []
for name, more in ("a", []), ("b", ["--set", "train.lr=0.01", "--set",
                                    "up.kind=transpose"]):
    runs.append(folder / name)
    done = run(*train, "--run", runs[-1], "-q", *more)
    check(f"train {name}", done.returncode == 0, done.stderr)
found = document("compare", "compare", *runs)
text = run("compare", *runs).stdout
check("compare: what differs", found["differences"]["train.lr"] == ["0.002", "0.01"]
      and found["differences"]["up3.resize"] == ["resize scale=2 mode=nearest", None]
      and found["differences"]["up1.conv"][0] is None
      and "train.epochs" not in found["differences"]
      and not any(k.startswith("enc") for k in found["differences"]),
      found["differences"])
for i, row in enumerate(found["runs"]):
    lines = [json.loads(line) for line in
             (runs[i] / "metrics.jsonl").read_text().splitlines()]
    best = max(lines, key=lambda line: line["val_dice"])
    check(f"compare: scores of {runs[i].name}", row["best_epoch"] == best["epoch"] and
          row["best_val_dice"] == best["val_dice"] and
          row["last_loss"] == lines[-1]["loss"] and math.isclose(
              row["seconds"], sum(line["seconds"] for line in lines), rel_tol=1e-6),
          row)
agrees("compare", {"runs": found["runs"]}, [
    (row[key], form) for row in found["runs"] for key, form in (
        ("best_val_dice", "%.4f"), ("parameters", "%d"), ("plan_mib", "%.1f"))], text)
check("compare: parameters and memory", found["runs"][0]["parameters"] ==
      plan["parameters"] and math.isclose(found["runs"][0]["plan_mib"], mib(
          plan["memory"]["total_bytes"]), rel_tol=1e-6), found["runs"][0])
check("compare: the same", "the same configuration" in
      run("compare", runs[0], runs[0]).stdout)
(folder / "begun").mkdir()
for name in "model.yaml", "run.json":
    (folder / "begun" / name).write_bytes((runs[0] / name).read_bytes())
found = document("compare: a run without an epoch", "compare", runs[0],
                 folder / "begun")
check("compare: no score is null", found["runs"][1]["best_val_dice"] is None, found)
for words, code, told in (([runs[0]], 2, "two run folders"),
                          ([runs[0], folder / "none"], 1, "none is no run folder"),
                          ([runs[0], folder], 2, "model.yaml")):
    done = run("compare", *words)
    check(f"compare: {told}", done.returncode == code and told in done.stderr,
          f"{done.returncode} {done.stderr}")
(folder / "begun" / "model.yaml").write_text("a: [1\n")
done = run("compare", runs[0], folder / "begun")
check("compare: a damaged file", done.returncode == 2 and
      "begun/model.yaml:" in done.stderr, done.stderr)

# ----------------------------------------------------------------- evaluate
found = document("evaluate", "evaluate", runs[0], "--split", "val")
text = run("evaluate", runs[0], "--split", "val").stdout
agrees("evaluate", found, [
    (found["n_images"], "%d images"), (found["threshold"], "probability %.2f"),
    (found["mean"]["dice"], "mean over images              %.4f"),
    (found["pooled"]["iou"], "%.4f"), (found["by_image_rule"]["mean_iou"], "%.4f")],
    text)
check("evaluate: images", len(found["images"]) == found["n_images"] and math.isclose(
    found["mean"]["dice"], sum(row["dice"] for row in found["images"])
    / found["n_images"], rel_tol=1e-6), found["images"])
finish()
