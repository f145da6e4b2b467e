#!/usr/bin/env python3
"""Every OpenCL call fails once: opencl.py BUILD [--long] [VERB...].

Bars R11 and R29. For N = 1, 2, .. the N-th call of a resumed training, a
prediction and a tuning returns an error. The program must end by itself with
the exit code of that error and a sentence that names call and error, must have
released all it made, and the checkpoint must be the old or the new one, whole.
Then from a call on all fail, as on a lost device, and commands fail after they
were enqueued. Tried are three calls of each name, the codes in turns.
--long: each place of the program that calls, told by its stack, with every code;
where a place calls again, once in the middle and at last, the codes in turns. A
place whose call and the four functions that led to it are those of one in an
earlier verb is tried with one code: what is left to prove is that its callers
release what they hold. VERBs: only these of train, predict and tune.
"""
import collections
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
    """Calls as (name, place, its end, whether it failed); what was left alive."""
    *lines, last = log.read_text().splitlines()
    calls = [line.split() for line in lines]
    return [(*words[:3], len(words) > 3) for words in calls], last


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


def attempt(verb, call, nth, code, how):
    """None, or what is wrong with this fault; whether it was hit."""
    name, at = call[:2]
    place = folder / f"{verb}-{at}-{nth}-{code}-{how}"
    log = folder / f"{place.name}.log"
    more = {"CLF_LASTING": 1} if how == "for good" else \
        {"CLF_LATE": 1} if how == "late" else {}
    end, text = run(*prepare(verb, place), cwd=place, CLF_AT=nth, CLF_PLACE=at,
                    CLF_CODE=code, CLF_LOG=log, OPENCL_LAYERS=layer,
                    XDG_CACHE_HOME=place / "cache", **more)
    calls, last = calls_of(log)
    hit = any(call[3] for call in calls)
    kept = digest(place / "run/last.safetensors")
    shutil.rmtree(place)
    log.unlink()
    problems = []
    # Where memory is short, training goes on with a smaller micro-batch.
    is_smaller = end == 0 and code in (-4, -6) and "does not fit:" in text
    if not hit:
        return None if end == 0 else f"{name_of(end)} without a fault: " \
            f"{sentence(text)}", False
    if end not in expected(name, code) and not is_smaller:
        problems.append(f"{name_of(end)}, wanted {expected(name, code)}")
    if how != "late" and name not in text:
        problems.append("the call is not named")
    if CODES[code] not in text:
        problems.append("the error is not named")
    if last != ALL_FREED:
        problems.append(last)
    if verb == "train" and kept not in known and not is_smaller:
        problems.append("the checkpoint is neither the old nor the new one")
    return f"{verb}: call {nth} of {name} at {at} with {code} {how}: " \
        f"{', '.join(problems)}: {sentence(text)}" if problems else None, True


def chosen(calls, how):
    """Calls to try, which of their place they are, and with what code."""
    codes = itertools.cycle(CODES)
    groups = {}
    for call in calls:
        if how != "late" or call[0] == "clGetEventInfo":
            groups.setdefault(call[1 if is_long else 0], []).append(call)
    seen = collections.Counter()
    for group in groups.values():
        nths = []
        for call in group:
            seen[call[1]] += 1
            nths.append((call, seen[call[1]]))
        first, *more = [nths[i] for i in
                        sorted({0, len(nths) // 2, len(nths) - 1})]
        if how == "for good":
            yield *first, -36
            yield from ((*one, -36) for one in ([] if is_long else more))
        elif is_long and first[0][2] not in proved:
            yield from ((*first, code) for code in CODES)
            yield from ((*one, next(codes)) for one in more)
        else:
            yield from ((*one, next(codes)) for one in (first, *more))


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
proved = set()  # ends of places in earlier verbs

verbs = [word for word in sys.argv[2:] if not word.startswith("-")]
for verb in verbs or ("train", "predict", "tune"):
    place = folder / verb
    end, text = run(*prepare(verb, place), cwd=place, OPENCL_LAYERS=layer,
                    CLF_LOG=folder / "log", XDG_CACHE_HOME=place / "cache")
    calls, last = calls_of(folder / "log")
    check(f"{verb}: no fault, {len(calls)} calls from "
          f"{len({call[1] for call in calls})} places, all freed",
          end == 0 and last == ALL_FREED, f"{last}\n{text}")
    if verb == "train":
        known.add(digest(place / "run/last.safetensors"))
    for how in "once", "for good", "late":
        bad = hit = 0
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for problem, is_hit in pool.map(
                    lambda fault, verb=verb, how=how: attempt(verb, *fault, how),
                    chosen(calls, how)):
                hit += is_hit
                if problem:
                    bad += 1
                    print(problem, flush=True)
        check(f"{verb}: {hit} faults {how}, all reported, all freed",
              bad == 0 and hit > 0, f"{bad} bad")
    proved |= {call[2] for call in calls}
done()
