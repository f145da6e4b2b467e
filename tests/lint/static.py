#!/usr/bin/env python3
"""clang-tidy and cppcheck over all C sources: static.py BUILD.

Any finding is a failure. .clang-tidy says which checks are left out and why;
what cppcheck gets wrong is told to it in tests/lint/cppcheck.supp. A file counts
as one test of clang-tidy, the project as one of cppcheck. Ends with "N passed, N
failed, N skipped".
"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
tidy = shutil.which("clang-tidy-14") or "clang-tidy"
counts = {"passed": 0, "failed": 0}


def count(name, text):
    counts["failed" if text else "passed"] += 1
    if text:
        print(f"FAILED {name}\n{text}", flush=True)


def check(path):
    # gcc knows warnings that clang does not.
    done = subprocess.run([tidy, "-p", build, "--quiet", path,
                           "--extra-arg=-Wno-unknown-warning-option"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False)
    return done.stdout or ("ended with an error" if done.returncode else "")


database = json.loads((build / "compile_commands.json").read_text())
paths = sorted({(build / entry["file"]).resolve() for entry in database})
paths = [path for path in paths if build not in path.parents]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for path, text in zip(paths, pool.map(check, paths)):
        count(f"clang-tidy {path.relative_to(root)}", text)

(build / "cppcheck").mkdir(exist_ok=True)
done = subprocess.run(
    ["cppcheck", f"--project={build / 'compile_commands.json'}", "--quiet",
     "--enable=warning,performance,portability", "--std=c11", "--inline-suppr",
     f"--suppressions-list={root / 'tests' / 'lint' / 'cppcheck.supp'}",
     f"--cppcheck-build-dir={build / 'cppcheck'}", "--error-exitcode=1",
     f"-j{os.cpu_count()}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    text=True, check=False)
count("cppcheck", done.stdout or ("ended with an error" if done.returncode
                                  else ""))
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] != 0)
