#!/usr/bin/env python3
"""Trains on several ranks as a user would: ranks.py BUILD [--long].

N ranks under mpirun, and several devices of one process, give the bytes of one
rank that runs the same micro-batches; a run that was interrupted on two ranks
goes on on three; a rank that is killed or hangs ends the job with a sentence
and exit code 6. Prints one line a case and "N passed, N failed, N skipped".
"""
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

build = pathlib.Path(sys.argv[1]).resolve()
is_long = "--long" in sys.argv
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
model = root / "models" / "unet-small.yaml"
small = ["--data", "phantom:20:64:1", "--set", "inputs.image=N,1,64,64",
         "--no-progress"]
split = ["--set", "train.batch=12", "--set", "train.micro_batch=3", "--set",
         "train.steps=6", "--set", "train.save_every=1"]
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}
environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1",
               "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_btl": "self,tcp,vader",
               "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}


def mpirun(ranks):
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]


def start(*command, **more):
    return subprocess.Popen(list(map(str, command)), cwd=folder, text=True,
                            env={**environment, **more},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run(*command, **more):
    process = start(*command, **more)
    try:
        process.text = process.communicate(timeout=300)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.text = "did not end\n" + process.communicate()[0]
    return process


def check(name, good, text=""):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name +
          ("" if good else "\n" + text), flush=True)


def digest(name):
    file = folder / name / "last.safetensors"
    return (hashlib.sha256(file.read_bytes()).hexdigest() if file.exists()
            else None)


def train(name, *more):
    return [lamina, "train", model, *small, "--run", name, *more]


def same(name, *command, want="one", **more):
    done = run(*command, **more)
    check(name, done.returncode == 0 and digest(want) and
          digest(want) == digest(command[command.index("--run") + 1]),
          done.text)


def workers(launcher):
    """The processes that train, by rank: the last of each line of children."""
    found = {}
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text()
            parents[int(entry.name)] = int(status.rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    for pid, parent in parents.items():
        try:
            variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            is_lamina = os.readlink(f"/proc/{pid}/exe") == str(lamina)
        except OSError:
            continue
        above = pid
        while above > 1 and above != launcher:
            above = parents.get(above, 0)
        for variable in variables.split(b"\0"):
            # A child of a lamina is the one that works.
            if variable.startswith(b"OMPI_COMM_WORLD_RANK=") and is_lamina \
                    and above == launcher and parent != launcher:
                found[int(variable.split(b"=")[1])] = pid
    return found


def endless(name, *more):
    """A long run on three ranks, once it has saved; its workers by rank."""
    process = start(*mpirun(3), *train(
        name, "--set", "train.batch=6", "--set", "train.steps=100000", "--set",
        "train.save_every=1", *more))
    file = folder / name / "last.safetensors"
    while not file.exists() and process.poll() is None:
        time.sleep(0.01)
    return process, workers(process.pid)


def fails(name, process, code, *wanted):
    try:
        text = process.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        text = "did not end\n" + process.communicate()[0]
    check(name, process.returncode == code and all(w in text for w in wanted),
          f"{process.returncode}: {text}")


def goes_on(name, ranks):
    read = run(lamina, "evaluate", name)
    check("  its last checkpoint is readable", read.returncode == 0, read.text)
    again = run(*mpirun(ranks), *train(name, "--resume", "auto", "--set",
                                       "train.steps=1"))
    check(f"  --resume auto goes on with {ranks} ranks",
          again.returncode == 0 and "another" not in again.text, again.text)


# One rank, N ranks, devices of one process.
one = run(*train("one", *split))
check("one rank, 4 micro-batches", one.returncode == 0, one.text)
for ranks in (1, 2, 3, 4):
    same(f"{ranks} ranks by MPI, same bytes", *mpirun(ranks),
         *train(f"mpi{ranks}", *split))
same("2 devices of one process, same bytes",
     *train("devices", *split, "--device", "0,1"), POCL_DEVICES="pthread basic")
rows = {name: [line.split(",")[:9] for line in
               (folder / name / "metrics.csv").read_text().splitlines()]
        for name in ("one", "mpi3", "devices")}
check("same losses and validation", rows["one"] == rows["mpi3"] ==
      rows["devices"], str(rows))

# Batch norm over the images of two ranks: by MPI, at one rank's device each or
# several at one.
pairs = [*split, "--set", "train.norm_batch=6"]
pair = run(*mpirun(2), *train("pair", *pairs))
check("2 ranks share statistics, batch norm over 6 images",
      pair.returncode == 0 and "batch norm over 6 images" in pair.text and
      digest("pair") != digest("one"), pair.text)
same("4 ranks, two and two share them, same bytes", *mpirun(4),
     *train("pairs", *pairs), want="pair")
same("2 ranks of one device, same bytes",
     *train("shared", *pairs, "--device", "0,0"), want="pair")
bad = run(*train("x", *pairs))
check("one rank cannot: a sentence and exit code 2", bad.returncode == 2 and
      "wants 2 ranks or a multiple, found 1" in bad.text, bad.text)
(folder / "bad.yaml").write_text("""format: 1
name: bad
inputs:
  image: [N, 1, 16, 16]
layers:
  - {name: mischief, type: bad, at: 3, what: nan}
  - {name: norm, type: batchnorm}
  - {name: out, type: conv2d, filters: 1, kernel: 1}
outputs: [out]
loss: {type: sigmoid_ce, from: out}
train: {batch: 4, micro_batch: 2, norm_batch: 4, steps: 6}
""")
bad = run(*mpirun(2), lamina, "train", "bad.yaml", "--data", "phantom:20:16:1",
          "--run", "bad", LAM_PLUGIN_PATH=f"{build / 'plugins'}:"
          f"{build / 'tests/plugins'}")
check("NaN where statistics are shared: the layer is named, exit code 5",
      bad.returncode == 5 and "step 3: the output of layer mischief has" in
      bad.text, bad.text)

# Interrupted by a signal to one rank, resumed with another number of them.
halted = start(*mpirun(2), *train("halted", *split))
while not (folder / "halted" / "last.safetensors").exists() and \
        halted.poll() is None:
    time.sleep(0.01)
found = workers(halted.pid)
if 1 in found:
    # Twice at a time, as where a launcher signals parent and child.
    os.kill(found[1], signal.SIGTERM)
    os.kill(found[1], signal.SIGTERM)
text = halted.communicate()[0]
check("SIGTERM at rank 1 saves and ends all with 130 (or was too late)",
      1 in found and (halted.returncode == 0 or halted.returncode == 130 and
                      text.count("interrupted after step") == 1),
      f"{halted.returncode}: {text}")
same("--resume auto with 3 ranks instead of 2, same bytes", *mpirun(3),
     *train("halted", *split, "--resume", "auto"))
same("--resume auto starts a run that is not there", *mpirun(2),
     *train("fresh", *split, "--resume", "auto"))

# Faults.
process, found = endless("killed")
os.kill(found[1], signal.SIGKILL)
fails("a killed rank ends the job with exit code 6", process, 6,
      "rank 1 (process", "Killed")
goes_on("killed", 2)
process, found = endless("hung", "--timeout", "15")
os.kill(found[2], signal.SIGSTOP)
fails("a rank that hangs ends the job with exit code 6", process, 6,
      "waited 15 s for rank 2")
goes_on("hung", 1)

# Bad use.
for name, code, ranks, arguments, wanted in (
        ("an unknown key", 2, 3, train("x", "--set", "train.batsh=2"),
         "batsh"),
        ("a batch too small", 2, 3, train("x", "--set", "train.batch=2"),
         "leaves nothing to do for some of 3 ranks"),
        ("no such device", 3, 2, train("x", "--device", "nothing"),
         "no device fits 'nothing'")):
    bad = run(*mpirun(ranks), *arguments)
    check(f"{name}: one sentence for all ranks and exit code {code}",
          bad.returncode == code and bad.text.count(wanted) == 1,
          f"{bad.returncode}: {bad.text}")
plain = folder / "plugins"
shutil.copytree(build / "plugins", plain,
                ignore=shutil.ignore_patterns("transport", "*.p"))
bad = run(*mpirun(2), *train("x"), LAM_PLUGIN_PATH=str(plain))
check("built without MPI: mpirun is refused", bad.returncode == 2 and
      "built without MPI" in bad.text, bad.text)
linked = run("ldd", lamina)
check("lamina itself needs no MPI library", linked.returncode == 0 and
      "libmpi" not in linked.text, linked.text)

shutil.rmtree(folder)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] != 0)
