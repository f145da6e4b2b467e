#!/usr/bin/env python3
"""Layers and plugins that misbehave: layers.py BUILD.

Bars R23, R24 and R26. Numbers that are none stop a training at their step, the
layer named, the last good checkpoint kept; a kernel without end and a barrier
that not all reach end it within the time-out and 5 s, also where the driver
runs kernels inside the call that enqueues them; broken plugins are refused with
a reason.
"""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

from common import DATA, build, check, done, folder, lamina, name_of, root, \
    run, sentence

LIMIT = 4  # seconds a device may take
PATH = f"{build / 'plugins'}:{build / 'tests/plugins'}"
model = folder / "bad.yaml"
model.write_text("""format: 1
name: bad
inputs:
  image: [N, 1, 16, 16]
layers:
  - {name: conv, type: conv2d, filters: 2, kernel: 3}
  - {name: mischief, type: bad, at: 1000}
  - {name: out, type: conv2d, filters: 1, kernel: 1}
outputs: [out]
loss: {type: sigmoid_ce, from: out}
train: {batch: 2, steps: 12}
""")


def digest(name):
    """Of the step and the tensors of the checkpoint; not of the model's text."""
    file = folder / name / "last.safetensors"
    if not file.exists():
        return ""
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    step = json.loads(data[8:start])["__metadata__"]["step"]
    return step + hashlib.sha256(data[start:]).hexdigest()


def train(name, *settings, more=(), **environment):
    sets = [word for text in settings for word in ("--set", text)]
    return run("train", model, *DATA, "--run", name, *sets, *more,
               LAM_PLUGIN_PATH=PATH, **environment)


# R23: four steps an epoch, so that the checkpoint to keep is that of step 4.
end, text = train("four", "train.steps=4")
check("four good steps", end == 0, text)
for what, relaxed in (("nan", "false"), ("inf", "false"), ("nan", "true"),
                      ("inf", "true")):
    name = f"{what}-{relaxed}"
    end, text = train(name, "mischief.at=7", f"mischief.what={what}",
                      f"mischief.relaxed={relaxed}")
    said = sentence(text)
    check(f"{what} at step 7{', relaxed math' if relaxed == 'true' else ''}: "
          "exit 5, layer and step named",
          end == 5 and "step 7: the output of layer mischief" in said,
          f"{name_of(end)}: {text}")
    check(f"{what}: the checkpoint of step 4 is kept", digest("four") and
          digest(name) == digest("four"))
for at in 7, 8:
    end, text = train(f"backward{at}", f"mischief.at={at}",
                      "mischief.what=backward")
    check(f"NaN in the gradients of step {at}: exit 5, the weight named",
          end == 5 and "step 8: weight conv." in sentence(text),
          f"{name_of(end)}: {text}")
    check(f"NaN in the gradients of step {at}: the last good one is kept",
          digest(f"backward{at}") == digest("four"))

# R26: first without mischief, so that no compiler runs within the time.
for device in "pthread", "basic":
    for what in "loop", "barrier":
        name = f"{device}-{what}"
        train(name, "train.steps=1", f"mischief.what={what}",
              POCL_DEVICES=device)
        shutil.rmtree(folder / name)
        started = time.monotonic()
        end, text = train(name, "mischief.at=6", f"mischief.what={what}",
                          more=["--timeout", LIMIT], POCL_DEVICES=device)
        spent = time.monotonic() - started
        check(f"{what} on '{device}': exit 6, kernel and layer named, within "
              f"{LIMIT} + 5 s", end == 6 and spent < LIMIT + 5 and
              f"kernel bad_{what} of layer mischief" in sentence(text),
              f"{name_of(end)} after {spent:.1f} s: {text}")
        check(f"{what} on '{device}': the checkpoint of step 4 is kept",
              digest(name) == digest("four"))

# A process that is stopped for longer than that (Ctrl-Z) has not waited: the time
# goes on where it was, and ends a loop only later.
ASLEEP = LIMIT + 2
started = time.monotonic()
stopped = subprocess.Popen(
    [lamina, "train", model, *DATA, "--run", "stopped", "--set",
     "mischief.what=loop", "--set", "mischief.at=6", "--timeout", str(LIMIT)],
    cwd=folder, env={**os.environ, "LAM_PLUGIN_PATH": PATH},
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(2)
stopped.send_signal(signal.SIGSTOP)
time.sleep(ASLEEP)
stopped.send_signal(signal.SIGCONT)
end = stopped.wait(timeout=60)
spent = time.monotonic() - started
check("time in which the process is stopped does not count", end == 6
      and spent > ASLEEP + LIMIT - 0.5, f"{name_of(end)} after {spent:.1f} s")

# R24
HEADER = '#include "lam/plugin.h"\n'
PLUGIN = ("const struct lam_plugin lam_plugin = {{.abi_version = {abi}, .size = "
          "{size}, .name = \"x\", .version = \"1\", .layers = layers}};\n")
LAYER = """
static int shape(const struct lam_layer *l, struct lam_shapes *s)
{{ (void)l; s->n_out = 1; s->out[0] = s->in[0]; return 0; }}
{helper}
static int run(struct lam_layer *l, const struct lam_io *io)
{{ (void)l; (void)io; return {result}; }}
static const struct lam_layer_type type = {{.name = "{name}", .summary = "x",
    .min_in = 1, .max_in = 1, .shape = shape, .run = run}};
static const struct lam_layer_type *const layers[] = {{&type, NULL}};
"""


def source(abi="LAM_ABI_VERSION", size="sizeof(struct lam_plugin)", name="x",
           helper="", result="0"):
    return HEADER + LAYER.format(helper=helper, result=result, name=name) + \
        PLUGIN.format(abi=abi, size=size)


def refused(name, text, reason, mode=0o755, is_code=True):
    place = folder / name.replace(" ", "-")
    place.mkdir()
    if is_code:
        (place / "x.c").write_text(text)
        subprocess.run(["cc", "-shared", "-fPIC", "-fvisibility=default", "-o",
                        place / "x.so", place / "x.c", f"-I{root / 'include'}"],
                       check=True)
    else:
        (place / "x.so").write_bytes(text)
    os.chmod(place, mode)
    end, text = run("layers", LAM_PLUGIN_PATH=f"{build / 'plugins'}:{place}")
    check(f"plugin {name}: refused with a reason", end == 2 and
          reason in sentence(text), f"{name_of(end)}: {text}")


good = next((build / "plugins").glob("*.so")).read_bytes()
refused("no ELF file", b"not a module", "cannot load", is_code=False)
for part in 1, 10, 25:
    refused(f"cut at {part} percent", good[:len(good) * part // 100],
            "cannot load", is_code=False)
refused("without the symbol", "int nothing;\n", "exports no 'lam_plugin'")
refused("with wrong magic", source(abi="0x7f454c46u"), "made for plugin ABI")
refused("of an older ABI", source(abi="LAM_ABI_VERSION - 1"),
        "made for plugin ABI")
refused("of a newer ABI", source(abi="LAM_ABI_VERSION + 1"),
        "made for plugin ABI")
refused("with a short struct", source(size="16"), "has 16 bytes, wanted")
refused("with an unresolved symbol",
        source(helper="int nowhere(void);", result="nowhere()"),
        "undefined symbol: nowhere")
refused("with a name that is taken", source(name="conv2d"),
        "layer 'conv2d' is already there")
refused("in a folder open to all", source(), "writable for everyone", 0o777)
end, text = train("own", "mischief.at=6", "mischief.what=error")
check("a layer with an error of its own: exit 1, its words",
      end == 1 and "bad luck at run 6" in sentence(text),
      f"{name_of(end)}: {text}")
check("an error of its own: the checkpoint of step 4 is kept",
      digest("own") == digest("four"))
done()
