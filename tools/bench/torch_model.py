"""A resolved lamina model (`lamina inspect --resolved`) as a PyTorch module."""
import math

import torch
import torch.nn.functional as F
from torch import nn

LAYOUTS = {"channels_last": torch.channels_last,
           "contiguous": torch.contiguous_format}


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def same(size, kernel, stride, dilation):
    """TensorFlow's SAME pads, as F.pad wants them: left right top bottom."""
    pads = []
    for n, k, s, d in zip(size[::-1], kernel[::-1], stride[::-1], dilation[::-1]):
        total = max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
        pads += [total // 2, total - total // 2]
    return pads


class Model(nn.Module):
    """Layers by name in the order of the file; forward gives the first output."""

    def __init__(self, model):
        super().__init__()
        self.rows = model["layers"]
        self.output = model["outputs"][0]
        (self.input, shape), *_ = model["inputs"].items()
        if isinstance(shape, str):
            shape = shape.strip("[]").replace(",", " ").split()
        self.channels = {self.input: int(shape[1])}
        self.layers = nn.ModuleDict()
        before = self.input
        for row in self.rows:
            row["from"] = row.get("from", before)
            if not isinstance(row["from"], list):
                row["from"] = [row["from"]]
            self.add(row)
            before = row["name"]

    def add(self, row):
        kind, name = row["type"], row["name"]
        inputs = [self.channels[source] for source in row["from"]]
        made = sum(inputs) if kind == "concat" else inputs[0]
        layer = None
        if kind == "conv2d":
            made = row["filters"]
            layer = nn.Conv2d(inputs[0], made, pair(row["kernel"]),
                              pair(row.get("stride", 1)),
                              dilation=pair(row.get("dilation", 1)),
                              groups=row.get("groups", 1),
                              bias=row.get("bias", True))
        elif kind == "conv_transpose2d":
            made = row["filters"]
            kernel, stride = pair(row["kernel"]), pair(row.get("stride", 1))
            crop = [k - s for k, s in zip(kernel, stride)]
            if any(c % 2 for c in crop):
                raise ValueError(f"{name}: pads of a transposed convolution "
                                 "that PyTorch has not")
            layer = nn.ConvTranspose2d(inputs[0], made, kernel, stride,
                                       [c // 2 for c in crop],
                                       bias=row.get("bias", True))
        elif kind == "batchnorm":
            momentum = row.get("momentum", 0.1)
            if row.get("convention") == "tf":
                momentum = 1 - momentum
            layer = nn.BatchNorm2d(made, row.get("epsilon", 1e-5), momentum)
        elif kind == "dropout":
            layer = nn.Dropout(row.get("p", 0.5))
        elif kind not in ("relu", "maxpool", "resize", "concat", "softmax", "add"):
            raise ValueError(f"{name}: no PyTorch form of {kind} here")
        if layer is not None:
            self.layers[name.replace(".", "/")] = layer
        self.channels[name] = made

    def run(self, row, x):
        kind = row["type"]
        layer = self.layers[row["name"].replace(".", "/")] \
            if row["name"].replace(".", "/") in self.layers else None
        if kind == "conv2d":
            pads = same(x[0].shape[2:], layer.kernel_size, layer.stride,
                        layer.dilation)
            if pads[0] == pads[1] and pads[2] == pads[3]:
                return F.conv2d(x[0], layer.weight, layer.bias, layer.stride,
                                (pads[2], pads[0]), layer.dilation, layer.groups)
            return layer(F.pad(x[0], pads))
        if layer is not None:
            return layer(x[0])
        if kind == "relu":
            return F.relu(x[0], inplace=True)
        if kind == "maxpool":
            kernel = pair(row["kernel"])
            stride = pair(row.get("stride", row["kernel"]))
            pads = [0] * 4
            if row.get("pad") == "same":
                pads = same(x[0].shape[2:], kernel, stride, (1, 1))
            if any(pads):
                return F.max_pool2d(F.pad(x[0], pads, value=-math.inf), kernel,
                                    stride)
            return F.max_pool2d(x[0], kernel, stride)
        if kind == "resize":
            mode = row.get("mode", "nearest")
            factor = [float(v) for v in pair(row["scale"])]
            more = {} if mode == "nearest" else {"align_corners": False}
            return F.interpolate(x[0], scale_factor=factor, mode=mode, **more)
        if kind == "concat":
            return torch.cat(x, 1)
        if kind == "add":
            return sum(x[1:], x[0])
        return torch.softmax(x[0], 1)

    def forward(self, x, wanted=None):
        values = {self.input: x}
        for row in self.rows:
            values[row["name"]] = self.run(
                row, [values[source] for source in row["from"]])
            if row["name"] == wanted:
                return values[wanted]
        return values[wanted or self.output]

    def load(self, tensors):
        """Weights that `lamina bench --save` wrote."""
        own = {name.removeprefix("layers.").replace("/", "."): tensor
               for name, tensor in self.state_dict().items()}
        for name, tensor in own.items():
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(tensors[name])
