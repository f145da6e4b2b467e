#!/usr/bin/env python3
"""Makes and changes data sets as a user would: data.py BUILD. Needs no device."""
import pathlib
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
lamina = build / "tools" / "lamina"
folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-"))
counts = {"passed": 0, "failed": 0}


def check(name, good, text=""):
    counts["passed" if good else "failed"] += 1
    print(("ok     " if good else "FAILED ") + name + ("" if good else "\n" + text),
          flush=True)


def data(*arguments):
    return subprocess.run([lamina, "data", *map(str, arguments)], text=True,
                          capture_output=True, check=False)


def pgm(path, width, height, value):
    """16 bits; value(x, y) is what a pixel holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [value(x, y).to_bytes(2, "big") for y in range(height)
            for x in range(width)]
    path.write_bytes(b"P5 %d %d 65535\n" % (width, height) + b"".join(rows))


def read_pgm(path):
    head, numbers = path.read_bytes().split(b"\n65535\n", 1)
    width, height = map(int, head.split()[1:])
    return width, height, [int.from_bytes(numbers[i:i + 2], "big")
                           for i in range(0, len(numbers), 2)]


done = data("phantom", folder / "made", "--count", 5, "--size", 64)
check("phantoms", done.returncode == 0, done.stderr)
done = data("convert", folder / "made", folder / "half", "--scale", 0.5)
check("half the size", done.returncode == 0
      and len(list((folder / "half/masks").iterdir())) == 5
      and (folder / "half/manifest.csv").read_text() ==
      (folder / "made/manifest.csv").read_text(), done.stderr)
done = data("check", folder / "half")
check("it is a data set", done.returncode == 0, done.stdout + done.stderr)
done = data("convert", folder / "made", folder / "half")
check("a data set is not written over", done.returncode == 2
      and "is a data set already" in done.stderr, done.stderr)

# A scan of 3000 columns with the breast at 1000 to 1999.
inside = range(1000, 2000)
pgm(folder / "scan/images/a.pgm", 3000, 4,
    lambda x, y: 30000 if x in inside else 100)
pgm(folder / "scan/masks/a.pgm", 3000, 4,
    lambda x, y: 65535 if x == 1500 else 0)
done = data("convert", folder / "scan", folder / "trimmed", "--trim")
width, height, pixels = read_pgm(folder / "trimmed/images/a.pgm")
check("black sides are trimmed, 300 columns stay", done.returncode == 0
      and (width, height) == (1600, 4) and pixels[300] == 30000
      and pixels[299] == 100, f"{done.stderr} {width} {height}")
for words, text in [(["--scale", "0"], "--scale is '0'"),
                    (["--mask", "most"], "--mask is 'most'")]:
    done = data("convert", folder / "made", folder / "bad", *words)
    check(" ".join(words), done.returncode == 2 and text in done.stderr,
          done.stderr)

print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
sys.exit(counts["failed"] != 0)
