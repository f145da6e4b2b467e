#!/usr/bin/env python3
"""Times training steps over limited networks: measure.py BUILD OUT.json [MBIT..]

Each rank is a machine of its own to mpirun: a network namespace with its own
host name, on a bridge; tc limits its way out to MBIT Mbit/s (0: no limit). A
rank has one thread, tied to a core. Rows are added to OUT.json; predict.py
--check OUT.json puts them beside the model. Wants root, iproute2 and Open MPI;
nothing leaves this machine.
"""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
NET = "10.77.0"
STEPS, EPOCHS, MICRO = 6, 4, 4
MODEL = root / "models" / "unet-small.yaml"

# What mpirun starts its daemon with on machine $1.
AGENT = """#!/bin/sh
space=lam${1##*.}
shift
exec nsenter --net=/run/netns/$space unshare --uts sh -c "hostname $space; $*"
"""
# A core for each rank, round and round.
RANK = """#!/bin/sh
exec taskset -c $((OMPI_COMM_WORLD_RANK % $(nproc))) "$@"
"""


def sh(text, wanted=True):
    subprocess.run(text, shell=True, check=wanted,
                   stderr=None if wanted else subprocess.DEVNULL)


def clear(n):
    for i in range(1, n + 1):
        sh(f"ip netns del lam{i}", False)
    sh("ip link del lambr", False)


def lay(n, mbit):
    """n namespaces with .1, .2 .. on a bridge where mpirun itself is .254."""
    clear(4)
    sh(f"ip link add lambr type bridge && ip addr add {NET}.254/24 dev lambr "
       "&& ip link set lambr up")
    for i in range(1, n + 1):
        inside = f"ip netns exec lam{i}"
        sh(f"ip netns add lam{i} && ip link add lamv{i} type veth peer name "
           f"lame netns lam{i} && ip link set lamv{i} master lambr up && "
           f"{inside} ip addr add {NET}.{i}/24 dev lame && "
           f"{inside} ip link set lame up && {inside} ip link set lo up")
        if mbit:
            sh(f"{inside} tc qdisc add dev lame root tbf rate {mbit}mbit "
               "burst 64kb latency 200ms")


def script(folder, name, text):
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return folder / name


def train(n, mbit, folder):
    """Seconds of a step, by epoch, and what rank 0 says of it at the end."""
    lay(n, mbit)
    run = f"{n}-{mbit}"
    images = round(STEPS * MICRO * n / 0.7) + 1
    process = subprocess.run(
        ["mpirun", "--host", ",".join(f"{NET}.{i + 1}" for i in range(n)),
         "--bind-to", "none", "--mca", "btl", "self,tcp", "--mca", "pml", "ob1",
         "--mca", "plm_rsh_agent", script(folder, "agent.sh", AGENT),
         "--mca", "btl_tcp_if_include", f"{NET}.0/24",
         "--mca", "oob_tcp_if_include", f"{NET}.0/24",
         "-x", "LAM_PLUGIN_PATH", "-x", "POCL_CACHE_DIR", "-x",
         "POCL_MAX_PTHREAD_COUNT=1", "-n", str(n),
         script(folder, "rank.sh", RANK), lamina, "train", MODEL, "--data",
         f"phantom:{images}:64:1", "--set", "inputs.image=N,1,64,64", "--set",
         f"train.batch={MICRO * n}", "--set", f"train.micro_batch={MICRO}",
         "--set", f"train.steps={STEPS * EPOCHS}", "--set",
         "train.eval_every=0", "--run", run, "--no-progress"],
        cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False,
        env={"LAM_PLUGIN_PATH": str(build / "plugins"),
             "POCL_CACHE_DIR": str(folder / "pocl"), **os.environ,
             "OMPI_ALLOW_RUN_AS_ROOT": "1",
             "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
    if process.returncode:
        sys.exit(process.stdout)
    rows = [line.split(",") for line in
            (folder / run / "metrics.csv").read_text().splitlines()]
    steps, seconds = rows[0].index("step"), rows[0].index("seconds")
    ends = [0] + [int(row[steps]) for row in rows[1:]]
    # The first epoch has the start in it.
    times = [float(row[seconds]) / (end - before) for row, before, end in
             zip(rows[1:], ends, ends[1:])][1:]
    said = re.search(r"sent [0-9.]+ MiB, ([0-9.]+) a step; of ([0-9.]+) ms from"
                     r" .* received, ([0-9.]+) ms", process.stdout)
    sent, exchange, late = map(float, said.groups()) if said else (0, 0, 0)
    return {"ranks": n, "mbit": mbit, "step": statistics.median(times),
            "least": min(times), "most": max(times), "sent": sent * 2**20,
            "exchange_ms": exchange, "after_backward_ms": late}


out = pathlib.Path(sys.argv[2])
result = json.loads(out.read_text()) if out.exists() else \
    {"bytes": 4 * 536_321, "rows": []}
with tempfile.TemporaryDirectory(prefix="lamina-") as name:
    try:
        for mbit in map(int, sys.argv[3:] or ("0", "1000", "200", "50")):
            for n in (1, 2, 4):
                if n == 1 and mbit:
                    continue
                result["rows"].append(train(n, mbit, pathlib.Path(name)))
                print(result["rows"][-1], flush=True)
                out.write_text(json.dumps(result, indent=1) + "\n")
    finally:
        clear(4)
