#!/usr/bin/env python3
"""How a training step scales over ranks: predict.py [--check FILE].

A model of src/reduce.c, one micro-batch a rank (weak scaling). Efficiency is
the time of a step of one rank by that of n. --check reads what measure.py has
written and puts measured times beside predicted ones. docs/scale.md states the
assumptions and has the tables.
"""
import argparse
import json
import math

# What a rank computes: seconds of a step, bytes of gradients, share of the
# backward pass. Two cores: docs/benchmarks.md, n16-train-2 and unet256-train-4.
# "/20": an accelerator twenty times as fast, an assumption.
WORK = {
    "N16, 2 cores": {"step": 0.897, "bytes": 47.7 * 2**20, "back": 0.67},
    "U-Net, 2 cores": {"step": 1.139, "bytes": 32.9 * 2**20, "back": 0.67},
}
for name in list(WORK):
    WORK[name.replace("2 cores", "/20")] = {**WORK[name],
                                            "step": WORK[name]["step"] / 20}

# A network as a rank sees it: bytes a second each way, seconds of latency,
# seconds of processor time a message. Bandwidths are the nominal ones of the
# standards, less a tenth for headers; latencies and overheads are the usual
# published orders of magnitude of MPI on each.
NETWORKS = {
    "1 Gbit/s Ethernet, TCP": {"rate": 0.9 * 125e6, "latency": 50e-6,
                               "message": 5e-6},
    "10 Gbit/s Ethernet, TCP": {"rate": 0.9 * 1.25e9, "latency": 30e-6,
                                "message": 5e-6},
    "100 Gbit/s Ethernet, RoCE": {"rate": 0.9 * 12.5e9, "latency": 4e-6,
                                  "message": 0.5e-6},
    "200 Gbit/s InfiniBand HDR": {"rate": 0.9 * 25e9, "latency": 1.5e-6,
                                  "message": 0.3e-6},
}
HOST = {
    "copy": 10e9,     # bytes a second between device and host memory
    "add": 4e9,       # bytes of gradients a second that one thread adds up
    "poll": 80e-6,    # seconds until a waiting rank looks again
    "bucket": 1 << 20,
    "jitter": 0.01,   # standard deviation of a rank's step, as a share of it
    "early": 0.5,     # share of the backward pass behind an average gradient:
                      # the costly layers of an encoder come last
}


def step_time(work, network, ranks, per_network=1, host=HOST, micro=1):
    """Seconds of a step of `micro` micro-batches a rank; per_network ranks
    share one network card."""
    compute = work["step"] * micro
    if ranks == 1:
        return compute
    size, n = work["bytes"], ranks
    buckets = max(1, math.ceil(size / host["bucket"]))
    part = size * (n - 1) / n
    rate = network["rate"] / per_network
    # Of one exchange of all buckets: parts out, sums back.
    half = max(part / rate, 2 * buckets * (n - 1) * network["message"])
    adding = size / host["add"]
    reading = size / host["copy"]
    delays = 2 * (network["latency"] + host["poll"])
    # A round ends with a bucket that no computing can hide.
    def exposed(total):
        hidden = work["step"] * work["back"] * host["early"] * \
            (1 - 1 / buckets)
        return max(total - hidden, total / buckets) + delays

    first = exposed(half + adding) + reading
    last = exposed(2 * half + adding) + reading
    control = (n - 1) * network["message"] + \
        2 * math.log2(n) * (network["latency"] + host["poll"])
    storing = size / host["copy"]
    slowest = work["step"] * micro * host["jitter"] * \
        math.sqrt(2 * math.log(n))
    return compute + (micro - 1) * first + last + control + storing + slowest


def bytes_sent(work, ranks, micro=1):
    return work["bytes"] * (micro + 1) * (ranks - 1) / ranks


def table():
    counts = [2, 4, 8, 16, 64, 256, 1000]
    print("| network | a rank | " + " | ".join(map(str, counts)) + " |")
    print("|---|---|" + "---|" * len(counts))
    for network_name, network in NETWORKS.items():
        for name, work in WORK.items():
            shares = [work["step"] / step_time(work, network, n)
                      for n in counts]
            print(f"| {network_name} | {name} | " +
                  " | ".join(f"{100 * s:.0f} %" for s in shares) + " |")


def check(path):
    """Measured steps in network namespaces beside predicted ones."""
    measured = json.loads(open(path).read())
    alone = {r["ranks"]: r["step"] for r in measured["rows"]
             if not r["mbit"]}
    print("| Mbit/s | ranks | step, no limit, ms | step, ms | lost, ms | "
          "predicted lost, ms | sent a step, MiB | predicted, MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for row in measured["rows"]:
        if not row["mbit"] or row["ranks"] == 1:
            continue
        # Ranks share two cores: what they compute in is what they take where
        # nothing limits the network.
        work = {"step": alone[row["ranks"]], "bytes": measured["bytes"],
                "back": 0.67}
        network = {"rate": row["mbit"] * 1e6 / 8 * 0.95, "latency": 50e-6,
                   "message": 20e-6}
        host = {**HOST, "jitter": 0.0}
        predicted = step_time(work, network, row["ranks"], host=host)
        print(f"| {row['mbit']} | {row['ranks']} | "
              f"{1e3 * alone[row['ranks']]:.0f} | {1e3 * row['step']:.0f} | "
              f"{1e3 * (row['step'] - alone[row['ranks']]):.0f} | "
              f"{1e3 * (predicted - work['step']):.0f} | "
              f"{row['sent'] / 2**20:.2f} | "
              f"{bytes_sent(work, row['ranks']) / 2**20:.2f} |")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--check", metavar="FILE")
options = parser.parse_args()
if options.check:
    check(options.check)
else:
    table()
