#!/usr/bin/env python3
"""Counts the parameters and multiply-adds of the networks: networks.py BUILD.

The rows are those of the original code of 2018, counted by hand from it: millions
of trained parameters and thousand millions of multiply-adds of one image (None:
not counted there). A version is one --set away. What was counted in rounded
numbers must agree when rounded; MACs within 1 %. No device is needed.
"""
import pathlib
import re
import subprocess
import sys

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
lamina = build / "tools" / "lamina"
at640 = "inputs.image=N,1,640,640"
rows = [  # file, sets, parameters, M, GMACs
    ("n1", [], 32198594, 32.2, 1.31),
    ("n2", [], 15815042, 15.8, 2.89),
    ("n3", [], 8531410, None, None),
    ("n4", [], 32198594, 32.2, None),
    ("n5", [], 12609826, 12.6, 2.86),
    ("n6", [], 77697762, 77.7, 2.1),
    ("n6", ["act.as=corrected"], 77697762, 77.7, 2.1),
    ("n7", [], 65573154, 65.6, 2.80),
    ("n8", [], 61216754, 61.2, 7.70),
    ("n9", [], 64164642, 64.2, 9.50),
    ("n10", [], 64164642, 64.2, 9.50),
    ("n11", [], 64340738, 64.3, 9.71),
    ("n11", ["dec.version=3.2.6"], 64356946, None, None),
    ("n12", [], 63700498, 63.7, 10.3),
    ("n12", ["skip3.version=3.2.7"], 63704626, 63.7, 10.3),
    ("n13", [], 64917810, 64.9, 11),
    ("n13", ["fc.version=3.3.2"], 20877618, 20.9, 11),
    ("n14", [], 50501722, 50.5, 23.4),
    ("n14", ["dec.version=3.5.0"], 50548218, None, 17.5),
    ("n15", [], 23258730, 23.3, 28.8),
    ("n16", [], 12508778, 12.5, 21.6),
    ("n17", [], 9115114, 9.1, 16.5),
    ("n18", [at640, "enc.version=3.6.1", "dec.version=3.6.1"], 9115114, 9.1,
     16.5),
    ("n18", [at640, "enc.version=3.6.2", "dec.version=3.6.2"], 9115114, 9.1,
     24.4),
    ("n18", [at640, "enc.version=3.6.3", "dec.version=3.6.3"], 9115114, 9.1,
     28.7),
    ("n18", [at640], 10434186, 10.4, 27.4),
    ("n19", [at640], 13101706, 13.1, 22),
    ("n19", [at640, "net.version=3.8.0"], 15731394, 15.7, 53),
    ("n20", [], 16282786, 16.3, 66),
    ("n20", ["net.version=3.9.1"], 13885410, 13.9, 62),
    ("n21", [], 13885121, 13.9, 62),
    ("n21", ["mid.version=3.9.2.01"], 13885121, 13.9, 62),
    ("n21", ["mid.version=corrected"], 13885121, 13.9, 62),
    ("n22", [], 16601393, 16.6, 57),
    ("n22", ["conv5.as=corrected"], 16601393, 16.6, 57),
    ("n23", [], 11502625, 11.50, 18.6),
    ("n23", ["conv5.as=corrected"], 11502625, 11.50, 18.6),
    ("n24", [], 11502625, 11.50, 18.6),
    ("n25", [], 4086184, None, None),
    ("n25", ["more.as=corrected"], 4285784, None, None),
    ("fcn", ["up.stride=32"], 9057442, None, None),
    ("fcn", ["up.stride=16"], 9045732, None, None),
    ("fcn", [], 9042982, None, None),
    ("context", [], 758578, None, None),
    ("context", ["module.kind=none"], 758306, None, None),
]


def count(model, sets):
    options = [word for text in sets for word in ("--set", text)]
    # Two images: batch norm on a 1 x 1 image has no variance in one alone.
    run = subprocess.run([lamina, "inspect", root / "models" / f"{model}.yaml",
                          "--batch", "2", *options], text=True,
                         capture_output=True, check=False)
    found = re.search(r"^\d+ layers, (\d+) parameters, ([\d.]+) GMACs",
                      run.stdout, re.MULTILINE)
    if not found:
        return None, None, run.stderr
    return int(found[1]), float(found[2]) / 2, ""


def digit(number):
    """Half of the last digit that the number is written with."""
    return 0.5 * 10.0 ** -len(str(number).partition(".")[2])


passed = failed = 0
for model, sets, exact, millions, giga in rows:
    parameters, macs, text = count(model, sets)
    good = parameters == exact
    if good and millions:
        good = abs(parameters / 1e6 - millions) <= digit(millions)
    if good and giga:
        good = abs(macs - giga) <= max(digit(giga), 0.01 * giga)
    passed += good
    failed += not good
    print("ok    " if good else "FAILED", model, *sets, parameters, macs, text)
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed != 0)
