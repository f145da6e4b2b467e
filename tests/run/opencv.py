#!/usr/bin/env python3
"""Exported networks in another program, OpenCV's dnn module: opencv.py BUILD.

Each network goes out to ONNX; OpenCV computes what lamina computes, within 1e-4
of the largest number. Needs Debian's libopencv-dnn-dev and python3-numpy. Prints
one line a case and "N passed, N failed, N skipped".
"""
import subprocess

import numpy as np
from program import check, finish, folder, root, run

rng = np.random.default_rng(1)
program = folder / "opencv_run"
subprocess.run(["g++", "-O1", "-I/usr/include/opencv4",
                root / "tests/onnx/opencv_run.cpp", "-o", program,
                "-lopencv_dnn", "-lopencv_core"], check=True)


def opencv(path, x):
    """The outputs of an ONNX file for x, or OpenCV's complaint."""
    done = subprocess.run([program, path], check=False, capture_output=True,
                          input=np.int32(x.shape).tobytes() + x.tobytes())
    if done.returncode:
        return done.stderr.decode(errors="replace")
    outputs, at = [], 0
    while at < len(done.stdout):
        rank = np.frombuffer(done.stdout, "i4", 1, at)[0]
        shape = np.frombuffer(done.stdout, "i4", rank, at + 4)
        at += 4 + 4 * rank
        outputs.append(np.frombuffer(done.stdout, "f4", shape.prod(), at)
                       .reshape(shape))
        at += 4 * shape.prod()
    return outputs


def compare(name, model, shape, *more):
    x = rng.standard_normal(shape).astype("f4")
    np.save(folder / "x.npy", x)
    done = run("export", root / "models" / model, "--onnx", folder / "e.onnx",
               "--safetensors", folder / "e.safetensors", "--set",
               "inputs.image=N," + ",".join(map(str, shape[1:])), *more)
    if not done.returncode:
        done = run("predict", folder / "e.safetensors", folder / "x.npy", "--out",
                   folder / "out")
    if done.returncode:
        check(name, False, done.stderr)
        return
    ours = [np.load(line) for line in done.stdout.splitlines()
            if line.endswith(".npy")]
    theirs = opencv(folder / "e.onnx", x)
    good = isinstance(theirs, list) and len(ours) == len(theirs) and all(
        a.shape == b.shape and np.abs(a - b).max() <= 1e-4 * max(
            1, np.abs(b).max()) for a, b in zip(ours, theirs))
    far = f", {max(np.abs(a - b).max() for a, b in zip(ours, theirs)):.1e} apart" \
        if good else ""
    check(f"OpenCV: {name}{far}", good,
          theirs if isinstance(theirs, str) else
          [(a.shape, b.shape) for a, b in zip(ours, theirs)])


# OpenCV 4.6 has no ConvTranspose of uneven pads (transpose3), and no DepthToSpace
# of a symbolic size.
for kind in "nearest", "bilinear", "transpose", "transpose2":
    compare(f"unet-small, {kind}", "unet-small.yaml", (1, 1, 64, 96), "--set",
            f"up.kind={kind}")
compare("deeplab", "deeplab.yaml", (1, 1, 64, 64))
compare("n16", "n16.yaml", (1, 1, 64, 64))
compare("mammogram", "mammogram.yaml", (1, 1, 64, 64))
finish()
