#!/usr/bin/env python3
"""The tests with sanitizers: sanitize.py [address,undefined|thread]...

Builds with clang into build-address-undefined and build-thread, both if none is
named, and runs meson's tests and self-tests of some layers. A report of a
sanitizer ends the test it is in. leaks.supp holds all suppressions; stb_image
is left out of undefined, for harmless sums with null pointers. Ends with "N
passed, N failed, N skipped".
"""
import json
import os
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
supp = root / "tests" / "long" / "leaks.supp"
counts = [0, 0, 0]

for kind in sys.argv[1:] or ["address,undefined", "thread"]:
    build = root / ("build-" + kind.replace(",", "-"))
    ignored = build / "ignored"
    if not (build / "build.ninja").exists():
        build.mkdir(exist_ok=True)
        ignored.write_text("src:*/stb_image.h\n")
        subprocess.run(
            ["meson", "setup", build, f"-Db_sanitize={kind}", "-Db_lundef=false",
             f"-Dc_args=-fno-sanitize-recover=all "
             f"-fsanitize-ignorelist={ignored}"], cwd=root, check=True,
            env={**os.environ, "CC": "clang-14"}, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", build], check=True, stdout=subprocess.DEVNULL)
    environment = {
        **os.environ, "LAM_PLUGIN_PATH": str(build / "plugins"),
        "POCL_CACHE_DIR": str(build / "pocl-cache"),
        "ASAN_OPTIONS": "fast_unwind_on_malloc=0:detect_leaks=1",
        "LSAN_OPTIONS": f"suppressions={supp}:print_suppressions=0",
        "UBSAN_OPTIONS": "print_stacktrace=1"}
    (build / "pocl-cache").mkdir(exist_ok=True)
    subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--suite",
                    "unit", "--suite", "device", "--print-errorlogs",
                    "--timeout-multiplier", "20"], check=False, env=environment)
    for line in (build / "meson-logs" / "testlog.json").read_text().splitlines():
        result = json.loads(line)["result"]
        counts[{"OK": 0, "SKIP": 2}.get(result, 1)] += 1
    for words in (["selftest", "--op", "relu"], ["selftest", "--op", "concat"],
                  ["selftest", "--op", "dice"], ["selftest", "--op", "adam"],
                  ["check", *sorted(root.glob("models/*.yaml"))[:30]],
                  ["train", root / "models" / "unet-small.yaml", "--data",
                   "phantom:10:64:1", "--set", "inputs.image=N,1,64,64",
                   "--set", "train.steps=2", "--run", build / "run"]):
        done = subprocess.run(
            [build / "tools" / "lamina", *map(str, words)], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        good = done.returncode == 0 and "Sanitizer" not in done.stdout
        counts[not good] += 1
        print(("ok     " if good else "FAILED ") + f"{kind}: " +
              " ".join(map(str, words[:3])) +
              ("" if good else "\n" + done.stdout[-3000:]), flush=True)
print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
sys.exit(counts[1] != 0)
