"""What the tests of the program share: the build folder they are given, a folder
of their own, `lamina` run as a user would, and checks that are counted."""
import atexit
import pathlib
import shutil
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}
atexit.register(shutil.rmtree, folder, ignore_errors=True)


def run(*words):
    return subprocess.run([lamina, *map(str, words)], text=True, errors="replace",
                          capture_output=True, check=False)


def check(name, good, text=""):
    """text says why it is not good."""
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name + ("" if good else f"\n{text}"),
          flush=True)


def finish():
    print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
    sys.exit(counts["failed"] != 0)
