#!/usr/bin/env python3
"""Manual pages, completion, drawings, checks of data: comfort.py BUILD."""
import json
import math
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}


def run(*command):
    return subprocess.run([*map(str, command)], cwd=folder, text=True,
                          capture_output=True, check=False)


def check(name, good, text=""):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name + ("" if good else f"\n{text}"),
          flush=True)


verbs = re.findall(r"^  ([a-z]+) +\S", run(lamina, "-h").stdout, re.MULTILINE)
options = {verb: re.findall(r"^  (--?[a-z][a-z0-9-]*)", run(lamina, verb, "-h")
                            .stdout, re.MULTILINE) for verb in verbs}
check("every verb has help", len(verbs) > 10 and all(
    run(lamina, verb, "-h").stdout.startswith(f"usage: lamina {verb}")
    for verb in verbs))

# Usage that is wrong ends with 2 and the nearest name; help is anywhere.
for words, told in ((("trian",), "did you mean 'train'?"),
                    (("xyzzy",), "lamina -h lists them"),
                    (("inspect", "--bacth", 2), "did you mean '--batch'?"),
                    (("inspect", "--no-progres"), "did you mean '--no-progress'?"),
                    (("inspect", "--batch"), "wants an argument"),
                    (("inspect", "--resolved=1"), "takes no argument"),
                    (("inspect", "a", "b"), "unexpected argument 'b'"),
                    (("help", "trian"), "did you mean 'train'?")):
    done = run(lamina, *words)
    check(f"misuse: {' '.join(map(str, words))}", done.returncode == 2 and
          not done.stdout and told in done.stderr and
          done.stderr.count("\n") == 1, done.stdout + done.stderr)
for words in ("inspect", "--help"), ("help", "inspect"), ("inspect", "a", "b",
                                                         "--bad", "-h"):
    done = run(lamina, *words)
    check(f"help: {' '.join(words)}", done.returncode == 0 and
          done.stdout.startswith("usage: lamina inspect"), done.stderr)
check("no verb", run(lamina).returncode == 2)
check("--version", re.fullmatch(r"lamina \d+\.\d+\.\d+ \(plugin ABI \d+\)\n",
                                run(lamina, "--version").stdout))
(folder / "--odd").write_text("format: 9\n")
done = run(lamina, "check", "--", "--odd")
check("-- ends the options", "--odd:1" in done.stderr, done.stderr)

# The page as a reader sees it has every verb and option.
page = (build / "share" / "lamina.1").read_text().replace("\\-", "-")
page = re.sub(r"\\f[A-Z]|\\&", "", page)
for verb in verbs:
    part = page.partition(f"LAMINA {verb.upper()}\n")[2].partition("\n.SH ")[0]
    missing = [o for o in options[verb] if not re.search(
        rf"^{re.escape(o)}\b", part, re.MULTILINE)]
    check(f"lamina(1): {verb}", part and not missing, missing)
    check(f"lamina(1): {verb} in the list", f"\n{verb}\n" in page)
model_page = (build / "share" / "lamina-model.5").read_text()
example = re.search(r"^format: 1.*?(?=^\.fi)", model_page,
                    re.MULTILINE | re.DOTALL)
(folder / "tiny.yaml").write_text(example.group().replace("\\-", "-")
                                  .replace("\\&", ""))
done = run(lamina, "check", "tiny.yaml")
check("lamina-model(5): its example", done.returncode == 0, done.stderr)


def completed(*words):
    """What bash would offer for the last of these words."""
    script = (f"source {root}/share/lamina.bash; COMP_WORDS=({' '.join(words)}); "
              f"COMP_CWORD={len(words) - 1}; _lamina; "
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    return run("bash", "-c", script.replace(
        "COMP_WORDS=(lamina", f"COMP_WORDS=({lamina}")).stdout.split()


check("completion: verbs", set(verbs) <= set(completed("lamina", "''")),
      completed("lamina", "''"))
check("completion: a verb", completed("lamina", "sel") == ["selftest"])
for verb in verbs:
    found = completed("lamina", verb, "--")
    wanted = {o for o in options[verb] if o.startswith("--")}
    check(f"completion: options of {verb}", wanted <= set(found), found)
check("completion: layers", completed("lamina", "layers", "conv_t") ==
      ["conv_transpose2d"], completed("lamina", "layers", "conv_t"))
check("completion: devices", {"gpu", "cpu", "0"} <= set(
    completed("lamina", "train", "--device", "''")))
check("completion: data", {"check", "stats", "phantom"} <= set(
    completed("lamina", "data", "''")), completed("lamina", "data", "''"))

# zsh and fish say the same, with what each thing is.
zsh_stub = ("_describe() { print -l -- ${(P)2} }; compadd() { print -l -- $@ }; "
            "_files() { print files }; ")
for words, wanted in (([lamina, ""], verbs), ([lamina, "inspect", "--"], [
        *options["inspect"], "--log-file"]), ([lamina, "layers", "c"], ["concat"]),
        ([lamina, "data", ""], ["check", "stats"]), ([lamina, "check", ""], []),
        ([lamina, "train", "--device", ""], ["gpu", "0"])):
    text = " ".join(f"'{w}'" for w in words)
    told = run("zsh", "-fc", f"{zsh_stub} words=({text}); CURRENT={len(words)}; "
               f". {root}/share/lamina.zsh")
    found = {line.partition(":")[0] for line in told.stdout.splitlines()}
    check(f"zsh: {' '.join(words[1:])}", not told.stderr and (
        set(wanted) <= found if wanted else found == {"files"}),
        told.stdout + told.stderr)
    if not wanted:
        continue
    line = " ".join(["lamina", *words[1:]])
    told = run("fish", "--no-config", "-c", f"set -x PATH {lamina.parent} $PATH; "
               f"source {root}/share/lamina.fish; complete -C '{line}'")
    found = {line.partition("\t")[0] for line in told.stdout.splitlines()}
    check(f"fish: {' '.join(words[1:])}", not told.stderr and set(wanted) <= found
          | set(words), told.stdout + told.stderr)

# Every model can be drawn: one box a layer, an arrow for each thing it reads.
for model in ("unet-small", "segnet", "deeplab"):
    file = root / "models" / f"{model}.yaml"
    dot = run(lamina, "graph", file, "--dot").stdout
    layers = int(re.search(r"^(\d+) layers", run(lamina, "inspect", file).stdout,
                           re.MULTILINE).group(1))
    check(f"graph --dot: {model}", dot.count("fillcolor=") - dot.count("oval")
          == layers and dot.count("->") >= layers, dot)
done = run(lamina, "graph", root / "models/unet-small.yaml", "--out", "u.svg")
drawn = (xml.etree.ElementTree.parse(folder / "u.svg").getroot().tag
         if done.returncode == 0 else "")
check("graph: SVG", drawn.endswith("svg"), done.stderr)
environment = {**os.environ, "PATH": "/nonexistent"}
done = subprocess.run([lamina, "graph", root / "models/unet-small.yaml"],
                      env=environment, capture_output=True, text=True,
                      check=False)
check("graph: without Graphviz", done.returncode == 1 and
      "install graphviz" in done.stderr and "--dot" in done.stderr, done.stderr)
tiny = [root / "models/unet-small.yaml", "--data", "phantom:10:32:1", "--set",
        "inputs.image=N,1,32,32"]
done = run(lamina, "train", *tiny, "--set", "train.epochs=30", "--set",
           "train.patience=2", "--set", "train.lr=0", "--run", "still",
           "--no-progress")
rows = (folder / "still/metrics.csv").read_text().splitlines() \
    if done.returncode == 0 else []
check("early stopping, and it is said", "stopped early: 2 epochs" in done.stderr
      and 3 < len(rows) < 20, done.stderr)
check("no progress is asked for", " left" not in done.stderr, done.stderr)

# What is said: nothing, more, into a file, without a control character where
# no terminal is.
short = ["train", *tiny, "--set", "train.steps=3", "--set", "train.batch=2"]
done = run(lamina, *short, "--run", "q", "-q", "--log-file", "log")
check("-q says nothing", done.returncode == 0 and not done.stdout + done.stderr,
      done.stdout + done.stderr)
lines = (folder / "log").read_text().splitlines()
check("--log-file", any("epoch 0: loss" in line for line in lines) and all(
    re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ \S", line) for line in lines),
    lines)
done = run(lamina, *short, "--run", "v", "-v", "--log-file", "log")
check("-v says more", "kernel conv" in done.stderr and "plugin " in done.stderr,
      done.stderr)
check("a log file is added to", (folder / "log").read_text().splitlines()[
    :len(lines)] == lines)
check("no terminal, no control characters", not re.search(
    r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout + done.stderr))
done = run(lamina, *short, "--log-file", "no/log")
check("a log file that cannot be", done.returncode == 1 and
      "log file no/log: No such file" in done.stderr, done.stderr)
done = run(lamina, "train", "--resume", "none", "--log-file", "log")
check("the error is in the log", (folder / "log").read_text().rstrip().endswith(
    done.stderr.partition(": ")[2].strip()) and "error: " in
    (folder / "log").read_text())


def on_terminal(kind):
    """What a terminal of that kind is sent during a training."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [lamina, *map(str, short), "--set", "train.steps=40", "--run", kind],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=theirs,
        env={**os.environ, "TERM": kind})
    os.close(theirs)
    sent = b""
    while True:
        try:
            sent += os.read(ours, 4096)
        except OSError:
            break
    child.wait()
    os.close(ours)
    return sent.replace(b"\r\n", b"\n")


# TensorBoard's file, read by its format: records with sums, protobuf messages.
def masked_crc(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    crc ^= 0xffffffff
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def varint(message, at):
    value, shift = 0, 0
    while True:
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return value, at


def fields(message):
    """(number, value) of a message."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        if tag & 7 == 0:
            value, at = varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(tag & 7)
            if size is None:
                size, at = varint(message, at)
            value, at = message[at:at + size], at + size
        yield tag >> 3, value


def events(path):
    data, at = path.read_bytes(), 0
    while at < len(data):
        size, crc = struct.unpack_from("<QI", data, at)
        body = data[at + 12:at + 12 + size]
        assert masked_crc(data[at:at + 8]) == crc, "the sum of a length"
        assert masked_crc(body) == struct.unpack_from("<I", data, at + 12 + size)[0]
        at += 16 + size
        event = dict(fields(body))
        event["scalars"] = {
            v[1].decode(): struct.unpack("<f", v[2])[0]
            for v in (dict(fields(value)) for _, value in fields(event.get(5, b"")))}
        yield event


# 0xe3069283 is the sum of these nine digits by all who define CRC-32C.
check("the sum is CRC-32C", masked_crc(b"123456789") ==
      ((0xe3069283 >> 15 | 0xe3069283 << 17) + 0xa282ead8) & 0xffffffff)
done = run(lamina, *short, "--run", "t", "-q", "--tensorboard")
again = run(lamina, "train", "--resume", "t", "--set", "train.steps=8", "-q")
found = list(events(folder / "t/events.out.tfevents.lamina"))
check("--tensorboard: the version, and where it went on", again.returncode == 0 and
      found[0][3] == b"brain.Event:2" and
      [e[2] for e in found if 7 in e] == [4], again.stderr + str(found))
rows = [json.loads(line) for line in
        (folder / "t/metrics.jsonl").read_text().splitlines()]
told = {e[2]: e["scalars"] for e in found if e["scalars"]}
check("--tensorboard: what metrics.jsonl has", all(
    math.isclose(told[row["step"]][name.replace("val_", "val/")], row[name],
                 rel_tol=1e-5)
    for row in rows for name in row
    if name not in ("epoch", "step", "seconds") and row[name] is not None)
    and len(rows) >= 2, f"{told} {rows}")

# An image that does not fit: a tile that does.
(folder / "large.pgm").write_bytes(b"P5 4096 4096 255\n" + bytes(4096 * 4096))
done = subprocess.run([lamina, "predict", "t", "large.pgm", "--out", "p"],
                      cwd=folder, env={**os.environ, "POCL_MEMORY_LIMIT": "1"},
                      capture_output=True, text=True, check=False)
tile = re.search(r"large.pgm: .* MiB.*; --tile (\d+) fits$", done.stderr.rstrip())
check("predict: a tile that fits", done.returncode == 4 and tile and
      256 <= int(tile.group(1)) < 4096, done.stderr)

sent = on_terminal("xterm")
check("a terminal: one line, rewritten, with what is left", b"\repoch" in sent
      and re.search(rb"\d:\d\d left", sent) and b"\x1b" not in sent, sent)
check("TERM=dumb: no line is rewritten", b"\r" not in on_terminal("dumb"))


def pgm(name, width, height, values):
    """16 bits where a value needs them."""
    wide = max(values) > 255
    (folder / "d" / name).write_bytes(
        b"P5 %d %d %d\n" % (width, height, 65535 if wide else 255) +
        b"".join(v.to_bytes(1 + wide, "big") for v in values))


# All that is wrong with a data set is told, not only the first of it.
for part in "images", "masks":
    (folder / "d" / part).mkdir(parents=True)
for i, name in enumerate("abcd"):
    pgm(f"images/{name}.pgm", 4, 4, [(4095 if name == "d" else 200) - k - i
                                     for k in range(16)])
    height = 5 if name == "b" else 4
    pgm(f"masks/{name}.pgm", 4, height, [255] * 4 * height)
(folder / "d/images/c.pgm").write_bytes(b"P5 4 4 255\n12")
pgm("images/e.pgm", 4, 4, [9] * 16)
(folder / "d/images/f.png").write_bytes(b"no image")
done = run(lamina, "data", "check", "d")
check("data check: every problem", done.returncode == 2 and all(
    text in done.stdout for text in (
        "but its mask d/masks/b.pgm is 4 x 5", "d/images/c.pgm",
        "d/images/f.png", "3 problems")), done.stdout + done.stderr)
check("data check: how it is stored", "1 of 16 (up to 4092: 12 bits are used), "
      "1 without a mask" in done.stdout, done.stdout)
print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] > 0)
