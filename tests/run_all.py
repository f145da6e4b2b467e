#!/usr/bin/env python3
"""Runs all tests of a build folder and counts them: run_all.py BUILD.

meson's tests count one each, the cases of `lamina selftest` one each. A device
is required: without one the self-test fails. Ends with the plain line
"N passed, N failed, N skipped".
"""
import json
import pathlib
import re
import subprocess
import sys

build = pathlib.Path(sys.argv[1]).resolve()
passed = failed = skipped = 0

subprocess.run(["meson", "test", "-C", build, "--no-rebuild",
                "--print-errorlogs"], check=False)
for line in (build / "meson-logs" / "testlog.json").read_text().splitlines():
    result = json.loads(line)["result"]
    passed += result in ("OK", "EXPECTEDFAIL")
    skipped += result == "SKIP"
    failed += result not in ("OK", "EXPECTEDFAIL", "SKIP")

for arguments in ([],):
    run = subprocess.run([build / "tools" / "lamina", "selftest", *arguments],
                         stdout=subprocess.PIPE, text=True, check=False)
    print(run.stdout, end="")
    counts = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped$",
                       run.stdout, re.MULTILINE)
    if counts:
        passed += int(counts[1])
        failed += int(counts[2])
        skipped += int(counts[3])
    if run.returncode and not (counts and int(counts[2])):
        failed += 1
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed != 0 or passed == 0)
