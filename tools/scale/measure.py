#!/usr/bin/env python3
"""Times training steps over limited networks: measure.py BUILD OUT.json.

Each rank runs in a network namespace of this machine, joined by a bridge; tc
limits each rank's way out. Wants root, iproute2 and Open MPI; nothing leaves
the machine. Ranks share its cores, so the time without a limit is that of the
computing. predict.py --check OUT.json puts the result beside the model.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
STEPS = 6
MODEL = root / "models" / "unet-small.yaml"


def sh(text, wanted=True):
    subprocess.run(text, shell=True, check=wanted, stderr=subprocess.DEVNULL
                   if not wanted else None)


def clear(n):
    for i in range(n):
        sh(f"ip netns del lam{i}", False)
    sh("ip link del lambr", False)


def lay(n, mbit):
    """n namespaces 10.77.0.1, .2 .. on a bridge that mpirun's own talk to."""
    clear(4)
    sh("ip link add lambr type bridge && ip addr add 10.77.0.254/24 dev lambr "
       "&& ip link set lambr up")
    for i in range(n):
        sh(f"ip netns add lam{i} && ip link add lamv{i} type veth peer name "
           f"lame netns lam{i} && ip link set lamv{i} master lambr up && "
           f"ip netns exec lam{i} ip addr add 10.77.0.{i + 1}/24 dev lame && "
           f"ip netns exec lam{i} ip link set lame up && "
           f"ip netns exec lam{i} ip link set lo up")
        if mbit:
            sh(f"ip netns exec lam{i} tc qdisc add dev lame root tbf rate "
               f"{mbit}mbit burst 256kb latency 200ms")


def train(n, mbit, folder):
    """Seconds of a step and bytes that rank 0 sent in it."""
    lay(n, mbit)
    inside = folder / "rank.sh"
    inside.write_text(
        "#!/bin/sh\nexec ip netns exec lam$OMPI_COMM_WORLD_RANK \"$@\"\n")
    inside.chmod(0o755)
    rows = []
    for steps in (2, 2 + STEPS):
        run = f"{n}-{mbit}-{steps}"
        process = subprocess.run(
            ["mpirun", "--oversubscribe", "--bind-to", "none",
             "--mca", "btl", "self,tcp", "--mca", "pml", "ob1",
             "--mca", "btl_tcp_if_include", "10.77.0.0/24",
             "--mca", "oob_tcp_if_include", "10.77.0.0/24",
             "-n", str(n), inside, lamina, "train", MODEL, "--data",
             "phantom:20:64:1", "--set", "inputs.image=N,1,64,64", "--set",
             f"train.batch={4 * n}", "--set", "train.micro_batch=4", "--set",
             f"train.steps={steps}", "--set", "train.eval_every=0", "--run",
             run, "--no-progress"],
            cwd=folder, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False,
            env={**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1",
                 "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
        if process.returncode:
            sys.exit(process.stdout)
        seconds = [float(line.split(",")[-1]) for line in
                   (folder / run / "metrics.csv").read_text().splitlines()[1:]]
        sent = re.search(r"rank 0 sent ([0-9.]+) MiB; of ([0-9.]+) ms from .* "
                         r"received, ([0-9.]+) ms", process.stdout)
        rows.append((sum(seconds), *(map(float, sent.groups()) if sent else
                                     (0.0, 0.0, 0.0))))
    # The first steps have the start in them.
    return {"ranks": n, "mbit": mbit, "step": (rows[1][0] - rows[0][0]) / STEPS,
            "sent": (rows[1][1] - rows[0][1]) / STEPS * 2**20,
            "exchange_ms": rows[1][2], "after_backward_ms": rows[1][3]}


with tempfile.TemporaryDirectory(prefix="lamina-") as name:
    result = {"bytes": 4 * 535_617, "rows": []}
    try:
        for mbit in (None, 1000, 200, 50):
            for n in (1, 2, 4):
                if n == 1 and mbit:
                    continue
                result["rows"].append(train(n, mbit, pathlib.Path(name)))
                print(result["rows"][-1], flush=True)
    finally:
        clear(4)
pathlib.Path(sys.argv[2]).write_text(json.dumps(result, indent=1) + "\n")
