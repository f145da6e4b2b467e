#!/usr/bin/env python3
"""lamina and PyTorch on single layers:

  layers.py [--python VENV/bin/python] [--layout L] [--rounds N] [--repeats N]
            BUILD [PART ..]

L: PyTorch's layout, channels_last or contiguous. PART: only the rows whose names
have one of these. Forward, and backward of input and weights together; medians over
rounds taken in turns. GFLOPS count a multiply-add as two and the plain algorithm's
work, so what needs fewer shows more. Prints a table in Markdown."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys


def conv(channels, filters, kernel, size, batch=2, stride=1, dilation=1):
    pad = dilation * (kernel - 1) // 2
    return (f"conv {kernel}x{kernel} {channels}-{filters} @{size}"
            + (f" stride {stride}" if stride > 1 else "")
            + (f" dilation {dilation}" if dilation > 1 else ""),
            f"conv2d filters={filters} kernel={kernel} stride={stride} "
            f"dilation={dilation}",
            [f"nn.Conv2d({channels}, {filters}, {kernel}, {stride}, {pad}, "
             f"{dilation})"],
            [batch, channels, size, size],
            2e-9 * batch * channels * filters * (kernel * size / stride) ** 2)


def transposed(channels, filters, kernel, size, batch=2):
    pad = (kernel - 2) // 2
    return (f"transposed k{kernel} s2 {channels}-{filters} @{size}",
            f"conv_transpose2d filters={filters} kernel={kernel} stride=2",
            [f"nn.ConvTranspose2d({channels}, {filters}, {kernel}, 2, {pad})"],
            [batch, channels, size, size],
            2e-9 * batch * channels * filters * (kernel * size) ** 2)


def upsampled(channels, filters, factor, size, batch=2):
    return (f"nearest x{factor} + conv 3x3 {channels}-{filters} @{size}",
            f"upsample_conv2d filters={filters} kernel=3 scale={factor}",
            [f"nn.Upsample(scale_factor={factor})",
             f"nn.Conv2d({channels}, {filters}, 3, 1, 1)"],
            [batch, channels, size, size],
            2e-9 * batch * channels * filters * (3 * size * factor) ** 2)


ROWS = [
    conv(32, 32, 3, 320), conv(64, 64, 3, 160), conv(128, 128, 3, 80),
    conv(256, 256, 3, 40), conv(512, 512, 3, 20, dilation=2),
    conv(512, 512, 3, 40), conv(1, 32, 3, 640, stride=2),
    conv(64, 128, 3, 160, stride=2), conv(128, 64, 1, 160), conv(32, 2, 1, 320),
    transposed(32, 16, 4, 320), transposed(256, 128, 2, 40),
    upsampled(512, 512, 2, 20), upsampled(512, 128, 2, 40),
    upsampled(64, 32, 4, 80),
    ("batchnorm + relu 32 @320", "batchnorm activation=relu",
     ["nn.BatchNorm2d(32)", "nn.ReLU(True)"], [2, 32, 320, 320], 0),
    ("maxpool 2 32 @320", "maxpool kernel=2", ["nn.MaxPool2d(2)"],
     [2, 32, 320, 320], 0),
    ("softmax 2 @640", "softmax", ["nn.Softmax(1)"], [2, 2, 640, 640], 0),
]


def run(command, text=None):
    result = subprocess.run([str(part) for part in command], text=True,
                            input=text, capture_output=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return json.loads(result.stdout)


def measure_ours(lamina, rows_wanted, repeats):
    times = []
    for _, layer, _, shape, _ in rows_wanted:
        rows = run([lamina, "bench", "--layer", layer, "--shape",
                    "x".join(map(str, shape)), "--repeats", repeats, "--format",
                    "json"])
        ms = {row["pass"]: row["median_ms"] for row in rows}
        times.append((ms["run"], ms["data"] + ms.get("weight", 0)))
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("part", nargs="*")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--layout", default="channels_last",
                        choices=["channels_last", "contiguous"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    build = options.build.resolve()
    os.environ.setdefault("LAM_PLUGIN_PATH", str(build / "plugins"))
    wanted = [row for row in ROWS if not options.part
              or any(part in row[0] for part in options.part)]
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(measure_ours(build / "tools" / "lamina", wanted,
                                 options.repeats))
        theirs.append(run(
            [options.python, pathlib.Path(__file__).with_name("torch_layers.py"),
             len(os.sched_getaffinity(0)), options.repeats, options.layout],
            json.dumps([[name, modules, shape]
                        for name, _, modules, shape, _ in wanted])))
    print("| layer, batch 2 | forward ms | PyTorch | ratio | GFLOPS | backward "
          "ms | PyTorch | ratio | GFLOPS |\n" + "|---" * 9 + "|")
    for i, (name, _, _, _, gflop) in enumerate(wanted):
        cells = [name]
        for k, key in enumerate(("forward", "backward")):
            a = statistics.median(turn[i][k] for turn in ours)
            b = statistics.median(turn[i][key] for turn in theirs)
            rate = f"{1e3 * gflop * (1 + k) / a:.0f}" if gflop else ""
            cells += [f"{a:.2f}", f"{b:.2f}", f"{b / a:.2f}", rate]
        print("| " + " | ".join(cells) + " |", flush=True)


main()
