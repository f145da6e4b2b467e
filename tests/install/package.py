#!/usr/bin/env python3
"""Builds the Debian packages and uses them: package.py.

dpkg-buildpackage on the tracked files, lintian without an error, then all
packages unpacked into one folder, with nothing else of this project: the
program, a layer's proof, the library from Python.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
source, unpacked = folder / "lamina", folder / "root"
counts = {"passed": 0, "failed": 0}
environment = {**{k: v for k, v in os.environ.items()
                  if not k.startswith("LAM_")},
               "DEB_BUILD_OPTIONS": "nocheck noautodbgsym parallel=2",
               # Debian's own meson and python, whatever else is in the path.
               "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
               "XDG_CACHE_HOME": str(folder / "cache")}


def run(*command, **more):
    return subprocess.run([*map(str, command)], cwd=source, text=True,
                          env={**environment, **more}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def check(name, good, done):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name +
          ("" if good else f"\n{done.stdout[-8000:]}"), flush=True)
    return good


for name in subprocess.run(["git", "ls-files"], cwd=root, text=True, check=True,
                           stdout=subprocess.PIPE).stdout.splitlines():
    if (root / name).is_file():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, source / name)

done = run("dpkg-buildpackage", "-b", "-us", "-uc")
if check("dpkg-buildpackage", done.returncode == 0, done):
    done = run("lintian", "--allow-root", "--fail-on", "error",
               *folder.glob("*.changes"))
    check("lintian finds no error", done.returncode == 0, done)
    packages = sorted(folder.glob("*.deb"))
    for package in packages:
        run("dpkg", "-x", package, unpacked)
    check("the packages: " + ", ".join(p.name.split("_")[0] for p in packages),
          len(packages) == 5, done)
    lamina = unpacked / "usr/bin/lamina"
    done = run(lamina, "check", "unet")
    check("models and plugins of the packages", done.returncode == 0, done)
    done = run(lamina, "selftest", "--op", "relu")
    check("selftest --op relu", done.returncode == 0, done)
    done = run("/usr/bin/python3", "-c", "import lamina; print(lamina.version())",
               PYTHONPATH=str(unpacked / "usr/lib/python3/dist-packages"),
               LD_LIBRARY_PATH=str(next(unpacked.glob("usr/lib/*/lamina"))
                                   .parent))
    check("python3-lamina", done.stdout.strip() == "0.1.0", done)
shutil.rmtree(folder)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] > 0)
