#!/usr/bin/env python3
"""Runs all tests of a build folder and counts them: run_all.py BUILD [--long].

meson's tests count one each, the cases of `lamina selftest` and of the training
tests one each. A device is required: without one they fail. --long takes more
shapes, more kills and devices with other limits, and looks at the code itself:
sanitizers, fuzzing, clang-tidy, cppcheck, coverage. ONNX's node tests that lamina
cannot express are the skipped ones, each printed with its reason. Ends with the
plain line "N passed, N failed, N skipped".
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[1]
is_long = "--long" in sys.argv
lamina = build / "tools" / "lamina"
counts = [0, 0, 0]  # passed, failed, skipped


def counted(command, **environment):
    """Adds the counts of the command's closing line; none is a failure."""
    print("$", *command, *(f"({k}={v})" for k, v in environment.items()),
          flush=True)
    run = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE,
                         text=True, check=False,
                         env={**os.environ, **environment})
    print(run.stdout, end="", flush=True)
    found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$",
                       run.stdout, re.MULTILINE)
    for i in range(3):
        counts[i] += int(found[-1][i]) if found else 0
    if run.returncode and not (found and int(found[-1][1])):
        counts[1] += 1


subprocess.run(["meson", "test", "-C", build, "--no-rebuild",
                "--print-errorlogs"], check=False)
for line in (build / "meson-logs" / "testlog.json").read_text().splitlines():
    result = json.loads(line)["result"]
    kind = {"OK": 0, "EXPECTEDFAIL": 0, "SKIP": 2}.get(result, 1)
    counts[kind] += 1

counted([lamina, "selftest"])
counted([lamina, "selftest", "--exact", "500" if is_long else "60"])
counted([sys.executable, root / "tests/run/train.py", build,
         "50" if is_long else "3"])
for name in "opencl", "memory", "files", "devices", "layers", "leaks":
    counted([sys.executable, root / f"tests/faults/{name}.py", build,
             *(["--long"] if is_long else [])])
counted([sys.executable, root / "tests/run/ranks.py", build])
counted([sys.executable, root / "tests/run/bench.py", build])
counted([sys.executable, root / "tests/run/half.py", build])
counted([sys.executable, root / "tests/run/tune.py", build,
         *(["--long"] if is_long else [])])
counted([sys.executable, root / "tests/run/hostile.py", build])
counted([sys.executable, root / "tests/run/doctor.py", build])
counted([sys.executable, root / "tests/run/comfort.py", build])
counted([sys.executable, root / "tests/run/json_output.py", build])
counted([sys.executable, root / "tests/run/manual.py", build])
counted([sys.executable, root / "tests/run/networks.py", build])
counted([sys.executable, root / "tests/run/report.py", build])
counted([sys.executable, root / "tests/run/cells.py", build])
counted([sys.executable, root / "tests/run/transfer.py", build])
counted([sys.executable, root / "tests/run/crops.py", build])
counted([sys.executable, root / "tests/run/whole.py", build])
counted([sys.executable, root / "tests/run/data.py", build])
counted([sys.executable, root / "tests/run/experiment.py", build])
counted(["/usr/bin/python3", root / "tests/run/interchange.py", build])
counted(["/usr/bin/python3", root / "tests/run/opencv.py", build])
counted([sys.executable, root / "tests/install/library.py", build])
counted([sys.executable, root / "tests/install/plugins.py", build])
counted([sys.executable, root / "tests/install/tutorial.py", build])
counted([sys.executable, root / "tests/install/abi.py", build])
counted([sys.executable, root / "tests/install/package.py"])
with tempfile.TemporaryDirectory(prefix="lamina-") as cases:
    made = subprocess.run(["/usr/bin/python3", root / "tests/onnx/convert.py",
                           cases], stdout=subprocess.PIPE, text=True,
                          check=False)
    print(made.stdout, end="", flush=True)
    counts[1] += made.returncode != 0
    counts[2] += sum(line.startswith("skipped ")
                     for line in made.stdout.splitlines())
    counted([lamina, "selftest", "--cases", cases])
if is_long:
    counted([lamina, "selftest", "--exact", "2000", "--seed", "2"])
    counted([lamina, "selftest"], POCL_MAX_WORK_GROUP_SIZE="64")
    counted([lamina, "selftest"], POCL_MEMORY_LIMIT="1")
    counted([lamina, "selftest"], POCL_DEVICES="basic")
    counted([lamina, "selftest"], POCL_MAX_PTHREAD_COUNT="1",
            POCL_CPU_MAX_CU_COUNT="1")
    counted([lamina, "selftest"], LAM_GUARD="end")
    counted([lamina, "selftest"], LAM_GUARD="start")
    counted([sys.executable, root / "tests/long/oclgrind.py", build])
    counted([lamina, "selftest", "--batch", root / "tests/run/convolutions.txt"])
    counted([sys.executable, root / "tests/long/mutants.py", build])
    counted([sys.executable, root / "tests/long/sanitize.py"])
    counted([sys.executable, root / "tests/long/fuzz.py"])
    counted([sys.executable, root / "tests/lint/static.py", build])
    # Runs all that is above but for this part once more.
    counted([sys.executable, root / "tests/long/coverage.py"])
print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
sys.exit(counts[1] != 0 or counts[0] == 0)
