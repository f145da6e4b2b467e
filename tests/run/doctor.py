#!/usr/bin/env python3
"""lamina devices and doctor with good, bad and no drivers: doctor.py BUILD."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}


def run(*arguments, program=(), **environment):
    environment = {"XDG_CACHE_HOME": str(folder / "cache"), **environment}
    return subprocess.run([*program, lamina, *map(str, arguments)], cwd=folder,
                          env={**os.environ, **environment}, text=True,
                          capture_output=True, check=False)


def check(name, good, done=None):
    counts["passed" if good else "failed"] += 1
    text = "" if good or done is None else f"\n{done.stdout}{done.stderr}"
    print(("ok     " if good else "FAILED ") + name + text, flush=True)


def drivers(name, **files):
    place = folder / name
    place.mkdir()
    for file, text in files.items():
        (place / f"{file}.icd").write_text(text)
    return str(place)


devices = run("devices", "--json")
listed = json.loads(devices.stdout or "{}").get("devices")
check("devices --json", devices.returncode == 0 and listed
      and {"name", "driver", "global_bytes"} <= set(listed[0]), devices)
details = run("devices", "-v")
check("devices -v", "largest buffer" in details.stdout, details)

done = run("doctor")
check("doctor", done.returncode == 0 and " 0 failed" in done.stdout, done)
for row in ("exp: off by", "fma: off by", "rint: exact", "matrix product: exact",
            "barrier and local memory: exact"):
    check(f"doctor: {row}", row in done.stdout, done)
told = json.loads(run("doctor", "--json").stdout)
check("doctor --json", told["failed"] == 0
      and all(c["state"] in ("ok", "warning") for c in told["checks"]))

for code, name, source in (
        ("crash", "crashes", "#include <stdlib.h>\n__attribute__((constructor)) "
         "static void f(void) { abort(); }\n"),
        ("quits", "ends the program", "#include <unistd.h>\n"
         "__attribute__((constructor)) static void f(void) { _exit(9); }\n")):
    library = folder / f"lib{code}.so"
    (folder / f"{code}.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", f"{code}.c", "-o", library],
                   cwd=folder, check=True)
    place = drivers(code, bad=str(library), pocl="libpocl.so.2")
    done = run("devices", OCL_ICD_VENDORS=place)
    check(f"devices: a driver that {name}", done.returncode == 3 and name in
          done.stderr and f"{place}/bad.icd" in done.stderr, done)
    done = run("doctor", OCL_ICD_VENDORS=place)
    check(f"doctor: a driver that {name}", done.returncode == 3 and
          f"{place}/bad.icd: loading {library} {name}" in done.stdout, done)

place = drivers("gone", gone="/nonexistent/lib.so", void="")
done = run("doctor", OCL_ICD_VENDORS=place)
check("doctor: libraries that are missing", done.returncode == 3 and
      "gone.icd: /nonexistent/lib.so: cannot open" in done.stdout and
      "void.icd names no library" in done.stdout, done)
place = drivers("empty")
for verb in "devices", "doctor":
    done = run(verb, OCL_ICD_VENDORS=place)
    check(f"{verb}: no driver", done.returncode == 3 and
          "install" in done.stdout + done.stderr and place in
          done.stdout + done.stderr, done)
done = run("doctor", POCL_DEVICES="pthread basic")
check("doctor: two devices", done.returncode == 0 and
      done.stdout.count("matrix product: exact") == 2, done)
done = run("doctor", XDG_CACHE_HOME="/proc")
check("doctor: no cache", done.returncode == 0 and
      "1 warnings, 0 failed" in done.stdout, done)
done = run("doctor", LAM_PLUGIN_PATH="/nonexistent")
check("doctor: no plugins", done.returncode == 3 and
      "failed   plugins" in done.stdout, done)
done = run("doctor", program=["oclgrind"])
check("doctor under Oclgrind", done.returncode == 0 and
      "Oclgrind Simulator" in done.stdout and " 0 failed" in done.stdout, done)

# The first use of a device checks it, the second does not.
train = ["train", root / "models/unet-small.yaml", "--data", "phantom:10:32:1",
         "--set", "train.steps=1", "--set", "inputs.image=N,1,32,32", "--no-progress"]
first, second = run(*train), run(*train)
check("the first use checks the device", first.returncode == 0 and
      "first use of" in first.stderr and second.returncode == 0 and
      "first use of" not in second.stderr, first)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] > 0)
