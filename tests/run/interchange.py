#!/usr/bin/env python3
"""Networks out of lamina and into it: interchange.py BUILD.

Every layer is exported to ONNX, passes Debian's onnx checker with shape
inference, is imported again and computes the same; files made with onnx.helper
the way PyTorch writes them compute what NumPy does; damaged and hostile files
are refused; safetensors and NPY files hold what they should. Prints one line a
case and "N passed, N failed, N skipped". Needs Debian's python3-onnx.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}
rng = np.random.default_rng(1)


def run(*arguments):
    return subprocess.run([lamina, *map(str, arguments)], cwd=folder, text=True,
                          errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)


def check(name, good, text=""):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name + ("" if good else f"\n{text}"),
          flush=True)


def normal(*shape):
    return rng.standard_normal(shape).astype("f4")


def near(got, want):
    return got.shape == want.shape and np.abs(got - want).max() <= 2e-6 * max(
        1, np.abs(want).max())


def predict(weights, x, *more):
    """The outputs of a network, by name; None and the text after a failure."""
    np.save(folder / "x.npy", x)
    out = folder / "out"
    done = run("predict", weights, "x.npy", "--out", out, *more)
    if done.returncode:
        return None, done.stdout
    names = [line for line in done.stdout.splitlines() if line.endswith(".npy")]
    return {pathlib.Path(n).stem[2:]: np.load(folder / n) for n in names}, ""


# --------------------------------------------------- every layer, there and back

NETS = {
    "convolutions": ((2, 4, 13, 16), """
  - {name: same, type: conv2d, filters: 8, kernel: 3}
  - {name: steps, type: conv2d, filters: 8, kernel: [4, 3], stride: 2}
  - {name: valid, type: conv2d, filters: 8, kernel: 3, pad: valid, bias: false}
  - {name: odd, type: conv2d, filters: 8, kernel: 3, dilation: 2, groups: 4,
     pad: explicit, pads: [2, 1, 3, 2]}
  - {name: up, type: conv_transpose2d, filters: 6, kernel: 4, stride: 2}
  - {name: gaps, type: conv_transpose2d, filters: 6, kernel: 2, stride: 3}
  - {name: wide, type: conv_transpose2d, filters: 6, kernel: 3, stride: 2,
     groups: 2, pad: explicit, pads: [1, 1, 1, 0], output_padding: 1, bias: false}
  - {name: all, type: conv_transpose2d, filters: 4, kernel: 3, pad: valid}
  - {name: both, type: upsample_conv2d, filters: 4, kernel: 3, scale: 2}
"""),
    "activations": ((2, 4, 6, 5), """
  - {name: relu, type: relu}
  - {name: leaky, type: leaky_relu, slope: 0.2, from: image}
  - {name: elu, type: elu, alpha: 0.7, from: image}
  - {name: sigmoid, type: sigmoid, from: image}
  - {name: tanh, type: tanh, from: image}
  - {name: gelu, type: gelu, from: image}
  - {name: fast, type: gelu, approximation: tanh, from: image}
  - {name: softmax, type: softmax, from: image}
  - {name: drop, type: dropout, p: 0.3, from: image}
  - {name: sum, type: add, factors: [1, 2, 0.5],
     from: [relu, leaky, elu]}
  - {name: pair, type: add, from: [sum, sigmoid]}
  - {name: scaled, type: add, factors: 3, from: pair}
  - {name: product, type: mul, from: [scaled, tanh]}
  - {name: cat, type: concat, from: [product, gelu, fast, softmax, drop]}
"""),
    "norms": ((2, 8, 6, 5), """
  - {name: batch, type: batchnorm, epsilon: 0.001}
  - {name: plain, type: batchnorm, affine: false}
  - {name: group, type: groupnorm, groups: 4}
  - {name: bare, type: groupnorm, groups: 2, affine: false}
  - {name: instance, type: instancenorm}
  - {name: simple, type: instancenorm, affine: false, epsilon: 0.01}
"""),
    "pools": ((2, 4, 14, 13), """
  - {name: max, type: maxpool, kernel: 2, indices: true}
  - {name: back, type: max_unpool, from: [max, max.indices, image]}
  - {name: mean, type: avgpool, kernel: 3, stride: 2, pad: explicit,
     pads: [1, 1, 1, 1], count_include_pad: true}
  - {name: ceil, type: maxpool, kernel: 2, ceil: true, pad: valid}
  - {name: wide, type: maxpool, kernel: 2, stride: 1, dilation: 2}
  - {name: even, type: maxpool, kernel: 2, stride: 2, pad: valid, from: image, indices: true}
  - {name: unpool, type: max_unpool, from: [even, even.indices]}
  - {name: gate, type: globalpool, from: unpool}
  - {name: top, type: globalpool, mode: max, from: back}
  - {name: gated, type: mul, from: [back, gate]}
  - {name: topped, type: mul, from: [wide, top]}
"""),
    "sizes": ((2, 4, 6, 8), """
  - {name: half, type: resize, scale: 2}
  - {name: corner, type: resize, scale: [3, 2], coordinates: asymmetric}
  - {name: linear, type: resize, scale: 2, mode: bilinear, from: image}
  - {name: aligned, type: resize, size: [11, 13], mode: bilinear,
     coordinates: align_corners}
  - {name: floor, type: resize, size: [5, 9], rounding: floor}
  - {name: mirror, type: pad, pads: [1, 2, 0, 3], mode: reflect}
  - {name: zeros, type: pad, pads: 2}
  - {name: edge, type: pad, pads: [0, 1, 1, 0], mode: replicate}
  - {name: window, type: crop, size: [4, 6], offset: [1, 2], from: aligned}
  - {name: middle, type: crop, from: [edge, image]}
  - {name: shuffled, type: pixel_shuffle, factor: 2, from: image}
  - {name: turned, type: pixel_unshuffle, factor: 2}
  - {name: tf, type: pixel_shuffle, factor: 2, order: tf}
  - {name: tf_back, type: pixel_unshuffle, factor: 2, order: tf}
  - {name: rows, type: reshape, shape: [0, 2, 2, -1], from: middle}
  - {name: flat, type: flatten, from: tf_back}
  - {name: dense, type: dense, units: 5}
  - {name: thin, type: dense, units: 3, bias: false, from: rows}
"""),
}
seen = set()


def write_net(name, shape, layers):

    seen.update(re.findall(r"type: (\w+)", layers))
    every = [n for n in re.findall(r"\{name: (\w+),", layers)]
    text = (f"format: 1\nname: {name}\ninputs:\n  image: [N, "
            f"{', '.join(map(str, shape[1:]))}]\nlayers:{layers}"
            f"outputs: [{', '.join(every)}]\n")
    (folder / f"{name}.yaml").write_text(text)


for name, (shape, layers) in NETS.items():
    write_net(name, shape, layers)
    done = run("export", f"{name}.yaml", "--onnx", f"{name}.onnx",
               "--safetensors", f"{name}.safetensors")
    check(f"{name}: export", done.returncode == 0, done.stdout)
    try:
        model = onnx.load(folder / f"{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        problem = ""
    except Exception as error:  # noqa: BLE001
        problem = str(error)
    check(f"{name}: onnx.checker", not problem, problem)
    done = run("import", f"{name}.onnx", "--model", "back.yaml", "--weights",
               "back.safetensors")
    check(f"{name}: import", done.returncode == 0, done.stdout)
    x = normal(*shape)
    want, text = predict(f"{name}.safetensors", x)
    got, more = predict("back.safetensors", x)
    if not want or not got:
        check(f"{name}: predict", False, text + more)
        continue
    # An output is called after its layer, but where that had several nodes.
    got = dict(zip(want, got.values())) if len(got) == len(want) else {}
    for layer, values in want.items():
        good = layer in got and near(got[layer], values)
        check(f"{name}: {layer} there and back", good,
              "" if layer not in got or got[layer].shape != values.shape else
              f"differs by {np.abs(got[layer] - values).max()}")
layer_rows = [line.split("`")[1] for line in run(
    "layers", "--markdown").stdout.splitlines() if "| layer |" in line]
documented = (root / "docs/interchange.md").read_text()
refused = [n for n in layer_rows if n not in seen]
check("each layer is tried, or documented as refused",
      all(f"`{n}`" in documented.split("## Not expressed")[-1] for n in refused),
      refused)

# ----------------------------------------------- files as other programs write


def weights(**arrays):
    return [numpy_helper.from_array(np.ascontiguousarray(a), n)
            for n, a in arrays.items()]


def ints(*values):
    return np.array(values, dtype="i8")


def made(name, nodes, initial, shape, want, *more, opset=13):
    """A file of nodes, x to y, that must compute `want`, or fail with it."""
    x = normal(*shape)
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT,
                                                    ["n", *shape[1:]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], initial)
    model = helper.make_model(graph, opset_imports=[
        helper.make_opsetid("", opset)])
    onnx.save(model, str(folder / "made.onnx"))
    done = run("import", "made.onnx", "--run", "made", *more)
    if isinstance(want, str):
        check(name, done.returncode == 2 and want in done.stdout, done.stdout)
        return
    if done.returncode:
        check(name, False, done.stdout)
        return
    got, text = predict("made", x)
    wanted = want(x)
    value = list(got.values())[0] if got else None
    check(name, got and value.shape == wanted.shape and
          np.abs(value - wanted).max() < 1e-5,
          text or f"{value.shape}, wanted {wanted.shape}; differs by "
          f"{np.abs(value - wanted).max() if value.shape == wanted.shape else 0}")


node = helper.make_node
scale, shift = normal(3), normal(3)
w, b = normal(4, 24), normal(4)
by_channel = scale.reshape(1, 3, 1, 1)
made("a constant for each channel",
     [node("Mul", ["x", "s"], ["a"]), node("Add", ["a", "t"], ["b"]),
      node("Sub", ["one", "b"], ["y"])],
     weights(s=by_channel, t=shift.reshape(3, 1, 1),
             one=np.float32([1.5]).reshape(())), (2, 3, 4, 5),
     lambda x: 1.5 - (x * by_channel + shift.reshape(1, 3, 1, 1)))
made("Clip 0 to 6", [node("Clip", ["x", "low", "top"], ["y"])],
     weights(low=np.float32(0).reshape(()), top=np.float32(.6).reshape(())),
     (2, 3, 4, 5), lambda x: np.clip(x, 0, .6))
made("Flatten, MatMul, Add",
     [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["m"]),
      node("Add", ["m", "b"], ["y"])],
     weights(w=w.T, b=b), (2, 2, 3, 4),
     lambda x: x.reshape(2, -1) @ w.T + b)
made("Resize to the size of another value",
     [node("AveragePool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
      node("Shape", ["x"], ["s"]),
      node("Slice", ["s", "two", "four", "zero"], ["hw"]),
      node("Shape", ["p"], ["ps"]),
      node("Slice", ["ps", "zero", "two", "zero"], ["nc"]),
      node("Cast", ["hw"], ["hw64"], to=TensorProto.INT64),
      node("Concat", ["nc", "hw64"], ["sizes"], axis=0),
      node("Resize", ["p", "", "", "sizes"], ["y"], mode="nearest",
           coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
     weights(zero=ints(0), two=ints(2), four=ints(4)), (2, 3, 4, 6),
     lambda x: x.reshape(2, 3, 2, 2, 3, 2).mean((3, 5)).repeat(2, 2).repeat(2, 3))
made("Pad as PyTorch computes it",
     [node("Constant", [], ["p"], value=numpy_helper.from_array(ints(1, 2, 0, 3))),
      node("ConstantOfShape", ["four"], ["z"],
           value=numpy_helper.from_array(ints(0))),
      node("Concat", ["p", "z"], ["all"], axis=0),
      node("Reshape", ["all", "pairs"], ["rows"]),
      node("Slice", ["rows", "last", "first", "zero", "minus"], ["turned"]),
      node("Transpose", ["turned"], ["columns"], perm=[1, 0]),
      node("Reshape", ["columns", "minus"], ["pads"]),
      node("Pad", ["x", "pads"], ["y"], mode="constant")],
     weights(four=ints(4), pairs=ints(-1, 2), zero=ints(0), last=ints(-1),
             first=ints(-2**63 + 1), minus=ints(-1)), (1, 2, 3, 4),
     lambda x: np.pad(x, ((0, 0), (0, 0), (0, 3), (1, 2))))
made("ReduceMean, Squeeze, Softmax",
     [node("ReduceMean", ["x"], ["m"], axes=[2, 3]),
      node("Squeeze", ["m", "axes"], ["s"]), node("Softmax", ["s"], ["y"])],
     weights(axes=ints(2, 3)), (2, 3, 4, 5),
     lambda x: np.exp(x.mean((2, 3))) / np.exp(x.mean((2, 3))).sum(
         1, keepdims=True))
made("a Concat of 40 values", [node("Relu", ["x"], ["r"]),
     node("Concat", ["x", "r"] * 20, ["y"], axis=1)], [], (1, 2, 3, 4),
     lambda x: np.concatenate([x, np.maximum(x, 0)] * 20, 1))
made("Clip between any bounds", [node("Clip", ["x", "low", "top"], ["y"])],
     weights(low=np.float32(-.5).reshape(()), top=np.float32(.25).reshape(())),
     (2, 3, 4, 5), lambda x: np.clip(x, -.5, .25))
made("HardSwish, HardSigmoid, Neg",
     [node("HardSwish", ["x"], ["a"]), node("Neg", ["a"], ["b"]),
      node("HardSigmoid", ["b"], ["y"], alpha=1.5, beta=0.25)], [], (2, 3, 4, 5),
     lambda x: np.clip(-1.5 * x * np.clip(x / 6 + .5, 0, 1) + .25, 0, 1),
     opset=14)
made("torch.stack and sum", [node("Relu", ["x"], ["r"]),
     node("Unsqueeze", ["x", "zero"], ["a"]),
     node("Unsqueeze", ["r", "zero"], ["b"]),
     node("Concat", ["a", "b"], ["s"], axis=0),
     node("ReduceSum", ["s", "zero"], ["y"], keepdims=0)], weights(zero=ints(0)),
     (1, 2, 3, 4), lambda x: x + np.maximum(x, 0))
made("--append sigmoid", [node("Relu", ["x"], ["y"])], [], (1, 2, 3, 4),
     lambda x: 1 / (1 + np.exp(-np.maximum(x, 0))), "--append", "sigmoid")

# ---------------------------------------------------------------- what is refused

made("an operator without a layer", [node("Einsum", ["x"], ["y"], equation="ij")],
     [], (1, 2, 3, 4), "(Einsum): it is not supported; supported are")
made("another domain",
     [node("Relu", ["x"], ["y"], domain="com.example")], [], (1, 2, 3, 4),
     "operators of com.example")
made("cubic", [node("Resize", ["x", "", "s"], ["y"], mode="cubic")],
     weights(s=np.float32([1, 1, 2, 2])), (1, 2, 3, 4), "cubic is not supported")
made("an unknown value", [node("Relu", ["nothing"], ["y"])], [], (1, 2, 3, 4),
     "input 0 is made by no node")
made("a weight that is too short",
     [node("Conv", ["x", "w", "b"], ["y"])],
     weights(w=normal(2, 2, 1, 1), b=normal(3)), (1, 2, 3, 4),
     "its bias has 3 numbers, wanted 2")
made("channels that do not fit", [node("Conv", ["x", "w"], ["y"])],
     weights(w=normal(2, 5, 1, 1)), (1, 2, 3, 4), "no image of 5 channels")

whole = (folder / "norms.onnx").read_bytes()
bad, survived = [], 0
for cut in sorted({*range(0, 200), *range(0, len(whole), 37)}):
    (folder / "cut.onnx").write_bytes(whole[:cut])
    done = run("import", "cut.onnx", "--model", "cut.yaml")
    if done.returncode not in (0, 2) or "cut.onnx" not in done.stdout:
        bad.append((cut, done.returncode, done.stdout))
for _ in range(200):
    damaged = bytearray(whole)
    for at in rng.integers(0, len(whole), 3):
        damaged[at] = rng.integers(0, 256)
    (folder / "cut.onnx").write_bytes(damaged)
    done = run("import", "cut.onnx", "--model", "cut.yaml")
    survived += done.returncode == 0
    if done.returncode not in (0, 2):
        bad.append((bytes(damaged[:20]), done.returncode, done.stdout))
check("cut and damaged files are refused, none crashes", not bad, bad[:3])

outside = onnx.load(folder / "convolutions.onnx")
onnx.save(outside, str(folder / "outside.onnx"), save_as_external_data=True,
          location="outside.data", size_threshold=0)
done = run("import", "outside.onnx", "--weights", "outside.safetensors")
x = normal(*NETS["convolutions"][0])
want, _ = predict("convolutions.safetensors", x)
got, text = predict("outside.safetensors", x) if done.returncode == 0 else \
    (None, done.stdout)
check("weights in another file", got and all(
    near(a, b) for a, b in zip(got.values(), want.values())), text)
for tensor in outside.graph.initializer:
    for entry in tensor.external_data:
        if entry.key == "location":
            entry.value = "../outside.data"
(folder / "sly.onnx").write_bytes(outside.SerializeToString())
done = run("import", "sly.onnx", "--model", "sly.yaml")
check("weights outside of the folder",
      done.returncode == 2 and "wanted a file in its folder" in done.stdout,
      done.stdout)

# --------------------------------------------------------------- safetensors, NPY


def write_safetensors(path, tensors):
    """{name: array}: floats, halves, bits of bfloat16, PyTorch's counts."""
    kinds = {"f4": "F32", "f2": "F16", "u2": "BF16", "i8": "I64"}
    header, data = {}, b""
    for name, array in tensors.items():
        raw = array.tobytes()
        header[name] = {"dtype": kinds[array.dtype.str[1:]],
                        "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read_safetensors(path):
    """The format in plain Python."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + o for o in entry["data_offsets"])
        assert entry["dtype"] == "F32"
        tensors[name] = np.frombuffer(raw[begin:end], "<f4").reshape(
            entry["shape"])
    return tensors


tensors = read_safetensors(folder / "convolutions.safetensors")
initial = {t.name: numpy_helper.to_array(t)
           for t in onnx.load(folder / "convolutions.onnx").graph.initializer}
check("safetensors has PyTorch's names and layouts, the same as ONNX",
      tensors["odd.weight"].shape == (8, 2, 3, 3) and
      tensors["up.weight"].shape == (8, 6, 4, 4) and
      all((initial[n] == t).all() for n, t in tensors.items()), tensors.keys())

# unet-small's weights under the names of a PyTorch module.
run("export", root / "models/unet-small.yaml", "--safetensors", "u.safetensors")
ours = read_safetensors(folder / "u.safetensors")
places = {"a.conv": "net.0", "a.bn": "net.1", "b.conv": "net.3", "b.bn": "net.4"}


def theirs(name):
    for part, place in places.items():
        if f".{part}." in name:
            return "unet.stages." + name.replace(part, place)
    return name.replace("logit.", "unet.out.")


state = {theirs(n): t + 1 for n, t in ours.items()}
state["unet.stages.enc1.net.1.num_batches_tracked"] = np.array(7, "i8")
write_safetensors(folder / "state.safetensors", state)
rules = "".join(f'  "*.{part}.*": "unet.stages.*.{place}.*"\n'
                for part, place in places.items())
(folder / "map.yaml").write_text(
    f'weights:\n{rules}  "logit.*": "unet.out.*"\n')
done = run("import", "state.safetensors", "--into",
           root / "models/unet-small.yaml", "--map", "map.yaml", "--run", "mapped")
taken = read_safetensors(folder / "mapped/best.safetensors") \
    if done.returncode == 0 else {}
check("a state dict by a map", taken and all(
    (taken[n] == t + 1).all() for n, t in ours.items()) and
    f"{len(ours)} matched" in done.stdout and "1 there of other types"
    in done.stdout, done.stdout)
for kind, narrow, widen in (
        ("F16", lambda t: t.astype("<f2"), lambda t: t.astype("f4")),
        ("BF16", lambda t: (t.view("<u4") >> 16).astype("<u2"),
         lambda t: (t.astype("<u4") << 16).view("f4"))):
    halves = {n: narrow(t) for n, t in ours.items()}
    write_safetensors(folder / "half.safetensors", halves)
    done = run("import", "half.safetensors", "--into",
               root / "models/unet-small.yaml", "--run", f"run-{kind}")
    taken = read_safetensors(folder / f"run-{kind}/best.safetensors") \
        if done.returncode == 0 else {}
    check(f"weights of {kind} are widened", taken and all(
        (taken[n] == widen(t)).all() for n, t in halves.items()), done.stdout)
done = run("import", "state.safetensors", "--into",
           root / "models/unet-small.yaml", "--weights", "w.safetensors")
check("a state dict without a map names the first weight",
      done.returncode == 7 and "enc1.a.conv.weight, 16x1x3x3, wanted as "
      "enc1.a.conv.weight, is not in the file" in done.stdout, done.stdout)
for name, text, problem in (
        ("stars", 'weights:\n  "a.*": "b"\n', "map.yaml:2:3: both sides want"),
        ("keys", "weight: {}\n", "map.yaml:1:1: unknown key"),
        ("lists", "include: a\n", "map.yaml:1:1: wanted a list")):
    (folder / "map.yaml").write_text(text)
    done = run("import", "state.safetensors", "--into",
               root / "models/unet-small.yaml", "--map", "map.yaml", "--weights",
               "w.safetensors")
    check(f"a map with wrong {name}", done.returncode == 2 and
          problem in done.stdout, done.stdout)
done = run("train", root / "models/unet-small.yaml", "--data", "phantom:4:64:1",
           "--set", "inputs.image=N,1,64,64", "--set", "train.batch=1", "--set",
           "train.steps=1", "--run", "tuned", "--no-progress", "--init",
           "mapped/best.safetensors", "--include", "enc*", "--include", "mid.*",
           "--exclude", "*.bn.*")
report = re.search(r"(\d+) matched, 0 missing there, 0 of another shape, (\d+) "
                   "left out", done.stdout)
check("train --init with patterns", done.returncode == 0 and report and
      int(report[1]) == sum(n.startswith(("enc", "mid")) and ".bn." not in n
                            for n in ours) and
      int(report[1]) + int(report[2]) == len(ours), done.stdout)

x = normal(*NETS["pools"][0])
want, _ = predict("pools.safetensors", x, "--dump", "back=back.npy", "--dump",
                  "max.indices=indices.npy")
indices = np.load(folder / "indices.npy")
check("--dump gives a layer", want and
      (np.load(folder / "back.npy") == want["back"]).all() and
      indices.dtype == np.int32 and indices.shape == (2, 4, 7, 7))
done = run("predict", "pools.safetensors", "x.npy", "--out", "out", "--dump",
           "bach=back.npy")
check("--dump of no layer", done.returncode == 2 and
      "did you mean 'back'" in done.stdout, done.stdout)
for name, array, problem in (
        ("Fortran order", np.asfortranarray(x), "Fortran order"),
        ("complex numbers", x.astype("c8"), "its type is none of"),
        ("other channels", x[:, :3], "but the input image is 2x4x14x13")):
    np.save(folder / "bad.npy", array)
    done = run("predict", "pools.safetensors", "bad.npy", "--out", "out")
    check(f"NPY of {name}", done.returncode == 2 and problem in done.stdout,
          done.stdout)
good, _ = predict("pools.safetensors", x.astype("f8"))
check("NPY of doubles", good and (good["back"] == want["back"]).all())

print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] != 0)
