#!/usr/bin/env python3
"""lamina-plugin(3) says what lam/plugin.h says: manual.py BUILD.

Each struct, enum, callback and service of the header is on the page, and each
name on the page is in the header; the example is built, and passes `lamina
plugin check`.
"""
import re
import subprocess

from program import build, check, finish, folder, root, run

header = (root / "include/lam/plugin.h").read_text()
page = (root / "share/lamina-plugin.3.scd").read_text()
code = re.sub(r"//.*|/\*.*?\*/", "", header)
words = set(re.findall(r"[A-Za-z]\w+", code))
text, _, example = page.partition("# EXAMPLE\n\n```\n")
example = example.partition("```")[0]
prose = re.sub(r"\blam_\s*\n\s*", "lam_", text)

for kind in "struct", "enum":
    for name in re.findall(rf"^{kind} (lam_\w+)(?= {{|;)", code, re.MULTILINE):
        check(f"the page has {kind} {name}",
              re.search(rf"{kind}\s+{name}_?(?!\w)", prose))
for struct, members in re.findall(
        r"^struct (lam_host|lam_layer_type|lam_optimizer_type|lam_plugin) {(.*?)^}",
        code, re.MULTILINE | re.DOTALL):
    names = re.findall(r"\(\*(\w+)\)\(", members)
    names += re.findall(r"\*const \*(\w+);", members)
    missing = [n for n in names if f"_{n}_" not in prose]
    check(f"the page has what {struct} points to", names and not missing, missing)
unknown = [n for n in re.findall(r"[_*](\w+?)[_*](?=[\s,.;:()]|$)", prose,
                                 re.MULTILINE)
           if re.match("lam_|LAM_", n) and n not in words | {"LAM_PLUGIN_PATH"}]
check("the header has what the page names", not unknown, unknown)

(folder / "half.c").write_text(example)
done = subprocess.run(
    ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
     "-fvisibility=hidden", "-I", root / "include", folder / "half.c", "-o",
     folder / "half.so"], capture_output=True, text=True, check=False)
check("its example is built", done.returncode == 0, done.stderr)
done = run("plugin", "check", folder / "half.so")
check("its example passes lamina plugin check", done.returncode == 0,
      done.stdout + done.stderr)
check("it is made with the others", (build / "share/lamina-plugin.3").exists())
finish()
