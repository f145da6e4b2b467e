#!/usr/bin/env python3
"""Lines and branches of src/ that tests reach: coverage.py [SCRIPT...].

Builds with gcov into build-coverage, runs all of tests/run_all.py, or meson's
tests, a tiny self-test and only these scripts, and asks gcovr. At least 90 % of
the lines and 75 % of the branches are wanted; the files below that are printed.
Former runs count. Ends with "N passed, N failed, N skipped".
"""
import json
import os
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
build = root / "build-coverage"
wanted = {"line": 90.0, "branch": 75.0}
environment = {**os.environ, "LAM_PLUGIN_PATH": str(build / "plugins"),
               "POCL_CACHE_DIR": str(build / "pocl-cache")}

if not (build / "build.ninja").exists():
    subprocess.run(["meson", "setup", build, "-Db_coverage=true",
                    "-Dbuildtype=debug"], cwd=root, check=True,
                   stdout=subprocess.DEVNULL)
subprocess.run(["ninja", "-C", build], check=True, stdout=subprocess.DEVNULL)
(build / "pocl-cache").mkdir(exist_ok=True)
commands = [["meson", "test", "-C", build, "--no-rebuild",
             "--timeout-multiplier", "10"],
            [build / "tools" / "lamina", "selftest", "--tiny"]]
commands += [["/usr/bin/python3", path, build] for path in sys.argv[1:]]
if not sys.argv[1:]:
    commands = [[sys.executable, root / "tests" / "run_all.py", build]]
for command in commands:
    done = subprocess.run(list(map(str, command)), env=environment, text=True,
                          stdout=subprocess.PIPE, check=False)
    print(" ".join(map(str, command)), ":", done.stdout[-200:].splitlines()[-1:],
          flush=True)

summary = build / "summary.json"
subprocess.run(["gcovr", "-r", root, "--object-directory", build, "--filter",
                f"{root}/src/", "--json-summary", summary], cwd=root, check=True)
found = json.loads(summary.read_text())
for file in sorted(found["files"], key=lambda file: file["line_percent"]):
    if any(file[f"{kind}_percent"] < wanted[kind] for kind in wanted):
        print(f"{file['filename']}: lines {file['line_percent']} %, branches "
              f"{file['branch_percent']} %")
failed = 0
for kind, least in wanted.items():
    failed += found[f"{kind}_percent"] < least
    print(f"{found[f'{kind}_covered']} of {found[f'{kind}_total']} {kind}s, "
          f"{found[f'{kind}_percent']} %, at least {least} % wanted")
print(f"{2 - failed} passed, {failed} failed, 0 skipped")
sys.exit(failed != 0)
