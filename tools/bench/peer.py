"""What the programs that measure a peer share: arguments, timing, the answer."""
import json
import resource
import statistics
import sys
import time

import numpy
import yaml
from safetensors.numpy import load_file


class Job:
    """MODEL.yaml SAVED.safetensors PASS BATCH REPEATS THREADS, as torch_run.py."""

    def __init__(self):
        path, saved, self.kind, batch, repeats, threads = sys.argv[1:]
        self.batch, self.repeats = int(batch), int(repeats)
        self.threads = int(threads)
        with open(path, encoding="utf-8") as file:
            self.model = yaml.safe_load(file)
        self.tensors = load_file(saved)
        self.input = self.tensors["bench.input"]
        self.output = self.tensors["bench.output"]
        self.logits = self.model["loss"]["from"]
        rng = numpy.random.default_rng(1)
        self.x = rng.random((self.batch, *self.input.shape[1:]), numpy.float32)
        self.labels = rng.integers(0, 2, (self.batch, *self.output.shape[2:]))

    def rows(self):
        """The layers with `from` as a list, in order."""
        before = next(iter(self.model["inputs"]))
        for row in self.model["layers"]:
            source = row.get("from", before)
            row["from"] = source if isinstance(source, list) else [source]
            before = row["name"]
            yield row

    def measure(self, peer, step, output):
        spent = []
        for _ in range(self.repeats + 2):
            started = time.perf_counter()
            step()
            spent.append(1e3 * (time.perf_counter() - started))
        print(json.dumps({
            "peer": peer, "first_ms": spent[0],
            "median_ms": statistics.median(spent[2:]), "min_ms": min(spent[2:]),
            "max_difference": float(numpy.abs(output - self.output).max()),
            "peak_rss_mib":
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)
