#!/usr/bin/env python3
"""Crops that grow in a run: crops.py BUILD.

A run of 32, then 48 x 64, then 64 pixels is the same bytes when it is stopped
between and within them, and on two devices.
"""
import os
import shutil

from program import check, finish, folder, root, run

shutil.copy(root / "models/blocks.yaml", folder)
model = folder / "grows.yaml"
model.write_text((root / "models/unet-small.yaml").read_text()
                 + """
schedule:
  - {epoch: 1, set: crop, value: 48 64}
  - {epoch: 2, set: crop, value: 64}
""")


def train(name, *words):
    return run("train", model, "--data", "phantom:20:64:3", "--run",
               folder / name, "--set", "inputs.image=N,1,32,32", "--set",
               "train.schedule=constant", "--set", "train.steps=6", *words)


def same(name):
    return ((folder / name / "last.safetensors").read_bytes()
            == (folder / "whole/last.safetensors").read_bytes())


done = train("whole")
places = [done.stderr.find(f"crops of {size}")
          for size in ("32 x 32", "48 x 64", "64 x 64")]
check("three sizes, one after the other", done.returncode == 0
      and 0 < places[0] < places[1] < places[2], done.stderr)
rows = (folder / "whole/metrics.csv").read_text().splitlines()
check("a row an epoch", [row.split(",")[0] for row in rows[1:]]
      == ["1", "2", "3"], "\n".join(rows))
check("the model file keeps the first size", "N,1,32,32" in
      (folder / "whole/model.yaml").read_text(),
      (folder / "whole/model.yaml").read_text()[:400])

for steps, what in [(2, "between two sizes"), (3, "within the second")]:
    done = train(f"cut{steps}", "--set", f"train.steps={steps}")
    check(f"stopped after step {steps}", done.returncode == 0, done.stderr)
    done = run("train", "--resume", folder / f"cut{steps}", "--set",
               "train.steps=6")
    check(f"stopped {what}, the same bytes", done.returncode == 0
          and same(f"cut{steps}"), done.stderr)

for value, text in [("47", "a crop of 47 x 47: "), ("x", "found 'x'"),
                    ("0", "found '0'"), ("32 x", "found '32 x'")]:
    bad = folder / "bad.yaml"
    bad.write_text(model.read_text().replace("value: 64}", f"value: {value}}}"))
    done = run("train", bad, "--data", "phantom:20:64:3", "--run", folder / "bad")
    check(f"crop '{value}' is refused before the first step",
          done.returncode == 2 and text in done.stderr
          and not (folder / "bad").exists(), done.stderr)

bad.write_text(model.read_text().replace("set: crop, value: 64",
                                         "set: loss.weight, value: 5"))
done = run("train", bad, "--data", "phantom:20:64:3", "--run", folder / "bad")
check("a row of a later epoch that fits nothing is refused before the first step",
      done.returncode == 2 and "'loss.weight' is no parameter" in done.stderr
      and not (folder / "bad").exists(), done.stderr)

os.environ["POCL_DEVICES"] = "pthread pthread"
done = train("one", "--device", "0", "--set", "train.micro_batch=2")
both = train("two", "--device", "0,1", "--set", "train.micro_batch=2")
check("two devices, the bytes of one", done.returncode == both.returncode == 0
      and (folder / "one/last.safetensors").read_bytes()
      == (folder / "two/last.safetensors").read_bytes(),
      done.stderr + both.stderr)

finish()
