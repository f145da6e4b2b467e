#!/usr/bin/env python3
"""Every OpenCL call fails once: opencl.py BUILD [--long] [VERB...].

Bars R11 and R29. For N = 1, 2, .. the N-th call of a resumed training, a
prediction and a tuning returns an error. The program must end by itself with
the exit code of that error and a sentence that names call and error, must have
released all it made, and the checkpoint must be the old or the new one, whole.
--long: every call with every code but clSetKernelArg, which takes turns; then
from each call on all fail, as on a lost device, and commands that fail after
they were enqueued. Without: three calls of each name. VERBs: only these of
train, predict and tune.
"""
import concurrent.futures
import hashlib
import itertools
import os
import shutil
import sys

from common import DATA, check, done, folder, is_long, layer, name_of, \
    run, sentence, tiny

CODES = {-4: "CL_MEM_OBJECT_ALLOCATION_FAILURE", -5: "CL_OUT_OF_RESOURCES",
         -6: "CL_OUT_OF_HOST_MEMORY",
         -14: "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
         -36: "CL_INVALID_COMMAND_QUEUE", -9999: "illegal read or write"}
FINDING = {"clGetPlatformIDs", "clGetPlatformInfo", "clGetDeviceIDs",
           "clGetDeviceInfo"}  # no device can be used: 3
ALL_FREED = "live" + " 0" * 6


def expected(call, code):
    return ({3} if call in FINDING else set()) | {4 if code in (-4, -6) else 6}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def calls_of(log):
    lines = log.read_text().splitlines()
    return [line for line in lines if not line.startswith("live")], lines[-1]


def prepare(verb, place):
    """A fresh folder with what the verb starts from; its arguments."""
    place.mkdir()
    if verb == "train":
        shutil.copytree(folder / "begun", place / "run")
        return ["train", "--resume", "run", "--quiet", "--set",
                "train.steps=3"]
    if verb == "predict":
        return ["predict", folder / "begun", folder / "images/images", "--out",
                "out"]
    return ["tune", folder / "large.yaml", "--repeats", 1, "--quiet", "--pass",
            "train"]


def attempt(verb, n, code, how):
    """None, or what is wrong with this fault; the call that was hit."""
    place = folder / f"{verb}-{n}-{code}-{how}"
    log = folder / f"{place.name}.log"
    more = {"CLF_LASTING": 1} if how == "for good" else \
        {"CLF_LATE": 1} if how == "late" else {}
    end, text = run(*prepare(verb, place), cwd=place, CLF_AT=n, CLF_CODE=code,
                    CLF_LOG=log, OPENCL_LAYERS=layer,
                    XDG_CACHE_HOME=place / "cache", **more)
    calls, last = calls_of(log)
    hit = next((c.split()[0] for c in calls if c.endswith("FAULT")), None)
    kept = digest(place / "run/last.safetensors")
    shutil.rmtree(place)
    log.unlink()
    problems = []
    # Where memory is short, training goes on with a smaller micro-batch.
    is_smaller = end == 0 and code in (-4, -6) and "does not fit:" in text
    if hit is None:
        return (None, None) if end == 0 else (f"{name_of(end)} without a fault: "
                                              f"{sentence(text)}", None)
    if end not in expected(hit, code) and not is_smaller:
        problems.append(f"{name_of(end)}, wanted {expected(hit, code)}")
    if how != "late" and hit not in text:
        problems.append("the call is not named")
    if CODES[code] not in text:
        problems.append("the error is not named")
    if last != ALL_FREED:
        problems.append(last)
    if verb == "train" and kept not in known and not is_smaller:
        problems.append("the checkpoint is neither the old nor the new one")
    return (f"call {n} {hit} with {code} {how}: {', '.join(problems)}: "
            f"{sentence(text)}" if problems else None), hit


def chosen(calls, how):
    """Pairs of call number and code to try."""
    codes = itertools.cycle(CODES)
    places = {}
    for n, call in enumerate(calls, 1):
        places.setdefault(call, []).append(n)
    if how == "late":
        asked = places["clGetEventInfo"]
        for n in asked if is_long else asked[::len(asked) // 4 + 1]:
            yield n, next(codes)
        return
    for call, at in places.items():
        if not is_long:
            at = sorted({at[0], at[len(at) // 2], at[-1]})
        for n in at:
            if how == "for good":
                yield n, -36
            elif is_long and call != "clSetKernelArg":
                yield from ((n, code) for code in CODES)
            else:
                yield n, next(codes)


# Kernels so slow that a measurement repeats them a few times, not a hundred.
(folder / "large.yaml").write_text("""format: 1
name: large
inputs:
  image: [N, 1, 1024, 1024]
layers:
  - {name: out, type: conv2d, filters: 1, kernel: 1}
outputs: [out]
loss: {type: sigmoid_ce, from: out}
train: {batch: 1, steps: 1}
""")
run("data", "phantom", "images", "--count", 1, "--size", 20)
end, text = run("train", tiny, *DATA, "--run", "begun", "--set", "train.steps=2")
check("a run to start from", end == 0, text)
known = {digest(folder / "begun/last.safetensors")}

verbs = [word for word in sys.argv[2:] if not word.startswith("-")]
for verb in verbs or ("train", "predict", "tune"):
    place = folder / verb
    end, text = run(*prepare(verb, place), cwd=place, OPENCL_LAYERS=layer,
                    CLF_LOG=folder / "log", XDG_CACHE_HOME=place / "cache")
    calls, last = calls_of(folder / "log")
    check(f"{verb}: no fault, {len(calls)} calls, all freed",
          end == 0 and last == ALL_FREED, f"{last}\n{text}")
    if verb == "train":
        known.add(digest(place / "run/last.safetensors"))
    for how in "once", "for good", "late":
        tried = list(chosen(calls, how))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(
                lambda pair, verb=verb, how=how: attempt(verb, *pair, how),
                tried))
        bad = [problem for problem, _ in results if problem]
        hit = sum(call is not None for _, call in results)
        check(f"{verb}: {hit} faults {how}, all reported, all freed",
              not bad and hit > 0, "\n".join(bad[:20]) + f"\n{len(bad)} bad")
done()
