#!/usr/bin/env python3
"""Inference by ONNX Runtime of a model exported from PyTorch; arguments as those
of torch_run.py."""
import sys
import tempfile

import onnxruntime
import torch

from peer import Job
from torch_model import Model


def main():
    job = Job()
    if job.kind != "infer":
        sys.exit("ONNX Runtime does inference alone here")
    model = Model(job.model).eval()
    with torch.no_grad():
        model.load({name: torch.from_numpy(tensor)
                    for name, tensor in job.tensors.items()})
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        torch.onnx.export(model, (torch.from_numpy(job.input),), file.name,
                          input_names=["x"], dynamic_axes={"x": {0: "n"}},
                          dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        session = onnxruntime.InferenceSession(
            file.name, options, providers=["CPUExecutionProvider"])
    job.measure(f"ONNX Runtime {onnxruntime.__version__}",
                lambda: session.run(None, {"x": job.x}),
                session.run(None, {"x": job.input})[0])


main()
