"""What the fault tests share: a build, a folder, a tiny network, counts."""
import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
is_long = "--long" in sys.argv
lamina = build / "tools" / "lamina"
layer = build / "tests" / "faults" / "libcl_layer.so"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
atexit.register(shutil.rmtree, folder, True)
# Read by the layer: programs are compiled in the first run of a script only.
built = folder / "built"
built.mkdir()
os.environ["CLF_BUILT"] = str(built)
counts = [0, 0, 0]

TINY = """format: 1
name: tiny
inputs:
  image: [N, 1, 16, 16]
layers:
  - {name: conv, type: conv2d, filters: 2, kernel: 3}
  - {name: norm, type: batchnorm}
  - {name: act, type: relu}
  - {name: side, type: conv2d, filters: 2, kernel: 1, from: image}
  - {name: both, type: concat, from: [act, side]}
  - {name: out, type: conv2d, filters: 1, kernel: 1}
outputs: [out]
loss: {type: sigmoid_ce, from: out}
train: {batch: 2, steps: 2}
"""
tiny = folder / "tiny.yaml"
tiny.write_text(TINY)
DATA = ["--data", "phantom:10:16:1", "--quiet"]


def run(*arguments, program=lamina, cwd=folder, timeout=300, **environment):
    """Its end as code, text; a signal is a code below 0, no end in time None."""
    try:
        done = subprocess.run(
            [program, *map(str, arguments)], cwd=cwd, timeout=timeout,
            env={**os.environ, **{k: str(v) for k, v in environment.items()}},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode(errors="replace")
    return done.returncode, done.stdout.decode(errors="replace")


def sentence(text):
    """The program's own last word, or all it said."""
    lines = [line for line in text.splitlines() if line.startswith("lamina")]
    return lines[-1] if lines else text[-500:]


def check(name, good, text=""):
    counts[0 if good else 1] += 1
    print(("ok     " if good else "FAILED ") + name +
          ("" if good else "\n" + str(text)), flush=True)


def done():
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    sys.exit(counts[1] != 0)


def name_of(code):
    """How a shell would say what ended a process."""
    return "no end" if code is None else (
        signal.Signals(-code).name if code < 0 else f"exit {code}")
