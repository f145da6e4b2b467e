#!/usr/bin/env python3
"""Times single layers in PyTorch: torch_layers.py THREADS REPEATS LAYOUT <
rows.json.

A row is [name, [lines of torch.nn modules], input shape]; LAYOUT is channels_last
or contiguous. Prints JSON: per row the medians of forward and of backward (input
and weights), ms."""
import json
import statistics
import sys
import time

import torch
from torch import nn

from torch_model import LAYOUTS


def times(step, repeats):
    spent = []
    for _ in range(repeats + 3):
        started = time.perf_counter()
        step()
        spent.append(1e3 * (time.perf_counter() - started))
    return statistics.median(spent[3:])


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(1)
    layout = LAYOUTS[sys.argv[3]]
    results = []
    for name, modules, shape in json.load(sys.stdin):
        layer = nn.Sequential(*(eval(text, {"nn": nn}) for text in modules))
        layer = layer.to(memory_format=layout).train()
        x = (torch.rand(shape) * 2 - 1).contiguous(
            memory_format=layout).requires_grad_(True)
        y = layer(x)
        dy = torch.ones_like(y)
        repeats = int(sys.argv[2])
        forward = times(lambda: layer(x), repeats)
        both = times(lambda: layer(x).backward(dy), repeats)
        results.append({"name": name, "forward": forward,
                        "backward": both - forward})
    print(json.dumps(results))


main()
