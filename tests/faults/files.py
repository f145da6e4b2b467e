#!/usr/bin/env python3
"""Disks that are full, small or read-only: files.py BUILD [--long].

Bar R13. Every change to a file or folder fails once, and from each on for good
(ENOSPC); then the real thing: a tmpfs that fills up, `ulimit -f`, /dev/full as
standard output, a folder that cannot be written. The program must end by itself
with an exit code above 0 and a sentence with the path, and the checkpoint must
be a whole one.
"""
import concurrent.futures
import hashlib
import os
import pathlib
import resource
import shutil
import subprocess

from common import DATA, build, check, done, folder, is_long, lamina, layer, \
    name_of, run, sentence, tiny

program = build / "tests" / "faults" / "lamina_faulty"
VERBS = {
    "train": ["train", tiny, *DATA, "--run", "new", "--set", "train.steps=2"],
    "resume": ["train", "--resume", "run", "--quiet", "--set",
               "train.steps=3"],
    "predict": ["predict", folder / "begun", folder / "images/images", "--out",
                "out"],
    "evaluate": ["evaluate", folder / "begun", "--csv", "scores.csv",
                 "--overlays", "pictures"],
    "data": ["data", "phantom", "made", "--count", 1, "--size", 20],
    "tune": ["tune", tiny, "--repeats", 1, "--pass", "infer", "--quiet"],
}

OWN = ("new", "out", "scores.csv", "pictures", "made")  # what they write


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def start(place, run="begun"):
    (place / "cache/lamina/tuning").mkdir(parents=True, mode=0o700)
    shutil.copytree(folder / run, place / "run")
    return place


def attempt(verb, n, is_lasting):
    """None, or what is wrong; what failed; changes made."""
    place = start(folder / f"{verb}-{n}-{is_lasting}")
    more = {"FAULT_LASTING": 1} if is_lasting else {}
    end, text = run(*VERBS[verb], program=program, cwd=place, FAULT_FILE=n,
                    FAULT_LOG=place / "log", XDG_CACHE_HOME=place / "cache",
                    OPENCL_LAYERS=layer, **more)
    count, hit = (place / "log").read_text().split() \
        if (place / "log").exists() else (0, "unknown")
    kept = digest(place / "run/last.safetensors")
    shutil.rmtree(place)
    problems = []
    if hit == "none":
        known.add(kept)
    elif end == 0 and "warning: " in text and str(place / "cache") in text:
        pass  # only what can be made again is not kept
    elif end != 1:
        problems.append(f"{name_of(end)}, wanted exit 1")
    elif not any(name in sentence(text) for name in ("/", *OWN)):
        problems.append("no path is named")
    if kept not in known:
        problems.append("the checkpoint is neither the old nor the new one")
    return (f"{verb} {n} ({hit}) {'for good' if is_lasting else 'once'}: "
            f"{', '.join(problems)}: {sentence(text)}" if problems else None,
            hit, int(count))


def tried(arguments, cwd, limit=None, stdout=subprocess.PIPE):
    """The end and text of the program with files of at most limit bytes."""
    ended = subprocess.run(
        [lamina, *map(str, arguments)], cwd=cwd, stdout=stdout, timeout=120,
        stderr=subprocess.PIPE, check=False,
        env={**os.environ, "XDG_CACHE_HOME": str(cwd / "cache")},
        preexec_fn=None if limit is None else lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (limit, limit)))
    return ended.returncode, ended.stderr.decode(errors="replace")


def refused(name, end, text, path):
    check(name, end == 1 and path in sentence(text),
          f"{name_of(end)}: {text[-800:]}")


def mounted(name, options):
    """A folder of its own file system, or None where we may not mount."""
    place = folder / name
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place],
                          stderr=subprocess.DEVNULL, check=False)
    return place if made.returncode == 0 else None


run("data", "phantom", "images", "--count", 1, "--size", 20)
end, text = run("train", tiny, *DATA, "--run", "begun", "--set", "train.steps=2")
check("a run to start from", end == 0, text)
known = {digest(folder / "begun/last.safetensors")}

for verb in VERBS:
    bad, _, most = attempt(verb, 10 ** 9, False)
    check(f"{verb}: no fault, {most} changes to files", bad is None and most > 0,
          bad)
    tried_at = range(1, most + 1, 1 if is_long else 4)
    for is_lasting in False, True:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(
                lambda n, verb=verb, is_lasting=is_lasting:
                attempt(verb, n, is_lasting), tried_at))
        bad = [problem for problem, *_ in results if problem]
        hit = sum(name != "none" for _, name, _ in results)
        check(f"{verb}: {hit} faults of files "
              f"{'for good' if is_lasting else 'once'}",
              not bad and hit == len(tried_at),
              "\n".join(bad[:20]) + f"\n{len(bad)} bad, {hit} of {len(tried_at)} hit")

# A checkpoint larger than what a driver writes at every start.
wide = folder / "wide.yaml"
wide.write_text(tiny.read_text().replace("filters: 2, kernel: 3",
                                         "filters: 1200, kernel: 15"))
end, text = tried(["train", wide, *DATA, "--run", "wide", "--set",
                   "train.steps=1"], folder)
check("a large run to start from", end == 0, text)
end, text = tried(VERBS["resume"], start(folder / "unlimited", "wide"))
check("its kernels are compiled", end == 0, text)
old = digest(folder / "wide/last.safetensors")
size = (folder / "wide/last.safetensors").stat().st_size
for limit in 0, size // 2, size - 1:
    place = start(folder / f"limit{limit}", "wide")
    end, text = tried(VERBS["resume"], place, limit)
    # With none at all, PoCL cannot build.
    check(f"ulimit -f of {limit} bytes", end == 1 and
          ("run/" if limit else "POCL_CACHE_DIR") in sentence(text),
          f"{name_of(end)}: {text[-800:]}")
    check(f"ulimit -f of {limit} bytes: the checkpoint is the old one",
          digest(place / "run/last.safetensors") == old)

full = pathlib.Path("/dev/full")
for arguments in (["layers"], ["devices"], ["inspect", tiny], VERBS["predict"],
                  ["evaluate", folder / "begun"], ["-h"], ["--version"]):
    with full.open("w") as out:
        end, text = tried(arguments, folder, stdout=out)
    check(f"{arguments[0]} > /dev/full", end == 1 and "standard output" in text,
          f"{name_of(end)}: {text}")

small = mounted("small", "size=48k")
still = mounted("still", "size=1m")
if small and still:
    try:
        start(small / "a")
        room = os.statvfs(small)
        (small / "filler").write_bytes(b"x" * (room.f_bavail * room.f_bsize))
        end, text = tried(VERBS["resume"], small / "a")
        refused("a full tmpfs", end, text, "run/")
        check("a full tmpfs: the checkpoint is the old one",
              digest(small / "a/run/last.safetensors") in known)
        start(still / "a")
        subprocess.run(["mount", "-o", "remount,ro", still], check=True)
        for verb, path in (("resume", "run/"), ("train", "new"),
                           ("predict", "out"), ("data", "made")):
            end, text = tried(VERBS[verb], still / "a")
            refused(f"{verb} in a read-only file system", end, text, path)
        check("read-only: the checkpoint is the old one",
              digest(still / "a/run/last.safetensors") in known)
    finally:
        subprocess.run(["umount", small, still], check=False)
else:
    # The same errors come from the shim above; only the kernel's own are left.
    print("small and read-only file systems: not tried, mount is not allowed")
    subprocess.run(["umount", small or still], check=False) \
        if small or still else None
done()
