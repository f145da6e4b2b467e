#!/usr/bin/env python3
"""The tests with sanitizers: sanitize.py [address,undefined|thread]...

Builds with clang into build-address-undefined and build-thread, both if none is
named, and runs meson's tests, a tiny self-test of every plugin, and a small
network that is trained (on two devices of one process too), resumed, measured,
predicted with and exported. A report of a sanitizer ends the test it is in.
leaks.supp holds all suppressions: five, of drivers and their compilers. stb_image
is left out of undefined (tests/long/ignored). What the self-test launches is
compiled before by a build without sanitizers, build-none: PoCL's compiler asks for
memory millions of times, and each request is kept with where it came from. Ends
with "N passed, N failed, N skipped".
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
supp = root / "tests" / "long" / "leaks.supp"
counts = [0, 0, 0]


def setup(kind, build):
    if (build / "build.ninja").exists():
        return
    flags = "-fno-sanitize-recover=all" if kind != "none" else ""
    if "undefined" in kind:
        flags += f" -fsanitize-ignorelist={root}/tests/long/ignored"
    subprocess.run(["meson", "setup", build, f"-Db_sanitize={kind}",
                    "-Db_lundef=false", "-Doptimization=1", f"-Dc_args={flags}"],
                   cwd=root, check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "CC": "clang-14"})


def program(kind, build, environment):
    run = build / "run"
    shutil.rmtree(run, ignore_errors=True)
    small = ["--data", "phantom:10:32:1", "--set", "inputs.image=N,1,32,32",
             "--set", "train.batch=4", "--set", "train.micro_batch=2",
             "--no-progress"]
    model = root / "models" / "unet-small.yaml"
    for words, more in (
            (["check", *(path for path in sorted(root.glob("models/*.yaml"))
                        if "blocks" not in path.name)], {}),
            (["layers"], {}), (["inspect", model], {}),
            (["data", "check", "phantom:10:32:1"], {}),
            (["train", model, *small, "--set", "train.steps=2", "--run",
              run / "a"], {}),
            (["train", "--resume", run / "a", "--set", "train.steps=4",
              "--no-progress"], {}),
            (["train", model, *small, "--set", "train.steps=2", "--run",
              run / "b", "--device", "0,1"], {"POCL_DEVICES": "pthread basic"}),
            (["evaluate", run / "a"], {}),
            (["predict", run / "a", run / "x.pgm", "--out", run / "out",
              "--tile", "32", "--overlap", "8"], {}),
            (["export", run / "a", "--onnx", run / "a.onnx"], {}),
            (["selftest", "--tiny", "--timeout", "3600"], {})):
        if words[0] == "predict":
            (run / "x.pgm").write_bytes(b"P5 48 40 255\n" + bytes(48 * 40))
        done = subprocess.run(
            [build / "tools" / "lamina", *map(str, words)], text=True,
            env={**environment, **more}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False)
        good = done.returncode == 0 and "Sanitizer" not in done.stdout
        counts[not good] += 1
        print(("ok     " if good else "FAILED ") + f"{kind}: " +
              " ".join(map(str, words[:2])) +
              ("" if good else "\n" + done.stdout[-3000:]), flush=True)


cache = root / "build-none" / "pocl-cache"
for kind in ["none"] + (sys.argv[1:] or ["address,undefined", "thread"]):
    build = root / ("build-" + kind.replace(",", "-"))
    setup(kind, build)
    subprocess.run(["ninja", "-C", build], check=True, stdout=subprocess.DEVNULL)
    environment = {
        **os.environ, "LAM_PLUGIN_PATH": str(build / "plugins"),
        "POCL_CACHE_DIR": str(cache),
        "XDG_CACHE_HOME": str(build / "cache"),
        "ASAN_OPTIONS": "fast_unwind_on_malloc=0:detect_leaks=1",
        "LSAN_OPTIONS": f"suppressions={supp}:print_suppressions=0",
        "UBSAN_OPTIONS": "print_stacktrace=1"}
    cache.mkdir(exist_ok=True)
    if kind == "none":
        subprocess.run([build / "tools" / "lamina", "selftest", "--tiny"],
                       check=True, env=environment, stdout=subprocess.DEVNULL)
        continue
    subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--suite",
                    "unit", "--suite", "device", "--print-errorlogs",
                    "--timeout-multiplier", "20"], check=False, env=environment)
    for line in (build / "meson-logs" / "testlog.json").read_text().splitlines():
        result = json.loads(line)["result"]
        counts[{"OK": 0, "SKIP": 2}.get(result, 1)] += 1
    program(kind, build, environment)
print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
sys.exit(counts[1] != 0)
