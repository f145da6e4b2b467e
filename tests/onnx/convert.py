#!/usr/bin/env python3
"""Makes ONNX's node tests and writes those that concern lamina's layers as cases
of `lamina selftest --cases`: convert.py OUT. Needs Debian's python3-onnx.

Prints one line a test that is left out, with the reason. Tests of operators
that lamina has no layer for are not listed.
"""
import builtins
import json
import pathlib
import sys
import tempfile

import numpy

# onnx 1.12 still uses the names that NumPy 1.24 took away.
for gone in ("complex", "int", "float", "bool", "object"):
    setattr(numpy, gone, getattr(builtins, gone))
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from onnx.backend.test import cmd_tools  # noqa: E402


class Skip(Exception):
    """Why a test cannot be expressed."""


def safetensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        raw = numpy.ascontiguousarray(array, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def words(values):
    return ",".join(str(int(v)) for v in values)


def image(x):
    """[N, C, W] becomes [N, C, 1, W]."""
    if x.ndim == 3:
        return x[:, :, None, :]
    if x.ndim != 4:
        raise Skip(f"rank {x.ndim}")
    return x


def plane(values, rank, fill):
    """The attribute of a 1-d operator in 2-d."""
    return [fill, *values] if rank == 1 else list(values)


def floats(*arrays):
    for x in arrays:
        if x is not None and x.dtype not in (numpy.float32, numpy.float64):
            raise Skip(f"dtype {x.dtype}")


def geometry(a, rank, transposed=False):
    """kernel, stride, dilation, pad as lamina's parameters."""
    stride = plane(a.get("strides", [1] * rank), rank, 1)
    dilation = plane(a.get("dilations", [1] * rank), rank, 1)
    pads = a.get("pads", [0] * 2 * rank)
    auto = a.get("auto_pad", b"NOTSET").decode()
    if rank == 1:
        pads = [0, pads[0], 0, pads[1]]
    if auto == "SAME_LOWER":
        raise Skip("auto_pad SAME_LOWER: TensorFlow's SAME pads below")
    if auto == "SAME_UPPER":
        pad = "pad=same"
    elif auto == "VALID" or not any(pads):
        pad = "pad=valid"
    else:
        pad = f"pad=explicit pads={words(pads)}"
    return f"stride={words(stride)} dilation={words(dilation)} {pad}"


def conv(a, x, w, b=None):
    rank = w.ndim - 2
    if rank not in (1, 2):
        raise Skip(f"{rank}-d")
    x, w = image(x), image(w)
    weights = {"weight.weight": w}
    if b is not None:
        weights["weight.bias"] = b
    return ("conv2d", f"filters={w.shape[0]} kernel={words(w.shape[2:])} "
            f"groups={a.get('group', 1)} bias={'true' if b is not None else 'false'} "
            + geometry(a, rank), [x], weights)


def conv_transpose(a, x, w, b=None):
    rank = w.ndim - 2
    if rank not in (1, 2):
        raise Skip(f"{rank}-d")
    if "output_shape" in a and a.get("auto_pad", b"NOTSET") == b"NOTSET":
        size, stride = a["output_shape"][-rank:], a["strides"]
        extra = []
        for k in range(rank):
            whole = (x.shape[2 + k] - 1) * stride[k] + w.shape[2 + k]
            if size[k] < whole:
                raise Skip("output_shape that crops")
            extra.append(size[k] - whole)
        a = {**a, "output_padding": extra}
    x, w = image(x), image(w)
    group = a.get("group", 1)
    weights = {"weight.weight": w}
    if b is not None:
        weights["weight.bias"] = b
    extra = plane(a.get("output_padding", [0] * rank), rank, 0)
    text = geometry(a, rank)
    if any(extra):
        text += f" output_padding={words(extra)}"
    return ("conv_transpose2d", f"filters={w.shape[1] * group} "
            f"kernel={words(w.shape[2:])} groups={group} "
            f"bias={'true' if b is not None else 'false'} " + text, [x], weights)


def pool(kind):
    def convert(a, x):
        floats(x)
        rank = len(a["kernel_shape"])
        if rank not in (1, 2):
            raise Skip(f"{rank}-d")
        if a.get("storage_order", 0):
            raise Skip("storage_order 1")
        text = geometry(a, rank)
        if kind == "avgpool":
            if any(d != 1 for d in a.get("dilations", [1])):
                raise Skip("dilated average")
            text = text.replace(f"dilation={words(plane([1] * rank, rank, 1))} ",
                                "")
            if a.get("count_include_pad", 0):
                text += " count_include_pad=true"
        kernel = plane(a["kernel_shape"], rank, 1)
        if a.get("ceil_mode", 0):
            text += " ceil=true"
        return kind, f"kernel={words(kernel)} {text}", [image(x)], {}
    return convert


def batchnorm(a, x, scale, bias, mean, var):
    if x.ndim < 2:
        raise Skip("rank 1")
    params = f"epsilon={a.get('epsilon', 1e-5):.9g}"
    if a.get("training_mode", 0):
        params += f" convention=tf momentum={a.get('momentum', 0.9):.9g}"
    return "batchnorm", params, [x], {
        "weight.weight": scale, "weight.bias": bias,
        "weight.running_mean": mean, "weight.running_var": var}


def plain(layer, **defaults):
    def convert(a, *x):
        floats(*x)
        if any(i.shape != x[0].shape for i in x):
            raise Skip("inputs of different shapes")
        if x[0].ndim == 0:
            raise Skip("rank 0")
        if not set(a) <= set(defaults):
            raise Skip(f"attributes {sorted(set(a) - set(defaults))}")
        params = " ".join(f"{new}={a.get(old, value):.9g}"
                          for old, (new, value) in defaults.items())
        return layer, params, list(x), {}
    return convert


def softmax(a, x):
    axis = a.get("axis", -1) % x.ndim
    if axis != 1 and x.ndim != 2 and not (axis == x.ndim - 1):
        if axis == 0 and x.ndim >= 2:
            return "softmax", "", [x.reshape(1, *x.shape)], {}
        raise Skip(f"axis {axis} of {x.ndim}")
    if axis != 1:
        x = x.reshape(-1, x.shape[-1])
    return "softmax", "", [x], {}


def concat(a, *x):
    axis = a["axis"] % x[0].ndim
    floats(*x)
    if axis == 0:
        x = [i.reshape(1, *i.shape) for i in x]
    elif axis > 1:
        raise Skip("only channels are joined")
    return "concat", "", list(x), {}


def gemm(a, x, w, b=None):
    if a.get("alpha", 1.0) != 1.0 or a.get("beta", 1.0) != 1.0:
        raise Skip("alpha or beta")
    x = x.T if a.get("transA", 0) else x
    w = w if a.get("transB", 0) else w.T
    weights = {"weight.weight": w}
    if b is not None:
        if b.ndim == 2 and b.shape[0] != 1:
            raise Skip("a matrix as bias")
        weights["weight.bias"] = numpy.broadcast_to(b.reshape(-1),
                                                    (w.shape[0],))
    return "dense", f"units={w.shape[0]} bias={'false' if b is None else 'true'}", \
        [x], weights


def pad(a, x, pads, value=None):
    mode = a.get("mode", b"constant").decode()
    pads = [int(p) for p in pads]
    if x.ndim != 4 or any(pads[:2]) or any(pads[4:6]) or min(pads) < 0:
        raise Skip("not of height and width alone")
    if mode == "constant" and value is not None and value != 0:
        raise Skip("a constant other than 0")
    floats(x)
    name = {"constant": "zero", "reflect": "reflect", "edge": "replicate"}[mode]
    return "pad", f"pads={words((pads[2], pads[3], pads[6], pads[7]))} " \
        f"mode={name}", [x], {}


def resize(a, x, roi=None, scales=None, sizes=None):
    mode = a.get("mode", b"nearest").decode()
    where = a.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = a.get("nearest_mode", b"round_prefer_floor").decode()
    if mode == "cubic" or where == "tf_crop_and_resize":
        raise Skip(mode if mode == "cubic" else where)
    if sizes is not None and sizes.size:
        size = [int(s) for s in sizes]
    else:
        size = [int(numpy.floor(n * s)) for n, s in zip(x.shape, scales)]
        if any(abs(n * s - k) > 1e-6 for n, s, k in zip(x.shape, scales, size)):
            raise Skip("scales that do not make whole sizes")
    if x.ndim != 4 or list(size[:2]) != list(x.shape[:2]):
        raise Skip("not of height and width alone")
    text = f"size={words(size[2:])} coordinates={where}"
    if mode == "nearest":
        return "resize", f"{text} mode=nearest rounding={rounding}", [x], {}
    return "resize", f"{text} mode=bilinear", [x], {}


def upsample(a, x, scales):
    size = [int(n * s) for n, s in zip(x.shape, scales)]
    return "resize", f"size={words(size[2:])} mode=nearest " \
        "coordinates=asymmetric rounding=floor", [x], {}


def shuffle(a, x):
    order = {"DCR": "tf", "CRD": "pytorch"}[a.get("mode", b"DCR").decode()]
    return "pixel_shuffle", f"factor={a['blocksize']} order={order}", [x], {}


def unshuffle(a, x):
    return "pixel_unshuffle", f"factor={a['blocksize']} order=tf", [x], {}


def flatten(a, x):
    axis = a.get("axis", 1)
    if axis % x.ndim != 1:
        raise Skip(f"axis {axis}")
    return "flatten", "", [x], {}


def reshape(a, x, shape):
    floats(x)
    if len(shape) > 6 or 0 in x.shape or a.get("allowzero", 0):
        raise Skip("allowzero")
    return "reshape", f"shape={words(shape)}", [x], {}


def dropout(a, x, ratio=None, training=None):
    if training is not None and bool(training):
        raise Skip("its mask is drawn by another generator")
    return "dropout", "p=0.5", [x], {}


def cross_entropy(a, x, target, weights=None):
    reduction = a.get("reduction", b"mean").decode()
    if reduction != "mean":
        raise Skip(f"reduction {reduction}")
    if x.ndim > 4:
        raise Skip(f"rank {x.ndim}")
    if x.ndim == 3:
        x, target = x[:, :, None, :], target[:, None, :]
    ignore = a.get("ignore_index", -1)
    target = target.astype("f4")
    if ignore < 0 and "ignore_index" in a:
        target = numpy.where(target == ignore, 255, target)
        ignore = 255
    params = f"ignore={ignore} reduction=weighted"
    if weights is not None:
        if len(weights) > 8:
            raise Skip("more than 8 class weights")
        params += " class_weights=" + ",".join(f"{w:.9g}" for w in weights)
    if x.ndim == 4:
        target = target[:, None]
    return "softmax_ce", params, [x, target], {}


LAYERS = {
    "Conv": conv, "ConvTranspose": conv_transpose, "MaxPool": pool("maxpool"),
    "AveragePool": pool("avgpool"), "BatchNormalization": batchnorm,
    "GlobalAveragePool": lambda a, x: ("globalpool", "mode=avg", [x], {}),
    "GlobalMaxPool": lambda a, x: ("globalpool", "mode=max", [x], {}),
    "InstanceNormalization": lambda a, x, s, b: (
        "instancenorm", f"epsilon={a.get('epsilon', 1e-5):.9g}", [x],
        {"weight.weight": s, "weight.bias": b}),
    "Softmax": softmax, "Concat": concat, "Gemm": gemm, "Pad": pad,
    "Resize": resize, "Upsample": upsample, "DepthToSpace": shuffle,
    "SpaceToDepth": unshuffle, "Flatten": flatten, "Reshape": reshape,
    "Dropout": dropout, "SoftmaxCrossEntropyLoss": cross_entropy,
    "Relu": plain("relu"), "Sigmoid": plain("sigmoid"), "Tanh": plain("tanh"),
    "LeakyRelu": plain("leaky_relu", alpha=("slope", 0.01)),
    "Elu": plain("elu", alpha=("alpha", 1.0)), "Add": plain("add"),
    "Sum": plain("add"), "Mul": plain("mul"),
}


def read(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def convert(folder, out):
    graph = onnx.load(folder / "model.onnx").graph
    if len(graph.node) != 1:
        return
    node = graph.node[0]
    if node.op_type not in LAYERS or "expanded" in folder.name:
        return
    attributes = {a.name: onnx.helper.get_attribute_value(a)
                  for a in node.attribute}
    data = sorted(folder.glob("test_data_set_0"))[0]
    fed = {i.name: read(data / f"input_{k}.pb")
           for k, i in enumerate([i for i in graph.input if i.name not in
                                  {t.name for t in graph.initializer}])}
    fed |= {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    outputs = [read(data / f"output_{k}.pb")
               for k in range(len(graph.output))]
    layer, params, inputs, weights = LAYERS[node.op_type](
        attributes, *(fed.get(i) for i in node.input))
    tensors = {f"in{k}": x for k, x in enumerate(inputs)} | weights
    tensors["out0"] = outputs[0]
    if node.op_type == "BatchNormalization" and len(outputs) == 3:
        tensors["state.running_mean"] = outputs[1]
    training = attributes.get("training_mode", 0)
    safetensors(out / f"{folder.name}.safetensors", tensors,
                {"layer": layer, "params": params,
                 "training": str(int(training))})


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    made = tempfile.mkdtemp(prefix="onnx-")
    sys.argv[1:] = ["generate-data", "-o", made]
    cmd_tools.main()
    folders = [*pathlib.Path(made).glob("node/test_*"),
               *(pathlib.Path(onnx.__file__).parent / "backend/test/data").glob(
                   "pytorch-*/test_*")]
    skipped = 0
    for folder in sorted(folders):
        try:
            convert(folder, out)
        except Skip as reason:
            skipped += 1
            print(f"skipped {folder.name}: {reason}")
    print(f"{len(list(out.glob('*.safetensors')))} cases made, {skipped} skipped")


if __name__ == "__main__":
    main()
