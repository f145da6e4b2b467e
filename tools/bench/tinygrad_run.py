#!/usr/bin/env python3
"""A model in tinygrad; arguments as those of torch_run.py. DEV=CPU or DEV=CL in
the environment chooses its backend."""
import importlib.metadata
import math

from tinygrad import Tensor, TinyJit, nn

from peer import Job, pair


def same(size, kernel, stride, dilation):
    """TensorFlow's SAME pads: left right top bottom."""
    pads = []
    for n, k, s, d in zip(size[::-1], kernel[::-1], stride[::-1], dilation[::-1]):
        total = max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
        pads += [total // 2, total - total // 2]
    return tuple(pads)


class Net:
    def __init__(self, job):
        self.job, self.listed = job, list(job.rows())
        self.weights, self.norms = {}, {}
        for name, tensor in job.tensors.items():
            self.weights[name] = Tensor(tensor)
        for row in self.listed:
            if row["type"] == "batchnorm":
                norm = nn.BatchNorm2d(len(job.tensors[row["name"] + ".weight"]),
                                      eps=row.get("epsilon", 1e-5))
                for part in "weight", "bias", "running_mean", "running_var":
                    getattr(norm, part).assign(
                        self.weights[f"{row['name']}.{part}"])
                self.norms[row["name"]] = norm

    def parameters(self):
        own = [tensor for name, tensor in self.weights.items()
               if name.rsplit(".", 1)[0] not in self.norms
               and not name.startswith("bench.")]
        return own + [part for norm in self.norms.values()
                      for part in (norm.weight, norm.bias)]

    def layer(self, row, x):
        kind, name = row["type"], row["name"]
        weight = self.weights.get(f"{name}.weight")
        bias = self.weights.get(f"{name}.bias")
        if kind == "conv2d":
            stride, dilation = pair(row.get("stride", 1)), pair(row.get("dilation", 1))
            return x[0].conv2d(weight, bias, 1, stride, dilation, same(
                x[0].shape[2:], pair(row["kernel"]), stride, dilation))
        if kind == "conv_transpose2d":
            kernel, stride = pair(row["kernel"]), pair(row.get("stride", 1))
            return x[0].conv_transpose2d(
                weight, bias, 1, stride,
                padding=tuple((k - s) // 2 for k, s in zip(kernel, stride)))
        if kind == "batchnorm":
            return self.norms[name](x[0])
        if kind == "maxpool":
            kernel = pair(row["kernel"])
            stride = pair(row.get("stride", row["kernel"]))
            pads = same(x[0].shape[2:], kernel, stride, (1, 1)) \
                if row.get("pad") == "same" else 0
            return x[0].max_pool2d(kernel, stride, padding=pads)
        if kind == "resize":
            a, b = pair(row["scale"])
            return x[0].repeat_interleave(a, 2).repeat_interleave(b, 3)
        if kind == "dropout":
            return x[0].dropout(row.get("p", 0.5))
        if kind == "concat":
            return x[0].cat(*x[1:], dim=1)
        if kind == "relu":
            return x[0].relu()
        if kind == "softmax":
            return x[0].softmax(1)
        raise ValueError(f"{name}: no tinygrad form of {kind} here")

    def __call__(self, x, wanted):
        values = {next(iter(self.job.model["inputs"])): x}
        for row in self.listed:
            values[row["name"]] = self.layer(row, [values[v] for v in row["from"]])
            if row["name"] == wanted:
                break
        return values[wanted]


def main():
    job = Job()
    net, x = Net(job), Tensor(job.x).realize()
    output = net(Tensor(job.input), job.model["outputs"][0]).numpy()
    infer = TinyJit(lambda: net(x, job.model["outputs"][0]).realize())
    step = infer
    if job.kind == "train":
        labels = Tensor(job.labels.astype("int32")).realize()
        optimizer = nn.optim.Adam(net.parameters(), 1e-4)

        @TinyJit
        def step():
            with Tensor.train():
                optimizer.zero_grad()
                loss = cross_entropy(net(x, job.logits), labels)
                loss.backward()
                optimizer.step()
                return loss.realize()

    job.measure(f"tinygrad {importlib.metadata.version('tinygrad')}", lambda: step().numpy(), output)


def cross_entropy(logits, labels):
    scores = logits.log_softmax(1)
    return -(labels.unsqueeze(1) == Tensor.arange(logits.shape[1]).reshape(
        1, -1, 1, 1)).where(scores, 0).sum(1).mean()


main()
