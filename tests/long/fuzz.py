#!/usr/bin/env python3
"""Fuzzes the readers: fuzz.py [SECONDS [TARGET...]], 600 seconds a target.

Builds the targets of tests/fuzz with clang, libFuzzer, ASan and UBSan into
build-fuzz, goes on from the inputs of former runs there, a minute at a time, and
stops a target at its first crash, hang (10 s) or use of more than 256 MiB. The
input is left in build-fuzz/found/TARGET: mend the reader, then keep it, as small
as possible, in tests/fuzz/found/TARGET. Ends with "N passed, N failed, N
skipped".

ASan keeps what was freed, 256 MiB by default: as much as the limit of memory,
which then stops a target at an input that has no part in it. 16 MiB are kept.
libFuzzer's clock is the wall's: an input that took 10 s is run again, and is a
finding if it takes 10 s of the processor.
"""
import os
import pathlib
import re
import resource
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
build = root / "build-fuzz"
seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
targets = sys.argv[2:] or [
    "csv", "image", "model", "npy", "onnx", "safetensors"]
words = root / "tests" / "fuzz" / "words"
failed = 0


def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))


def processor():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def machine_was_slow(program, found, environment):
    """No finding but inputs that do not take long; forgets them."""
    slow = sorted(found.iterdir())
    if not slow or any(
            not path.name.startswith("timeout-") or subprocess.run(
                [program, path], env=environment, preexec_fn=limit,
                stderr=subprocess.DEVNULL, check=False).returncode
            for path in slow):
        return False
    for path in slow:
        path.unlink()
    return True


if not (build / "build.ninja").exists():
    subprocess.run(["meson", "setup", build, "-Dfuzz=true",
                    "-Db_sanitize=address,undefined", "-Db_lundef=false",
                    "-Dc_args=-fsanitize=fuzzer-no-link "
                    "-fno-sanitize-recover=all "
                    f"-fsanitize-ignorelist={root}/tests/long/ignored"],
                   cwd=root,
                   env={**os.environ, "CC": "clang-14"}, check=True)
subprocess.run(["ninja", "-C", build, "fuzzers"], check=True, stdout=subprocess.DEVNULL)
for target in targets:
    corpus, found = build / "corpus" / target, build / "found" / target
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    program = build / "tests" / "fuzz" / f"fuzz_{target}"
    environment = {**os.environ, "LAM_PLUGIN_PATH": str(build / "plugins"),
                   "ASAN_OPTIONS": "quarantine_size_mb=16"}
    runs, code, left, before = 0, 0, seconds, processor()
    while left > 0 and code == 0:
        done = subprocess.run(
            [program, corpus, build / "tests" / "fuzz" / "seeds" / target,
             *(root / "tests" / "fuzz" / "found").glob(target),
             f"-dict={words}", f"-artifact_prefix={found}/", "-timeout=10",
             "-rss_limit_mb=256", "-max_len=20000", "-print_final_stats=1",
             f"-max_total_time={min(left, 60)}"],
            stderr=subprocess.PIPE, text=True, check=False, env=environment)
        code = done.returncode
        runs += int(re.search(r"number_of_executed_units: (\d+)",
                              done.stderr + "number_of_executed_units: 0")[1])
        left -= 60
        if code and machine_was_slow(program, found, environment):
            code = 0
    failed += code != 0
    print(f"{target}: {runs} runs in {seconds - max(left, 0)} s, "
          f"{processor() - before:.0f} s of the processor, "
          f"{len(list(corpus.iterdir()))} inputs kept, "
          + ("nothing found" if code == 0 else
             "FAILED\n" + done.stderr[-6000:]), flush=True)
print(f"{len(targets) - failed} passed, {failed} failed, 0 skipped")
sys.exit(failed != 0)
