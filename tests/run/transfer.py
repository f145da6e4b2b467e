#!/usr/bin/env python3
"""Starts trainings from the weights of others: transfer.py BUILD."""
import json
import pathlib
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}


def check(name, good, text=""):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name + ("" if good else "\n" + text),
          flush=True)


def train(run, size, *words):
    return subprocess.run(
        [lamina, "train", root / "models/unet-small.yaml", "--data",
         "phantom:20:64:3", "--run", folder / run, "--set",
         f"inputs.image=N,1,{size},{size}", "--set", "train.epochs=1",
         *map(str, words)], text=True, capture_output=True, check=False)


def weights(run):
    """Bytes by name, but for the optimiser's."""
    data = (folder / run / "last.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    return {name: data[8 + size + t["data_offsets"][0]:
                       8 + size + t["data_offsets"][1]]
            for name, t in json.loads(data[8:8 + size]).items()
            if name != "__metadata__" and not name.startswith("optim.")}


done = train("small", 32)
check("train at 32", done.returncode == 0, done.stderr)
small = weights("small")
done = train("frozen", 64, "--init", folder / "small/last.safetensors", "--set",
             "train.freeze=enc* mid.a*")
frozen = weights("frozen")
kept = {name for name in small if small[name] == frozen.get(name)}
check("64 from 32, the encoder frozen", done.returncode == 0
      and kept == {name for name in small
                   if name.startswith(("enc", "mid.a")) and "running" not in name},
      done.stderr + str(sorted(kept)))
done = train("none", 32, "--set", "train.freeze=enc* dek*")
check("a pattern that fits nothing", done.returncode == 2
      and "'dek*' fits no layer with weights" in done.stderr, done.stderr)

print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] != 0)
