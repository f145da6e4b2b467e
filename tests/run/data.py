#!/usr/bin/env python3
"""Makes and changes data sets as a user would: data.py BUILD. Needs no device."""
import struct
import subprocess
import zlib

from program import check, finish, folder, run


def data(*arguments):
    return run("data", *arguments)


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


def read_png(path):
    """Grey of 8 bits, no filter but 0 to 4."""
    data, at, body = path.read_bytes(), 8, b""
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        kind, chunk = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height = struct.unpack(">II", chunk[:8])
        elif kind == b"IDAT":
            body += chunk
        at += 12 + size
    raw, before, rows = zlib.decompress(body), [0] * width, []
    for y in range(height):
        line = raw[y * (width + 1):(y + 1) * (width + 1)]
        row = []
        for x in range(width):
            a = row[x - 1] if x else 0
            b, c = before[x], before[x - 1] if x else 0
            paeth = min((abs(b - c), 0, a), (abs(a - c), 1, b),
                        (abs(a + b - 2 * c), 2, c))[2]
            row.append((line[x + 1] + (0, a, b, (a + b) // 2, paeth)[line[0]])
                       % 256)
        rows.append(row)
        before = row
    return rows


# Sources: what was squared is darker, and comes back, but for what 8 bits lost.
data("convert", folder / "made", folder / "squared", "--companding", "apply")
data("convert", folder / "squared", folder / "back", "--companding", "undo")
done = data("shift", folder / "made", folder / "squared", folder / "back",
            "--svg", folder / "shift.svg")
shifts = [float(line.split()[-2]) for line in done.stdout.splitlines()[1:]]
means = [float(line.split()[1]) for line in done.stdout.splitlines()[1:]]
check("shift between sources", done.returncode == 0 and shifts[0] == 0
      and shifts[1] > 20 and shifts[2] < shifts[1] / 5 and means[1] < means[0] - 5
      and "</svg>" in (folder / "shift.svg").read_text(),
      done.stdout + done.stderr)

# Tiles of 32 of a scan of 128 x 64 whose borders of 7 % go (8 columns, 4 rows):
# left black, then grey with noise, then plain grey, then bright, with one label.
def scanned(x, y):
    grey = (10 if x < 40 else 100 + 20 * ((x + y) % 2) if x < 72 else 100
            if x < 104 else 230)
    return 65535 if x == 90 and y < 10 else 257 * grey


pgm(folder / "film/images/f.pgm", 128, 64, scanned)
cutting = ["tile", folder / "film", "--side", 32, "--border", 0.07,
           "--white-to-black"]
kept = {}
for name, rules, reasons in [
        ("all", [], (3, 0, 0, 0, 0)),
        ("bright", ["--bright", "225:99"], (3, 0, 0, 0, 0)),
        ("brighter", ["--bright", "225:99", "--stride", 16], (10, 2, 0, 0, 0)),
        ("dark", ["--dark", "20:90%"], (2, 0, 1, 0, 0)),
        ("mean", ["--mean", "50:105"], (1, 0, 0, 2, 0)),
        ("variance", ["--variance", "70:150"], (1, 0, 0, 0, 2)),
        ("stride", ["--stride", 16], (12, 0, 0, 0, 0))]:
    done = data(*cutting[:2], folder / f"tiles-{name}", *cutting[2:], *rules)
    numbers = [int(word) for word in done.stderr.replace(",", " ").split()
               if word.isdigit()]
    kept[name] = sorted(p.name for p in (folder / f"tiles-{name}/images").iterdir())
    check(f"tiles: {name}", done.returncode == 0 and
          (numbers[0], *numbers[2:]) == reasons and len(kept[name]) == reasons[0],
          done.stderr + str(kept[name]))
check("tiles: names are where they were", kept["all"] ==
      ["f_0_0.pgm", "f_0_32.pgm", "f_0_64.pgm"], str(kept))
width, height, pixels = read_pgm(folder / "tiles-all/images/f_0_64.pgm")
check("tiles: a white label is black", (width, height) == (32, 32)
      and pixels[90 - 8 - 64] == 0 and pixels[31 * 32 + 90 - 8 - 64] == 25700,
      str(pixels[:32]))
done = data("tile", folder / "made", folder / "tiled", "--side", 32)
rows = (folder / "tiled/manifest.csv").read_text().split()[1:]
check("tiles: patient, split and mask of their image", done.returncode == 0
      and len(rows) == len(list((folder / "tiled/masks").iterdir())) == 20
      and "phantom00003_32_0,phantom00003,train" in rows, done.stderr + str(rows))
for words, text in [([], "tile wants --side"), (["--side", "8"], "--side is '8'"),
                    (["--side", "32", "--dark", "20"], "--bright and --dark want"),
                    (["--side", "32", "--mean", "a:b"], "--mean and --variance"),
                    (["--side", "32", "--border", "0.5"], "--border is '0.5'"),
                    (["--side", "32", "--mean", "250:255"], "no tile of"),
                    (["--side", "65"], "no tile of")]:
    done = data("tile", folder / "made", folder / f"bad{len(words)}{words[-1:]}",
                *words)
    check("tile " + " ".join(words), done.returncode in (2, 3)
          and text in done.stderr, f"{done.returncode} {done.stderr}")

# A white frame of 21 pixels has more than 20000 of them in a film of 280 x 280.
# A film of fewer bright pixels stays.
def framed(side):
    return lambda x, y: 65535 if min(x, y, 279 - x, 279 - y) < side else 25700


pgm(folder / "white/images/framed.pgm", 280, 280, framed(21))
pgm(folder / "white/images/plain.pgm", 280, 280, framed(18))
done = data("convert", folder / "white", folder / "bare", "--frame", 20)
sizes = [read_pgm(folder / f"bare/images/{name}.pgm")[:2]
         for name in ("framed", "plain")]
check("convert: frames are cut", done.returncode == 0
      and sizes == [(240, 240), (280, 280)], done.stderr + str(sizes))
done = data("convert", folder / "white", folder / "gone", "--frame", 140)
check("convert: a frame that leaves nothing", done.returncode == 2
      and "its borders leave nothing" in done.stderr, done.stderr)

# MIAS: y counts from the bottom; a pair of films is one woman.
mias = folder / "mias"
for number in range(1, 6):
    pgm(mias / f"mdb{number:03}.pgm", 100, 100, lambda x, y: 1000)
(mias / "Info.txt").write_text("""\
The list begins here.
mdb001 G CIRC B 30 80 5
mdb001 G CIRC B 60 20 3
mdb002 D NORM
mdb003 F CALC B
mdb004 F MISC M 10 10 40
mdb009 F NORM
""")
done = data("import", "mias", mias, folder / "from-mias")
manifest = (folder / "from-mias/manifest.csv").read_text().split()
mask = read_png(folder / "from-mias/masks/mdb001.png")
check("MIAS", done.returncode == 0 and manifest[1:] ==
      ["mdb001,mias001,", "mdb002,mias001,", "mdb004,mias002,"],
      done.stderr + str(manifest))
check("MIAS: circles from the bottom left", mask[20][30] == 255
      and mask[80][60] == 255 and mask[80][30] == 0
      and sum(map(sum, mask)) // 255 == 81 + 29, str(sum(map(sum, mask))))
check("MIAS: a lesion without a place and a missing film are named",
      "mdb003: a lesion without a place" in done.stderr
      and "mdb009: there is no" in done.stderr, done.stderr)

# DDSM: a square outline of 4 x 4 from (10, 20), clockwise.
case = folder / "ddsm/cancer_01/case1141"
outline = "10 20 2 2 2 4 4 4 6 6 6 0 0 0 #"
for view in "LEFT_CC", "RIGHT_CC", "LEFT_MLO":
    pgm(case / f"A_1141_1.{view}.pgm", 50, 40, lambda x, y: 500)
(case / "A_1141_1.LEFT_CC.OVERLAY").write_text(
    "TOTAL_ABNORMALITIES 1\nABNORMALITY 1\nLESION_TYPE MASS SHAPE OVAL\n"
    f"TOTAL_OUTLINES 2\nBOUNDARY\n{outline} \nCORE\n11 21 2 4 6 0 #\n")
(case / "A_1141_1.LEFT_MLO.OVERLAY").write_text(
    "BOUNDARY\n48 20 2 2 2 2 #\n")
done = data("import", "ddsm", folder / "ddsm", folder / "from-ddsm")
mask = read_png(folder / "from-ddsm/masks/A_1141_1.LEFT_CC.png")
check("DDSM: an outline is filled", done.returncode == 0
      and sum(map(sum, mask)) == 16 * 255 and mask[20][10] == mask[23][13] == 255
      and (folder / "from-ddsm/images/A_1141_1.RIGHT_CC.pgm").exists(),
      done.stderr)
check("DDSM: an outline outside is named", "LEFT_MLO.OVERLAY:2: no outline"
      in done.stderr and not (folder / "from-ddsm/images/A_1141_1.LEFT_MLO.pgm"
                              ).exists(), done.stderr)


def dicom(path, width, height, bits, value):
    """By dcmtk, from a dump and a file of numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = folder / "pixels.raw"
    raw.write_bytes(b"".join(value(x, y).to_bytes(bits // 8, "little")
                             for y in range(height) for x in range(width)))
    dump = folder / "dump.txt"
    dump.write_text(f"""\
(0008,0016) UI =SecondaryCaptureImageStorage
(0008,0018) UI [1.2.3.4]
(0028,0002) US 1
(0028,0004) CS [MONOCHROME2]
(0028,0010) US {height}
(0028,0011) US {width}
(0028,0100) US {bits}
(0028,0101) US {bits}
(0028,0102) US {bits - 1}
(0028,0103) US 0
(7fe0,0010) O{'W' if bits == 16 else 'B'} ={raw}
""")
    subprocess.run(["dump2dcm", "--write-xfer-little", dump, path], check=True,
                   capture_output=True)


# CBIS-DDSM: two masks of one scan, the second with its files exchanged; a mask of
# another shape; a scan without a file.
cbis = folder / "cbis"
scan = "Mass-Training_P_00001_LEFT_CC"
dicom(cbis / scan / "1.2/3.4/1-1.dcm", 40, 60, 16, lambda x, y: 256 * x + y)
dicom(cbis / f"{scan}_1/1.2/3.4/1-1.dcm", 10, 12, 16, lambda x, y: 7)
dicom(cbis / f"{scan}_1/1.2/3.4/1-2.dcm", 40, 60, 8,
      lambda x, y: 255 if x < 2 and y < 3 else 0)
dicom(cbis / f"{scan}_2/1.2/3.4/1-1.dcm", 20, 30, 8,
      lambda x, y: 255 if x == 10 and y == 10 else 0)
dicom(cbis / f"{scan}_3/1.2/3.4/1-1.dcm", 40, 50, 8, lambda x, y: 255)
rows = [f'P_00001,LEFT,{scan}/1.2/3.4/1-1.dcm,{scan}_{k}/a/b/1-2.dcm,'
        f'"{scan}_{k}/a/b/1-1.dcm\n"' for k in (1, 2, 3)]
rows.append("P_00002,LEFT,gone/1.dcm,gone_1/1.dcm,gone_1/2.dcm")
(cbis / "mass_case_description_test_set.csv").write_text(
    "patient_id,left or right breast,image file path,cropped image file path,"
    "ROI mask file path\n" + "\n".join(rows) + "\n")
done = data("import", "cbis-ddsm", cbis, folder / "from-cbis")
check("CBIS-DDSM", done.returncode == 0 and
      (folder / "from-cbis/manifest.csv").read_text().split()[1:] ==
      [f"{scan},P_00001,test"], done.stderr)
width, height, pixels = read_pgm(folder / f"from-cbis/images/{scan}.pgm")
mask = read_png(folder / f"from-cbis/masks/{scan}.png")
check("CBIS-DDSM: values of 16 bits", (width, height) == (40, 60)
      and pixels[2 * 40 + 3] == 256 * 3 + 2, str(pixels[:50]))
check("CBIS-DDSM: masks are joined, one at half the size", mask[0][0] == 255
      and mask[20][20] == mask[21][21] == 255
      and sum(map(sum, mask)) == (6 + 4) * 255, str(sum(map(sum, mask))))
check("CBIS-DDSM: what does not fit is named", f"the mask {scan}_3" in done.stderr
      and "gone: no DICOM file" in done.stderr, done.stderr)
done = data("import", "inbreast", cbis, folder / "none")
check("an unknown collection", done.returncode == 2
      and "there are cbis-ddsm, ddsm and mias" in done.stderr, done.stderr)

finish()
