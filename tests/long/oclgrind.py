#!/usr/bin/env python3
"""Every kernel under Oclgrind: oclgrind.py BUILD [--uninitialized] [OP...].

`lamina selftest --tiny` with checks of memory, data races and API calls: the log
must be empty (Oclgrind's exit status says nothing), and every kernel of every
plugin must have been enqueued. With --uninitialized it looks for values that no
one wrote instead, one OP after the other, but for maxpool and avgpool, on which,
unoptimised, Oclgrind 21.10 itself crashes; the poison of new buffers sees them
too. Ends with "N passed, N failed, N skipped".

Kernels are built without optimisation: Oclgrind 21.10 does not know freeze nor
noalias scopes, and widens vectors of truth values by their sign, so that maxpool
gets wrong places from `condition ? 1 : place`.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
is_unset = "--uninitialized" in sys.argv
ops = [word for word in sys.argv[2:] if word != "--uninitialized"]
counts = {"passed": 0, "failed": 0}
enqueued = set()


def check(name, good, text=""):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name + ("" if good else "\n" + text),
          flush=True)


def run(checks, op, folder):
    log, kernels = folder / "log", folder / "kernels"
    for file in (log, kernels):
        file.unlink(missing_ok=True)
    done = subprocess.run(
        ["oclgrind", "--build-options", "-cl-opt-disable", "--check-api",
         *checks, "--log", log, build / "tools" / "lamina", "selftest",
         "--tiny", "--timeout", "3600", "--kernels", kernels,
         *(["--op", op] if op else [])],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, env={**os.environ, "XDG_CACHE_HOME": str(folder),
                          "LAM_PLUGIN_PATH": str(build / "plugins")})
    text = log.read_text() if log.exists() else "there is no log"
    check(f"{op or 'all layers'} under {' '.join(checks)}",
          done.returncode == 0 and not text,
          done.stdout[-2000:] + text[:2000])
    if kernels.exists():
        enqueued.update(line.split()[0]
                        for line in kernels.read_text().splitlines())


if is_unset and not ops:
    listed = subprocess.run([build / "tools" / "lamina", "layers"], text=True,
                            stdout=subprocess.PIPE, check=True).stdout
    ops = [line.split()[1] for line in listed.splitlines()
           if not line.split()[1] in ("avgpool", "maxpool")]
with tempfile.TemporaryDirectory(prefix="lamina-") as folder:
    for op in ops or [None]:
        run(["--uninitialized" if is_unset else "--data-races"], op,
            pathlib.Path(folder))
if not ops:
    wanted = set()
    for path in root.glob("cl/*.cl"):
        if path.name.startswith(("core", "device_check", "peak")):
            continue  # of the core: tests/device, lamina doctor, lamina bench
        wanted |= set(re.findall(r"\bkernel\s+void\s+(\w+)\s*\(",
                                 path.read_text()))
    check(f"all {len(wanted)} kernels were enqueued", wanted <= enqueued,
          "not: " + " ".join(sorted(wanted - enqueued)))
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] != 0)
