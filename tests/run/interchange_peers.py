#!/usr/bin/env python3
"""The deeper comparison with other programs, by hand, with packages of PyPI:

    VENV/bin/python tests/run/interchange_peers.py BUILD [WORD...]

Takes the cases that have all words in their name. Exported networks run in onnxruntime; networks of PyTorch, exported by both of
its exporters, run in lamina; a state dict is imported by a map; safetensors
reads what lamina writes. Needs torch, onnx, onnxscript, onnxruntime,
safetensors, numpy. Prints the largest difference of each and "N passed, N
failed, N skipped". Differences are of the output's largest number, at most 1e-5.
"""
import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import nn

from torch_net import ready

warnings.filterwarnings("ignore")
build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = [0, 0]
torch.manual_seed(0)
rng = np.random.default_rng(1)


def run(*arguments):
    done = subprocess.run([build / "tools/lamina", *map(str, arguments)],
                          cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout)
    return done.stdout


def predict(weights, x):
    np.save(folder / "x.npy", x)
    text = run("predict", weights, "x.npy", "--out", "out")
    return [np.load(folder / line) for line in text.split() if ".npy" in line]


def compare(name, got, want, allowed=0.0):
    """allowed: share of numbers that may differ."""
    scale = max(1.0, float(np.abs(want).max()))
    differs = np.abs(got - want) > 1e-5 * scale
    good = got.shape == want.shape and differs.mean() <= allowed
    counts[not good] += 1
    print(f"{'ok    ' if good else 'FAILED'} {name:44} {got.shape} max abs "
          f"difference {np.abs(got - want).max():.2e} of "
          f"{np.abs(want).max():.3g}" +
          (f", {100 * differs.mean():.2f} % differ" if allowed else ""),
          flush=True)


def attempt(name, function, *arguments):
    if any(word not in name for word in sys.argv[2:]):
        return
    try:
        function(name, *arguments)
    except Exception as error:  # noqa: BLE001
        counts[1] += 1
        print(f"FAILED {name}: {error}", flush=True)


# ------------------------------------------------------------ lamina to ONNX

def exported(name, model, shape, allowed, *sets):
    run("export", root / "models" / model, "--onnx", "e.onnx", "--safetensors",
        "e.safetensors", *(w for s in sets for w in ("--set", s)))
    onnx.checker.check_model(onnx.load(folder / "e.onnx"), full_check=True)
    x = rng.standard_normal(shape).astype("f4")
    session = onnxruntime.InferenceSession(folder / "e.onnx",
                                           providers=["CPUExecutionProvider"])
    want = session.run(None, {session.get_inputs()[0].name: x})
    for got, y in zip(predict("e.safetensors", x), want):
        compare(name, got, y, allowed)
    weights = load_file(folder / "e.safetensors")
    assert all((onnx.numpy_helper.to_array(t) == weights[t.name]).all()
               for t in onnx.load(folder / "e.onnx").graph.initializer
               if t.name in weights)


for kind in ("nearest", "bilinear", "transpose", "transpose2", "transpose3",
             "transpose_bilinear", "pixel_shuffle"):
    attempt(f"onnxruntime: unet-small {kind}", exported, "unet-small.yaml",
            (2, 1, 64, 96), 0.0, f"up.kind={kind}")
for model, shape, allowed in (
        ("n16.yaml", (1, 1, 128, 128), 0.0),
        ("deeplab.yaml", (1, 1, 97, 65), 0.0),
        ("mammogram.yaml", (1, 1, 128, 192), 0.0),
        # Where two numbers of a window are nearly equal, rounding decides which
        # place an unpooling uses.
        ("segnet.yaml", (1, 1, 64, 64), 0.02)):
    attempt(f"onnxruntime: {model[:-5]}", exported, model, shape, allowed)

# ----------------------------------------------------------- PyTorch to lamina


class Double(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b),
            nn.ReLU(), nn.Conv2d(b, b, 3, padding=1, bias=False),
            nn.BatchNorm2d(b), nn.ReLU())

    def forward(self, x):
        return self.net(x)


class UNet(nn.Module):
    """Ronneberger et al. 2015 with batch norm, three levels."""
    def __init__(self, kind, c=16):
        super().__init__()
        self.enc = nn.ModuleList([Double(1, c), Double(c, 2 * c),
                                  Double(2 * c, 4 * c)])
        self.mid = Double(4 * c, 8 * c)
        self.up = nn.ModuleList(self.enlarge(kind, 2 * n, n)
                                for n in (c, 2 * c, 4 * c))
        self.dec = nn.ModuleList(Double(2 * n, n) for n in (c, 2 * c, 4 * c))
        self.out = nn.Conv2d(c, 1, 1)

    @staticmethod
    def enlarge(kind, a, b):
        if kind == "transpose":
            return nn.ConvTranspose2d(a, b, 2, stride=2)
        if kind == "shuffle":
            return nn.Sequential(nn.Conv2d(a, 4 * b, 3, padding=1),
                                 nn.PixelShuffle(2))
        corners = {"align_corners": False} if kind == "bilinear" else {}
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode=kind, **corners),
            nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b),
            nn.ReLU())

    def forward(self, x):
        skips = []
        for stage in self.enc:
            skips.append(stage(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.mid(x)
        for k in (2, 1, 0):
            x = self.dec[k](torch.cat([self.up[k](x), skips[k]], 1))
        return self.out(x)


class Odds(nn.Module):
    """What else is in networks that segment."""
    def __init__(self, unshuffles):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 7, stride=2, padding=3),
                                  nn.GroupNorm(4, 16), nn.GELU())
        self.depthwise = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=2, dilation=2, groups=16),
            nn.InstanceNorm2d(16, affine=True), nn.SiLU())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 4, 1), nn.ReLU(),
            nn.Conv2d(4, 16, 1), nn.Sigmoid())
        self.enlarge = nn.ConvTranspose2d(16, 16, 3, stride=2, padding=1,
                                          output_padding=1)
        self.narrow = nn.Conv2d(16, 8, 3)
        self.unshuffle = nn.PixelUnshuffle(2) if unshuffles else \
            nn.Conv2d(8, 32, 2, stride=2)
        self.last = nn.Conv2d(32, 3, 1)

    def forward(self, x):
        a = self.stem(x)
        b = self.depthwise(a) + a
        p = F.relu6(F.max_pool2d(b, 3, stride=2, padding=1))
        p = p * self.gate(p)
        q = F.leaky_relu(F.avg_pool2d(p, 2, ceil_mode=True), 0.2)
        q = F.interpolate(q, size=p.shape[2:], mode="bilinear",
                          align_corners=True)
        y = F.elu(self.enlarge(q + p))
        y = torch.tanh(self.narrow(F.pad(y, (1, 1, 1, 1), mode="reflect")))
        y = self.last(self.unshuffle(y * 0.5 + 0.25))
        return torch.softmax(F.interpolate(y, scale_factor=4), 1)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8),
            nn.ReLU(), nn.MaxPool2d(2))
        self.a = nn.Linear(512, 32)
        self.b = nn.Linear(32, 5)

    def forward(self, x):
        x = torch.flatten(self.features(x), 1)
        return torch.softmax(self.b(F.dropout(F.relu(self.a(x)), 0.3,
                                              self.training)), 1)


def imported(name, module, shape, options):
    x = torch.randn(*shape)
    path = folder / "p.onnx"
    with contextlib.redirect_stdout(io.StringIO()), \
            contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(ready(module), (x,), str(path), **options)
    run("import", path, "--run", "p", "--size", f"{shape[2]},{shape[3]}")
    with torch.no_grad():
        want = module(x).numpy()
    compare(name, predict("p", x.numpy())[0], want)


open_sizes = {"dynamo": False, "opset_version": 17, "input_names": ["x"],
              "dynamic_axes": {"x": {0: "n", 2: "h", 3: "w"}}}
for kind in ("transpose", "bilinear", "nearest", "shuffle"):
    attempt(f"PyTorch: U-Net {kind}", imported, UNet(kind), (2, 1, 64, 96),
            open_sizes)
    attempt(f"PyTorch: U-Net {kind}, dynamo", imported, UNet(kind),
            (1, 1, 64, 64), {"dynamo": True})
attempt("PyTorch: U-Net unfolded, set 11", imported, UNet("bilinear"),
        (1, 1, 64, 64), {"dynamo": False, "opset_version": 11,
                         "do_constant_folding": False,
                         "training": torch.onnx.TrainingMode.PRESERVE})
attempt("PyTorch: gates, norms, gelu", imported, Odds(False), (2, 1, 64, 64),
        open_sizes)
attempt("PyTorch: gates, norms, gelu, dynamo", imported, Odds(True),
        (1, 1, 64, 64), {"dynamo": True})
attempt("PyTorch: classifier", imported, Classifier(), (3, 1, 32, 32),
        {"dynamo": False, "input_names": ["x"],
         "dynamic_axes": {"x": {0: "n"}}})

# -------------------------------------------------- a state dict, by a map

MAP = "weights:\n" + "".join(
    f'  "{ours}{k + 1}.{ab}.{part}.*": "{ours}.{k}.net.{at}.*"\n'
    for ours in ("enc", "dec") for k in range(3)
    for ab, part, at in (("a", "conv", 0), ("a", "bn", 1), ("b", "conv", 3),
                         ("b", "bn", 4))) + "".join(
    f'  "mid.{ab}.{part}.*": "mid.net.{at}.*"\n'
    for ab, part, at in (("a", "conv", 0), ("a", "bn", 1), ("b", "conv", 3),
                         ("b", "bn", 4))) + "".join(
    f'  "up{k + 1}.conv.{part}.*": "up.{k}.{at}.*"\n'
    for k in range(3) for part, at in (("conv", 1), ("bn", 2))) + \
    '  "logit.*": "out.*"\n'


def mapped(name, kind):
    module = ready(UNet(kind))
    x = torch.randn(2, 1, 64, 64)
    save_file(module.state_dict(), folder / "state.safetensors")
    (folder / "map.yaml").write_text(MAP)
    (folder / "blocks.yaml").write_text(
        (root / "models/blocks.yaml").read_text().replace(
            "kind: nearest", f"kind: {kind}"))
    (folder / "ours.yaml").write_text(
        (root / "models/unet-small.yaml").read_text())
    run("import", "state.safetensors", "--into", "ours.yaml", "--map", "map.yaml",
        "--run", "mapped")
    with torch.no_grad():
        want = torch.sigmoid(module(x)).numpy()
    compare(name, predict("mapped", x.numpy())[0], want)


for kind in ("nearest", "bilinear"):
    attempt(f"PyTorch: U-Net's state dict, {kind}", mapped, kind)

print(f"{counts[0]} passed, {counts[1]} failed, 0 skipped")
sys.exit(counts[1] != 0)
