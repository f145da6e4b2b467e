#!/usr/bin/env python3
"""Trains networks that answer for cells of an image or for all of it, and uses
them: cells.py BUILD."""
import csv

from program import check, finish, folder, run

model = """format: 1
name: cells
inputs:
  image: [N, 1, 64, 64]
layers:
  - {name: a, type: conv2d, filters: 8, kernel: 3, stride: 4}
  - {name: b, type: relu}
  - {name: c, type: maxpool, kernel: 4}
HEAD
  - {name: prob, type: softmax}
outputs: [prob]
loss: {type: softmax_ce, from: logits}
optimizer: {type: adam}
train: {batch: 4, epochs: 2, lr: 0.01}
"""
grid = "  - {name: logits, type: conv2d, filters: 2, kernel: 1}"
whole = """  - {name: flat, type: flatten}
  - {name: logits, type: dense, units: 2}"""
made = run("data", "phantom", folder / "data", "--count", 20, "--size", 64)
check("data", made.returncode == 0, made.stderr)
images = sorted((folder / "data/images").glob("*.png"))[:2]
for name, head, cells in ("grid", grid, 16), ("whole", whole, 1):
    (folder / f"{name}.yaml").write_text(model.replace("HEAD", head))
    done = run("train", folder / f"{name}.yaml", "--data", folder / "data",
               "--run", folder / name)
    check(f"{name}: train", done.returncode == 0, done.stderr)
    done = run("evaluate", folder / name, "--split", "all", "--csv",
               folder / "rows.csv", "--overlays", folder / f"{name}-overlays")
    rows = list(csv.DictReader((folder / "rows.csv").open()))
    counted = {sum(int(row[k]) for k in ("tp", "fp", "fn", "tn"))
               for row in rows}
    check(f"{name}: {cells} answers for an image", done.returncode == 0
          and len(rows) == 20 and counted == {cells}, f"{counted} {done.stderr}")
    done = run("predict", folder / name, *images, "--out", folder / f"{name}-out")
    head = (folder / f"{name}-out" / f"{images[0].stem}_probability.pgm"
            ).read_bytes()[:12]
    check(f"{name}: predictions have the image's size", done.returncode == 0
          and b"64 64" in head, done.stderr)
done = run("predict", folder / "grid", images[0], "--out", folder / "out",
           "--tile", 32, "--overlap", 8)
check("cells are not put together from tiles", done.returncode == 2
      and "cells, not pixels" in done.stderr, done.stderr)

finish()
