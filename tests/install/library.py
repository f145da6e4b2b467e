#!/usr/bin/env python3
"""The installed tree and the library, as a stranger uses them: library.py BUILD.

The program finds plugins and models by itself; the C example builds with
pkg-config and gives the bytes of `lamina predict`; so do the Python bindings;
the library exports the functions of lam/lam.h and nothing else.
"""
import json
import os
import re
import sys

from tree import Tree, root

tree = Tree(sys.argv[1])
check, run = tree.check, tree.run

# The tree, moved away from where it was configured to go.
done = run("lamina", "check", "unet-small", "n16")
check("installed models by name", done.stdout.count("ok: ") == 2, done)
(tree.work / "own.yaml").write_text("""format: 1
name: own
include: [blocks.yaml]
inputs:
  image: [N, 1, 32, 32]
layers:
  - {name: a, block: double_conv, filters: 4}
outputs: [a]
""")
done = run("lamina", "check", "own.yaml")
check("installed blocks are included", done.returncode == 0, done)
done = run("lamina", "layers", "relu")
check("installed plugins", str(tree.libdir / "lamina") in done.stdout, done)
done = run("lamina", "layers", LAM_PLUGIN_PATH="")
check("an empty LAM_PLUGIN_PATH", done.returncode == 0, done)
done = run("lamina", "check", "unet-smal")
check("no such model", done.returncode == 2 and
      "did you mean 'unet-small'?" in done.stdout, done)
check("lamina.pc: abi", tree.variable("lamina", "abi") ==
      re.search(r"plugin ABI (\d+)", run("lamina", "--version").stdout)[1])
check("lamina.pc: pluginsdir", (tree.work / tree.variable(
    "lamina", "pluginsdir") / "conv2d.so").exists())

# As a user who owns nothing but a folder for caches: no root, no HOME.
nobody = tree.folder / "nobody"
nobody.mkdir(mode=0o777)
nobody.chmod(0o777)
tree.folder.chmod(0o755)
user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] \
    if os.geteuid() == 0 else []
done = run(*user, tree.lamina, "selftest", "--op", "relu", HOME="/nonexistent",
           XDG_CACHE_HOME=nobody, POCL_CACHE_DIR=nobody / "pocl")
check("no root, no home: selftest", done.returncode == 0, done)

# Nothing it is made of can speak to a network: no telemetry, no downloads.
for file in [tree.lamina, tree.libdir / "liblamina.so.1",
             *sorted((tree.libdir / "lamina").rglob("*.so"))]:
    done = run("nm", "-D", "--undefined-only", file)
    found = re.findall(r" U (socket|connect|sendto?|getaddrinfo|curl_\w+)\b",
                       done.stdout)
    if found or done.returncode or file == tree.lamina:
        check(f"no network in {file.name}: {found or 'none'}",
              not found and done.returncode == 0, done)

# A network that is worth nothing but quick to have.
done = run("lamina", "train", "unet-small", "--data", "phantom:12:64:1",
           "--run", "run", "--set", "train.steps=4", "--set", "train.batch=2",
           "--set", "inputs.image=N,1,64,64")
check("train", done.returncode == 0, done)
run("lamina", "data", "phantom", "scans", "--count", 2, "--size", 80)
scan = next(iter(sorted((tree.work / "scans").rglob("images/*"))), "none")
done = run("lamina", "predict", "run", scan, "--out", "out")
check("predict", done.returncode == 0, done)
wanted = next((tree.work / "out").glob("*.pgm")).read_bytes()

# C
example = tree.build(root / "examples/c", "example") / "predict"
done = run(example, "run", scan, "c.pgm")
check("C: the bytes of lamina predict", done.returncode == 0 and
      (tree.work / "c.pgm").read_bytes() == wanted, done)
done = run(example, "nothing", scan)
check("C: no checkpoint", done.returncode == 1 and
      "nothing" in done.stdout, done)
done = run(example, "run", "nothing.png")
check("C: no image", done.returncode == 1 and "nothing.png" in done.stdout,
      done)
flags = run("pkg-config", "--cflags", "--libs", "liblamina").stdout.split()
(tree.work / "cxx.cc").write_text(
    "#include <lam/lam.h>\nint main() { return lam_version()[0] != '0'; }\n")
done = run("g++", "-Wall", "-Wextra", "-Werror", "-pedantic", "cxx.cc", *flags,
           "-o", "cxx")
check("C++ takes the header", done.returncode == 0 and
      run("./cxx").returncode == 0, done)

header = (root / "include/lam/lam.h").read_text()
functions = set(re.findall(r"^LAM_API [^(]*?(lam_\w+)\(", header, re.MULTILINE))
symbols = run("nm", "-D", "--defined-only", tree.libdir / "liblamina.so.1")
exported = {line.split()[2] for line in symbols.stdout.splitlines()
            if line.split()[1] != "A"}
check("it exports lam.h, version LAMINA_1", len(functions) > 10 and
      exported == {f"{f}@@LAMINA_1" for f in functions}, symbols)
done = run("readelf", "-d", tree.libdir / "liblamina.so")
check("soname", "[liblamina.so.1]" in done.stdout, done)

# Python
python = {"PYTHONPATH": tree.variable("liblamina", "pythondir")}
(tree.work / "use.py").write_text(f"""
import array, json, struct, lamina
scan = {str(scan)!r}
messages = []
with lamina.Network("run", log=lambda *m: messages.append(m)) as network:
    file = network.predict_file(scan)
    rows = open({str(tree.work / 'c.pgm')!r}, "rb").read().split(b"\\n", 3)[3]
    wanted = [v / 65535 for v in struct.unpack(f">{{len(rows) // 2}}H", rows)]
    one = array.array("f", [0.25] * 20 * 17)
    result = {{
        "file": max(abs(a - b) for a, b in zip(file.data, wanted)) * 65535,
        "shape": file.shape, "size": network.size,
        "rows": list(network.predict([[0.25] * 17] * 20).data) ==
                list(network.predict(one, (20, 17)).data),
        "tiles": network.predict_file(scan, tile=64, overlap=16).shape,
        "threshold": network.threshold, "device": network.device, "errors": []}}
    for call in (lambda: network.predict([[0.0, float("nan")]]),
                 lambda: network.predict_file("no.png"),
                 lambda: network.predict([[0.0]], tile=5),
                 lambda: network.predict(one, (3, 3)),
                 lambda: lamina.Network("no-run"),
                 lambda: lamina.Network("run", device="abacus")):
        try:
            call()
        except (lamina.Error, ValueError) as e:
            result["errors"].append([getattr(e, "status", 0), str(e)])
# A context for each thread; ctypes lets others run during a call.
import threading
found = []
def work():
    with lamina.Network("run") as network:
        for _ in range(3):
            found.append(bytes(network.predict_file(scan).data))
threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
result["threads"] = len(found) == 6 and set(found) == {{bytes(file.data)}}
print(json.dumps(result))
""")
done = run(sys.executable, "use.py", **python)
if check("Python runs", done.returncode == 0, done):
    result = json.loads(done.stdout.splitlines()[-1])
    check("Python: the values of lamina predict", result["file"] <= 0.51, done)
    check("Python: shapes", result["shape"] == [1, 80, 80] == result["tiles"]
          and result["size"] == [64, 64] and result["device"], done)
    check("Python: rows and array agree", result["rows"], done)
    check("Python: two threads, a context each", result["threads"], done)
    check("Python: errors", [e[0] for e in result["errors"]] ==
          [-8, -13, -2, 0, -10, -6], done)
check("Python: below 200 lines", len((root / "python/lamina.py").read_text()
                                     .splitlines()) < 200)
tree.end()
