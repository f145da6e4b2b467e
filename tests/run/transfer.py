#!/usr/bin/env python3
"""Starts trainings from the weights of others: transfer.py BUILD."""
import json

from program import check, finish, folder, root, run


def train(name, size, *words):
    return run("train", root / "models/unet-small.yaml", "--data",
               "phantom:20:64:3", "--run", folder / name, "--set",
               f"inputs.image=N,1,{size},{size}", "--set", "train.epochs=1",
               *words)


def weights(name):
    """Bytes by name, but for the optimiser's."""
    data = (folder / name / "last.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    return {key: data[8 + size + t["data_offsets"][0]:
                       8 + size + t["data_offsets"][1]]
            for key, t in json.loads(data[8:8 + size]).items()
            if key != "__metadata__" and not key.startswith("optim.")}


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

finish()
