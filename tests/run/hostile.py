#!/usr/bin/env python3
"""Files made to break a reader: hostile.py BUILD.

Checkpoints, model files, images and tables, each given to the program: it must
refuse each with its exit code and one sentence that names the file (and the
place, in a model or a table), in a tenth of a second of processor time and
64 MiB. Cuts and flipped bits of images are in tests/unit/image.c, made-up bytes
in tests/fuzz.
"""
import json
import os
import re
import struct
import subprocess
import zlib

import program
from program import check, folder, lamina

MIB = 1 << 20


def measured(words):
    """Exit code, text, processor seconds, MiB; the best of three, for a busy
    machine makes all of them slower."""
    best = None
    for _ in range(3):
        process = subprocess.Popen([lamina, *map(str, words)],
                                   stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True,
                                   errors="replace")
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        now = (process.returncode, text, usage.ru_utime + usage.ru_stime,
               usage.ru_maxrss / 1024)
        best = min(best or now, now, key=lambda row: row[2])
        if best[2] < 0.1:
            break
    return best


worst = {}


def refuse(kind, name, code, words, place):
    got, text, seconds, mib = measured(words)
    lines = text.strip().splitlines()
    longest = 4 if kind == "image" else 3  # `data check` counts them too
    slowest, most = worst.get(kind, (0, 0))
    worst[kind] = (max(slowest, seconds), max(most, mib))
    check(f"{kind}: {name}", got == code and seconds < 0.1 and mib < 64 and
          1 <= len(lines) <= longest and re.search(place, text),
          f"exit {got}, wanted {code}; {seconds:.2f} s, {mib:.0f} MiB; wanted "
          f"{place} in:\n{text[:600]}")


# Checkpoints: refused before a device is asked for.

def tensor(dtype="F32", shape=(4,), offsets=(0, 16)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def weights(header, data=bytes(16), length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


good = weights({"a": tensor()})
pair = '"dtype":"F32","shape":[4],"data_offsets":[0,16]'
checkpoints = {
    "empty file": b"",
    "seven bytes": b"\0" * 7,
    "no header": weights(b"", b"12345678", 0),
    "length of 2^64 - 1": weights(b"{}", b"", 2**64 - 1),
    "length that wraps": weights(b"{}", b"", 2**64 - 5),
    "length of 2^40": weights(b"{}", b"", 2**40),
    "length beyond the end": weights({"a": tensor()}, length=4096),
    "length that cuts the header": weights({"a": tensor()}, length=20),
    "header that is a list": weights(b"[1]"),
    "header that is no JSON": weights(b"{nonsense}"),
    "header that is not UTF-8": weights(b'{"\xff":{' + pair.encode() + b"}}"),
    "header of brackets": weights(b'{"a":' + b"[" * 100000 + b"}"),
    "duplicate name": weights(
        f'{{"a":{{{pair}}},"a":{{{pair}}}}}'.encode()),
    "hole": weights({"a": tensor(shape=(2,), offsets=(8, 16))}),
    "overlap": weights({"a": tensor(), "b": tensor(shape=(2,), offsets=(8, 16))}),
    "data left over": weights({"a": tensor(shape=(2,), offsets=(0, 8))}),
    "beyond the end": weights({"a": tensor(shape=(8,), offsets=(0, 32))}),
    "unknown dtype": weights({"a": tensor("F13")}),
    "shape and length differ": weights({"a": tensor(shape=(3,))}),
    "shape product overflows": weights({"a": tensor(shape=(2**32, 2**32))}),
    "negative dimension": weights({"a": tensor(shape=(-4,))}),
    "fraction as dimension": weights({"a": tensor(shape=(4.0,))}),
    "dimension of 2^70": weights({"a": tensor(shape=(2**70,))}),
    "seven dimensions": weights({"a": tensor(shape=(1,) * 6 + (4,))}),
    "falling offsets": weights({"a": tensor(offsets=(16, 0))}),
    "metadata that is a number": weights({"__metadata__": {"k": 1},
                                          "a": tensor()}),
    "wrong checksum": weights({"__metadata__": {"sha256": "0" * 64},
                               "a": tensor()}),
    "weights of something else": good,
    **{f"cut to {n} of {len(good)} bytes": good[:n]
       for n in range(8, len(good), 12)},
}
for name, data in checkpoints.items():
    path = folder / "x.safetensors"
    path.write_bytes(data)
    refuse("checkpoint", name, 7,
           ["predict", path, "none.png", "--out", folder / "out"],
           r"x\.safetensors: .")

# Model files.

head = "format: 1\ninputs: {x: [N, 1, 8, 8]}\n"
row = head + "layers:\n  - {name: a, type: relu}\n"
bomb = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 30))
nest = "blocks:\n" + "".join(
    f"  b{i}:\n    layers:\n" + "".join(
        f"      - {{name: n{k}, block: b{i + 1}}}\n" for k in range(9))
    for i in range(9)) + "  b9:\n    layers: [{name: r, type: relu}]\n"
place = r"x\.yaml(:\d+:\d+|: byte \d+): ."
models = {
    "empty": "",
    "alias bomb": bomb,
    "alias of itself": "a: &x [*x]\n",
    "40,000 anchors": "".join(f"k{i}: &x{i} 1\n" for i in range(40000)),
    "100,000 brackets": "a: " + "[" * 100000,
    "100,000 braces": "{a: " * 100000,
    "100,000 dashes": "- " * 100000,
    "100 deep": "a: " + "[" * 100 + "]" * 100,
    "300,000 items": head + "note: [" + "x," * 300000 + "]",
    "20,000 sections": head + "".join(f"k{i}: 1\n" for i in range(20000)),
    "tab": "format: 1\n\tinputs: 1\n",
    "NUL": 'format: 1\nname: "a\\0b"\n',
    "NUL byte": "format: 1\nname: a\0b\n",
    "not UTF-8": b"format: 1\nname: \xff\xfe\n",
    "UTF-16": "format: 1\n".encode("utf-16"),
    "duplicate key": "format: 1\nformat: 1\n",
    "unknown section": head + "layrs: []\n",
    "unknown parameter": head + "layers:\n  - {name: a, type: conv2d, filter: 1}\n",
    "value that is not there": head + "layers:\n  - {name: a, type: relu, from: b}\n",
    "layer after itself": head + "layers:\n  - {name: a, type: relu, from: a}\n",
    "no inputs": "format: 1\nlayers: []\n",
    "output that is not there": row + "outputs: [b]\n",
    "block of itself": head + "blocks:\n  b:\n    layers: [{name: a, block: b}]\n"
                              "layers:\n  - {name: a, block: b}\noutputs: [a]\n",
    "blocks that multiply": head + nest + "layers:\n  - {name: a, block: b0}\n"
                                          "outputs: [a]\n",
    "tag": "format: !!python/object:os.system 1\n",
    "two documents": row + "outputs: [a]\n---\nformat: 1\n",
    "shape too large": row.replace("8, 8", "9999999999, 9999999999") +
                       "outputs: [a]\n",
    "filters too many": head + "layers:\n  - {name: a, type: conv2d, "
                               "filters: 2000000000, kernel: 3}\noutputs: [a]\n",
    "include outside": head + "include: ../../etc/passwd\n",
    "include missing": head + "include: no-such-blocks.yaml\n",
}
for name, text in models.items():
    path = folder / "x.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refuse("model", name, 2, ["check", path], place)
path = folder / "x.yaml"
with open(path, "wb") as file:
    file.write(b"format: 1\nnote: ")
    file.truncate(50 * MIB)
refuse("model", "50 MiB", 2, ["check", path], r"x\.yaml: .* bytes are too many")

# Images, in a data set that is checked.


def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data)))


def png(width, height, raw, mib=0):
    """raw, or so many MiB of zeros."""
    packer = zlib.compressobj(9)
    packed = packer.compress(raw) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
        ">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", packed + block * mib + packer.flush()) +
            chunk(b"IEND", b""))


images = {
    "bomb of 30000 x 30000": ("a.png", png(
        30000, 30000, b"", 859)),
    "bomb of 16384 x 16384": ("a.png", png(
        16384, 16384, b"", 257)),
    "more data than pixels": ("a.png", png(2, 2, b"", 64)),
    "pixels that are not there": ("a.png", png(8000, 8000, bytes(16))),
    "size of 2^32 - 1": ("a.png", png(2**32 - 1, 2**32 - 1, b"\0")),
    "no size": ("a.png", png(0, 0, b"\0")),
    "GIF": ("a.png", b"GIF89a" + struct.pack("<HH", 30000, 30000) +
            b"\x80\0\0" + bytes(51)),
    "BMP": ("a.png", b"BM" + bytes(60)),
    "header of a PGM of 16384 x 16384": ("a.pgm", b"P5 16384 16384 65535\n"),
    "PGM of 999999999 x 9": ("a.pgm", b"P5 999999999 9 255\n"),
    "PGM of maxval 0": ("a.pgm", b"P5 1 1 0\n\0"),
    "PGM of maxval 65536": ("a.pgm", b"P5 1 1 65536\n\0\0\0\0"),
    "PGM of text": ("a.pgm", b"P2 1 1 255\n7\n"),
    "JPEG of markers alone": ("a.jpg", b"\xff\xd8\xff\xd9"),
    "JPEG of nothing but FF": ("a.jpg", b"\xff\xd8" + b"\xff" * 100000),
    "empty": ("a.png", b""),
    "folder": ("a.png", None),
}
for name, (file, data) in images.items():
    root = folder / re.sub(r"\W", "_", name)
    (root / "images").mkdir(parents=True)
    if data is None:
        (root / "images" / file).mkdir()
    else:
        (root / "images" / file).write_bytes(data)
    refuse("image", name, 2, ["data", "check", root], re.escape(file))

# Tables.

pgm = b"P5 1 1 255\n\7"
tables = {
    "empty": b"",
    "no name": b"nam,split\na,train\n",
    "open quote": b'name\n"a\n',
    "text behind a quote": b'name\n"a"b\n',
    "columns missing": b"name,split\na\n",
    "columns too many": b"name\na,b\n",
    "NUL": b"name\na\0b\n",
    "no such image": b"name\nb\n",
    "image twice": b"name\na\na\n",
    "unknown split": b"name,split\na,tran\n",
    "image of elsewhere": b"name\n../../../../etc/passwd\n",
    "a million commas": b"," * 1000000,
    "two million empty rows": b"name\n" + b"x\n" * 1100000,
}
root = folder / "table"
(root / "images").mkdir(parents=True)
(root / "images" / "a.pgm").write_bytes(pgm)
for name, data in tables.items():
    (root / "manifest.csv").write_bytes(data)
    refuse("table", name, 2, ["data", "check", root],
           "there are two images" if name == "image twice" else
           r"manifest\.csv")

for kind, (seconds, mib) in worst.items():
    print(f"{kind}: at most {seconds:.3f} s and {mib:.0f} MiB")
program.finish()
