#!/usr/bin/env python3
"""Machines without a device, or with a small one: devices.py BUILD [--long].

Bars R27 and R10. No driver, a broken one, no HOME, a cache that cannot be
written: exit code 3 and a sentence that says what to install or set, for the
GPU that the machine has. Small work-groups, little memory, one thread: the
proofs of all layers pass (--long; run_all.py), and what does not fit is refused
before the first kernel.
"""
import os
import shutil
import subprocess

from common import DATA, check, counts, done, folder, is_long, lamina, layer, \
    name_of, root, run, sentence, tiny

empty, broken, crashing = (folder / name
                           for name in ("empty", "broken", "crashing"))
for place in empty, broken, crashing:
    place.mkdir()
(broken / "a.icd").write_text("/nowhere/libdriver.so\n")
(broken / "c.icd").write_text(str(lamina) + "\n")
(crashing / "a.icd").write_text("libpocl.so.2\n")
(crashing / "b.icd").write_text("\0\1\2")  # the loader ocl-icd's fault
USES = {"devices": ["devices"], "train": ["train", tiny, *DATA, "--run", "x"],
        "bench": ["bench", tiny], "selftest": ["selftest", "--op", "relu"],
        "tune": ["tune", tiny]}


def is_told(end, text, *words):
    said = sentence(text)
    return end == 3 and all(word in said for word in words)


for verb, arguments in USES.items():
    for name, place, words in (
            ("no driver", empty, ("install", "-icd")),
            ("broken drivers", broken, ("install", "-icd")),
            ("a driver that crashes", crashing, ("remove", f"{crashing}/b.icd"))):
        end, text = run(*arguments, OCL_ICD_VENDORS=place)
        check(f"{verb}: {name}: exit 3, what to do",
              is_told(end, text, *words), f"{name_of(end)}: {text}")

without = {k: v for k, v in os.environ.items()
           if k not in ("HOME", "POCL_CACHE_DIR", "XDG_CACHE_HOME")}
ended = subprocess.run([lamina, *map(str, USES["train"])], cwd=folder,
                       env=without, capture_output=True, text=True, check=False)
check("no HOME: exit 3 and HOME named, or a whole training",
      is_told(ended.returncode, ended.stderr, "HOME") or
      (ended.returncode == 0 and (folder / "x/last.safetensors").exists()),
      f"{name_of(ended.returncode)}: {ended.stderr}")
shutil.rmtree(folder / "x", ignore_errors=True)
# Not even root can write there.
end, text = run(*USES["train"], POCL_CACHE_DIR="/proc/nowhere",
                XDG_CACHE_HOME="/proc/nowhere")
check("a driver's cache that cannot be written: exit 3, the variable named",
      is_told(end, text, "POCL_CACHE_DIR"), f"{name_of(end)}: {text}")
end, text = run(*USES["train"], XDG_CACHE_HOME="/proc/nowhere")
check("a cache that cannot be written: a warning, a whole training", end == 0 and
      "/proc/nowhere" in text and "XDG_CACHE_HOME" in text,
      f"{name_of(end)}: {text}")

# A machine that shows a GPU, in a name space of its own.
cards = folder / "cards"
(cards / "card0/device").mkdir(parents=True)
for vendor, package in (("0x1002", "mesa-opencl-icd"),
                        ("0x8086", "intel-opencl-icd"),
                        ("0x10de", "nvidia-opencl-icd")):
    (cards / "card0/device/vendor").write_text(vendor + "\n")
    inside = subprocess.run(
        ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "sh", "-c",
         'mount -t tmpfs none /sys/class && mkdir /sys/class/drm &&'
         'mount --bind "$1" /sys/class/drm || exit 99; exec "$2" devices', "sh",
         cards, lamina], cwd=folder,
        env={**os.environ, "OCL_ICD_VENDORS": str(empty)}, capture_output=True,
        text=True, check=False)
    if inside.returncode in (1, 99) and "lamina" not in inside.stderr:
        print(f"skipped a GPU of {vendor}: no name space: {inside.stderr}")
        counts[2] += 1
        continue
    check(f"a GPU of {vendor}: {package} is named",
          is_told(inside.returncode, inside.stderr, package),
          f"{name_of(inside.returncode)}: {inside.stderr}")

log = folder / "log"
for big in ("inputs.image=N,1,8192,8192", "inputs.image=N,1,20000,20000"):
    end, text = run("train", root / "models/unet.yaml", "--data",
                    "phantom:10:64:1", "--quiet", "--run", "big", "--set", big,
                    "--set", "train.batch=1", POCL_MEMORY_LIMIT=1,
                    OPENCL_LAYERS=layer, CLF_LOG=log)
    check(f"{big} with 1 GiB: refused before the first kernel",
          end == 4 and "MiB" in sentence(text) and
          "clEnqueueNDRangeKernel" not in log.read_text() and
          log.read_text().splitlines()[-1] == "live" + " 0" * 6,
          f"{name_of(end)}: {text}")
for name, value in (("POCL_MAX_WORK_GROUP_SIZE", 64), ("POCL_MEMORY_LIMIT", 1),
                    ("POCL_DEVICES", "basic")):
    end, text = run("selftest", "--exact", 500 if is_long else 20,
                    timeout=3000, **{name: value})
    check(f"{name}={value}: exact kernels", end == 0 and " 0 failed" in text,
          text[-2000:])
done()
