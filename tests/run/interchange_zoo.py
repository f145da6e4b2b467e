#!/usr/bin/env python3
"""Networks that people have, from PyTorch through ONNX into lamina, by hand:

    VENV/bin/python tests/run/interchange_zoo.py BUILD [WORD...]

Takes the cases that have all words in their name. Segmentation networks of
torchvision and segmentation_models_pytorch, with random weights and statistics,
are exported by TorchScript (operator set 17) and by dynamo, imported, and must
compute what PyTorch does within 1e-4 of the largest number. Needs torch, onnx,
onnxscript, torchvision, segmentation-models-pytorch, numpy. Prints one line a
case and "N passed, N failed, N skipped".
"""
import contextlib
import io
import logging
import sys
import warnings

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torchvision.models.segmentation as tv
from torch import nn

from program import check, finish, folder, run
from torch_net import ready

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
SMP = [("Unet", "resnet18"), ("Unet", "resnet34"), ("Unet", "mobilenet_v2"),
       ("Unet", "efficientnet-b0"), ("Unet", "vgg11_bn"), ("Unet", "densenet121"),
       ("UnetPlusPlus", "resnet18"), ("Linknet", "resnet18"), ("FPN", "resnet18"),
       ("PAN", "resnet18"), ("PSPNet", "resnet18"), ("DeepLabV3", "resnet18"),
       ("DeepLabV3Plus", "resnet18")]
TORCHVISION = ["fcn_resnet50", "deeplabv3_resnet50",
               "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"]


class Out(nn.Module):
    """torchvision's answer is a dictionary."""
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)["out"]


def attempt(name, make, shape):
    for kind, options in (
            ("set 17", {"dynamo": False, "opset_version": 17,
                        "input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}),
            ("dynamo", {"dynamo": True})):
        label = f"{name}, {kind}"
        if any(word not in label for word in sys.argv[2:]):
            continue
        torch.manual_seed(0)
        net, x = ready(make()), torch.randn(*shape)
        with contextlib.redirect_stdout(io.StringIO()), \
                contextlib.redirect_stderr(io.StringIO()):
            torch.onnx.export(net, (x,), str(folder / "net.onnx"), **options)
        with torch.no_grad():
            want = net(x).numpy()
        np.save(folder / "x.npy", x.numpy())
        done = run("import", folder / "net.onnx", "--weights",
                   folder / "net.safetensors")
        if not done.returncode:
            done = run("predict", folder / "net.safetensors", folder / "x.npy",
                       "--out", folder / "out")
        if done.returncode:
            check(label, False, done.stderr)
            continue
        got = np.load(next(line for line in done.stdout.splitlines()
                           if line.endswith(".npy")))
        same = got.shape == want.shape
        apart = np.abs(got - want).max() if same else np.inf
        most = np.abs(want).max()
        check(f"{label}: {apart:.1e} of {most:.3g}",
              apart <= 1e-4 * max(1, most), (got.shape, want.shape))


for kind, encoder in SMP:
    attempt(f"smp {kind} {encoder}",
            lambda: getattr(smp, kind)(encoder, encoder_weights=None,
                                       in_channels=1, classes=2), (1, 1, 128, 128))
attempt("smp Unet resnet18 scse", lambda: smp.Unet(
    "resnet18", encoder_weights=None, in_channels=1, classes=1,
    decoder_attention_type="scse"), (1, 1, 128, 128))
for name in TORCHVISION:
    attempt(f"torchvision {name}", lambda: Out(getattr(tv, name)(
        weights=None, weights_backbone=None, num_classes=2)), (1, 3, 64, 64))
finish()
