#!/usr/bin/env python3
"""Every request for memory fails once: memory.py BUILD [--long].

Bar R12. The N-th malloc, calloc, realloc, strdup, .. of our own code (jansson's
too) returns NULL. The program must end by itself with exit code 4 and a sentence;
in a build with -Db_sanitize=address or address,undefined (and -Db_lundef=false
with clang) also with no report, leaks included. Tried are the first and the last
request of each place of the program that asks, told by its stack, but for those
with the same stack in an earlier verb. Without --long 60 requests, evenly spread,
of a verb that opens a device.
"""
import collections
import concurrent.futures
import os
import shutil

from common import DATA, build, check, done, folder, is_long, layer, name_of, \
    root, run, sentence, tiny

program = build / "tests" / "faults" / "lamina_faulty"
quiet_drivers = {"OPENCL_LAYERS": layer,  # keeps what is compiled
                 "ASAN_OPTIONS": "allocator_may_return_null=1",
                 "LSAN_OPTIONS": f"suppressions={root}/tests/faults/drivers.supp:"
                                 "print_suppressions=0"}
VERBS = {
    "check": ["check", tiny],
    "layers": ["layers", "conv2d"],
    "inspect": ["inspect", tiny],
    "data": ["data", "phantom", "made", "--count", 1, "--size", 20],
    "train": ["train", tiny, *DATA, "--run", "made", "--set", "train.steps=1"],
    "resume": ["train", "--resume", "begun", "--quiet", "--set",
               "train.steps=1"],
    "predict": ["predict", folder / "begun", folder / "images/images", "--out",
                "made"],
    "evaluate": ["evaluate", folder / "begun", "--csv", "made.csv"],
    "tune": ["tune", tiny, "--repeats", 1, "--pass", "infer", "--quiet"],
}
ON_DEVICE = ("train", "resume", "predict", "evaluate", "tune")


def attempt(verb, n, at=None):
    """None, or what is wrong; the name of what failed, none if nothing did.

    The n-th request fails, with `at` the n-th of that place.
    """
    place = folder / f"{verb}-{n}-{at}"
    place.mkdir()
    if verb == "resume":  # which writes there
        shutil.copytree(folder / "begun", place / "begun")
    more = {"FAULT_PLACE": at} if at else {"FAULT_PLACES": places}
    end, text = run(*VERBS[verb], program=program, cwd=place, FAULT_MEMORY=n,
                    FAULT_LOG="log", XDG_CACHE_HOME=place / "cache",
                    **quiet_drivers, **more)
    log = place / "log"
    hit = log.read_text().split()[1] if log.exists() else "unknown"
    shutil.rmtree(place)
    if hit == "none":
        return (None if end == 0 else f"{name_of(end)}: {text}"), hit
    # Where memory is short, training goes on with a smaller micro-batch.
    is_said = end == 4 and "out of memory" in sentence(text) or \
        end == 0 and "does not fit: out of memory" in text
    if is_said and "ERROR:" not in text and "runtime error" not in text:
        return None, hit
    return f"{verb}: {hit} {n} at {at}: {name_of(end)}: {text[-1500:]}", hit


def chosen(verb, asked):
    """Requests to refuse: which of their place they are, and the place."""
    seen = collections.Counter()
    found = []
    for at in asked:
        seen[at] += 1
        found.append((seen[at], at))
    if not is_long and verb in ON_DEVICE:
        return found[::max(1, len(found) // 60)]
    return [(n, at) for n, at in found
            if at not in proved and n in (1, seen[at])]


run("data", "phantom", "images", "--count", 1, "--size", 20)
end, text = run("train", tiny, *DATA, "--run", "begun", "--set", "train.steps=1")
check("a run to start from", end == 0, text)
places = folder / "places"
proved = set()  # places in earlier verbs
for verb in VERBS:
    problem, _ = attempt(verb, 10 ** 9)
    asked = [line.split()[1] for line in places.read_text().splitlines()]
    check(f"{verb}: no fault, {len(asked)} requests from {len(set(asked))} places",
          problem is None, problem)
    bad = hit = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for problem, name in pool.map(
                lambda one, verb=verb: attempt(verb, *one), chosen(verb, asked)):
            hit += name != "none"
            if problem:
                bad += 1
                print(problem, flush=True)
    check(f"{verb}: {hit} requests refused, all exit 4", bad == 0 and hit > 0,
          f"{bad} bad")
    proved |= set(asked)
done()
