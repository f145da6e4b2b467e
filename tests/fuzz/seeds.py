#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: seeds.py OUT makes OUT/TARGET/NAME.

Small good files of every kind that a reader knows, made here from the formats'
descriptions, and the models of the project.
"""
import json
import pathlib
import struct
import sys
import zlib

root = pathlib.Path(__file__).resolve().parents[2]
out = pathlib.Path(sys.argv[1])


def write(target, name, data):
    folder = out / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def safetensors(tensors, metadata=None):
    header, at = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(at))


def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data)))


def png(width, height, depth, colour, raw, interlace=0, between=b""):
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour,
                                       0, 0, interlace)) + between +
            chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def jpeg():
    """8 x 8 grey pixels of 128: the shortest tables, a block of two bits."""
    return (b"\xff\xd8\xff\xdb\0\x43\0" + bytes([1] * 64) +
            b"\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0" +
            b"\xff\xc4\0\x14\0\x01" + bytes(16) +
            b"\xff\xc4\0\x14\x10\x01" + bytes(16) +
            b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\x3f\xff\xd9")


write("safetensors", "empty", safetensors({}))
write("safetensors", "two", safetensors(
    {"a": ("F32", [2, 3], 24), "b.weight": ("F64", [1], 8)}, {"model": "x: 1"}))
write("safetensors", "rank0", safetensors({"a": ("F32", [], 4),
                                           "none": ("F32", [0, 4], 0)}))
for path in [*root.glob("models/*.yaml")]:
    write("model", path.name, path.read_bytes())
write("model", "small", b"""format: 1
name: a
inputs: {x: [N, 1, 8, 8]}
layers:
  - {name: c, type: conv2d, from: x, filters: 2, kernel: [3, 3], pad: same}
  - {name: p, type: maxpool, kernel: 2}
  - {name: u, type: resize, scale: 2, mode: bilinear}
  - {name: a, type: concat, from: [u, x]}
  - {name: s, type: sigmoid}
outputs: [s]
loss: {type: dice}
train: {epochs: 1, lr: 0.1}
""")
for depth in (1, 2, 4, 8, 16):
    row = bytes([0]) + bytes(range((3 * depth + 7) // 8))
    write("image", f"grey{depth}.png", png(3, 2, depth, 0, row * 2))
write("image", "rgb.png", png(1, 1, 8, 2, b"\0\x10\x20\x30"))
write("image", "rgba16.png", png(1, 1, 16, 6, b"\0" + bytes(range(8))))
write("image", "palette.png", png(2, 1, 8, 3, b"\0\0\1", between=chunk(
    b"PLTE", bytes(range(6))) + chunk(b"tRNS", b"\0")))
write("image", "adam7.png", png(2, 2, 8, 0, b"\0\1\0\2\0\3\4", 1))
write("image", "filters.png", png(2, 5, 8, 0, b"\0\1\2\1\3\4\2\5\6\3\7\x08\4\1\1"))
write("image", "grey.jpg", jpeg())
write("image", "p5.pgm", b"P5\n# c\n2 1\n255\n\0\xff")
write("image", "p5wide.pgm", b"P5 2 1 4095\n\0\1\x0f\xff")
write("image", "p6.ppm", b"P6 1 1 100\n\1\2\3")
write("csv", "manifest", b"name,patient,split\na,p1,train\nb,p2,val\n")
write("csv", "quoted", b'\xef\xbb\xbfname,"pa""ti\nent"\r\n"a,b",1\r\n\r\n')


def field(number, value):
    """A field of a protocol buffer: a number, a text, or a message's bytes."""
    def varint(n):
        n &= 2**64 - 1
        low = b""
        while n > 127:
            low += bytes([n & 127 | 128])
            n >>= 7
        return low + bytes([n])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def attribute(name, kind, value):
    values = value if isinstance(value, list) else [value]
    return field(5, field(1, name) + b"".join(
        field({1: 2, 2: 3, 3: 4, 7: 8}[kind], v) for v in values) +
        field(20, kind))


def node(op, ins, outs, *attributes):
    return field(1, b"".join(field(1, i) for i in ins) +
                 b"".join(field(2, o) for o in outs) + field(4, op) +
                 b"".join(attributes))


def tensor(name, dims, kind, raw):
    return field(5, b"".join(field(1, d) for d in dims) + field(2, kind) +
                 field(8, name) + field(9, raw))


def value(number, name, *dims):
    shape = b"".join(field(1, field(1, d) if isinstance(d, int) else
                           field(2, d)) for d in dims)
    return field(number, field(1, name) + field(2, field(1, field(
        1, 1) + field(2, shape))))


def onnx(*parts):
    return field(1, 7) + field(7, b"".join(parts) + field(2, "net") + value(
        11, "x", "n", 2, "h", "w") + value(12, "y")) + field(
        8, field(1, "") + field(2, 13))


ones = struct.pack("<f", 1.0)
write("onnx", "conv", onnx(
    tensor("c.weight", [4, 2, 3, 3], 1, ones * 72), tensor("b", [4], 1, ones * 4),
    node("Conv", ["x", "c.weight", "b"], ["a"], attribute("pads", 7, [1] * 4),
         attribute("strides", 7, [2, 2])),
    node("Relu", ["a"], ["r"]),
    node("BatchNormalization", ["r", "b", "b", "b", "b"], ["n"],
         attribute("epsilon", 1, 0.001)),
    node("LeakyRelu", ["n"], ["y"], attribute("alpha", 1, 0.5))))
write("onnx", "resize", onnx(
    tensor("two", [1], 7, struct.pack("<q", 2)),
    tensor("four", [1], 7, struct.pack("<q", 4)),
    tensor("low", [], 1, bytes(4)), tensor("none", [1], 7, bytes(8)),
    node("MaxPool", ["x"], ["p"], attribute("kernel_shape", 7, [2, 2]),
         attribute("strides", 7, [2, 2])),
    node("Shape", ["x"], ["s"]), node("Slice", ["s", "two", "four"], ["hw"]),
    node("Shape", ["p"], ["q"]), node("Slice", ["q", "none", "two"], ["g"]),
    node("Concat", ["g", "hw"], ["all"], attribute("axis", 2, 0)),
    node("Resize", ["p", "", "", "all"], ["u"], attribute("mode", 3, "linear")),
    node("Clip", ["u", "low"], ["y"])))
write("onnx", "dense", onnx(
    tensor("w", [512, 3], 1, ones * 1536), tensor("shape", [2], 7, struct.pack(
        "<qq", 0, -1)), tensor("s", [3], 1, ones * 3),
    node("Reshape", ["x", "shape"], ["f"]), node("MatMul", ["f", "w"], ["m"]),
    node("Mul", ["m", "s"], ["t"]), node("Softmax", ["t"], ["y"])))
for name, text, data in (
        ("f4", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
         ones * 6),
        ("u1", "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }",
         b"abcd"),
        ("i8", "{'descr': '<i8', 'fortran_order': False, 'shape': (), }",
         bytes(8))):
    write("npy", name, b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) +
          text.encode() + data)
