#!/usr/bin/env python3
"""What stays behind: leaks.py BUILD [--long].

Bar R29. After every verb no OpenCL object is alive, and 1,000 steps of training
(--long: 10,000) do not make the process grow by 1 %.
"""
import pathlib
import re
import subprocess
import time

from common import DATA, check, done, folder, is_long, lamina, layer, root, \
    run, tiny

LOG = folder / "log"
ALL_FREED = "live" + " 0" * 6
# lamina devices asks in a child process, whose end frees all.
VERBS = [
    ["layers"], ["check", tiny], ["inspect", tiny],
    ["data", "phantom", "images", "--count", 1, "--size", 20],
    ["train", tiny, *DATA, "--run", "a", "--explain"],
    ["train", "--resume", "a", "--quiet", "--set", "train.steps=4"],
    ["predict", "a", "images/images", "--out", "out", "--tile", 16,
     "--overlap", 4],
    ["evaluate", "a", "--csv", "scores.csv", "--overlays", "pictures"],
    ["checkerboard", "a"],
    ["bench", tiny, "--repeats", 2], ["bench", tiny, "--repeats", 2, "--kernels"],
    ["tune", tiny, "--repeats", 1, "--quiet"],
    ["selftest", "--op", "relu"], ["selftest", "--exact", 3],
]


for arguments in VERBS:
    LOG.unlink(missing_ok=True)
    end, text = run(*arguments, OPENCL_LAYERS=layer, CLF_LOG=LOG,
                    XDG_CACHE_HOME=folder / "cache")
    # A verb that asks for no device writes no log.
    last = LOG.read_text().splitlines()[-1] if LOG.exists() else ALL_FREED
    check("no object left after " + " ".join(map(str, arguments[:2])),
          end == 0 and last == ALL_FREED, f"exit {end}, {last}\n{text[-1500:]}")

steps = 10000 if is_long else 1000
process = subprocess.Popen(
    [lamina, "train", root / "models/unet-small.yaml", "--data",
     "phantom:20:32:1", "--run", "long", "--set", "inputs.image=N,1,32,32",
     "--set", "train.batch=1", "--set", f"train.steps={steps}", "--set",
     "train.eval_every=0"], cwd=folder, stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL)
sizes = []  # pairs of step and KiB
metrics = folder / "long/metrics.csv"
while process.poll() is None:
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        rows = metrics.read_text().splitlines()
        sizes.append((int(rows[-1].split(",")[1]),
                      int(re.search(r"VmRSS:\s+(\d+)", status).group(1))))
    except (OSError, IndexError, ValueError, AttributeError):
        pass
    time.sleep(0.02)
early = [size for step, size in sizes if steps // 10 <= step <= steps // 5]
late = [size for step, size in sizes if step >= steps * 9 // 10]
growth = 100 * (max(late) / max(early) - 1) if early and late else 100.0
check(f"{steps} steps: {max(late, default=0)} KiB, growth {growth:.2f} %",
      process.returncode == 0 and growth < 1.0,
      f"exit {process.returncode}, {len(sizes)} samples")
done()
