#!/usr/bin/env python3
"""Measures a model in PyTorch: torch_run.py MODEL.yaml SAVED.safetensors PASS
BATCH REPEATS THREADS LAYOUT. MODEL is resolved; SAVED holds weights, an input and
the output of `lamina bench --save`; LAYOUT is channels_last or contiguous. Prints
one line of JSON."""
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import load_file

from torch_model import LAYOUTS, Model


def main():
    path, saved, kind, batch, repeats, threads, layout = sys.argv[1:]
    layout = LAYOUTS[layout]
    batch, repeats = int(batch), int(repeats)
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    with open(path, encoding="utf-8") as file:
        description = yaml.safe_load(file)
    tensors = load_file(saved)
    model = Model(description).to(memory_format=layout)
    with torch.no_grad():
        model.load(tensors)
    model.eval()
    with torch.no_grad():
        output = model(tensors["bench.input"].contiguous(
            memory_format=layout))
    difference = (output - tensors["bench.output"]).abs().max().item()
    shape = (batch, *tensors["bench.input"].shape[1:])
    x = torch.rand(shape).contiguous(memory_format=layout)
    logits = description["loss"]["from"]
    with torch.no_grad():
        size = model(x, logits).shape
    labels = torch.randint(0, 2, (size[0], *size[2:]))
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def train():
        optimizer.zero_grad()
        F.cross_entropy(model(x, logits), labels).backward()
        optimizer.step()

    def infer():
        with torch.inference_mode():
            model(x)

    model.train(kind == "train")
    step = train if kind == "train" else infer
    spent = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        step()
        spent.append(1e3 * (time.perf_counter() - started))
    print(json.dumps({
        "peer": f"PyTorch {torch.__version__}", "first_ms": spent[0],
        "median_ms": statistics.median(spent[2:]), "min_ms": min(spent[2:]),
        "max_difference": difference,
        "peak_rss_mib":
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


main()
