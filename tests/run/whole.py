#!/usr/bin/env python3
"""Predicts whole images in tiles and otherwise than in training: whole.py BUILD.
Tiles must give what the image at once gives, but for what lies within the field
of view of a border between them."""
import struct

from program import check, finish, folder, run


def predict(out, *arguments):
    done = run("predict", folder / "run", image, "--out", folder / out, *arguments)
    path = folder / out / f"{image.stem}_probability.pgm"
    if done.returncode:
        return done, []
    body = path.read_bytes().split(b"\n65535\n", 1)[1]
    return done, [int.from_bytes(body[i:i + 2], "big")
                  for i in range(0, len(body), 2)]


# Three 3x3 convolutions: a pixel sees 3 pixels around it.
(folder / "model.yaml").write_text("""format: 1
name: near
inputs:
  image: [N, 1, 64, 64]
layers:
  - {name: a, type: conv2d, filters: 4, kernel: 3}
  - {name: b, type: batchnorm}
  - {name: c, type: relu}
  - {name: d, type: conv2d, filters: 4, kernel: 3}
  - {name: e, type: relu}
  - {name: drop, type: dropout, p: 0.5}
  - {name: logit, type: conv2d, filters: 1, kernel: 3}
  - {name: prob, type: sigmoid}
outputs: [prob]
loss: {type: sigmoid_ce, from: logit}
optimizer: {type: adam}
train: {batch: 4, epochs: 2, lr: 0.01}
""")
run("data", "phantom", folder / "data", "--count", 8, "--size", 160)
done = run("train", folder / "model.yaml", "--data", folder / "data", "--run",
           folder / "run")
check("train", done.returncode == 0, done.stderr)
image = sorted((folder / "data/images").glob("*.png"))[0]
done, whole = predict("whole")
check("at once", done.returncode == 0 and len(whole) == 160 * 160, done.stderr)

# Tiles of 64 that share 16 begin at 0, 48 and 96. Nearer than 3 pixels to an edge
# inside the image a tile knows less than the whole.
done, tiled = predict("tiled", "--tile", 64, "--overlap", 16)
seams = {at for edge in (48, 96, 64, 112) for at in range(edge - 3, edge + 3)}
far = [i for i in range(160 * 160)
       if i // 160 not in seams and i % 160 not in seams]
worst = max(abs(whole[i] - tiled[i]) for i in far) if tiled else 65535
check("tiles give the same, away from their edges", worst <= 1,
      f"{worst} {done.stderr}")
check("and near the same at them", max(
    abs(a - b) for a, b in zip(whole, tiled)) < 3000)

done, own = predict("own", "--own-statistics")
done, again = predict("again", "--own-statistics")
check("an image's own statistics", done.returncode == 0 and own != whole
      and own == again, done.stderr)
done = run("evaluate", folder / "run", "--own-statistics", "--split", "all")
check("evaluate, own statistics", done.returncode == 0, done.stderr)

# Four mirror images of a made-up one, turned back, and their mean.
side = 40
grey = [[(x * x + 3 * y + 40 * (x > y)) % 256 for x in range(side)]
        for y in range(side)]


def mirrored(rows, flips):
    rows = [row[::-1] for row in rows] if flips & 1 else rows
    return rows[::-1] if flips & 2 else rows


def predict_mirrored(flips, *words):
    global image
    image = folder / f"mirror{flips}.pgm"
    image.write_bytes(b"P5 %d %d 255\n" % (side, side)
                      + b"".join(map(bytes, mirrored(grey, flips))))
    done, p = predict(f"mirror{flips}", *words)
    rows = [p[i:i + side] for i in range(0, len(p), side)]
    return done, sum(mirrored(rows, flips), [])


whole_image = image
single = [predict_mirrored(flips)[1] for flips in range(4)]
done, mean = predict_mirrored(0, "--flips")
image = whole_image
check("--flips is the mean over mirror images", done.returncode == 0
      and mean != single[0] and max(
          abs(m - sum(four) / 4) for m, *four in zip(mean, *single)) <= 1,
      done.stderr)
done = run("evaluate", folder / "run", "--flips", "--split", "val")
check("evaluate, mirror images; validation tells the best threshold",
      done.returncode == 0 and "highest mean Dice" in done.stdout,
      done.stdout + done.stderr)
run("train", folder / "model.yaml", "--data", folder / "data", "--run",
    folder / "straight", "--set", "augment.flip_x=false", "--set",
    "augment.flip_y=false", "--set", "train.steps=1")
done = run("predict", folder / "straight", image, "--out", folder / "s", "--flips")
check("not where training had none", done.returncode == 2
      and "trained without flips" in done.stderr, done.stderr)

done, again = predict("dump", "--dump", f"c={folder}/c.png", "--dump",
                      f"c={folder}/c.npy")
size = (folder / "c.png").read_bytes()[16:24] if done.returncode == 0 else b""
check("a layer as a picture, 2 x 2 channels", done.returncode == 0
      and again == whole and struct.unpack(">II", size) == (322, 322)
      and (folder / "c.npy").exists(), done.stderr)

done = run("evaluate", folder / "run", "--split", "all", "--curve",
           folder / "curve.csv")
rows = [line.split(",") for line in
        (folder / "curve.csv").read_text().splitlines()[1:]]
recall = [float(row[2]) for row in rows]
check("a curve over all thresholds", done.returncode == 0 and len(rows) == 1001
      and recall[0] == 1 and recall[-1] < 1 and recall == sorted(recall)[::-1]
      and "average precision" in done.stdout, done.stdout + done.stderr)

finish()
