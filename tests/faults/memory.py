#!/usr/bin/env python3
"""Every request for memory fails once: memory.py BUILD [--long].

Bar R12. For N = 1, 2, .. the N-th malloc, calloc, realloc, strdup, .. of our
own code (jansson's too) returns NULL. The program must end by itself with exit
code 4 and a sentence; in a build with -Db_sanitize=address,undefined also with
no report, leaks included. --long: every N; without: 60 of each verb.
"""
import concurrent.futures
import os
import shutil

from common import DATA, build, check, done, folder, is_long, name_of, root, \
    run, sentence, tiny

program = build / "tests" / "faults" / "lamina_faulty"
quiet_drivers = {"ASAN_OPTIONS": "fast_unwind_on_malloc=0:allocator_may_return_null=1",
                 "LSAN_OPTIONS": f"suppressions={root}/tests/faults/drivers.supp:"
                                 "print_suppressions=0"}
VERBS = {
    "check": ["check", tiny],
    "layers": ["layers", "conv2d"],
    "inspect": ["inspect", tiny],
    "data": ["data", "phantom", "made", "--count", 1, "--size", 20],
    "train": ["train", tiny, *DATA, "--run", "made", "--set", "train.steps=1"],
    "resume": ["train", "--resume", folder / "begun", "--quiet", "--set",
               "train.steps=1"],
    "predict": ["predict", folder / "begun", folder / "images/images", "--out",
                "made"],
    "evaluate": ["evaluate", folder / "begun", "--csv", "made.csv"],
    "tune": ["tune", tiny, "--repeats", 1, "--pass", "infer", "--quiet"],
}


def attempt(verb, n):
    """None, or what is wrong; the name of what failed, none if nothing did."""
    place = folder / f"{verb}-{n}"
    place.mkdir()
    end, text = run(*VERBS[verb], program=program, cwd=place, FAULT_MEMORY=n,
                    FAULT_LOG="log", XDG_CACHE_HOME=place / "cache",
                    **quiet_drivers)
    log = place / "log"
    count, hit = log.read_text().split() if log.exists() else (0, "unknown")
    shutil.rmtree(place)
    if hit == "none":
        return (None if end == 0 else f"{name_of(end)}: {text}"), hit, int(count)
    # Where memory is short, training goes on with a smaller micro-batch.
    is_said = end == 4 and "out of memory" in sentence(text) or \
        end == 0 and "does not fit: out of memory" in text
    if is_said and "ERROR:" not in text and "runtime error" not in text:
        return None, hit, int(count)
    return f"{verb} {n} ({hit}): {name_of(end)}: {text[-1500:]}", hit, int(count)


run("data", "phantom", "images", "--count", 1, "--size", 20)
end, text = run("train", tiny, *DATA, "--run", "begun", "--set", "train.steps=1")
check("a run to start from", end == 0, text)
for verb in VERBS:
    bad, _, most = attempt(verb, 10 ** 9)
    check(f"{verb}: no fault, {most} requests", bad is None, bad)
    tried = range(1, most + 1, 1 if is_long else max(1, most // 60))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda n, verb=verb: attempt(verb, n), tried))
    bad = [problem for problem, *_ in results if problem]
    hit = sum(name != "none" for _, name, _ in results)
    check(f"{verb}: {hit} requests refused, all exit 4", not bad and hit > 0,
          "\n".join(bad[:20 if is_long else 5]) + f"\n{len(bad)} bad")
done()
